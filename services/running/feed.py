"""The newest changes of the history, read once for all open pages.

Each page needs the changes of its visitor as they are committed. One read fetches those of all visitors, however many
pages wait for them; a page that asks for older ones reads the database.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from services.library.history import History
from services.library.rows import Entry
from services.library.scope import EVERYONE, Scope

KEPT = 512
AT_ONCE = 200
"""Most changes in one answer that is read from the database."""


class Feed:
    """For one event loop. It returns committed changes only, as read from the database."""

    def __init__(self, history: History) -> None:
        self._history = history
        self._recent: OrderedDict[str, Entry] = OrderedDict()  # by run, in the order of their newest changes
        self._floor: int | None = None  # every change after this revision is in `_recent`
        self._top = 0  # the newest revision that was read
        self._reading: asyncio.Task[None] | None = None
        self._begun = False  # whether `_reading` has begun to read

    async def since(self, scope: Scope, revision: int) -> list[Entry]:
        """Runs of this scope that changed after `revision`, in the order of their newest changes.

        Includes all that was committed before the call; if it returns AT_ONCE or more, there may be further ones.
        """
        await self._catch_up()
        if self._floor is None or revision < self._floor:
            return await self._history.pools.reads(self._history.changed_since, scope, revision, limit=AT_ONCE)
        found = []
        for entry in reversed(self._recent.values()):
            if entry.run.revision <= revision:
                break
            if scope.holds(entry.run):
                found.append(entry)
        return found[::-1]

    def forget(self, visitor: str) -> None:
        """Drop what is in memory of this visitor's runs: they are erased."""
        for run_id in [entry.run.id for entry in self._recent.values() if entry.run.visitor == visitor]:
            del self._recent[run_id]

    async def _catch_up(self) -> None:
        """Wait for a read that begins after this call. All calls made during one read share the next one."""
        if self._reading and self._begun:
            await asyncio.wait([self._reading])
        if self._reading is None:
            self._begun = False
            self._reading = asyncio.create_task(self._read())
        await asyncio.shield(self._reading)

    async def _read(self) -> None:
        self._begun = True
        try:
            if self._floor is None:
                self._floor = self._top = await self._history.pools.reads(self._history.revision)
            entries = await self._history.pools.reads(self._history.changed_since, EVERYONE, self._top, limit=KEPT)
            if len(entries) == KEPT:  # more changes at once than can be kept: start over after them
                self._recent.clear()
                self._floor = self._top = await self._history.pools.reads(self._history.revision)
            else:
                self._keep(entries)
        finally:
            self._reading = None

    def _keep(self, entries: list[Entry]) -> None:
        for entry in entries:
            self._recent.pop(entry.run.id, None)
            self._recent[entry.run.id] = entry
            self._top = entry.run.revision
        while len(self._recent) > KEPT:
            _, dropped = self._recent.popitem(last=False)
            self._floor = dropped.run.revision
