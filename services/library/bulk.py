"""What is done to many runs at once: those that are named, or all that a search finds."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, select, update

from services.errors import NotFound
from services.library.changes import Changes
from services.library.dialect import one_of
from services.library.history import History
from services.library.query import Query
from services.library.rules import LIVE, found_by
from services.library.scope import Scope
from services.library.tables import grids, runs
from services.run import Run, now


@dataclass(frozen=True)
class Named:
    """Runs by their ids."""

    ids: tuple[str, ...]

    def rule(self, scope: Scope) -> ColumnElement[bool]:
        return and_(scope.clause(), _is_one_of(self.ids))


@dataclass(frozen=True)
class Matching:
    """All that a search finds up to the run of seq `newest`, but for some: what came later was not seen."""

    query: Query
    newest: int
    but_for: tuple[str, ...] = ()

    def rule(self, scope: Scope) -> ColumnElement[bool]:
        return and_(found_by(scope, self.query), runs.c.seq <= self.newest, ~_is_one_of(self.but_for))


Chosen = Named | Matching


def _is_one_of(ids: Iterable[str]) -> ColumnElement[bool]:
    return runs.c.id.in_(one_of(ids))


class Bulk:
    """Each action returns the ids of the runs that it changed: what undoes it is told the same ids."""

    def __init__(self, history: History, changes: Changes, cancel: Callable[[str | None, str], Awaitable[Run]]) -> None:
        """`cancel(visitor, run_id)` stops a run that is under way."""
        self._history, self._changes, self._cancel = history, changes, cancel

    async def favourite(self, visitor: str | None, scope: Scope, chosen: Chosen, on: bool) -> list[str]:
        rule = and_(chosen.rule(scope), runs.c.deleted_at.is_(None), runs.c.favourite.is_not(on))
        return await self._change(visitor, rule, favourite=on)

    async def delete(self, visitor: str | None, scope: Scope, chosen: Chosen) -> list[str]:
        """Hide them; `undelete` brings them back while they are kept. Running ones are cancelled first."""
        rule = and_(chosen.rule(scope), runs.c.deleted_at.is_(None))
        live = select(runs.c.id).where(rule, runs.c.state.in_(LIVE))
        for run_id in await asyncio.to_thread(self._history.values, live):
            try:
                await self._cancel(visitor, run_id)
            except NotFound:  # gone meanwhile
                continue
        return await self._change(visitor, rule, deleted_at=now())

    async def undelete(self, visitor: str | None, scope: Scope, chosen: Named) -> list[str]:
        return await self._change(visitor, and_(chosen.rule(scope), runs.c.deleted_at.is_not(None)), deleted_at=None)

    async def move(
        self, visitor: str | None, scope: Scope, chosen: Chosen, project_id: str | None
    ) -> dict[str | None, list[str]]:
        """Put them into a project of this scope, None for the Inbox. Returns the ids by the project they were in."""
        rule = and_(chosen.rule(scope), runs.c.deleted_at.is_(None), runs.c.project_id.is_distinct_from(project_id))
        before = await self._grouped(runs.c.project_id, rule)
        for ids in before.values():
            await self._change(visitor, Named(tuple(ids)).rule(scope), project_id=project_id)
        await asyncio.to_thread(self._move_grids, [run_id for ids in before.values() for run_id in ids], project_id)
        return before

    def _move_grids(self, ids: list[str], project_id: str | None) -> None:
        """A grid goes with its runs, once all of them are in the project."""
        moved = select(runs.c.grid_id).where(_is_one_of(ids))
        left = select(runs.c.seq).where(
            runs.c.grid_id == grids.c.id, runs.c.deleted_at.is_(None), runs.c.project_id.is_distinct_from(project_id)
        )
        with self._history.writing() as connection:
            rule = and_(grids.c.id.in_(moved), ~left.correlate(grids).exists())
            connection.execute(update(grids).where(rule).values(project_id=project_id))

    async def tag(
        self, visitor: str | None, scope: Scope, chosen: Chosen, change: Callable[[tuple[str, ...]], tuple[str, ...]]
    ) -> dict[tuple[str, ...], list[str]]:
        """Give each the tags that `change` makes of its own. Returns the ids of those that changed, by their old tags.

        Raises what `change` raises; then nothing has changed.
        """
        rule = and_(chosen.rule(scope), runs.c.deleted_at.is_(None))
        before = {tuple(json.loads(tags)): ids for tags, ids in (await self._grouped(runs.c.tags, rule)).items()}
        changes = {tags: change(tags) for tags in before}
        changed = {tags: ids for tags, ids in before.items() if changes[tags] != tags}
        for tags, ids in changed.items():
            await self._change(visitor, Named(tuple(ids)).rule(scope), tags=changes[tags])
        return changed

    async def _grouped(self, column: ColumnElement[Any], rule: ColumnElement[bool]) -> dict[Any, list[str]]:
        """The ids of a rule's runs by the value of a column."""
        found: dict[Any, list[str]] = {}
        for value, run_id in await asyncio.to_thread(self._history.table, select(column, runs.c.id).where(rule)):
            found.setdefault(value, []).append(run_id)
        return found

    async def _change(self, visitor: str | None, rule: ColumnElement[bool], **fields: Any) -> list[str]:
        changed = await asyncio.to_thread(self._history.change_all, rule, **fields)
        self._changes.tell(visitor)
        return changed
