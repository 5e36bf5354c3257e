"""Elements of a contact sheet before it is drawn: text, panels and picture frames, on blocks, in tables.

Lengths are in the units of `Look`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from services.sheets.layout import AxisLabels, GridLayout, Place
from services.sheets.typeset import Line, Style

ROW_MAX = 8
"""A grid with one axis has one row of up to this many pictures, else several rows."""


@dataclass(frozen=True)
class Words:
    left: float
    baseline: float
    line: Line
    style: Style

    def moved(self, right: float, down: float) -> Words:
        return replace(self, left=self.left + right, baseline=self.baseline + down)


@dataclass(frozen=True)
class Panel:
    """A plain rectangle: a rule, or the ground of a cell without a picture."""

    left: float
    top: float
    width: float
    height: float
    colour: str

    def moved(self, right: float, down: float) -> Panel:
        return replace(self, left=self.left + right, top=self.top + down)


@dataclass(frozen=True)
class Frame:
    """The box of a picture, which is shown as large as fits, centred."""

    place: Place
    left: float
    top: float
    width: float
    height: float

    def moved(self, right: float, down: float) -> Frame:
        return replace(self, left=self.left + right, top=self.top + down)


Item = Words | Panel | Frame


@dataclass(frozen=True)
class Block:
    """A piece that is never divided between pages. Its items are placed relative to its top."""

    height: float
    items: tuple[Item, ...] = ()


@dataclass(frozen=True)
class Table:
    heading: tuple[Block, ...]
    """What stands above it once: the value on Z."""
    head: Block
    """The column labels: repeated on each page on which the table continues."""
    rows: tuple[Block, ...]


@dataclass(frozen=True)
class Axes:
    """The labels as the tables show them."""

    x: AxisLabels
    y: AxisLabels | None
    label_width: float
    """Of the column with the row labels, including the gap beside it; 0 without a Y axis."""
    keyed: tuple[AxisLabels, ...]
    """Those whose values are too long for a table: letters stand for them."""


@dataclass(frozen=True)
class Shape:
    """Widths of the columns and heights of the rows, in multiples of the long side of a picture."""

    widths: tuple[float, ...]
    heights: tuple[float, ...]

    @property
    def single_row(self) -> bool:
        return len(self.heights) == 1

    def bands(self, most: int) -> tuple[range, ...]:
        """The columns in groups of at most `most`. A single row of more than ROW_MAX is divided into several rows."""
        count = len(self.widths)
        if self.single_row and count > ROW_MAX:
            most = min(most, max(6, math.ceil(math.sqrt(1.5 * count))))
        each = -(-count // -(-count // most))
        return tuple(range(start, min(start + each, count)) for start in range(0, count, each))

    def widest(self, bands: Sequence[range]) -> float:
        return max(sum(self.widths[column] for column in band) for band in bands)


def shape_of(layout: GridLayout) -> Shape:
    columns, rows, _ = layout.counts
    widths, heights = [0.0] * columns, [0.0] * rows
    for place in layout.places():
        width, height = natural_size(layout, place)
        widths[place[0]] = max(widths[place[0]], width / max(width, height))
        heights[place[1]] = max(heights[place[1]], height / max(width, height))
    return Shape(tuple(widths), tuple(heights))


def natural_size(layout: GridLayout, place: Place) -> tuple[int, int]:
    """(width, height) in pixels of a cell's picture; the requested size if there is none."""
    run = layout.cell(place).run
    if run is None:
        return layout.base.shape
    return (run.picture.width, run.picture.height) if run.picture else run.request.shape


def letter(at: int) -> str:
    """A to Z, then AA, AB …"""
    name = ""
    at += 1
    while at:
        at, rest = divmod(at - 1, 26)
        name = chr(65 + rest) + name
    return name
