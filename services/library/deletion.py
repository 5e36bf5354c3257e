"""Deleting grids, projects and ballots: hidden at once, restored on demand, removed for good by `purge`.

A deletion changes runs too: those of a grid become single pictures, those of a project move to the Inbox or are deleted
with it. What it changes is noted in the table `deletions`, so that restoring undoes exactly that.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, Table, delete, func, insert, literal, select, update

from services.errors import NotFound
from services.library.dialect import one_of
from services.library.history import REMOVALS, History, change_all, count_up
from services.library.projects import Project, check_free
from services.library.rows import stamp
from services.library.scope import Scope
from services.library.tables import ballots, chosen_projects, deletions, grid_cells, grids, projects, runs

Pictures = Literal["move", "delete"]
"""What becomes of a project's pictures: they move to the Inbox, or are deleted with it."""


_DELETED = (grids, projects, ballots)


class Deletion:
    """Methods block, and raise NotFound for what is not in the scope. To repeat a call changes nothing."""

    def __init__(self, history: History) -> None:
        self._history = history

    def delete_grid(self, scope: Scope, grid_id: str, moment: datetime) -> int:
        """Delete a grid; its pictures stay, each by itself. Returns how many those are."""
        with self._history.writing() as connection:
            if _is_there(connection, grids, grid_id, scope.clause(grids.c.visitor)):
                _take_out(connection, runs.c.grid_id == grid_id, grid_id, "grid_id")
                _mark(connection, grids, grids.c.id == grid_id, moment)
            left = select(func.count()).where(_was_in(grid_id, "grid_id"), runs.c.deleted_at.is_(None))
            return int(connection.execute(left).scalar_one())

    def restore_grid(self, scope: Scope, grid_id: str) -> None:
        with self._history.writing() as connection:
            if not _is_there(connection, grids, grid_id, scope.clause(grids.c.visitor)):
                undo(connection, grids, grid_id)

    def delete_project(self, scope: Scope, project_id: str, pictures: Pictures, moment: datetime) -> int:
        """Delete a project. Returns how many pictures were moved or deleted with it. Its unfinished runs have to be
        cancelled before they are deleted.
        """
        inside = runs.c.project_id == project_id
        shown = inside & runs.c.deleted_at.is_(None)
        with self._history.writing() as connection:
            if _is_there(connection, projects, project_id, scope.clause(projects.c.visitor)):
                count = connection.execute(select(func.count()).where(shown)).scalar_one()
                _mark(connection, projects, projects.c.id == project_id, moment)
                if pictures == "move":
                    _take_out(connection, inside, project_id, "project_id")
                    _take_out_grids(connection, project_id)
                else:
                    _note(connection, select(runs.c.id).where(shown), project_id, "deleted_at")
                    change_all(connection, shown, deleted_at=moment)
                    its_grids = (grids.c.project_id == project_id) & grids.c.deleted_at.is_(None)
                    _note(connection, select(grids.c.id).where(its_grids), project_id, "deleted_at")
                    _mark(connection, grids, its_grids, moment)
                return int(count)
            return 0

    def restore_project(self, scope: Scope, project_id: str) -> None:
        """Raises InvalidRequest if another project has its name by now."""
        with self._history.writing() as connection:
            if not _is_there(connection, projects, project_id, scope.clause(projects.c.visitor)):
                name = connection.execute(select(projects.c.name).where(projects.c.id == project_id)).scalar_one()
                check_free(connection, scope, Project(project_id, name))
                undo(connection, projects, project_id)

    def delete_ballot(self, scope: Scope, ballot_id: str, moment: datetime) -> None:
        with self._history.writing() as connection:
            if _is_there(connection, ballots, ballot_id, _of_scope(scope)):
                _mark(connection, ballots, ballots.c.id == ballot_id, moment)

    def restore_ballot(self, scope: Scope, ballot_id: str) -> None:
        with self._history.writing() as connection:
            if not _is_there(connection, ballots, ballot_id, _of_scope(scope)):
                _mark(connection, ballots, ballots.c.id == ballot_id, None)

    def due(self, deleted_before: datetime) -> dict[str, list[str]]:
        """The ids of the grids, projects and ballots that `purge` would remove, by the name of their table."""
        return {table.name: self._history.values(_deleted_before(table, deleted_before)) for table in _DELETED}

    def purge(self, deleted_before: datetime) -> None:
        """Remove for good what was deleted before `deleted_before`. Runs are `History.purge`'s: call that first."""
        if not any(self.due(deleted_before).values()):
            return
        with self._history.writing() as connection:  # asked again: something may have been restored meanwhile
            old = [list(connection.execute(_deleted_before(table, deleted_before)).scalars()) for table in _DELETED]
            remove_grids(connection, old[0])
            remove_projects(connection, old[1])
            connection.execute(delete(ballots).where(ballots.c.id.in_(one_of(old[2]))))
            count_up(connection, REMOVALS)


