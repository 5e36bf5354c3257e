"""The database rows that exports read and imports write. This module does not know the format of an export's lines."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import TypeVar

from sqlalchemy import ColumnElement, Connection, Table, and_, func, insert, select

from services.library.bulk import Chosen
from services.library.dialect import highest_seq, json_value, one_of
from services.library.history import History, change_all, put_back
from services.library.rows import stamp
from services.library.scope import Scope
from services.library.tables import ballots, grid_cells, grids, projects, runs
from services.run import Picture, Run

BATCH = 500
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


@dataclass(frozen=True)
class KnownRun:
    """What an import needs to know about a run that is in the history already."""

    id: str
    visitor: str | None
    deleted: bool
    media_name: str | None
    bytes: int | None
    """Size of its original."""


class ExportRows:
    """Reads for exports. Methods block."""

    def __init__(self, history: History) -> None:
        self._history = history

    def count(self, scope: Scope, chosen: Chosen | None) -> int:
        """How many chosen runs are not deleted. `chosen` None: all runs of the scope."""
        (count,) = self._history.values(select(func.count()).select_from(runs).where(_not_deleted(scope, chosen)))
        return int(count)

    def runs(self, scope: Scope, chosen: Chosen | None) -> Iterator[list[Run]]:
        """The runs that `count` counts, as they are now, in the order of seq, in lists of up to BATCH."""
        for seqs in _batches(
            self._history.values(select(runs.c.seq).where(_not_deleted(scope, chosen)).order_by(runs.c.seq))
        ):
            found = self._history.rows(select(runs).where(runs.c.seq.in_(one_of(seqs))).order_by(runs.c.seq))
            yield [entry.run for entry in found]

    def projects(self, scope: Scope) -> list[ProjectRow]:
        query = select(projects.c.id, projects.c.name, projects.c.created_at)
        return [ProjectRow(**row) for row in self._history.records(query.where(scope.clause(projects.c.visitor)))]

    def grids(self, scope: Scope, ids: Iterable[str]) -> Iterator[WholeGrid]:
        """The grids with these ids that are in the scope, oldest first."""
        mine = and_(scope.clause(grids.c.visitor), grids.c.id.in_(one_of(ids)))
        for grid in self._history.records(select(grids).where(mine).order_by(grids.c.seq)):
            cells = select(grid_cells.c.key, grid_cells.c.run_id).where(grid_cells.c.grid_id == grid["id"])
            votes = select(ballots.c.id, ballots.c.ballot, ballots.c.created_at).where(ballots.c.grid_id == grid["id"])
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


class ImportRows:
    """Reads for an import, and the single transaction that writes it. Methods block."""

    def __init__(self, history: History) -> None:
        self._history = history

    def known(self, ids: Iterable[str]) -> dict[str, KnownRun]:
        """Id → run, for those of the ids that exist in the history, whoever's they are."""
        size = json_value(runs.c.picture, "bytes")
        columns = select(runs.c.id, runs.c.visitor, runs.c.deleted_at.is_not(None), runs.c.media_name, size)
        queries = (columns.where(runs.c.id.in_(one_of(batch))) for batch in _batches(ids))
        return {row[0]: KnownRun(*row) for query in queries for row in self._history.table(query)}

    def media_names(self, names: Iterable[str]) -> set[str]:
        """Those of the names that a run's original has already."""
        column = runs.c.media_name
        queries = (select(column).where(column.in_(one_of(batch))) for batch in _batches(names))
        return {name for query in queries for name in self._history.values(query)}

    def has_media(self, stem: str) -> bool:
        """Whether a run's original has this stem, with any file ending."""
        rule = (runs.c.media_name > f"{stem}.") & (runs.c.media_name < f"{stem}/")  # prefix range: "/" follows "."
        return bool(self._history.values(select(runs.c.seq).where(rule).limit(1)))

    @contextmanager
    def writing(self) -> Iterator[ImportWriting]:
        """A transaction: committed at the end of the block, rolled back if the block raises."""
        with self._history.writing() as connection:
            yield ImportWriting(connection)


