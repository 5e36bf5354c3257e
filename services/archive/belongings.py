"""What runs belong to, for an export: projects, and grids with their cells and ballots."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from services.archive.lines import ProjectLine
from services.grids.plan import GridPlan
from services.library.archive_rows import ExportRows
from services.library.scope import Scope


def projects_of(rows: ExportRows, scope: Scope) -> dict[str, ProjectLine]:
    """Id → project, of all that the scope sees."""
    return {row.id: ProjectLine.model_validate(asdict(row)) for row in rows.projects(scope)}


def grid_lines(
    rows: ExportRows, scope: Scope, grid_ids: Iterable[str], run_ids: Iterable[str], known: Mapping[str, ProjectLine]
) -> Iterator[dict[str, Any]]:
    """The grids of these ids that the scope sees, each with those of its cells whose runs are in `run_ids`."""
    exported = set(run_ids)
    for grid in rows.grids(scope, grid_ids):
        project = known.get(grid.project_id or "")
        plan = GridPlan.model_validate_json(grid.plan)
        yield {
            "format": plan.format,
            "id": grid.id,
            "plan": plan.written(),
            "created_at": grid.created_at,
            "paused": grid.paused,
            "repeat": json.loads(grid.repeat) if grid.repeat else None,
            "project": project.model_dump(mode="json") if project else None,
            "cells": [{"key": key, "run_id": run_id} for key, run_id in grid.cells.items() if run_id in exported],
            "ballots": [
                {"id": vote.id, "ballot": json.loads(vote.ballot), "created_at": vote.created_at}
                for vote in grid.ballots
            ],
        }
