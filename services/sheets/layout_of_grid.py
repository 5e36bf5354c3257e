"""A grid as its exports see it: headings in words, and for each place the picture or what stands there instead."""

from __future__ import annotations

from services.grids.axes import Axis
from services.grids.service import GridView
from services.library.media import Media
from services.run import Run, RunState
from services.sheets.layout import AxisLabels, GridLayout, SheetCell

WORDS = {RunState.CANCELLED: "cancelled", RunState.UNKNOWN: "no answer from fal"}
MESSAGE_CUT = 120


def layout_of(view: GridView, media: Media) -> GridLayout:
    """Blocks: it looks for each picture's files, and makes thumbnails that are missing."""
    plan = view.grid.plan
    x, y, z = ([_labels(axis) for axis in plan.axes] + [None, None])[:3]
    assert x is not None, "a plan has one axis at least"  # noqa: S101  # nosec B101: tells the type checker
    return GridLayout(
        title=plan.title,
        base=plan.base,
        x=x,
        y=y,
        z=z,
        cells={cell.place: _cell(view.run_of(cell.key), media) for cell in plan.cells},
        plan={name: value for name, value in plan.written().items() if name != "origin"},
        plan_format=plan.format,
        made_at=view.grid.created_at,
    )


def _labels(axis: Axis) -> AxisLabels:
    return AxisLabels(axis.label, axis.labels)


def _cell(run: Run | None, media: Media) -> SheetCell:
    if run is None or run.picture is None:
        return SheetCell(run, None, None, _words(run))
    name, small = run.picture.name, run.picture.thumb
    original = media.opener("media", name) if media.find("media", name) else None
    thumb = media.opener("thumbs", small) if media.find("thumbs", small) else None
    return SheetCell(run, original, thumb, "" if original else "the picture's file is gone")


def _words(run: Run | None) -> str:
    """What stands in place of a picture."""
    if run is None:
        return "deleted"
    if run.failure and run.state is RunState.FAILED:
        charged = " · not charged" if run.failure.charged is False else ""
        message = run.failure.message
        return (message if len(message) <= MESSAGE_CUT else f"{message[:MESSAGE_CUT]}…") + charged
    return WORDS.get(run.state, "not made yet")
