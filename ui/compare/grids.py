"""The routes of the grid's page: preview a plan, run it, and act on a grid."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from services.compare.sameness import sameness
from services.errors import FieldIssue, InvalidRequest
from services.grids.axes import AXIS_LABELS, SEARCH_REPLACE, Axis, editable
from services.grids.grid import Grid
from services.grids.plan import MAX_CELLS, SLOTS, GridPlan, parse_axes, parse_plan
from services.grids.planner import AxisPreview, Preview, preview_axes
from services.grids.service import GridView
from services.library.media_store import Opener
from services.playground import Playground
from services.request import caption, parse_request
from services.run import Run
from services.stored import AnyRequest, StoredRequest
from ui.cards import loose_card
from ui.presses import Pressed
from ui.visitors import visitor_of

LIST_SIZE = 24
Before = Annotated[int | None, Query(gt=-(2**62), lt=2**62)]
Text = Annotated[str, Field(max_length=100_000)]


class AskedAxis(BaseModel):
    """One axis as the page has it: a text in the axis syntax, or the list of values from a preview's answer."""

    model_config = ConfigDict(extra="forbid")

    field: Annotated[str, Field(max_length=60)]
    values: Text | list[Any]


class AskedGrid(BaseModel):
    """A grid to preview or to run. Its base: that of an existing grid, a run of this visitor, or settings by fal's
    names."""

    model_config = ConfigDict(extra="forbid")

    run_id: Annotated[str, Field(max_length=40)] | None = None
    request: dict[str, Any] | None = None
    changes: dict[str, Any] = {}
    """Settings that replace the base's, such as prompt expansion switched off."""
    axes: list[AskedAxis] = Field(default=[], max_length=len(SLOTS))
    reuse: bool = True
    confirm: bool = False
    grid_id: Annotated[str, Field(max_length=40)] | None = None
    """The existing grid that gets these axes."""

    @property
    def typed(self) -> list[tuple[str, Any]]:
        return [(axis.field, axis.values) for axis in self.axes]


class GridName(BaseModel):
    """`name`: empty calls the grid by its axes again."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=10_000)]


def grid_routes(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/grids")
    _add_plans(router, playground)
    _add_actions(router, playground)
    return router


def _add_plans(router: APIRouter, playground: Playground) -> None:
    grids = playground.grids

    @router.get("/fields")
    async def fields() -> dict[str, Any]:
        """What can be an axis, in the page's order."""
        return {"axes": [{"field": name, "label": AXIS_LABELS[name]} for name in _ordered()], "most": MAX_CELLS}

    @router.get("")
    async def newest(request: Request, before: Before = None) -> dict[str, Any]:
        found = await grids.newest(visitor_of(request), limit=LIST_SIZE + 1, before=before)
        lines = [
            {"id": line.id, "seq": line.seq, "title": line.title, "prompt": line.prompt[:200], "cells": line.cells,
             "gone": line.gone, "created_at": line.created_at.isoformat()}
            for line in found[:LIST_SIZE]
        ]  # fmt: skip
        return {"grids": lines, "more": len(found) > LIST_SIZE}

    @router.post("/preview")
    async def preview(request: Request, asked: AskedGrid) -> dict[str, Any]:
        """What a plan would make. Faults in the typed values are reported for each axis."""
        visitor = visitor_of(request)
        base = await _base(playground, visitor, asked)
        axes = await playground.pools.sums(preview_axes, asked.typed, base)
        seen = await grids.preview(visitor, base, axes, reuse=asked.reuse, grid_id=asked.grid_id)
        return {**await playground.pools.sums(_previewed, seen), "base": _told_base(base)}

    @router.post("")
    async def run(request: Request, asked: AskedGrid, press: Pressed) -> dict[str, Any]:
        visitor = visitor_of(request)
        choices: dict[str, Any] = {"reuse": asked.reuse, "confirm": asked.confirm, "press": press}
        base = await _base(playground, visitor, asked)
        if asked.grid_id:
            axes = await playground.pools.sums(parse_axes, asked.typed, base)
            grid = await grids.extend(visitor, asked.grid_id, axes, **choices)
        else:
            plan = await playground.pools.sums(parse_plan, base, asked.typed, asked.run_id)
            grid = await grids.make(visitor, plan, **choices)
        return await _shown(playground, await grids.view(visitor, grid.id))


def _add_actions(router: APIRouter, playground: Playground) -> None:
    grids = playground.grids

    @router.get("/{grid_id}")
    async def one(request: Request, grid_id: str) -> dict[str, Any]:
        return await _shown(playground, await grids.view(visitor_of(request), grid_id))

    def action(name: str, do: Callable[[str | None, str], Awaitable[Grid]]) -> None:
        @router.post(f"/{{grid_id}}/{name}", name=f"grid {name}")
        async def post(request: Request, grid_id: str) -> dict[str, Any]:
            visitor = visitor_of(request)
            await do(visitor, grid_id)
            return await _shown(playground, await grids.view(visitor, grid_id))

    @router.post("/{grid_id}/rename")
    async def rename(request: Request, grid_id: str, body: GridName) -> dict[str, Any]:
        visitor = visitor_of(request)
        await grids.rename(visitor, grid_id, body.name)
        return await _shown(playground, await grids.view(visitor, grid_id))

    @router.post("/{grid_id}/delete")
    async def delete(request: Request, grid_id: str) -> dict[str, Any]:
        """`pictures`: how many stay, each by itself."""
        return {"id": grid_id, "pictures": await grids.delete(visitor_of(request), grid_id)}

    action("restore", grids.restore)
    action("pause", grids.pause)
    action("resume", grids.resume)
    action("cancel", grids.cancel)

    def press(name: str, do: Callable[..., Awaitable[Grid]]) -> None:
        @router.post(f"/{{grid_id}}/{name}", name=f"grid {name}")
        async def post(request: Request, grid_id: str, press: Pressed) -> dict[str, Any]:
            visitor = visitor_of(request)
            await do(visitor, grid_id, press=press)
            return await _shown(playground, await grids.view(visitor, grid_id))

    press("retry", grids.retry)
    press("repeat", grids.repeat_check)


