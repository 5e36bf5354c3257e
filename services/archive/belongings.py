"""What runs belong to, for an export: projects, and grids with their cells and ballots."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import and_, func, select

from services.archive.lines import FORMAT, ProjectLine
from services.library.history import History
from services.library.scope import Scope
from services.library.tables import ballots, grid_cells, grids, projects


def projects_of(history: History, scope: Scope) -> dict[str, ProjectLine]:
    """Id → project, of all that the scope sees."""
    query = select(projects).where(scope.clause(projects.c.visitor))
    found = (ProjectLine(**{name: row[name] for name in ProjectLine.model_fields}) for row in history.records(query))
    return {project.id: project for project in found}


def grid_lines(
    history: History, scope: Scope, grid_ids: Iterable[str], run_ids: Iterable[str], known: Mapping[str, ProjectLine]
) -> Iterator[dict[str, Any]]:
    """The grids of these ids that the scope sees, each with those of its cells whose runs are in `run_ids`."""
    exported = set(run_ids)
    mine = and_(scope.clause(grids.c.visitor), grids.c.id.in_(one_of(grid_ids)))
    for grid in history.records(select(grids).where(mine).order_by(grids.c.seq)):
        project = known.get(grid["project_id"] or "")
        cells = history.records(select(grid_cells).where(grid_cells.c.grid_id == grid["id"]))
        votes = history.records(select(ballots).where(ballots.c.grid_id == grid["id"]).order_by(ballots.c.seq))
        yield {
            "format": FORMAT,
            "id": grid["id"],
            "plan": json.loads(grid["plan"]),
            "created_at": grid["created_at"],
            "paused": grid["paused"],
            "repeat": json.loads(grid["repeat"]) if grid["repeat"] else None,
            "project": project.model_dump(mode="json") if project else None,
            "cells": [{"key": cell["key"], "run_id": cell["run_id"]} for cell in cells if cell["run_id"] in exported],
            "ballots": [
                {"id": vote["id"], "ballot": json.loads(vote["ballot"]), "created_at": vote["created_at"]}
                for vote in votes
            ],
        }


def one_of(values: Iterable[Any]) -> Any:
    """For `column.in_`: one parameter however many there are, for SQLite bounds their number."""
    return select(func.json_each(json.dumps(list(values))).table_valued("value").c.value)
