"""Projects, which runs are sorted into, and the project that each visitor works in.

A choice is a project's id, INBOX (runs without a project) or ALL. Methods block for about a millisecond.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from services.errors import FieldIssue, InvalidRequest, NotFound
from services.library.dialect import caseless, insert_or_update
from services.library.history import History
from services.library.query import ALL, INBOX
from services.library.rows import stamp
from services.library.rules import LIVE
from services.library.scope import Scope
from services.library.tables import chosen_projects, projects, runs
from services.run import Run, new_id, now

NAME_MAX = 60
"""Characters of a project's name."""
PROJECTS_MAX = 200
"""Projects of one visitor, or of everyone together in a shared history."""
UNSEARCHABLE = re.compile('["“”|\0-\x1f\x7f\ud800-\udfff]')
RESERVED = (INBOX, ALL, "all projects")


@dataclass(frozen=True)
class Project:
    id: str
    name: str


class Projects:
    def __init__(self, history: History) -> None:
        self._history = history

    def of(self, scope: Scope) -> list[Project]:
        """All projects, by name."""
        query = select(projects.c.id, projects.c.name).where(_kept(scope))
        found = [Project(row.id, row.name) for row in self._history.table(query)]
        return sorted(found, key=lambda project: project.name.casefold())

    def make(self, visitor: str | None, scope: Scope, name: str) -> Project:
        """Create a project. Raises InvalidRequest if the name is invalid or taken, or if there are PROJECTS_MAX."""
        project = Project(new_id(), _sound(name))
        with self._history.writing() as connection:
            count = select(func.count()).select_from(projects).where(_kept(scope))
            if connection.execute(count).scalar_one() >= PROJECTS_MAX:
                raise _fault(f"There are {PROJECTS_MAX} projects, which is the limit. Delete one that is not needed.")
            check_free(connection, scope, project)
            row = {"id": project.id, "visitor": visitor, "name": project.name, "created_at": stamp(now())}
            connection.execute(insert(projects).values(row))
        return project

    def rename(self, scope: Scope, project_id: str, name: str) -> Project:
        """Raises NotFound, or InvalidRequest if the name is invalid or taken."""
        project = Project(project_id, _sound(name))
        with self._history.writing() as connection:
            check_free(connection, scope, project)
            rule = (projects.c.id == project_id) & _kept(scope)
            if not connection.execute(update(projects).where(rule).values(name=project.name)).rowcount:
                raise NotFound("project")
        return project

    def unfinished(self, scope: Scope, project_id: str) -> list[str]:
        """The ids of its runs that have not ended."""
        mine = scope.clause() & (runs.c.project_id == project_id) & runs.c.state.in_(LIVE)
        return self._history.values(select(runs.c.id).where(mine))

    def check(self, scope: Scope, choice: str) -> str:
        """Return `choice` if it exists in this scope. Raises NotFound."""
        if choice not in (INBOX, ALL) and choice not in {project.id for project in self.of(scope)}:
            raise NotFound("project")
        return choice

    def choose(self, visitor: str, scope: Scope, choice: str) -> None:
        """Set what this visitor works in. Raises NotFound."""
        self.check(scope, choice)
        with self._history.writing() as connection:
            chosen = insert_or_update(chosen_projects, ("visitor",), "project")
            connection.execute(chosen.values(visitor=visitor, project=choice))

    def chosen(self, visitor: str | None, scope: Scope) -> str:
        """The choice that this visitor works in; INBOX if none was made, or it no longer exists in this scope."""
        if visitor is None:
            return INBOX
        found = self._history.values(select(chosen_projects.c.project).where(chosen_projects.c.visitor == visitor))
        try:
            return self.check(scope, found[0]) if found else INBOX
        except NotFound:  # chosen while the history was in the other mode (shared or per visitor)
            return INBOX

    def home(self, visitor: str | None, scope: Scope, like: Run | None = None) -> str | None:
        """The project of a new run, None for the Inbox. If the visitor's choice is ALL: the project of `like`, the run
        that the new one is made from, else the Inbox.
        """
        choice = self.chosen(visitor, scope)
        if choice == ALL:
            return like.project_id if like else None
        return None if choice == INBOX else choice


def _sound(name: str) -> str:
    """The name with runs of white space as single spaces. Raises InvalidRequest if it is not allowed."""
    name = " ".join(name.split())
    if not name:
        raise _fault("The name is empty. Write one.")
    if len(name) > NAME_MAX:
        raise _fault(f"The name has {len(name)} characters. Allowed are {NAME_MAX}.")
    if UNSEARCHABLE.search(name):
        raise _fault("A name cannot hold quotes, | or control characters: it could not be searched for.")
    if name.casefold() in RESERVED:
        raise _fault(f"“{name}” is there already. Choose another name.")
    return name


def _kept(scope: Scope) -> ColumnElement[bool]:
    """The condition for projects of the scope that are not deleted."""
    return scope.clause(projects.c.visitor) & projects.c.deleted_at.is_(None)


def check_free(connection: Connection, scope: Scope, project: Project) -> None:
    """Raises InvalidRequest if another project of the scope has this name."""
    same = caseless(projects.c.name) == project.name.casefold()
    rule = _kept(scope) & same & (projects.c.id != project.id)
    if connection.execute(select(projects.c.id).where(rule)).first():
        raise _fault(f"There is a project “{project.name}” already. Choose another name.")


def _fault(message: str) -> InvalidRequest:
    return InvalidRequest((FieldIssue(field="name", message=message),))
