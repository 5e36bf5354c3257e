"""Notifies listeners that the history changed. They read what changed from the database."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from services.library.scope import Scope


class Changes:
    """Wakes listeners of one event loop. Each listener is woken only by changes in its scope."""

    def __init__(self) -> None:
        self._listeners: dict[asyncio.Event, Scope] = {}
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

    def tell(self, visitor: str | None) -> None:
        """Wake the listeners whose scope includes this visitor's runs. Call it after a run of the visitor changed."""
        for wake, scope in self._listeners.items():
            if scope.everyone or (visitor is not None and scope.visitor == visitor):
                wake.set()

    def close(self) -> None:
        """Call it when the server stops: wakes every listener, so that it sees `closed` and ends."""
        self.closed = True
        for wake in self._listeners:
            wake.set()
