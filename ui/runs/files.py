"""Files that are dropped on the page to take their settings."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from services.grids.axes import editable
from services.grids.plan import read_plan
from services.metadata import MetadataError, read_settings
from services.metadata.errors import FILE_MAX
from services.playground import Playground
from services.pools import Pool
from services.sheets.plan_in_file import read_plan as read_plan_of
from ui.visitors import visitor_of


def file_routes(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.post("/settings-of-file")
    async def settings_of_file(request: Request) -> dict[str, Any]:
        """The settings in a picture of any tool, or the plan in a grid's sheet or page. The body is the file's own
        bytes, at most 64 MB."""
        data = bytearray()
        with playground.uploads.place(visitor_of(request)):
            async for block in playground.uploads.blocks(request.stream()):
                data += block
                if len(data) > FILE_MAX:
                    raise MetadataError("too_large")
            return await _read(bytes(data), playground.pools.pictures)

    return router


async def _read(data: bytes, pool: Pool) -> dict[str, Any]:
    if (plan := await pool(_plan_in, data)) is not None:
        return {"grid": plan}
    found = await pool(read_settings, data)
    return {"source": found.source, "values": found.values, "unused": found.unused, "notes": found.notes}


def _plan_in(data: bytes) -> dict[str, Any] | None:
    """The plan of a grid's contact sheet or page, each value checked again. Raises InvalidRequest."""
    found = read_plan_of(data)
    if found is None:
        return None
    plan = read_plan(found)
    axes = [{"field": axis.field, "text": editable(axis)} for axis in plan.axes]
    return {"request": plan.base.values, "axes": axes, "title": plan.title}
