"""Routes that export runs, and that import exports dropped on the page."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import StreamingResponse

from services.archive.export import Download, Kind
from services.errors import FieldIssue, InvalidRequest, PlaygroundError
from services.playground import Playground
from services.pools import Pool
from ui.history.tab import ChosenRuns
from ui.visitors import visitor_of

log = logging.getLogger(__name__)

PROGRESS_SECONDS = 0.5


class Order(ChosenRuns):
    """What to export: what is chosen, or with `everything` all that the visitor sees."""

    kind: Kind = "zip"
    everything: bool = False


def archive_routes(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/archive")
    tickets = playground.tickets
    archive = playground.archive
    restoring: set[asyncio.Task[None]] = set()

    @router.post("/exports")
    async def order(request: Request, body: Order) -> dict[str, Any]:
        """`url`, where the download can be fetched for ten minutes, and `runs`, how many runs it holds."""
        scope = playground.scope(visitor_of(request))
        chosen = None if body.everything else body.chosen()
        runs = await archive.count(scope, chosen)
        if not runs:
            raise InvalidRequest((FieldIssue(field="ids", message="There is nothing to export."),))
        return {"url": f"/archive/exports/{tickets.add(scope, chosen, body.kind)}", "runs": runs}

    @router.get("/exports/{name}")
    async def fetch(name: str) -> StreamingResponse:
        ticket = tickets.get(name)
        if ticket is None:
            raise HTTPException(404, "This download is no longer offered. Press Export again.")
        return sent(await archive.export(ticket.scope, ticket.chosen, ticket.kind), playground.pools.transfers)

    @router.post("/imports")
    async def import_file(request: Request) -> StreamingResponse:
        """The body is a ZIP or a history.jsonl. Answers JSON lines: `{"pictures": 12}` as progress, at the end the
        fields of services.archive.import_.Imported, or `{"message": …}` where nothing was restored."""
        length = request.headers.get("content-length", "")
        visitor, lines = visitor_of(request), asyncio.Queue[dict[str, Any] | None]()
        archive.check_owner(visitor, playground.scope(visitor))
        with ExitStack() as place:
            place.enter_context(playground.uploads.place(visitor))
            size = int(length) if length.isdecimal() and len(length) < 16 else None
            file = await archive.receive(request.stream(), size)
            # The import runs in a task of its own, so that closing the page does not stop it.
            task = asyncio.create_task(_restore(playground, file, visitor, lines, place.pop_all()))
        restoring.add(task)
        task.add_done_callback(restoring.discard)
        return StreamingResponse(_lines(lines), media_type="application/jsonl", headers={"X-Accel-Buffering": "no"})

    return router


def sent(download: Download, pool: Pool) -> StreamingResponse:
    """A response that streams a download, whose blocks are read in `pool`, and closes its files at the end."""

    async def blocks() -> AsyncIterator[bytes]:
        try:
            async for block in pool.each(download.blocks):
                yield block
        finally:
            download.close()

    headers = {
        "Content-Disposition": f'attachment; filename="{download.name}"',
        "Content-Length": str(download.size),
        "X-Accel-Buffering": "no",
    }
    return StreamingResponse(blocks(), media_type=download.media_type, headers=headers)


async def _restore(
    playground: Playground, file: Path, visitor: str | None, lines: asyncio.Queue[dict[str, Any] | None],
    place: ExitStack,
) -> None:  # fmt: skip
    """`place` is closed at the end."""
    loop, last = asyncio.get_running_loop(), 0.0

    def tell(pictures: int) -> None:
        nonlocal last
        if time.monotonic() - last > PROGRESS_SECONDS:
            last = time.monotonic()
            loop.call_soon_threadsafe(lines.put_nowait, {"pictures": pictures})

    try:
        restored = await playground.archive.import_file(file, visitor, playground.scope(visitor), tell)
        lines.put_nowait(asdict(restored))
    except PlaygroundError as error:
        lines.put_nowait({"message": str(error)})
    except Exception:
        log.exception("a restore stopped on an error of this program")
        lines.put_nowait({"message": "This program made a mistake; its log tells more. Nothing was restored."})
    finally:
        playground.archive.discard(file)
        place.close()
        lines.put_nowait(None)


async def _lines(queue: asyncio.Queue[dict[str, Any] | None]) -> AsyncIterator[bytes]:
    while (line := await queue.get()) is not None:
        yield json.dumps(line).encode() + b"\n"