def _ordered() -> list[str]:
    """The names of all axes, those swept most often first."""
    first = ["num_inference_steps", "guidance_scale", "seed", SEARCH_REPLACE, "prompt", "image_size"]
    return [*first, *(name for name in AXIS_LABELS if name not in first)]


async def _base(playground: Playground, visitor: str | None, asked: AskedGrid) -> AnyRequest:
    if asked.grid_id:
        return await playground.grids.base(visitor, asked.grid_id)
    if asked.run_id:
        run = await playground.run(visitor, asked.run_id)
        return run.request.vary(seed=run.seed, **asked.changes)
    if asked.request is not None:
        return parse_request({**asked.request, **asked.changes})
    raise InvalidRequest((FieldIssue(field="grid", message="Choose a picture, or the controls, as the base."),))


# -- as JSON -----------------------------------------------------------------------------------------------------------


def _told_base(base: AnyRequest) -> dict[str, Any]:
    stored = StoredRequest.read(base)
    return {"request": stored.values, "caption": caption(stored), "pixels": list(stored.shape)}


def _previewed(seen: Preview) -> dict[str, Any]:
    return {
        "axes": [_previewed_axis(axis) for axis in seen.axes],
        "ready": seen.plan is not None,
        "fault": seen.fault,
        "size": list(seen.plan.size) if seen.plan else [],
        "cells": seen.cells,
        "made": seen.made,
        "new": seen.new,
        "cost_usd": seen.cost_usd,
        "seconds": seen.seconds,
        "engine": seen.engine,
        "asks": seen.asks,
    }


def _previewed_axis(seen: AxisPreview) -> dict[str, Any]:
    if seen.axis is None:
        return {"field": seen.field, "fault": seen.fault}
    return {"field": seen.field, "fault": seen.fault, **_told_axis(seen.axis), "duplicates": list(seen.axis.duplicates)}


def _told_axis(axis: Axis) -> dict[str, Any]:
    return {"label": axis.label, "short": axis.short, "labels": list(axis.labels), "values": list(axis.values)}


async def _shown(playground: Playground, view: GridView) -> dict[str, Any]:
    """`_grid_card`, in a thread so that other requests are answered meanwhile: a thousand cards take a while."""
    return await playground.pools.sums(_grid_card, playground, view)


def _grid_card(playground: Playground, view: GridView) -> dict[str, Any]:
    """A grid for the page: its plan, which run stands in which cell, and those runs as cards."""
    grid, plan = view.grid, view.grid.plan
    prices = {key: playground.prices.estimate(request) for key, request in plan.requests.items()}
    origin = view.runs.get(plan.origin or "")
    return {
        "id": grid.id,
        "title": plan.title,
        "name": plan.name,
        "gone": bool(grid.cells) and not any(run_id in view.runs for run_id in grid.cells.values()),
        "created_at": grid.created_at.isoformat(),
        "paused": grid.paused,
        "origin": plan.origin,
        "thumb": f"/thumbs/{origin.picture.thumb}" if origin and origin.picture else None,
        "base": _told_base(plan.base),
        "axes": [{"field": axis.field, **_told_axis(axis), "text": editable(axis)} for axis in plan.axes],
        "cells": [run.id if (run := view.run_of(cell.key)) else None for cell in plan.cells],
        "prices": [prices[cell.key] for cell in plan.cells],
        "words": _cell_words(plan),
        "pace": {"seconds_a_step": view.pace.seconds_a_step, "at_once": view.pace.at_once},
        "runs": [loose_card(run) for run in view.runs.values()],
        "repeat": _repeated(playground, view),
    }


def _cell_words(plan: GridPlan) -> list[str]:
    """Each cell's values in words, for screen readers: `steps 10, guidance 2`."""
    return [
        ", ".join(
            f"{axis.short} {axis.value_label(place)}".strip()
            for axis, place in zip(plan.axes, cell.place, strict=False)
        )
        for cell in plan.cells
    ]


def _repeated(playground: Playground, view: GridView) -> dict[str, Any] | None:
    """The state of the repeat check in words, or None without one. It runs until both pictures are there."""
    if view.grid.repeat is None:
        return None
    first, second = (view.runs.get(run_id) for run_id in view.grid.repeat)
    words, kind = "One of the two pictures is gone.", "gone"
    if first and second and not second.state.is_final:
        words, kind = "Making one picture a second time…", "running"
    elif first and second and second.failure:
        words, kind = f"The second picture failed: {second.failure.message}", "failed"
    elif (files := _files(playground, first, second)) is not None:
        words, kind = _sameness(*files)
    return {"kind": kind, "words": words, "runs": list(view.grid.repeat)}


def _sameness(first: Opener, second: Opener) -> tuple[str, str]:
    """(words, kind) of two pictures that are there."""
    try:
        found = sameness(first, second)
    except OSError:
        return "One of the two pictures cannot be read.", "gone"
    meaning = "the seed repeats here" if found.kind == "bytes" else "small differences between cells may be chance"
    return f"Made twice, the picture is {found.words}: {meaning}.", found.kind


def _files(playground: Playground, *runs: Run | None) -> list[Opener] | None:
    media = playground.media
    names = [run.picture.name for run in runs if run and run.picture]
    there = len(names) == len(runs) and all(media.find("media", name) for name in names)
    return [media.opener("media", name) for name in names] if there else None
