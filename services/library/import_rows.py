"""Reads and writes for an import. Each transaction is short, so that no other change waits for it, and still all of an
import counts or nothing of it:

1. `add_hidden` writes new runs, deleted as of HIDDEN: no list shows them.
2. `decide` makes the import count. Before it, `drop_hidden` undoes the first step; after it, the rest has to be done.
3. `do` writes what belongs to the runs. A step that was done already changes nothing.
4. `show_hidden` shows the new runs, and ends the import.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select, update

from services.library.archive_rows import ProjectRow, WholeGrid, batches
from services.library.deletion import undo
from services.library.dialect import json_value, one_of, reserve_seqs
from services.library.history import History, change_all
from services.library.rows import row_of, stamp
from services.library.scope import Scope
from services.library.tables import ballots, counters, grid_cells, grids, projects, runs
from services.run import Picture, Run

HIDDEN = datetime(9000, 1, 1, tzinfo=timezone.utc)
"""`deleted_at` of runs that an import is adding. So late that no purge takes them."""
BATCH = 250
"""Rows that one transaction writes at most, but for the cells of one grid: it takes less than a tenth of a second."""
FOLDER = "restore-"
"""With this the names of folders with staged pictures begin."""


@dataclass(frozen=True)
class KnownRun:
    """What an import needs to know about a run that is in the history already."""

    id: str
    visitor: str | None
    deleted: bool
    media_name: str | None
    bytes: int | None
    """Size of its original."""


@dataclass(frozen=True)
class AddProject:
    visitor: str | None
    project: ProjectRow


@dataclass(frozen=True)
class AddGrid:
    """Write what is missing here of a grid: its row, the cells without a run, and ballots with a new id."""

    visitor: str | None
    grid: WholeGrid


@dataclass(frozen=True)
class Undelete:
    ids: tuple[str, ...]


@dataclass(frozen=True)
class Place:
    """Record that a run's original is stored here again, as `picture`."""

    run_id: str
    picture: Picture


Step = AddProject | AddGrid | Undelete | Place
"""What is left to do when an import counts."""


class ImportRows:
    """Methods block."""

    def __init__(self, history: History) -> None:
        self._history = history
        self.pools = history.pools

    # -- what is here ------------------------------------------------------------------------------------------------

    def known(self, ids: Iterable[str]) -> dict[str, KnownRun]:
        """Id → run, for those of the ids that exist in the history, whoever's they are."""
        size = json_value(runs.c.picture, "bytes")
        columns = select(runs.c.id, runs.c.visitor, runs.c.deleted_at.is_not(None), runs.c.media_name, size)
        queries = (columns.where(runs.c.id.in_(one_of(batch))) for batch in batches(ids))
        return {row[0]: KnownRun(*row) for query in queries for row in self._history.table(query)}

    def media_names(self, names: Iterable[str]) -> set[str]:
        """Those of the names that a run's original has already."""
        column = runs.c.media_name
        queries = (select(column).where(column.in_(one_of(batch))) for batch in batches(names))
        return {name for query in queries for name in self._history.values(query)}

    def has_media(self, stem: str) -> bool:
        """Whether a run's original has this stem, with any file ending."""
        rule = (runs.c.media_name > f"{stem}.") & (runs.c.media_name < f"{stem}/")  # prefix range: "/" follows "."
        return bool(self._history.values(select(runs.c.seq).where(rule).limit(1)))

    def projects(self, scope: Scope) -> list[ProjectRow]:
        """The projects of the scope, oldest first."""
        query = select(projects.c.id, projects.c.name, projects.c.created_at)
        there = scope.clause(projects.c.visitor) & projects.c.deleted_at.is_(None)
        mine = query.where(there).order_by(projects.c.seq)
        return [ProjectRow(**row) for row in self._history.records(mine)]

    def project_visitors(self, ids: Iterable[str]) -> dict[str, str | None]:
        """Id → visitor it belongs to, for those of the ids that exist here."""
        return self._visitors(projects, ids)

    def grid_visitors(self, ids: Iterable[str]) -> dict[str, str | None]:
        """Id → visitor it belongs to, for those of the ids that exist here."""
        return self._visitors(grids, ids)

    def ballot_grids(self, ids: Iterable[str]) -> dict[str, str]:
        """Ballot id → id of the grid that it judges, for those of the ids that exist here."""
        query = select(ballots.c.id, ballots.c.grid_id).where(ballots.c.id.in_(one_of(ids)))
        return {row.id: row.grid_id for row in self._history.table(query)}

    def _visitors(self, table: Table, ids: Iterable[str]) -> dict[str, str | None]:
        query = select(table.c.id, table.c.visitor).where(table.c.id.in_(one_of(ids)))
        return {row.id: row.visitor for row in self._history.table(query)}

    # -- before it counts --------------------------------------------------------------------------------------------

    def first_seq(self, scope: Scope, newest: datetime | None, count: int) -> int:
        """The first seq for `count` imported runs, which nobody else gets: below all seqs in use if none of the scope's
        runs that are not deleted is older than `newest`, else above every seq ever used.
        """
        here = scope.clause() & runs.c.deleted_at.is_(None)
        with self._history.writing() as connection:
            oldest = connection.execute(select(func.min(runs.c.created_at)).where(here)).scalar()
            lowest = connection.execute(select(func.min(runs.c.seq))).scalar()
            if lowest is not None and (oldest is None or newest is None or stamp(newest) <= oldest):
                return int(lowest) - count
            return reserve_seqs(connection, runs, count)

    def add_hidden(self, added: Sequence[Run], first_seq: int) -> None:
        """Write runs with seqs from `first_seq` on, hidden, in one transaction.

        Their revisions count down from zero, so that pages, which ask for revisions above the last one seen, are not
        sent thousands of changes. The caller has to make open pages reload their history.
        """
        rows = [{**row_of(run), "deleted_at": stamp(HIDDEN)} for run in added]
        with self._history.writing() as connection:
            lowest = connection.execute(select(func.min(runs.c.revision))).scalar() or 0
            before = min(0, lowest)
            numbers = [{"revision": before - 1 - place, "seq": first_seq + place} for place in range(len(rows))]
            connection.execute(insert(runs), [{**row, **more} for row, more in zip(rows, numbers, strict=True)])

    def drop_hidden(self) -> None:
        """Remove the runs of an import that does not count."""
        while seqs := self._hidden():
            with self._history.writing() as connection:
                connection.execute(delete(runs).where(_is_one_of(seqs)))

    def decide(self, folder: str) -> None:
        """Make the import count whose pictures are staged in the folder of this name."""
        with self._history.writing() as connection:
            connection.execute(insert(counters).values(name=folder, value=1))

    # -- when it counts ----------------------------------------------------------------------------------------------

    def decided(self) -> str | None:
        """The folder of an import that counts, but is not all in place; None if there is none."""
        found = self._history.values(select(counters.c.name).where(counters.c.name.startswith(FOLDER)))
        return found[0] if found else None

    def do(self, steps: Iterable[Step]) -> None:
        """The steps in their order, as many in a transaction as change about BATCH rows."""
        together, rows = list[Step](), 0
        for step in steps:
            together.append(step)
            rows += _rows_of(step)
            if rows >= BATCH:
                self._do(together)
                together, rows = [], 0
        self._do(together)

    def show_hidden(self) -> None:
        """Show the new runs, and end the import."""
        while seqs := self._hidden():
            with self._history.writing() as connection:
                connection.execute(update(runs).where(_is_one_of(seqs)).values(deleted_at=None))
        with self._history.writing() as connection:
            connection.execute(delete(counters).where(counters.c.name.startswith(FOLDER)))

    def _hidden(self) -> list[int]:
        """The seqs of up to BATCH runs that are hidden."""
        query = select(runs.c.seq).where(runs.c.deleted_at == stamp(HIDDEN))
        return self._history.values(query.order_by(runs.c.seq).limit(BATCH))

    def _do(self, steps: list[Step]) -> None:
        if not steps:
            return
        with self._history.writing() as connection:
            for step in steps:
                _done(connection, step)


