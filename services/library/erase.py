"""Permanent removal: of deleted runs, of runs of callers without a token, and of everything kept of one visitor."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, insert, select

from services.engines.registry import Engines
from services.errors import CannotWrite, NotFound
from services.library.compaction import Compaction
from services.library.deletion import Deletion, remove_grids
from services.library.dialect import one_of
from services.library.erase_again import erase_again, prune
from services.library.gone import GoneList, hashed
from services.library.history import ERASURES, REMOVALS, History, change_all, count_up, forget
from services.library.media import Media
from services.library.rows import entry_of, stamp
from services.library.rules import LIVE
from services.library.tables import erasures, grids, runs
from services.library.traces import erase_rows
from services.run import Picture, Run

log = logging.getLogger(__name__)

ERASED_PROMPT = "(deleted)"
LONG_AGO = timedelta(days=1)
"""Runs that were erased before they ended are dated as deleted so long before they were made."""


class Erase:
    def __init__(
        self,
        history: History,
        media: Media,
        engines: Engines,
        cancel: Callable[[str | None, str], Awaitable[Run]],
        under_way: Callable[[], Collection[str]],
        gone: GoneList,
        forget_in_memory: Sequence[Callable[[str], object]] = (),
    ) -> None:
        """`cancel(visitor, run_id)` cancels an unfinished run. `under_way()`: the ids of the runs that are being worked
        on. `forget_in_memory`: functions that drop what the memory holds of a visitor.
        """
        self._history, self._media, self._engines, self._cancel = history, media, engines, cancel
        self._under_way, self._gone, self._forget_in_memory = under_way, gone, forget_in_memory
        self._compaction, self._deletion = Compaction(history), Deletion(history)

    async def deleted(self, deleted_before: datetime) -> None:
        """Remove what was deleted before `deleted_before`: runs with their files, grids, projects, ballots."""
        working = [*self._under_way()]
        await self._history.pools.chores(self._note_removals, deleted_before)
        gone = await self._history.pools.chores(self._history.purge, deleted_before)
        gone += await self._history.pools.chores(self._history.forget, _given_up(working), even_unfinished=True)
        await self._drop_files(gone)
        await self._history.pools.chores(self._deletion.purge, deleted_before)

    def _note_removals(self, deleted_before: datetime) -> None:
        ended = select(runs.c.id).where(runs.c.deleted_at < stamp(deleted_before), runs.c.state.not_in(LIVE))
        due = {"runs": self._history.values(ended), **self._deletion.due(deleted_before)}
        if any(due.values()):
            self._done(self._gone.add(deleted_before, **{kind: tuple(ids) for kind, ids in due.items()}))

    def _done(self, erasure: str) -> None:
        with self._history.writing() as connection:
            connection.execute(insert(erasures).values(id=erasure))

    async def again(self, moment: datetime) -> None:
        """At start, before any run is worked on: erase what was erased already, where the history begins from a copy
        that was made before; and forget erasures of which no copy can hold anything.
        """
        gone = await self._history.pools.chores(erase_again, self._history, self._gone)
        await self._drop_files(gone)
        kept = await self._history.pools.chores(self._gone.prune, moment)
        await self._history.pools.chores(prune, self._history, kept)

    async def anonymous(self, asked_before: datetime) -> None:
        """Remove runs and grids that callers without a token asked for before `asked_before`, with their files."""
        rule = runs.c.visitor.is_(None) & (runs.c.created_at < stamp(asked_before))
        await self._drop_files(await self._history.pools.chores(self._history.forget, rule))
        await self._history.pools.chores(self._remove_grids, asked_before)

    def _remove_grids(self, asked_before: datetime) -> None:
        old = select(grids.c.id).where(grids.c.visitor.is_(None), grids.c.created_at < stamp(asked_before))
        if ids := self._history.values(old):
            with self._history.writing() as connection:
                remove_grids(connection, ids)
                count_up(connection, REMOVALS)

    async def compact(self) -> None:
        """Remove what is left in the files of rows that were removed."""
        await self._compaction.run(quiet=not self._under_way())

    async def all_of(self, visitor: str, moment: datetime) -> int:
        """Remove everything kept of a visitor, by `traces.py`. Returns how many runs that were.

        Runs that are still at fal after they were cancelled stay until they end, without any of the visitor's words and
        without the visitor's name: the next `deleted` after that removes them.
        """
        mine = select(runs.c.id).where(runs.c.visitor == visitor, runs.c.state.in_(LIVE))
        unfinished = await self._history.pools.chores(self._history.values, mine)
        await asyncio.gather(*(self._cancelled(visitor, run_id) for run_id in unfinished))
        for forget_in_memory in self._forget_in_memory:
            forget_in_memory(visitor)
        gone, left = await self._history.pools.chores(self._erase_rows, visitor, moment)
        await self._drop_files(gone)
        try:
            await self.compact()
        except CannotWrite as error:  # the rows are gone, and this stays due
            log.warning("what an erasure leaves in the files could not be removed yet: %s", error.reason)
        return len(gone) + left

    async def _cancelled(self, visitor: str, run_id: str) -> None:
        try:
            await self._cancel(visitor, run_id)
        except NotFound:  # ended and purged meanwhile
            return

    def _erase_rows(self, visitor: str, moment: datetime) -> tuple[list[Run], int]:
        """In one transaction; returns the removed runs, and how many stay until they end."""
        erasure = self._gone.add(moment, visitor=hashed(visitor))
        with self._history.writing() as connection:
            gone = forget(connection, runs.c.visitor == visitor)
            left = [entry_of(row).run for row in connection.execute(select(runs).where(runs.c.visitor == visitor))]
            for run in left:
                _blank(connection, run)
            erase_rows(connection, visitor)
            connection.execute(insert(erasures).values(id=erasure))
            for counter in (REMOVALS, ERASURES):
                count_up(connection, counter)
        return gone, len(left)

    async def _drop_files(self, gone: list[Run]) -> None:
        await self._history.pools.chores(self._drop_pictures, [run.picture for run in gone if run.picture])
        for run in gone:
            if run.engine == "demo" and run.ticket:
                self._engines.forget_demo_request(run.ticket.request_id)

    def _drop_pictures(self, gone: Iterable[Picture]) -> None:
        for picture in gone:
            self._media.remove(picture)


def _blank(connection: Connection, run: Run) -> None:
    """Overwrite what an unfinished run tells of its visitor. Its ticket stays, by which it is followed to its end."""
    change_all(
        connection, runs.c.id == run.id,
        visitor=None, request=run.request.but(prompt=ERASED_PROMPT), deleted_at=run.created_at - LONG_AGO,
        favourite=False, notes="", tags=(), grid_id=None, project_id=None, repeat_of=None, retry_of=None,
    )  # fmt: skip


def _given_up(working: Iterable[str]) -> ColumnElement[bool]:
    """The condition for erased runs that are not worked on: they cannot end, for the visitor's key is gone."""
    erased = runs.c.visitor.is_(None) & (runs.c.deleted_at < runs.c.created_at)
    return erased & runs.c.state.in_(LIVE) & runs.c.id.not_in(one_of(working))
