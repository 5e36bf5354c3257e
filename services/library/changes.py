"""Who wants to hear that the history changed. What changed is read from the database, not told here."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from services.library.scope import Scope


class Changes:
    """Wakes listeners of one event loop. Each listener hears of the runs in its scope only."""

    def __init__(self) -> None:
        self._listeners: dict[asyncio.Event, Scope] = {}
        self.closed = False

    @contextmanager
    def listen(self, scope: Scope) -> Iterator[asyncio.Event]:
        """An event that is set at each change in the scope; the listener clears it."""
        wake = asyncio.Event()
        self._listeners[wake] = scope
        try:
            yield wake
        finally:
            del self._listeners[wake]

    def tell(self, visitor: str | None) -> None:
        """A run of this visitor changed."""
        for wake, scope in self._listeners.items():
            if scope.everyone or (visitor is not None and scope.visitor == visitor):
                wake.set()

    def close(self) -> None:
        """The server stops: every listener looks up, sees `closed` and ends."""
        self.closed = True
        for wake in self._listeners:
            wake.set()