def remove_grids(connection: Connection, ids: list[str]) -> None:
    """Remove grids for good, with their cells and ballots. Their runs stay, each by itself."""
    change_all(connection, runs.c.grid_id.in_(one_of(ids)), grid_id=None)
    for column in (grid_cells.c.grid_id, ballots.c.grid_id, deletions.c.deleted, grids.c.id):
        connection.execute(delete(column.table).where(column.in_(one_of(ids))))


def undo(connection: Connection, table: Table, deleted: str) -> None:
    """Restore a grid or a project, and what its deletion changed."""
    for field, value in (("grid_id", deleted), ("project_id", deleted), ("deleted_at", None)):
        members = list(connection.execute(_members(deleted, field)).scalars())
        if members:
            change_all(connection, runs.c.id.in_(one_of(members)), **{field: value})
        if members and field in grids.c:
            connection.execute(update(grids).where(grids.c.id.in_(one_of(members))).values({field: value}))
    connection.execute(delete(deletions).where(deletions.c.deleted == deleted))
    _mark(connection, table, table.c.id == deleted, None)


def remove_projects(connection: Connection, ids: list[str]) -> None:
    """Remove projects for good. Runs and grids that are still in one go to the Inbox."""
    gone = one_of(ids)
    change_all(connection, runs.c.project_id.in_(gone), project_id=None)
    connection.execute(update(grids).where(grids.c.project_id.in_(gone)).values(project_id=None))
    for column in (chosen_projects.c.project, deletions.c.deleted, projects.c.id):
        connection.execute(delete(column.table).where(column.in_(gone)))


def _deleted_before(table: Table, moment: datetime) -> Select[Any]:
    return select(table.c.id).where(table.c.deleted_at < stamp(moment))


def _is_there(connection: Connection, table: Table, one_id: str, mine: ColumnElement[bool]) -> bool:
    """False if it is deleted already. Raises NotFound."""
    found = connection.execute(select(table.c.deleted_at).where(table.c.id == one_id, mine)).first()
    if found is None:
        raise NotFound({"grids": "grid", "projects": "project"}.get(table.name, "blind pick"))
    return found.deleted_at is None


def _of_scope(scope: Scope) -> ColumnElement[bool]:
    """The condition for ballots of grids that the scope sees."""
    return ballots.c.grid_id.in_(select(grids.c.id).where(scope.clause(grids.c.visitor)))


def _take_out(connection: Connection, rule: ColumnElement[bool], deleted: str, field: str) -> None:
    _note(connection, select(runs.c.id).where(rule), deleted, field)
    change_all(connection, rule, **{field: None})


def _take_out_grids(connection: Connection, project_id: str) -> None:
    rule = grids.c.project_id == project_id
    _note(connection, select(grids.c.id).where(rule), project_id, "project_id")
    connection.execute(update(grids).where(rule).values(project_id=None))


def _note(connection: Connection, members: Select[Any], deleted: str, field: str) -> None:
    (member,) = members.selected_columns
    noted = members.with_only_columns(literal(deleted), member, literal(field))
    connection.execute(insert(deletions).from_select(["deleted", "member", "field"], noted))


def _mark(connection: Connection, table: Table, rule: ColumnElement[bool], moment: datetime | None) -> None:
    connection.execute(update(table).where(rule).values(deleted_at=stamp(moment) if moment else None))


def _members(deleted: str, field: str) -> Select[Any]:
    return select(deletions.c.member).where(deletions.c.deleted == deleted, deletions.c.field == field)


def _was_in(deleted: str, field: str) -> ColumnElement[bool]:
    return runs.c.id.in_(_members(deleted, field))
