"""The database rows that exports read and imports write. This module does not know the format of an export's lines.

`import_rows.py` reads and writes for imports.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TypeVar

from sqlalchemy import ColumnElement, and_, func, select

from services.library.bulk import Chosen
from services.library.dialect import one_of
from services.library.history import History
from services.library.scope import Scope
from services.library.tables import ballots, grid_cells, grids, projects, runs
from services.run import Run

BATCH = 500
AT_ONCE = 20
"""Runs that an export reads at a time: a millisecond of computing."""
T = TypeVar("T")


@dataclass(frozen=True)
class ProjectRow:
    id: str
    name: str
    created_at: str
    """As `rows.stamp` writes it; so are all moments below."""


@dataclass(frozen=True)
class BallotRow:
    id: str
    ballot: str
    """JSON."""
    created_at: str


@dataclass(frozen=True)
class WholeGrid:
    """A grid's row with its cells and ballots."""

    id: str
    plan: str
    """JSON."""
    created_at: str
    paused: bool
    repeat: str | None
    """JSON of two run ids."""
    project_id: str | None
    cells: Mapping[str, str] = field(default_factory=dict)
    """Cell key → run id."""
    ballots: Sequence[BallotRow] = ()


class ExportRows:
    """Reads for exports. Methods block."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.pools = history.pools

    def count(self, scope: Scope, chosen: Chosen | None) -> int:
        """How many chosen runs are not deleted. `chosen` None: all runs of the scope."""
        (count,) = self._history.values(select(func.count()).select_from(runs).where(_not_deleted(scope, chosen)))
        return int(count)

    def runs(self, scope: Scope, chosen: Chosen | None) -> Iterator[list[Run]]:
        """The runs that `count` counts, as they are now, in the order of seq, in lists of up to AT_ONCE."""
        every = self._history.values(select(runs.c.seq).where(_not_deleted(scope, chosen)).order_by(runs.c.seq))
        for seqs in self.pools.giving_way(batches(every, AT_ONCE)):
            found = self._history.rows(select(runs).where(runs.c.seq.in_(one_of(seqs))).order_by(runs.c.seq))
            yield [entry.run for entry in found]

    def projects(self, scope: Scope) -> list[ProjectRow]:
        mine = and_(scope.clause(projects.c.visitor), projects.c.deleted_at.is_(None))
        query = select(projects.c.id, projects.c.name, projects.c.created_at).where(mine)
        return [ProjectRow(**row) for row in self._history.records(query)]

    def grids(self, scope: Scope, ids: Iterable[str]) -> Iterator[WholeGrid]:
        """The grids with these ids that are in the scope, oldest first."""
        mine = and_(scope.clause(grids.c.visitor), grids.c.id.in_(one_of(ids)), grids.c.deleted_at.is_(None))
        for grid in self._history.records(select(grids).where(mine).order_by(grids.c.seq)):
            cells = select(grid_cells.c.key, grid_cells.c.run_id).where(grid_cells.c.grid_id == grid["id"])
            judged = (ballots.c.grid_id == grid["id"]) & ballots.c.deleted_at.is_(None)
            votes = select(ballots.c.id, ballots.c.ballot, ballots.c.created_at).where(judged)
            yield WholeGrid(
                id=grid["id"],
                plan=grid["plan"],
                created_at=grid["created_at"],
                paused=grid["paused"],
                repeat=grid["repeat"],
                project_id=grid["project_id"],
                cells={row["key"]: row["run_id"] for row in self._history.records(cells)},
                ballots=[BallotRow(**row) for row in self._history.records(votes.order_by(ballots.c.seq))],
            )


def _not_deleted(scope: Scope, chosen: Chosen | None) -> ColumnElement[bool]:
    return and_(chosen.rule(scope) if chosen else scope.clause(), runs.c.deleted_at.is_(None))


def batches(values: Iterable[T], size: int = BATCH) -> Iterator[list[T]]:
    """Lists of up to `size`."""
    left = iter(values)
    while batch := list(islice(left, size)):
        yield batch
