"""Actions on many runs at once: those named by id, or all that a search finds."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, select, update

from services.errors import NotFound
from services.library.changes import Changes
from services.library.dialect import one_of
from services.library.history import History, change_all
from services.library.query import Query
from services.library.rules import LIVE, found_by
from services.library.scope import Scope
from services.library.tables import grids, runs
from services.run import Run, now

T = TypeVar("T")


@dataclass(frozen=True)
class Named:
    """Runs by their ids."""

    ids: tuple[str, ...]

    def rule(self, scope: Scope) -> ColumnElement[bool]:
        return and_(scope.clause(), _is_one_of(self.ids))


@dataclass(frozen=True)
class Matching:
    """All runs that a search finds, except those in `but_for` and those with a seq above `newest`, which the user had
    not seen when choosing.
    """

    query: Query
    newest: int
    but_for: tuple[str, ...] = ()

    def rule(self, scope: Scope) -> ColumnElement[bool]:
        return and_(found_by(scope, self.query), runs.c.seq <= self.newest, ~_is_one_of(self.but_for))


Chosen = Named | Matching


def _is_one_of(ids: Iterable[str]) -> ColumnElement[bool]:
    return runs.c.id.in_(one_of(ids))


class Bulk:
    """Each action returns the ids of the runs that it changed, so that the caller can undo it for exactly these."""

    def __init__(self, history: History, changes: Changes, cancel: Callable[[str | None, str], Awaitable[Run]]) -> None:
        """`cancel(visitor, run_id)` cancels an unfinished run."""
        self._history, self._changes, self._cancel = history, changes, cancel

    async def favourite(self, visitor: str | None, scope: Scope, chosen: Chosen, on: bool) -> list[str]:
        rule = and_(chosen.rule(scope), runs.c.deleted_at.is_(None), runs.c.favourite.is_not(on))
        return await self._change(visitor, rule, favourite=on)

    async def delete(self, visitor: str | None, scope: Scope, chosen: Chosen) -> list[str]:
        """Hide runs; `undelete` shows them again until they are purged. Unfinished runs are cancelled first."""
        rule = and_(chosen.rule(scope), runs.c.deleted_at.is_(None))
        live = select(runs.c.id).where(rule, runs.c.state.in_(LIVE))
        for run_id in await self._history.pools.reads(self._history.values, live):
            try:
                await self._cancel(visitor, run_id)
            except NotFound:  # purged since the query
                continue
        return await self._change(visitor, rule, deleted_at=now())

    async def undelete(self, visitor: str | None, scope: Scope, chosen: Named) -> list[str]:
        return await self._change(visitor, and_(chosen.rule(scope), runs.c.deleted_at.is_not(None)), deleted_at=None)

    async def move(
        self, visitor: str | None, scope: Scope, chosen: Chosen, project_id: str | None
    ) -> dict[str | None, list[str]]:
        """Move runs to a project of this scope, None for the Inbox. Returns previous project id → ids of the runs that
        were in it.
        """
        rule = and_(chosen.rule(scope), runs.c.deleted_at.is_(None), runs.c.project_id.is_distinct_from(project_id))

        def work(connection: Connection) -> dict[str | None, list[str]]:
            before = _grouped(connection, runs.c.project_id, rule)
            _move_grids(connection, change_all(connection, rule, project_id=project_id), project_id)
            return before

        return await self._in_one_transaction(visitor, work)

    async def tag(
        self, visitor: str | None, scope: Scope, chosen: Chosen, change: Callable[[tuple[str, ...]], tuple[str, ...]]
    ) -> dict[tuple[str, ...], list[str]]:
        """Replace each run's tags by `change(tags)`. Returns old tags → ids of the runs whose tags changed.

        Raises what `change` raises; in that case nothing has been changed.
        """
        rule = and_(chosen.rule(scope), runs.c.deleted_at.is_(None))

        def work(connection: Connection) -> dict[tuple[str, ...], list[str]]:
            changed = {}
            for text, ids in _grouped(connection, runs.c.tags, rule).items():
                before = tuple(json.loads(text))
                if (after := change(before)) != before:
                    change_all(connection, _is_one_of(ids), tags=after)
                    changed[before] = ids
            return changed

        return await self._in_one_transaction(visitor, work)

    async def _in_one_transaction(self, visitor: str | None, work: Callable[[Connection], T]) -> T:
        """If `work` raises, nothing has been changed."""

        def write() -> T:
            with self._history.writing() as connection:
                return work(connection)

        done = await self._history.pools.writes(write)
        self._changes.tell(visitor)
        return done

    async def _change(self, visitor: str | None, rule: ColumnElement[bool], **fields: Any) -> list[str]:
        changed = await self._history.pools.writes(self._history.change_all, rule, **fields)
        self._changes.tell(visitor)
        return changed


def _grouped(connection: Connection, column: ColumnElement[Any], rule: ColumnElement[bool]) -> dict[Any, list[str]]:
    """Value of `column` → ids of the runs that `rule` selects."""
    found: dict[Any, list[str]] = {}
    for value, run_id in connection.execute(select(column, runs.c.id).where(rule)):
        found.setdefault(value, []).append(run_id)
    return found


def _move_grids(connection: Connection, ids: list[str], project_id: str | None) -> None:
    """Move the grids of these runs to the project, if all runs of the grid that are not deleted are in it now."""
    moved = select(runs.c.grid_id).where(_is_one_of(ids))
    left = select(runs.c.seq).where(
        runs.c.grid_id == grids.c.id, runs.c.deleted_at.is_(None), runs.c.project_id.is_distinct_from(project_id)
    )
    rule = and_(grids.c.id.in_(moved), ~left.correlate(grids).exists())
    connection.execute(update(grids).where(rule).values(project_id=project_id))
