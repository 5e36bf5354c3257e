"""Letting go for good: what was deleted, what nobody owns, and all that is kept of one visitor."""

from __future__ import annotations

import asyncio
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
        """`cancel(visitor, run_id)` stops a run that is under way."""
        self._history, self._media, self._engines, self._cancel = history, media, engines, cancel

    def deleted(self, deleted_before: datetime, asked_before: datetime) -> None:
        """What was deleted before then. What was paid for since `asked_before` stays to be counted, without files."""
        self._drop_files(self._history.purge(deleted_before, asked_before))

    def anonymous(self, asked_before: datetime) -> None:
        """What callers without a token asked for before then."""
        self._drop_files(self._history.forget(runs.c.visitor.is_(None) & (runs.c.created_at < stamp(asked_before))))

    async def all_of(self, visitor: str, counted_since: datetime) -> int:
        """All that is kept of a visitor. Returns how many runs that were.

        What was paid for since `counted_since` still counts against the budgets, and what cannot be stopped goes on:
        of these only the sums and the state stay, without prompt, picture or ids, and the next tidying takes them.
        """
        live = runs.c.state.not_in([state.value for state in FINAL_STATES])
        mine = runs.c.visitor == visitor
        for run_id in await asyncio.to_thread(self._history.values, select(runs.c.id).where(mine & live)):
            try:
                await self._cancel(visitor, run_id)
            except NotFound:  # ended and purged meanwhile
                continue
        return await asyncio.to_thread(self._forget_all, visitor, counted_since)

    def _forget_all(self, visitor: str, counted_since: datetime) -> int:
        mine = runs.c.visitor == visitor
        counted = (runs.c.created_at >= stamp(counted_since)) & (runs.c.cost_usd > 0)
        gone = self._history.forget(mine & ~counted)
        self._drop_files(gone)
        rest = [entry.run for entry in self._history.rows(select(runs).where(mine))]
        for run in rest:
            long_ago = run.created_at - timedelta(days=1)
            blank: dict[str, object] = {
                "request": run.request.vary(prompt=ERASED_PROMPT),
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