class ImportWriting:
    """An import's transaction: its reads see its own writes."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    # -- runs --------------------------------------------------------------------------------------------------------

    def first_seq(self, scope: Scope, newest: datetime | None, count: int) -> int:
        """The first seq for `count` imported runs: below all seqs in use if none of the scope's runs that are not
        deleted is older than `newest`, else above every seq ever used.
        """
        here = scope.clause() & runs.c.deleted_at.is_(None)
        oldest = self._connection.execute(select(func.min(runs.c.created_at)).where(here)).scalar()
        lowest = self._connection.execute(select(func.min(runs.c.seq))).scalar()
        if lowest is not None and (oldest is None or newest is None or stamp(newest) <= oldest):
            return int(lowest) - count
        return highest_seq(self._connection, runs) + 1

    def put_back(self, restored: Iterable[Run], first_seq: int) -> None:
        put_back(self._connection, restored, first_seq)

    def show(self, ids: Iterable[str]) -> None:
        """Undelete runs."""
        for batch in _batches(ids):
            change_all(self._connection, runs.c.id.in_(one_of(batch)), deleted_at=None)

    def place(self, run_id: str, picture: Picture | None) -> None:
        """Record that a run's original is stored here again, as `picture`."""
        change_all(self._connection, runs.c.id == run_id, original_removed_at=None, picture=picture)

    # -- projects ----------------------------------------------------------------------------------------------------

    def projects(self, scope: Scope) -> list[ProjectRow]:
        """The projects of the scope, oldest first."""
        query = select(projects.c.id, projects.c.name, projects.c.created_at)
        mine = query.where(scope.clause(projects.c.visitor)).order_by(projects.c.seq)
        return [ProjectRow(**row) for row in self._connection.execute(mine).mappings()]

    def project_visitors(self, ids: Iterable[str]) -> dict[str, str | None]:
        """Id → visitor it belongs to, for those of the ids that exist here."""
        return self._visitors(projects, ids)

    def add_project(self, visitor: str | None, project: ProjectRow) -> None:
        values = {"id": project.id, "name": project.name, "created_at": project.created_at}
        self._connection.execute(insert(projects).values(visitor=visitor, **values))

    # -- grids -------------------------------------------------------------------------------------------------------

    def grid_visitors(self, ids: Iterable[str]) -> dict[str, str | None]:
        """Id → visitor it belongs to, for those of the ids that exist here."""
        return self._visitors(grids, ids)

    def add_grid(self, visitor: str | None, grid: WholeGrid) -> None:
        """Write what is missing here of a grid: its row, the cells without a run, and ballots with a new id."""
        if not self._connection.execute(select(grids.c.seq).where(grids.c.id == grid.id)).first():
            columns = ("id", "plan", "created_at", "paused", "repeat", "project_id")
            self._connection.execute(
                insert(grids).values(visitor=visitor, **{name: getattr(grid, name) for name in columns})
            )
        self._add_cells(grid)
        self._add_ballots(grid)

    def _add_cells(self, grid: WholeGrid) -> None:
        filled = select(grid_cells.c.key).where(grid_cells.c.grid_id == grid.id)
        here = set(self._connection.execute(filled).scalars())
        new = [{"grid_id": grid.id, "key": key, "run_id": run} for key, run in grid.cells.items() if key not in here]
        if new:
            self._connection.execute(insert(grid_cells), new)

    def _add_ballots(self, grid: WholeGrid) -> None:
        here = self.ballot_grids(ballot.id for ballot in grid.ballots)
        new = [
            {"id": ballot.id, "grid_id": grid.id, "ballot": ballot.ballot, "created_at": ballot.created_at}
            for ballot in grid.ballots
            if ballot.id not in here
        ]
        if new:
            self._connection.execute(insert(ballots), new)

    def ballot_grids(self, ids: Iterable[str]) -> dict[str, str]:
        """Ballot id → id of the grid that it judges, for those of the ids that exist here."""
        query = select(ballots.c.id, ballots.c.grid_id).where(ballots.c.id.in_(one_of(ids)))
        return {row.id: row.grid_id for row in self._connection.execute(query)}

    def _visitors(self, table: Table, ids: Iterable[str]) -> dict[str, str | None]:
        query = select(table.c.id, table.c.visitor).where(table.c.id.in_(one_of(ids)))
        return {row.id: row.visitor for row in self._connection.execute(query)}


def _not_deleted(scope: Scope, chosen: Chosen | None) -> ColumnElement[bool]:
    return and_(chosen.rule(scope) if chosen else scope.clause(), runs.c.deleted_at.is_(None))


def _batches(values: Iterable[T]) -> Iterator[list[T]]:
    left = iter(values)
    while batch := list(islice(left, BATCH)):
        yield batch
