"""Writes the changes of runs under way to the history: each is committed, then the pages are notified.

While the disk is full or another program holds a lock, writes are retried: only this process may know what it writes,
such as the id of a request that fal has just accepted.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from services.clock import Clock
from services.errors import CannotWrite
from services.library.changes import Changes
from services.library.history import History
from services.library.scope import EVERYONE
from services.run import Run, RunState, Ticket

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 600.0
"""How long a failing write is retried before its error is raised."""
LONGEST_PAUSE_SECONDS = 30.0


class Journal:
    """A commit that has begun is finished even if the task that waits for it is cancelled."""

    def __init__(self, history: History, changes: Changes, clock: Clock) -> None:
        self._history, self._changes, self._clock = history, changes, clock
        self.stopping = False
        """Whether the server stops: then failing writes are no longer retried."""

    async def begin(self, run: Run) -> Run | None:
        """Change a pending run to submitting; None if it is not pending any more, or its grid is paused."""
        return self._tell(await self._written(lambda: self._history.begin_soon(run.id, self._clock.now())))

    async def save(self, run: Run, **fields: Any) -> Run:
        saved: Run = self._tell(await self._written(lambda: self._history.change_soon(run.id, **fields)))
        return saved

    async def save_news(self, run: Run, news: dict[str, Any]) -> Run:
        """Save the fields that differ from the run's; write nothing if none does."""
        fresh = {name: value for name, value in news.items() if getattr(run, name) != value}
        return await self.save(run, **fresh) if fresh else run

    async def save_from(self, before: RunState, run: Run, /, **fields: Any) -> Run | None:
        """Save only where the run is in the state `before` now; None where it is not."""
        return self._tell(await self._written(lambda: self._history.change_from_soon(before, run.id, **fields)))

    async def accept(self, run: Run, ticket: Ticket, note: str | None = None) -> Run:
        """Write what fal replied to a submit, whatever state the run is in. Tried until it succeeds or the server
        stops: this process alone knows the request's id."""
        try:
            written = await self._written(lambda: self._history.accept_soon(run.id, ticket, note), patience=math.inf)
        except CannotWrite:
            log.error("run %s: fal accepted it as %s, which could not be written", run.id, ticket.request_id)
            raise
        accepted: Run = self._tell(written)
        return accepted

    async def current(self, run: Run) -> Run:
        """The run as it is in the history now: another task may have changed it."""
        return await self._history.pools.reads(self._history.get, run.id, EVERYONE)

    def _tell(self, saved: Any) -> Any:
        if saved:
            self._changes.tell(saved.visitor, [saved])
        return saved

    async def _written(self, write: Callable[[], Future[Any]], patience: float = PATIENCE_SECONDS) -> Any:
        start, attempt = self._clock.monotonic(), 0
        while True:
            try:
                return await asyncio.shield(asyncio.wrap_future(write()))
            except CannotWrite as error:
                attempt += 1
                if self.stopping or self._clock.monotonic() - start > patience:
                    raise
                log.error("the history cannot be written (%s); trying again", error.reason)
                await self._clock.sleep(min(LONGEST_PAUSE_SECONDS, 0.5 * 2**attempt))
