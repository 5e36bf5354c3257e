"""Our own routes beside Gradio's: events, media, what the cards' buttons do, and a visitor's key."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Query, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.errors import BudgetExceeded, InvalidRequest, KeyNeeded, NotFound, OriginalRemoved, PlaygroundError
from services.library.history import Scope
from services.library.metadata import MetadataError, read_settings, with_metadata
from services.library.metadata.errors import FILE_MAX
from services.playground import Playground
from services.run import Run
from services.snippets import snippet
from ui.cards import card, details
from ui.visitors import visitor_of

ASSETS = Path(__file__).parent.parent / "assets"
PAGE_SIZE = 48
Number = Annotated[int | None, Query(gt=-(2**62), lt=2**62)]
"""Below zero are the seqs of runs that were restored under what was there."""
JsonBody = Annotated[dict[str, Any] | None, Body()]
FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
STATUS = {InvalidRequest: 422, NotFound: 404, OriginalRemoved: 410, BudgetExceeded: 402, KeyNeeded: 401}


def add_routes(app: FastAPI, playground: Playground, assets_path: str) -> None:
    """`assets_path` is where assets/ is served: it carries their version, so that they can be cached for good."""
    app.include_router(_health(playground))
    app.include_router(_runs(playground))
    app.include_router(_events(playground))
    app.include_router(_media(playground))
    app.include_router(_files())
    app.include_router(_keys(playground))
    app.mount(assets_path, _ForeverFiles(directory=ASSETS))
    app.add_exception_handler(PlaygroundError, _say)


class _ForeverFiles(StaticFiles):
    def file_response(self, *args: Any, **kwargs: Any) -> Response:
        response = super().file_response(*args, **kwargs)
        response.headers.update(FOREVER)
        return response


async def _say(_request: Request, error: Exception) -> JSONResponse:
    """Every error as its sentence; `field` names the control at fault."""
    issues = [issue.model_dump() for issue in error.issues] if isinstance(error, InvalidRequest) else []
    return JSONResponse({"message": str(error), "issues": issues}, STATUS.get(type(error), 400))


def _health(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "engine": playground.settings.engine}

    # Gradio's own deep links store every component's value in a file that anyone may read: refused.
    @router.get("/gradio_api/deep_link")
    async def no_deep_links() -> Response:
        raise HTTPException(404)

    return router


def _runs(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/runs")

    @router.get("")
    async def page(
        request: Request, limit: int = PAGE_SIZE, before: Number = None, visit: float | None = None
    ) -> dict[str, Any]:
        """Cards, newest first. `cursor` is where `/events` goes on; `visit` is the time (ms) this visit began."""
        visitor = visitor_of(request)
        cursor = await asyncio.to_thread(playground.history.revision)
        limit = max(1, min(limit, 200))
        entries = await playground.entries(visitor, limit=limit + 1, before=before)
        return {
            "cursor": cursor,
            "more": len(entries) > limit,
            "runs": [card(entry) for entry in entries[:limit]],
            "visit": await _visit(playground, visitor, visit),
            "engine": playground.engines.choose(visitor)[0],
            "own_key": playground.engines.has_key(visitor),
        }

    @router.get("/visit")
    async def visit(request: Request, since: float) -> dict[str, Any]:
        return await _visit(playground, visitor_of(request), since)

    @router.get("/{run_id}")
    async def one(request: Request, run_id: str) -> dict[str, Any]:
        return details(await playground.run(visitor_of(request), run_id))

    @router.get("/{run_id}/snippet")
    async def code(request: Request, run_id: str, language: str) -> dict[str, str]:
        run = await playground.run(visitor_of(request), run_id)
        return {"code": snippet(language, run.request.vary(seed=run.seed))}  # type: ignore[arg-type]

    @router.get("/{run_id}/download")
    async def download(request: Request, run_id: str) -> Response:
        """A copy of the original that carries its settings, under a name that tells what it is."""
        run = await playground.run(visitor_of(request), run_id)
        file = playground.media.find("media", run.picture.name) if run.picture else None
        if file is None and run.picture and run.original_removed_at:
            raise OriginalRemoved(was_here=bool(run.picture.thumb))
        if file is None or run.picture is None:
            raise NotFound("picture file")
        name = f"flux-2-flex_{run.created_at:%Y%m%d-%H%M%S}_seed{run.seed}{file.suffix}"
        data = await asyncio.to_thread(_with_settings, file, run)
        attachment = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type=run.picture.content_type, headers=attachment)

    def action(name: str, do: Callable[[str | None, str, dict[str, Any]], Awaitable[Run | list[Run]]]) -> None:
        @router.post(f"/{{run_id}}/{name}", name=name)
        async def post(request: Request, run_id: str, body: JsonBody = None) -> dict[str, Any]:
            done = await do(visitor_of(request), run_id, body or {})
            return {"runs": [run.id for run in (done if isinstance(done, list) else [done])]}

    action("cancel", lambda visitor, run_id, body: playground.cancel(visitor, run_id))
    action("retry", lambda visitor, run_id, body: playground.retry(visitor, run_id))
    action("delete", lambda visitor, run_id, body: playground.delete(visitor, run_id))
    action("restore", lambda visitor, run_id, body: playground.restore(visitor, run_id))
    action("new-seeds", lambda visitor, run_id, body: playground.new_seeds(visitor, run_id))
    action("nearby", lambda visitor, run_id, body: playground.nearby(visitor, run_id, str(body.get("field"))))
    action("favourite", lambda visitor, run_id, body: playground.favourite(visitor, run_id, bool(body.get("on"))))
    return router


async def _visit(playground: Playground, visitor: str | None, since_ms: float | None) -> dict[str, Any]:
    """Pictures and cost since this visit began; a day at most, whatever a browser's clock says."""
    earliest = datetime.now(timezone.utc) - timedelta(days=1)
    try:
        since = max(earliest, datetime.fromtimestamp((since_ms or 0) / 1000, timezone.utc))
    except (ValueError, OverflowError, OSError):
        since = earliest
    totals = await playground.totals(visitor, since)
    return {"pictures": totals.pictures, "cost_usd": totals.cost_usd}


