"""`/grid` of the public API, and the MCP tool of the same name."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_file_to_cache
from gradio.route_utils import DEFAULT_TEMP_DIR

from services.errors import FieldIssue, InvalidRequest
from services.grids.axes import AXIS_LABELS
from services.grids.plan import ASK_ABOVE, MAX_CELLS, SLOTS, GridPlan, parse_plan
from services.grids.service import GridView
from services.models import registry
from services.playground import Playground
from services.request import parse_request
from services.sheets.layout_of_grid import layout_of
from ui.api.calls import Calls
from ui.api.history import described
from ui.compare.grid_files import file_name
from ui.presses import press_of_call

EXPANSION = "enable_prompt_expansion"
"""Off where a grid's base does not say, for a fair comparison, if its model has it."""


def add_grid_api(playground: Playground, calls: Calls) -> None:
    """Register the endpoint in the surrounding gr.Blocks."""
    gr.api(_grid(playground, calls), api_name="grid", concurrency_limit=None)


def _grid(playground: Playground, calls: Calls) -> Callable[..., Any]:
    async def grid(
        request: dict, x: dict, y: dict | None = None, z: dict | None = None, confirm: bool = False,  # type: ignore[type-arg]
        caller: gr.Request = None,  # type: ignore[assignment]
    ) -> dict[str, Any]:  # fmt: skip
        axes = {"x": x, "y": y, "z": z}
        with calls.begin(caller) as call:
            press = press_of_call(caller, "grid", {"request": request, **axes, "confirm": confirm})
            plan = await playground.pools.sums(_plan, request, axes)
            made = await playground.grids.make(call.visitor, plan, confirm=confirm is True, press=press)
            await call.asked_for(lambda begun_too: playground.grids.cancel_runs(made, begun_too=begun_too))
            view = await playground.grids.finished(call.visitor, made.id)
        return await playground.pools.exports(_outcome, view, playground)

    grid.__doc__ = f"""Compare settings in a table of pictures, and wait for it.

    Args:
        request: The settings that all cells share, by fal's names; prompt at least. enable_prompt_expansion is false
            where it does not say.
        x: The first axis: field (one of {", ".join(AXIS_LABELS)}; prompt_sr is search/replace in
            the prompt) and values, a list or a text such as "10, 20, 30", "10-50 [5]", "1-5 (+2)" or "cat, dog, wolf".
        y: The second axis, or null.
        z: The third axis, or null.
        confirm: true allows more than {ASK_ABOVE} new pictures; a grid has {MAX_CELLS} cells at most.

    Returns:
        grid_id; cells (row by row, x first), each with run_id, state, seed, request, media, cost_usd, error; sheet, a
        labelled contact sheet (file). Cells whose picture was made before are not made again.
    """
    return grid


def _plan(request: dict[str, Any], axes: dict[str, Any]) -> GridPlan:
    if not isinstance(request, dict):
        raise _fault("request", "request is an object with the settings by fal's names.")
    fair = {EXPANSION: False} if EXPANSION in registry.model_for(request).parameters else {}
    base = parse_request({**fair, **request})
    return parse_plan(base, [_axis(slot, axes[slot]) for slot in SLOTS if axes[slot] is not None])


def _axis(slot: str, axis: Any) -> tuple[str, Any]:
    if not isinstance(axis, dict) or set(axis) != {"field", "values"}:
        raise _fault(slot, f'{slot} is an object with field and values, as in {{"field": "seed", "values": "1-4"}}.')
    return str(axis["field"]), axis["values"]


def _fault(field: str, message: str) -> InvalidRequest:
    return InvalidRequest((FieldIssue(field=field, message=message),))


def _outcome(view: GridView, playground: Playground) -> dict[str, Any]:
    cells = [(cell, view.run_of(cell.key)) for cell in view.grid.plan.cells]
    return {
        "grid_id": view.grid.id,
        "cells": [described(run) for _, run in cells if run],
        "sheet": _sheet(view, playground),
    }


def _sheet(view: GridView, playground: Playground) -> dict[str, Any]:
    """The contact sheet in Gradio's own cache: it hands out nothing else."""
    from services.sheets.png import contact_sheet  # needed with the first grid, not to start

    with tempfile.TemporaryDirectory(prefix="grid-") as folder:
        file = Path(folder) / file_name(view.grid.created_at, "png")
        contact_sheet(layout_of(view, playground.media), "technical", file)
        path = save_file_to_cache(file, DEFAULT_TEMP_DIR)
        size = file.stat().st_size
    meta = {"_type": "gradio.FileData"}
    return {"path": path, "orig_name": file.name, "mime_type": "image/png", "size": size, "meta": meta}
