"""What restored runs belong to: projects, and grids with their cells and ballots, written in the runs' transaction."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection, Table, insert, select

from services.archive.belongings import one_of
from services.archive.errors import ArchiveError
from services.archive.lines import GridLine, ProjectLine, RunLine
from services.archive.ownership import Owner
from services.library.rows import stamp
from services.library.scope import Scope
from services.library.tables import ballots, grid_cells, grids, projects

PROJECTS_MAX, GRIDS_MAX = 10_000, 50_000
IDS = re.compile("[0-9a-f]{32}")


class Kin:
    """`see` every line, `settle` the ids that projects and grids have here, ask for those `of` a run, and `write`."""

    def __init__(self, owner: Owner, scope: Scope) -> None:
        self._owner, self._scope = owner, scope
        self._projects: dict[str, ProjectLine] = {}
        self._grids: set[str] = set()
        self._project_ids: dict[str, str] = {}
        self._grid_ids: dict[str, str] = {}
        self._run_ids: Mapping[str, str] = {}
        self._written: list[str] = []

    def see(self, line: RunLine | GridLine) -> None:
        if line.project:
            self._projects.setdefault(line.project.id, line.project)
        grid_id = line.id if isinstance(line, GridLine) else line.grid_id
        if grid_id:
            self._grids.add(grid_id)
        if len(self._projects) > PROJECTS_MAX or len(self._grids) > GRIDS_MAX:
            raise ArchiveError("too_many", "There are too many projects or grids in it.")

    def settle(self, connection: Connection, run_ids: Mapping[str, str]) -> None:
        """`run_ids`: id in the file → id here. New projects are written."""
        self._run_ids = run_ids
        self._grid_ids = self._own_ids(connection, grids, self._grids)
        own = self._own_ids(connection, projects, self._projects)
        mine = connection.execute(
            select(projects.c.id, projects.c.name)
            .where(self._scope.clause(projects.c.visitor))
            .order_by(projects.c.seq)
        ).all()
        ids, named = {row.id for row in mine}, {row.name: row.id for row in reversed(mine)}
        for old, project in self._projects.items():
            self._project_ids[old] = own[old] if own[old] in ids else named.get(project.name, own[old])
            if self._project_ids[old] not in ids:
                values = {"id": own[old], "name": project.name, "created_at": stamp(project.created_at)}
                connection.execute(insert(projects).values(visitor=self._owner.visitor, **values))
                named[project.name] = own[old]
                ids.add(own[old])

    @property
    def grids(self) -> list[str]:
        """The ids here of the grids that were written."""
        return [self._grid_ids[grid_id] for grid_id in self._written]

    def of(self, run: RunLine) -> dict[str, Any]:
        """The fields of a run that name others, as they are here."""
        return {
            "project_id": self._project_ids[run.project.id] if run.project else None,
            "grid_id": self._grid_ids[run.grid_id] if run.grid_id else None,
            "repeat_of": self._run_ids.get(run.repeat_of, run.repeat_of) if run.repeat_of else None,
        }

    def write(self, connection: Connection, lines: Iterable[GridLine]) -> None:
        """The grids, and what is not yet here of those that are."""
        for line in lines:
            grid_id = self._grid_ids[line.id]
            self._written.append(line.id)
            if not connection.execute(select(grids.c.seq).where(grids.c.id == grid_id)).first():
                connection.execute(insert(grids).values(self._grid(line, grid_id)))
            self._write_cells(connection, line, grid_id)
            self._write_ballots(connection, line, grid_id)

    def _grid(self, line: GridLine, grid_id: str) -> dict[str, Any]:
        return {
            "id": grid_id,
            "visitor": self._owner.visitor,
            "plan": self._opaque(line.plan),
            "created_at": stamp(line.created_at),
            "paused": line.paused,
            "repeat": None if line.repeat is None else self._opaque(line.repeat),
            "project_id": self._project_ids[line.project.id] if line.project else None,
        }

    def _write_cells(self, connection: Connection, line: GridLine, grid_id: str) -> None:
        """A cell whose run is neither restored nor here is left out; one that is filled here stays."""
        filled = set(connection.execute(select(grid_cells.c.key).where(grid_cells.c.grid_id == grid_id)).scalars())
        cells = {cell.key: self._run_ids[cell.run_id] for cell in line.cells if cell.run_id in self._run_ids}
        new = [{"grid_id": grid_id, "key": key, "run_id": run} for key, run in cells.items() if key not in filled]
        if new:
            connection.execute(insert(grid_cells), new)

    def _write_ballots(self, connection: Connection, line: GridLine, grid_id: str) -> None:
        wanted = {ballot.id for ballot in line.ballots}
        theirs = select(ballots.c.id, ballots.c.grid_id).where(ballots.c.id.in_(one_of(wanted)))
        others = {row.id for row in connection.execute(theirs) if row.grid_id != grid_id}
        ids = {old: self._owner.own_id(old) if old in others else old for old in wanted}
        here = set(connection.execute(select(ballots.c.id).where(ballots.c.id.in_(one_of(ids.values())))).scalars())
        new = [
            {
                "id": ids[ballot.id],
                "grid_id": grid_id,
                "ballot": self._opaque(ballot.ballot),
                "created_at": stamp(ballot.created_at),
            }
            for ballot in {ballot.id: ballot for ballot in line.ballots}.values()
            if ids[ballot.id] not in here
        ]
        if new:
            connection.execute(insert(ballots), new)

    def _own_ids(self, connection: Connection, table: Table, wanted: Iterable[str]) -> dict[str, str]:
        """Id in the file → id here: another one where it belongs to another visitor."""
        wanted = list(wanted)
        query = select(table.c.id, table.c.visitor).where(table.c.id.in_(one_of(wanted)))
        found = {row.id: row.visitor for row in connection.execute(query)}
        mine = {id_ for id_, visitor in found.items() if self._owner.shares or visitor == self._owner.visitor}
        return {id_: self._owner.own_id(id_) if id_ in found and id_ not in mine else id_ for id_ in wanted}

    def _opaque(self, value: Any) -> str:
        """JSON as it was, but for ids of runs that have others here."""
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return IDS.sub(lambda found: self._run_ids.get(found[0], found[0]), written)
