"""A grid as it stands: its plan, and which run fills which cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from services.grids.plan import GridPlan
from services.library.grid_store import GridRow, GridSummary


@dataclass(frozen=True)
class Grid:
    id: str
    visitor: str | None
    plan: GridPlan
    created_at: datetime
    paused: bool
    repeat: tuple[str, str] | None
    """The ids of two runs of the same request: the repeat check."""
    cells: Mapping[str, str]
    """Cell key → run id. A cell that was never asked for is missing."""


@dataclass(frozen=True)
class GridLine:
    """A grid in a list."""

    id: str
    seq: int
    title: str
    prompt: str
    cells: int
    """Number of cells that were asked for."""
    gone: bool
    """Whether the pictures of all cells are deleted."""
    created_at: datetime


def grid_of(row: GridRow) -> Grid:
    """The grid in a row of the history."""
    return Grid(row.id, row.visitor, _plan(row.plan), row.created_at, row.paused, row.repeat, row.cells)


def row_of(grid: Grid) -> GridRow:
    """The row in which the history keeps a grid."""
    plan = grid.plan.model_dump_json()
    return GridRow(grid.id, grid.visitor, plan, grid.created_at, grid.paused, grid.repeat, grid.cells)


def line_of(row: GridSummary) -> GridLine:
    plan = GridPlan.model_validate_json(row.plan)
    return GridLine(row.id, row.seq, plan.title, plan.base.prompt, row.cells, row.gone, row.created_at)


@lru_cache(maxsize=4)
def _plan(text: str) -> GridPlan:
    """A parsed plan. Plans of the grids viewed last are kept with their cells, which take 20 ms for a thousand."""
    return GridPlan.model_validate_json(text)
