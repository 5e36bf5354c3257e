"""The projects, and grids with cells and ballots, of imported runs: with the ids that they have here."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from services.archive.errors import ArchiveError
from services.archive.lines import GridLine, ProjectLine, RunLine
from services.archive.ownership import Owner
from services.library.archive_rows import BallotRow, ProjectRow, WholeGrid
from services.library.import_rows import AddGrid, AddProject, ImportRows, Step
from services.library.rows import stamp
from services.library.scope import Scope

PROJECTS_MAX, GRIDS_MAX = 10_000, 50_000
IDS = re.compile("[0-9a-f]{32}")


class Relations:
    """Call in this order: `see` with every line, `resolve_ids`, `of` with each run to be added, `steps`."""

    def __init__(self, rows: ImportRows, owner: Owner, scope: Scope) -> None:
        self._rows, self._owner, self._scope = rows, owner, scope
        self._projects: dict[str, ProjectLine] = {}
        self._grids: set[str] = set()
        self._lines: list[str] = []
        self._project_ids: dict[str, str] = {}
        self._grid_ids: dict[str, str] = {}
        self._run_ids: Mapping[str, str] = {}
        self._new_projects: list[ProjectRow] = []

    def see(self, line: RunLine | GridLine) -> None:
        if line.project:
            self._projects.setdefault(line.project.id, line.project)
        if isinstance(line, GridLine):
            self._lines.append(line.id)
        grid_id = line.id if isinstance(line, GridLine) else line.grid_id
        if grid_id:
            self._grids.add(grid_id)
        if len(self._projects) > PROJECTS_MAX or len(self._grids) > GRIDS_MAX:
            raise ArchiveError("too_many", "There are too many projects or grids in it.")

    def resolve_ids(self, run_ids: Mapping[str, str]) -> None:
        """Find the ids of projects and grids here. A project that is here under the same name is used instead.

        `run_ids`: id in the file → id here.
        """
        self._run_ids = run_ids
        self._grid_ids = self._own_ids(self._grids, self._rows.grid_visitors)
        own = self._own_ids(self._projects, self._rows.project_visitors)
        mine = self._rows.projects(self._scope)
        ids, named = {row.id for row in mine}, {row.name: row.id for row in reversed(mine)}
        for old, project in self._projects.items():
            self._project_ids[old] = own[old] if own[old] in ids else named.get(project.name, own[old])
            if self._project_ids[old] not in ids:
                self._new_projects.append(ProjectRow(own[old], project.name, stamp(project.created_at)))
                named[project.name] = own[old]
                ids.add(own[old])

    def of(self, run: RunLine) -> dict[str, Any]:
        """The run's fields that refer to a project, a grid or another run, with the ids of this history."""
        return {
            "project_id": self._project_ids[run.project.id] if run.project else None,
            "grid_id": self._grid_ids[run.grid_id] if run.grid_id else None,
            "repeat_of": self._run_ids.get(run.repeat_of, run.repeat_of) if run.repeat_of else None,
        }

    def steps(self, lines: Iterable[GridLine]) -> Iterator[Step]:
        """Write new projects and grids, and missing cells and ballots of grids that the history has already."""
        for project in self._new_projects:
            yield AddProject(self._owner.visitor, project)
        for line in lines:
            yield AddGrid(self._owner.visitor, self._grid(line))

    @property
    def grids(self) -> tuple[str, ...]:
        """The ids that the file's grids have here."""
        return tuple(self._grid_ids[grid_id] for grid_id in self._lines)

    def _grid(self, line: GridLine) -> WholeGrid:
        """The line's grid with the ids of this history. A cell is left out if the file has no line for its run."""
        return WholeGrid(
            id=self._grid_ids[line.id],
            plan=self._opaque(line.plan),
            created_at=stamp(line.created_at),
            paused=line.paused,
            repeat=None if line.repeat is None else self._opaque(line.repeat),
            project_id=self._project_ids[line.project.id] if line.project else None,
            cells={cell.key: self._run_ids[cell.run_id] for cell in line.cells if cell.run_id in self._run_ids},
            ballots=self._ballots(line),
        )

    def _ballots(self, line: GridLine) -> list[BallotRow]:
        """The line's ballots, each id once. An id that a ballot of another grid has is replaced (`Owner.own_id`)."""
        ballots_of_line = {ballot.id: ballot for ballot in line.ballots}
        judged = self._rows.ballot_grids(ballots_of_line)
        others = {old for old, grid_id in judged.items() if grid_id != self._grid_ids[line.id]}
        return [
            BallotRow(
                self._owner.own_id(old) if old in others else old, self._opaque(ballot.ballot), stamp(ballot.created_at)
            )
            for old, ballot in ballots_of_line.items()
        ]

    def _own_ids(
        self, wanted: Iterable[str], visitors: Callable[[Iterable[str]], Mapping[str, str | None]]
    ) -> dict[str, str]:
        """Id in the file → id here: replaced if another visitor has it. `visitors`: ids → {id here: its visitor}."""
        wanted = list(wanted)
        found = visitors(wanted)
        mine = {id_ for id_, visitor in found.items() if self._owner.shares or visitor == self._owner.visitor}
        return {id_: self._owner.own_id(id_) if id_ in found and id_ not in mine else id_ for id_ in wanted}

    def _opaque(self, value: Any) -> str:
        """The value as JSON, in which ids of runs are replaced where they differ here."""
        written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return IDS.sub(lambda found: self._run_ids.get(found[0], found[0]), written)