def _is_one_of(seqs: list[int]) -> ColumnElement[bool]:
    return runs.c.seq.in_(one_of(seqs))


def _rows_of(step: Step) -> int:
    """About how many rows a step changes."""
    if isinstance(step, AddGrid):
        return 1 + len(step.grid.cells) + len(step.grid.ballots)
    return len(step.ids) if isinstance(step, Undelete) else 1


def _done(connection: Connection, step: Step) -> None:
    if isinstance(step, AddProject):
        _add_project(connection, step)
    elif isinstance(step, AddGrid):
        _add_grid(connection, step)
    elif isinstance(step, Undelete):
        change_all(connection, runs.c.id.in_(one_of(step.ids)) & runs.c.deleted_at.is_not(None), deleted_at=None)
    else:
        change_all(connection, runs.c.id == step.run_id, original_removed_at=None, picture=step.picture)


def _add_project(connection: Connection, step: AddProject) -> None:
    project = step.project
    if not connection.execute(select(projects.c.seq).where(projects.c.id == project.id)).first():
        values = {"id": project.id, "name": project.name, "created_at": project.created_at}
        connection.execute(insert(projects).values(visitor=step.visitor, **values))
    else:
        undo(connection, projects, project.id)


def _add_grid(connection: Connection, step: AddGrid) -> None:
    grid = step.grid
    if not connection.execute(select(grids.c.seq).where(grids.c.id == grid.id)).first():
        columns = ("id", "plan", "created_at", "paused", "repeat", "project_id")
        values = {name: getattr(grid, name) for name in columns}
        connection.execute(insert(grids).values(visitor=step.visitor, **values))
    elif connection.execute(select(grids.c.seq).where(grids.c.id == grid.id, grids.c.deleted_at.is_not(None))).first():
        undo(connection, grids, grid.id)
    filled = select(grid_cells.c.key).where(grid_cells.c.grid_id == grid.id)
    here = set(connection.execute(filled).scalars())
    cells = [{"grid_id": grid.id, "key": key, "run_id": run} for key, run in grid.cells.items() if key not in here]
    if cells:
        connection.execute(insert(grid_cells), cells)
    judged = select(ballots.c.id).where(ballots.c.id.in_(one_of(ballot.id for ballot in grid.ballots)))
    there = set(connection.execute(judged).scalars())
    new = [
        {"id": ballot.id, "grid_id": grid.id, "ballot": ballot.ballot, "created_at": ballot.created_at}
        for ballot in grid.ballots
        if ballot.id not in there
    ]
    if new:
        connection.execute(insert(ballots), new)
