"""Notifies listeners that the history changed. They read what changed from the database.

Two kinds of listeners: pages want every change in their scope (`listen`); callers of the API want the end of one run or
of one grid (`wait_for`), and are woken by nothing else, so that many of them cost no reads while they wait.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from services.library.scope import Scope
from services.run import Run


class Changes:
    """For one event loop."""

    def __init__(self) -> None:
        self._listeners: dict[asyncio.Event, Scope] = {}
        self._waiting: defaultdict[str, set[asyncio.Event]] = defaultdict(set)
        self.closed = False

    @contextmanager
    def listen(self, scope: Scope) -> Iterator[asyncio.Event]:
        """An event that is set at each change in the scope. The listener clears it."""
        wake = asyncio.Event()
        self._listeners[wake] = scope
        try:
            yield wake
        finally:
            del self._listeners[wake]

    @contextmanager
    def wait_for(self, name: str) -> Iterator[asyncio.Event]:
        """An event that is set when the run, or a run of the grid, with the id `name` may have ended. The listener
        clears it, and reads whether it has."""
        wake = asyncio.Event()
        self._waiting[name].add(wake)
        try:
            yield wake
        finally:
            self._waiting[name].discard(wake)
            if not self._waiting[name]:
                del self._waiting[name]

    def tell(self, visitor: str | None, changed: Iterable[Run] | None = None) -> None:
        """Wake the listeners whose scope includes this visitor's runs. Call it after runs of the visitor changed.

        `changed`: those runs as they are committed now; of those who wait for an end, only theirs are woken. None: any
        run may have ended.
        """
        for wake, scope in self._listeners.items():
            if scope.everyone or (visitor is not None and scope.visitor == visitor):
                wake.set()
        if changed is None:
            self._wake(self._waiting)
            return
        for run in changed:
            if run.state.is_final or run.deleted_at:
                self._wake([run.id, run.grid_id or ""])

    def _wake(self, names: Iterable[str]) -> None:
        for name in names:
            for wake in self._waiting.get(name, ()):
                wake.set()

    def close(self) -> None:
        """Call it when the server stops: wakes every listener, so that it sees `closed` and ends."""
        self.closed = True
        for wake in self._listeners:
            wake.set()
        self._wake(self._waiting)
