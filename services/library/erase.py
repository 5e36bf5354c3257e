"""Permanent removal: of deleted runs, of runs of callers without a token, and of everything kept of one visitor."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta

from sqlalchemy import select

from services.engines.registry import Engines
from services.errors import NotFound
from services.library.history import History
from services.library.media import Media
from services.library.rows import stamp
from services.library.tables import runs
from services.run import FINAL_STATES, Run

ERASED_PROMPT = "(deleted)"


class Erase:
    def __init__(
        self, history: History, media: Media, engines: Engines, cancel: Callable[[str | None, str], Awaitable[Run]]
    ) -> None:
        """`cancel(visitor, run_id)` cancels an unfinished run."""
        self._history, self._media, self._engines, self._cancel = history, media, engines, cancel

    def deleted(self, deleted_before: datetime, asked_before: datetime) -> None:
        """Remove runs that were deleted before `deleted_before`, with their files. Runs with a cost that were asked for
        since `asked_before` are kept: the budgets still count them.
        """
        self._drop_files(self._history.purge(deleted_before, asked_before))

    def anonymous(self, asked_before: datetime) -> None:
        """Remove runs that callers without a token asked for before `asked_before`, with their files."""
        self._drop_files(self._history.forget(runs.c.visitor.is_(None) & (runs.c.created_at < stamp(asked_before))))

    async def all_of(self, visitor: str, counted_since: datetime) -> int:
        """Remove everything kept of a visitor. Returns how many runs that were.

        Two kinds of runs stay for now: those with a cost since `counted_since`, which the budgets still count, and
        those that cannot be cancelled. Their prompt is overwritten; ended ones also lose picture, ticket, failure and
        note. All are dated as deleted a day before they were made, so that a later purge (`deleted`) removes them.
        """
        live = runs.c.state.not_in([state.value for state in FINAL_STATES])
        mine = runs.c.visitor == visitor
        for run_id in await self._history.pools.reads(self._history.values, select(runs.c.id).where(mine & live)):
            try:
                await self._cancel(visitor, run_id)
            except NotFound:  # ended and purged meanwhile
                continue
        return await self._history.pools.chores(self._forget_all, visitor, counted_since)

    def _forget_all(self, visitor: str, counted_since: datetime) -> int:
        mine = runs.c.visitor == visitor
        counted = (runs.c.created_at >= stamp(counted_since)) & (runs.c.cost_usd > 0)
        gone = self._history.forget(mine & ~counted)
        self._drop_files(gone)
        rest = [entry.run for entry in self._history.rows(select(runs).where(mine))]
        for run in rest:
            long_ago = run.created_at - timedelta(days=1)
            blank: dict[str, object] = {
                "request": run.request.but(prompt=ERASED_PROMPT),
                "deleted_at": long_ago,
                "favourite": False,
            }
            if run.state.is_final:
                blank |= {"picture": None, "ticket": None, "failure": None, "note": None}
            self._history.change(run.id, **blank)
        self._drop_files(rest)
        return len(gone) + len(rest)

    def _drop_files(self, gone: Iterable[Run]) -> None:
        for run in gone:
            if run.picture:
                self._media.remove(run.picture)
            if run.engine == "demo" and run.ticket:
                self._engines.forget_demo_request(run.ticket.request_id)
