"""A grid as a file: contact sheets, and one page that opens offline.

The modules that write files are imported with the first file, so that a start does not wait for fonts and PDF.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Literal

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, StreamingResponse
from starlette.background import BackgroundTask

from services.archive.export import Extra
from services.grids.service import GridView
from services.library.bulk import Named
from services.playground import Playground
from services.sheets.layout import GridLayout
from services.sheets.layout_of_grid import layout_of
from ui.history.archive import sent
from ui.visitors import visitor_of

Preset = Literal["client", "technical"]
Write = Callable[[GridLayout, Path], object]


def grid_file_routes(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/grids/{grid_id}")

    async def file(request: Request, grid_id: str, ending: str, write: Write) -> FileResponse:
        view = await playground.grids.view(visitor_of(request), grid_id)
        written = await playground.pools.exports(_written, view, playground, ending, write)
        name = file_name(view.grid.created_at, ending)
        return FileResponse(written, filename=name, background=BackgroundTask(written.unlink, missing_ok=True))

    @router.get("/sheet.png")
    async def sheet_png(request: Request, grid_id: str, preset: Preset = "technical") -> FileResponse:
        def write(grid: GridLayout, file: Path) -> None:
            from services.sheets.png import contact_sheet

            contact_sheet(grid, preset, file)

        return await file(request, grid_id, "png", write)

    @router.get("/sheet.pdf")
    async def sheet_pdf(request: Request, grid_id: str, preset: Preset = "technical") -> FileResponse:
        def write(grid: GridLayout, file: Path) -> None:
            from services.sheets.pdf import contact_sheet_pdf

            contact_sheet_pdf(grid, preset, file)

        return await file(request, grid_id, "pdf", write)

    @router.get("/page.html")
    async def page_html(request: Request, grid_id: str) -> FileResponse:
        def write(grid: GridLayout, file: Path) -> None:
            from services.sheets.html import write_page

            write_page(grid, file)

        return await file(request, grid_id, "html", write)

    @router.get("/archive.zip")
    async def archive_zip(request: Request, grid_id: str) -> StreamingResponse:
        """The grid's originals, all that an import needs to restore the grid, and its page and sheet."""
        visitor = visitor_of(request)
        view = await playground.grids.view(visitor, grid_id)
        extras = await playground.pools.exports(_extras, view, playground)
        chosen = Named(tuple(view.runs))
        scope = playground.scope(visitor)
        download = await playground.archive.export(scope, chosen, "zip", grid_ids=[grid_id], extras=extras)
        return sent(download, playground.pools.transfers)

    return router


def _extras(view: GridView, playground: Playground) -> list[Extra]:
    from services.sheets.html import write_page
    from services.sheets.png import contact_sheet

    layout = layout_of(view, playground.media)
    page, sheet = io.BytesIO(), io.BytesIO()
    write_page(layout, page)
    contact_sheet(layout, "technical", sheet)
    return [Extra("page.html", page.getvalue()), Extra("sheet.png", sheet.getvalue())]


def _written(view: GridView, playground: Playground, ending: str, write: Write) -> Path:
    """Write to a temporary file. The caller removes it after sending it."""
    with tempfile.NamedTemporaryFile(prefix="grid-", suffix=f".{ending}", delete=False) as handle:
        file = Path(handle.name)
    try:
        write(layout_of(view, playground.media), file)
    except BaseException:
        file.unlink(missing_ok=True)
        raise
    return file


def file_name(moment: datetime, ending: str) -> str:
    return f"flux-2-flex_grid_{moment:%Y%m%d-%H%M%S}.{ending}"
