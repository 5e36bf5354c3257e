"""Files that are dropped on the page to take their settings."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request

from services.grids.axes import editable
from services.grids.plan import read_plan
from services.metadata import MetadataError, read_settings
from services.metadata.errors import FILE_MAX
from services.pools import Pools
from services.sheets.plan_in_file import read_plan as read_plan_of


def file_routes(pools: Pools) -> APIRouter:
    router = APIRouter()

    @router.post("/settings-of-file")
    async def settings_of_file(request: Request) -> dict[str, Any]:
        """The settings in a picture of any tool, or the plan in a grid's sheet or page. The body is the file's own
        bytes, at most 64 MB."""
        data = bytearray()
        async for part in request.stream():
            data += part
            if len(data) > FILE_MAX:
                raise MetadataError("too_large")
        if (plan := await pools.pictures(_plan_in, bytes(data))) is not None:
            return {"grid": plan}
        found = await pools.pictures(read_settings, bytes(data))
        return {"source": found.source, "values": found.values, "unused": found.unused, "notes": found.notes}

    return router


def _plan_in(data: bytes) -> dict[str, Any] | None:
    """The plan of a grid's contact sheet or page, each value checked again. Raises InvalidRequest."""
    found = read_plan_of(data)
    if found is None:
        return None
    plan = read_plan(found)
    axes = [{"field": axis.field, "text": editable(axis)} for axis in plan.axes]
    return {"request": plan.base.values, "axes": axes, "title": plan.title}
