"""Grids in the history: their plans, the run in each cell, and their ballots."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, RowMapping, Select, func, insert, select, update

from services.errors import NotFound
from services.library.dialect import insert_or_update
from services.library.history import Among, History
from services.library.rows import stamp
from services.library.scope import Scope
from services.library.tables import ballots, grid_cells, grids, runs
from services.run import FINAL_STATES, Run, RunState

NewCells = Callable[[list[Run]], Mapping[str, str]]
"""New runs, as an `Among` gets them → cell key → run id."""


@dataclass(frozen=True)
class GridRow:
    """A grid as the history stores it."""

    id: str
    visitor: str | None
    plan: str
    """JSON of `services.grids.plan.GridPlan`."""
    created_at: datetime
    paused: bool
    repeat: tuple[str, str] | None
    """The ids of two runs of the same request: the repeat check."""
    cells: Mapping[str, str]
    """Cell key → run id."""


@dataclass(frozen=True)
class GridSummary:
    """A grid as a list of grids shows it."""

    id: str
    seq: int
    plan: str
    cells: int
    """Number of cells that were asked for."""
    gone: bool
    """Whether the pictures of all cells are deleted."""
    created_at: datetime


class GridStore:
    """Methods block for about a millisecond; async callers use `History.pools`."""

    def __init__(self, history: History) -> None:
        self._history = history

    # Each of these makes an `Among`: what is written to grids in the transaction that adds a grid's new runs.

    @staticmethod
    def add(grid: GridRow, cells: NewCells) -> Among:
        """A new grid, with the project of its runs. `cells` are those of the new runs."""

        def among(connection: Connection, new: list[Run]) -> list[Run]:
            project = next((run.project_id for run in new), None)
            row = {"id": grid.id, "visitor": grid.visitor, "created_at": stamp(grid.created_at), "paused": grid.paused}
            connection.execute(grids.insert(), {**row, "plan": grid.plan, "project_id": project})
            _fill(connection, grid.id, {**grid.cells, **cells(new)})
            return new

        return among

    @staticmethod
    def fill(
        grid_id: str,
        seen: Mapping[str, str],
        cells: NewCells,
        *,
        plan: str | None = None,
        there: Mapping[str, str] | None = None,
    ) -> Among:
        """Put the new runs, and those `there` already, into cells; with `plan`, replace the grid's plan.

        A cell that no longer holds the run that was `seen` in it (or none) was filled by another press: it stays, and
        the run for it is not added.
        """

        def among(connection: Connection, new: list[Run]) -> list[Run]:
            if plan:
                connection.execute(update(grids).where(grids.c.id == grid_id).values(plan=plan))
            held = {row.key: row.run_id for row in connection.execute(_cells(grid_id))}
            free = {key: run for key, run in {**(there or {}), **cells(new)}.items() if held.get(key) == seen.get(key)}
            _fill(connection, grid_id, free)
            filling = set(free.values())
            return [run for run in new if run.id in filling]

        return among

    @staticmethod
    def replace(run_id: str) -> Among:
        """Put the one new run into every cell that holds the run `run_id`."""

        def among(connection: Connection, new: list[Run]) -> list[Run]:
            held = grid_cells.c.run_id == run_id
            connection.execute(update(grid_cells).where(held).values(run_id=new[0].id))
            return new

        return among

    @staticmethod
    def check(grid_id: str, first: str) -> Among:
        """The run `first` and the one new run become the two of the repeat check."""

        def among(connection: Connection, new: list[Run]) -> list[Run]:
            repeat = json.dumps([first, new[0].id])
            connection.execute(update(grids).where(grids.c.id == grid_id).values(repeat=repeat))
            return new

        return among

    def replan(self, grid_id: str, plan: str) -> None:
        """Replace a grid's plan by one with the same cells."""
        with self._history.writing() as connection:
            connection.execute(update(grids).where(grids.c.id == grid_id).values(plan=plan))

    def pause(self, grid_id: str, paused: bool) -> None:
        with self._history.writing() as connection:
            connection.execute(update(grids).where(grids.c.id == grid_id).values(paused=paused))

    def get(self, grid_id: str, scope: Scope) -> GridRow:
        """Raises NotFound."""
        query = select(grids).where(grids.c.id == grid_id, scope.clause(grids.c.visitor), grids.c.deleted_at.is_(None))
        row = next(iter(self._history.records(query)), None)
        if row is None:
            raise NotFound("grid")
        return _grid(row, {cell["key"]: cell["run_id"] for cell in self._history.records(_cells(grid_id))})

    def change_pending(self, grid_id: str, **fields: object) -> list[str]:
        """Change all pending runs of a grid in one transaction. Returns their ids."""
        rule = (runs.c.grid_id == grid_id) & (runs.c.state == RunState.PENDING.value)
        return self._history.change_all(rule, **fields)

    def under_way(self, grid_id: str) -> bool:
        """Whether a grid has unfinished runs; always False while it is paused."""
        live = select(runs.c.id).join(grids, grids.c.id == runs.c.grid_id).where(
            runs.c.grid_id == grid_id,
            runs.c.deleted_at.is_(None),
            runs.c.state.not_in([state.value for state in FINAL_STATES]),
            grids.c.paused.is_(False),
        )  # fmt: skip
        return bool(self._history.values(live.limit(1)))

    def newest(self, scope: Scope, *, limit: int, before: int | None = None) -> list[GridSummary]:
        counted = select(func.count()).where(grid_cells.c.grid_id == grids.c.id).scalar_subquery()
        left = select(grid_cells.c.key).join(runs, runs.c.id == grid_cells.c.run_id).where(
            grid_cells.c.grid_id == grids.c.id, runs.c.deleted_at.is_(None)
        )  # fmt: skip
        columns = (grids.c.id, grids.c.seq, grids.c.plan, grids.c.created_at)
        query = select(*columns, counted.label("filled"), left.correlate(grids).exists().label("left")).where(
            scope.clause(grids.c.visitor), grids.c.deleted_at.is_(None)
        )
        if before is not None:
            query = query.where(grids.c.seq < before)
        return [_summary(row) for row in self._history.records(query.order_by(grids.c.seq.desc()).limit(limit))]

    # -- ballots of blind picks ------------------------------------------------------------------------------------

    def keep_ballot(self, ballot_id: str, grid_id: str, ballot: str, moment: datetime) -> None:
        """Write a new ballot; `ballot` is JSON."""
        row = {"id": ballot_id, "grid_id": grid_id, "ballot": ballot, "created_at": stamp(moment)}
        with self._history.writing() as connection:
            connection.execute(insert(ballots).values(row))

    def change_ballot(self, grid_id: str, ballot_id: str, change: Callable[[str], str]) -> str:
        """Replace a ballot (JSON) by `change(ballot)` in one transaction, and return the new one. Raises NotFound."""
        rule = (ballots.c.id == ballot_id) & (ballots.c.grid_id == grid_id) & ballots.c.deleted_at.is_(None)
        with self._history.writing() as connection:
            before = connection.execute(select(ballots.c.ballot).where(rule)).scalar()
            if before is None:
                raise NotFound("blind pick")
            after = change(before)
            connection.execute(update(ballots).where(rule).values(ballot=after))
        return after

    def ballot(self, grid_id: str, ballot_id: str) -> str:
        """Raises NotFound."""
        mine = (ballots.c.id == ballot_id) & (ballots.c.grid_id == grid_id)
        query = select(ballots.c.ballot).where(mine, ballots.c.deleted_at.is_(None))
        found = self._history.values(query)
        if not found:
            raise NotFound("blind pick")
        return str(found[0])

    def ballots_of(self, grid_id: str) -> list[tuple[str, str]]:
        """(id, JSON) of a grid's ballots, newest first."""
        kept = (ballots.c.grid_id == grid_id) & ballots.c.deleted_at.is_(None)
        query = select(ballots.c.id, ballots.c.ballot).where(kept)
        return [(row["id"], row["ballot"]) for row in self._history.records(query.order_by(ballots.c.seq.desc()))]


def _cells(grid_id: str) -> Select[Any]:
    return select(grid_cells.c.key, grid_cells.c.run_id).where(grid_cells.c.grid_id == grid_id)


def _fill(connection: Connection, grid_id: str, cells: Mapping[str, str]) -> None:
    if not cells:
        return
    rows = [{"grid_id": grid_id, "key": key, "run_id": run_id} for key, run_id in cells.items()]
    connection.execute(insert_or_update(grid_cells, ("grid_id", "key"), "run_id"), rows)


def _grid(row: RowMapping, cells: dict[str, str]) -> GridRow:
    first_second = json.loads(row["repeat"]) if row["repeat"] else None
    return GridRow(
        id=row["id"],
        visitor=row["visitor"],
        plan=row["plan"],
        created_at=datetime.fromisoformat(row["created_at"]),
        paused=row["paused"],
        repeat=(first_second[0], first_second[1]) if first_second else None,
        cells=cells,
    )


def _summary(row: RowMapping) -> GridSummary:
    moment = datetime.fromisoformat(row["created_at"])
    gone = row["filled"] > 0 and not row["left"]
    return GridSummary(row["id"], row["seq"], row["plan"], row["filled"], gone, moment)
