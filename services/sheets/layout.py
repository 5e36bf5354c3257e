"""A finished (or half-finished) grid as its exports see it: labels, cells, and openers of their pictures. Immutable."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services.library.media_store import Opener
from services.run import Run
from services.stored import StoredRequest

Place = tuple[int, int, int]
"""(x, y, z), from 0; y and z are 0 where there is no such axis."""


@dataclass(frozen=True)
class AxisLabels:
    title: str
    """`Steps`."""
    values: tuple[str, ...]
    """One label a value: `10`, `20`; a whole prompt may be long."""


@dataclass(frozen=True)
class SheetCell:
    run: Run | None
    """None where it was not made."""
    original: Opener | None
    """Opens the picture; None where there is none: failed, removed, not made."""
    thumb: Opener | None
    words: str
    """What stands in place of the picture: `timed out · not charged`, `not made`."""


NO_CELL = SheetCell(None, None, None, "not made")


@dataclass(frozen=True)
class GridLayout:
    title: str
    base: StoredRequest
    x: AxisLabels
    y: AxisLabels | None
    z: AxisLabels | None
    cells: Mapping[Place, SheetCell]
    plan: dict[str, Any]
    """JSON from which the page can adopt the plan. Exports write it unchanged and do not interpret it."""
    made_at: datetime
    plan_format: int = 1

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many values each axis has; 1 where there is no axis."""
        axes = (self.x, self.y, self.z)
        return tuple(len(axis.values) if axis else 1 for axis in axes)  # type: ignore[return-value]

    def cell(self, place: Place) -> SheetCell:
        return self.cells.get(place, NO_CELL)

    def places(self) -> list[Place]:
        """Every place, table by table and row by row."""
        width, height, depth = self.counts
        return [(x, y, z) for z in range(depth) for y in range(height) for x in range(width)]