def _events(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.get("/events")
    async def events(request: Request, after: Number = None) -> EventSourceResponse:
        """Changes of this visitor's runs as they are committed. Goes on after `Last-Event-ID`, or after `after`."""
        told = request.headers.get("last-event-id", "")
        start = int(told) if re.fullmatch(r"[0-9]{1,18}", told) else after
        if start is None:
            start = await asyncio.to_thread(playground.history.revision)
        stream = _changes(playground, playground.scope(visitor_of(request)), start)
        return EventSourceResponse(stream, ping=15, headers={"X-Accel-Buffering": "no"})

    return router


async def _changes(playground: Playground, scope: Scope, cursor: int) -> AsyncIterator[ServerSentEvent]:
    """Each change as the fields that differ from what this stream sent of the run before."""
    sent: dict[str, dict[str, Any]] = {}
    with playground.changes.listen(scope) as wake:
        while not playground.changes.closed:
            wake.clear()
            batch = await asyncio.to_thread(playground.history.changed_since, scope, cursor)
            for entry in batch:
                cursor = entry.run.revision
                fresh, before = card(entry), sent.get(entry.run.id, {})
                delta = {name: value for name, value in fresh.items() if name not in before or before[name] != value}
                sent[entry.run.id] = fresh
                if entry.run.state.is_final:
                    del sent[entry.run.id]  # it seldom changes again: then it is sent whole
                yield ServerSentEvent(
                    data=json.dumps({**delta, "id": entry.run.id, "seq": entry.seq}), id=str(cursor), event="run"
                )
            if not batch:
                await wake.wait()


def _media(playground: Playground) -> APIRouter:
    router = APIRouter()

    def serve(kind: str, name: str) -> FileResponse:
        file = playground.media.find(kind, name)
        if file is None:
            raise HTTPException(404, "There is no such picture.")
        return FileResponse(file, headers={**FOREVER, "X-Content-Type-Options": "nosniff"})

    @router.get("/media/{name}")
    async def media(name: str) -> FileResponse:
        return serve("media", name)

    @router.get("/thumbs/{name}")
    async def thumbs(name: str) -> FileResponse:
        return serve("thumbs", name)

    return router


def _with_settings(file: Path, run: Run) -> bytes:
    """What was paid for is handed out even where nothing can be put into it."""
    data = file.read_bytes()
    try:
        return with_metadata(data, run)
    except MetadataError:
        return data


def _files() -> APIRouter:
    router = APIRouter()

    @router.post("/settings-of-file")
    async def settings_of_file(request: Request) -> dict[str, Any]:
        """The settings in a picture of any tool. The body is the file's own bytes, at most 64 MB."""
        data = bytearray()
        async for part in request.stream():
            data += part
            if len(data) > FILE_MAX:
                raise MetadataError("too_large")
        found = await asyncio.to_thread(read_settings, bytes(data))
        return {"source": found.source, "values": found.values, "unused": found.unused, "notes": found.notes}

    return router


def _keys(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.post("/key")
    async def enter(request: Request) -> dict[str, Any]:
        """Body: `{"key": "…"}`. Read by hand, so that no message ever repeats what was sent."""
        visitor = visitor_of(request)
        if visitor is None:
            raise HTTPException(401, "Open the page first: a key is kept for its visitor.")
        try:
            body = await request.json()
        except ValueError:
            body = None
        key = body.get("key") if isinstance(body, dict) else None
        await playground.enter_key(visitor, key if isinstance(key, str) else "")
        return {"engine": "fal", "own_key": True}

    @router.delete("/key")
    async def forget(request: Request) -> dict[str, Any]:
        visitor = visitor_of(request)
        if visitor is not None:
            playground.forget_key(visitor)
        return {"engine": playground.engines.choose(visitor)[0], "own_key": False}

    return router
