"""Our own routes beside Gradio's: events, media, what the cards' buttons do, and a visitor's key."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Body, FastAPI, HTTPException, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from sqlalchemy.exc import OperationalError
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.code.fal_snippets import snippet
from services.errors import (
    BudgetExceeded,
    CannotWrite,
    ConfirmNeeded,
    InvalidRequest,
    KeyNeeded,
    NotFound,
    OriginalRemoved,
    PlaygroundError,
    TooMuch,
)
from services.grids.axes import editable
from services.grids.plan import read_plan
from services.library.media import CONTENT_TYPES
from services.library.media_store import MediaKind
from services.library.query import Query as Found
from services.library.scope import Scope
from services.metadata import MetadataError, read_settings, with_metadata
from services.metadata.errors import FILE_MAX
from services.playground import Playground
from services.run import Run
from services.running.feed import AT_ONCE
from services.sheets.plan_in_file import read_plan as read_plan_of
from ui.cards import card, details
from ui.history.page_of_cards import shelf_page
from ui.history.projects import project_routes, projects_of
from ui.visitors import expired_cookie, visitor_of
from ui.web.assets import FOREVER, Assets

log = logging.getLogger(__name__)

ASSETS = Path(__file__).parents[2] / "assets"
STYLES = ("style", "compare", "grid", "blind", "history", "usage", "shelf", "keys", "touch")
"""Of assets/css/, in the order in which they are laid over each other."""
STYLESHEET = "page.css"
"""Served as all of them in one: the page waits for one file, not for nine."""
PAGE_SIZE = 48
Number = Annotated[int | None, Query(gt=-(2**62), lt=2**62)]
"""Below zero are the seqs of runs that were restored under what was there."""
JsonBody = Annotated[dict[str, Any] | None, Body()]
STATUS = {
    InvalidRequest: 422,
    NotFound: 404,
    OriginalRemoved: 410,
    BudgetExceeded: 402,
    KeyNeeded: 401,
    ConfirmNeeded: 409,
    TooMuch: 429,
    CannotWrite: 507,
}


def add_routes(app: FastAPI, playground: Playground, assets_path: str) -> None:
    """`assets_path` is where assets/ is served: it carries their version, so that they can be cached for good."""
    app.include_router(_health(playground))
    app.include_router(_runs(playground))
    app.include_router(project_routes(playground))
    app.include_router(_events(playground))
    app.include_router(_media(playground))
    app.include_router(_files())
    app.include_router(_keys(playground))
    app.mount(assets_path, Assets(ASSETS, forever=True, joined={STYLESHEET: [f"css/{name}.css" for name in STYLES]}))
    app.add_exception_handler(PlaygroundError, _say)
    app.add_exception_handler(OperationalError, _say_database)
    app.add_exception_handler(RequestValidationError, _say_unreadable)


async def _say(_request: Request, error: Exception) -> JSONResponse:
    """Every error as its sentence; `field` names the control at fault."""
    issues = [issue.model_dump() for issue in error.issues] if isinstance(error, InvalidRequest) else []
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooMuch) else None
    return JSONResponse({"message": str(error), "issues": issues}, STATUS.get(type(error), 400), headers)


async def _say_database(request: Request, error: Exception) -> JSONResponse:
    """A full disk or a lock, met by a button: said, and logged in one line."""
    log.error("%s: the history cannot be read or written (%s)", request.url.path, getattr(error, "orig", error))
    return await _say(request, CannotWrite(str(getattr(error, "orig", error))))


async def _say_unreadable(_request: Request, error: Exception) -> JSONResponse:
    """What a route cannot read, in words. What was sent is not repeated."""
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{' '.join(map(str, fault['loc']))}: {fault['msg']}" for fault in faults)
    message = f"The request cannot be read ({said}).".encode("utf-8", "replace").decode()
    return JSONResponse({"message": message, "issues": []}, 422)


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
        """Cards of the visitor's project, newest first; of a grid's runs the newest, and `stacks` says what it stands
        for. `cursor` is where `/events` goes on; `visit` is the time (ms) this visit began."""
        visitor = visitor_of(request)
        cursor = await asyncio.to_thread(playground.history.revision)
        projects = await projects_of(playground, visitor)
        scope, query = playground.scope(visitor), Found(project=projects["project"])
        shown = await shelf_page(playground, scope, query, limit=max(1, min(limit, 200)), after=before)
        return {
            "cursor": cursor,
            **shown,
            **projects,
            "visit": await _visit(playground, visitor, visit),
            "engine": playground.engines.choose(visitor)[0],
            "own_key": playground.engines.has_key(visitor),
            "own_history": playground.settings.history_mode == "visitor",
            "notice": _notice(playground),
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
        data = await asyncio.to_thread(_with_settings, playground, run)
        if data is None and run.picture and run.original_removed_at:
            raise OriginalRemoved(was_here=bool(run.picture.thumb))
        if data is None or run.picture is None:
            raise NotFound("picture file")
        ending = run.picture.name.partition(".")[2]
        name = f"flux-2-flex_{run.created_at:%Y%m%d-%H%M%S}_seed{run.seed}.{ending}"
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
    action("repeat", lambda visitor, run_id, body: playground.repeat(visitor, run_id))
    action("notes", lambda visitor, run_id, body: playground.note(visitor, run_id, str(body.get("notes") or "")))
    action("tags", lambda visitor, run_id, body: playground.tag(visitor, run_id, _listed(body.get("tags"))))
    action("favourite", lambda visitor, run_id, body: playground.favourite(visitor, run_id, bool(body.get("on"))))
    return router


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _notice(playground: Playground) -> str | None:
    """What everyone should hear while this server runs."""
    aside = playground.history.set_aside
    if aside is None:
        return None
    return (
        f"The history was damaged. It was set aside as {aside.name} in the data folder, and a new one was begun; the "
        "pictures' files are still there."
    )


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
            batch = await playground.feed.since(scope, cursor)
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
            if len(batch) < AT_ONCE:
                await wake.wait()


def _media(playground: Playground) -> APIRouter:
    router = APIRouter()

    async def serve(kind: MediaKind, name: str) -> Response:
        data = await asyncio.to_thread(playground.media.read, kind, name)
        if data is None:
            raise HTTPException(404, "There is no such picture.")
        media_type = CONTENT_TYPES[name.partition(".")[2]]
        return Response(data, media_type=media_type, headers={**FOREVER, "X-Content-Type-Options": "nosniff"})

    @router.get("/media/{name}")
    async def media(name: str) -> Response:
        return await serve("media", name)

    @router.get("/thumbs/{name}")
    async def thumbs(name: str) -> Response:
        return await serve("thumbs", name)

    return router


def _with_settings(playground: Playground, run: Run) -> bytes | None:
    """What was paid for is handed out even where nothing can be put into it. None where the picture is gone."""
    data = playground.media.read("media", run.picture.name) if run.picture else None
    if data is None:
        return None
    try:
        return with_metadata(data, run)
    except MetadataError:
        return data


def _files() -> APIRouter:
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
        if (plan := await asyncio.to_thread(_plan_in, bytes(data))) is not None:
            return {"grid": plan}
        found = await asyncio.to_thread(read_settings, bytes(data))
        return {"source": found.source, "values": found.values, "unused": found.unused, "notes": found.notes}

    return router


def _plan_in(data: bytes) -> dict[str, Any] | None:
    """The plan of a grid's contact sheet or page, each value checked again. Raises InvalidRequest."""
    found = read_plan_of(data)
    if found is None:
        return None
    plan = read_plan(found)
    axes = [{"field": axis.field, "text": editable(axis)} for axis in plan.axes]
    return {"request": plan.base.model_dump(mode="json"), "axes": axes, "title": plan.title}


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

    @router.delete("/my-data")
    async def delete_everything(request: Request, response: Response) -> dict[str, int]:
        """All that is kept of this visitor, for good. The browser's cookie goes too: it begins anew."""
        count = await playground.delete_everything(visitor_of(request))
        response.headers["set-cookie"] = expired_cookie(request.url.scheme == "https")
        return {"pictures": count}

    return router
