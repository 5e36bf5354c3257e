"""The web server: our routes and the mounted Gradio app on one FastAPI application."""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import gradio as gr
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import Mount

from services.playground import Playground
from services.version import VERSION
from ui.api.calls import Calls
from ui.api.cancels import cancel_routes
from ui.api.code import code_routes
from ui.api.door import Door
from ui.api.mcp import CallsItself, CancelNotices, take_keys
from ui.api.queue import CallQueue
from ui.app import build_app
from ui.compare.blind import ballot_routes, blind_routes
from ui.compare.grid_files import grid_file_routes
from ui.compare.grids import grid_routes
from ui.compare.tab import compare_routes
from ui.history.archive import archive_routes
from ui.history.tab import history_routes
from ui.history.usage import usage_routes
from ui.presses import PAYING
from ui.runs.routes import ASSETS, STYLESHEET, add_routes
from ui.theme import build_theme
from ui.visitors import VisitorCookie
from ui.web.assets import Assets, Mend
from ui.web.bodies import Bodies
from ui.web.guard import Guard, KnownProxies
from ui.web.packing import PackedJson
from ui.web.shortcut import Shortcut

log = logging.getLogger(__name__)

MAX_UPLOAD = "32mb"
KEPT_SESSIONS = 200
"""Sessions of opened pages that Gradio keeps; its default is 10,000. Each takes 70 kB, and more with each press of a
button. Nothing here reads them: for a page whose session was dropped, Gradio makes a new one in 5 ms."""
GRADIO_ASSETS = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
GRADIO_MENDS = (Mend(re.compile(r"statustracker-[\w-]+\.js"), b"W&&ze()", b"W&&U&&ze()"),)
"""The clock of Gradio's loading sign is asked for its time with each frame, and also when the page has loaded and the
sign is gone: 60 times a second for as long as the page is open. `U` is the sign's element, null once it is gone."""
"""The files that Gradio's page loads from /assets."""


def build_server(playground: Playground) -> FastAPI:
    """The whole application; the playground starts and stops with it."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await playground.start()
        try:
            yield
        finally:
            await playground.stop()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    assets_path = f"/ui-assets/{_version(ASSETS)}"
    add_routes(app, playground, assets_path)
    app.include_router(compare_routes(playground))
    app.include_router(grid_routes(playground))
    app.include_router(grid_file_routes(playground))
    app.include_router(blind_routes(playground.ballots, playground.pools))
    app.include_router(ballot_routes(playground.ballots, playground.pools))
    app.include_router(history_routes(playground))
    app.include_router(archive_routes(playground))
    app.include_router(usage_routes(playground))
    app.include_router(code_routes(playground))
    app.mount("/assets", Assets(GRADIO_ASSETS, mends=GRADIO_MENDS))
    calls = Calls()
    page = build_app(playground, calls)
    page._queue = CallQueue(page)
    cancels = cancel_routes(calls, page)
    app.include_router(cancels)
    page.state_session_capacity = KEPT_SESSIONS
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=build_theme(),
        head=_head(assets_path),
        favicon_path=str(ASSETS / "favicon.png"),
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        max_file_size=MAX_UPLOAD,
        mcp_server=True,
    )
    mount = app.routes[-1]
    assert isinstance(mount, Mount)  # noqa: S101  # nosec B101: tells the type checker
    ours = {route.path for route in cancels.routes if isinstance(route, APIRoute)} | {"/gradio_api/deep_link"}
    app.router.routes.insert(0, Shortcut(mount, prefix="/gradio_api/", ours=ours))
    if page.mcp_server_obj:
        page.mcp_server_obj.mcp_server.version = VERSION  # else MCP's clients are told that of the MCP library
    take_keys(page, PAYING)
    app.add_middleware(PackedJson, pool=playground.pools.sums)
    app.add_middleware(VisitorCookie)
    app.add_middleware(Door, page=page, known=playground.known_press)
    app.add_middleware(CancelNotices, calls=calls, shared=playground.settings.history_mode == "shared")
    app.add_middleware(CallsItself, page=page)
    app.add_middleware(Bodies)
    app.add_middleware(Guard, on_spaces=playground.settings.on_spaces, hosts=playground.settings.allowed_hosts)
    app.add_middleware(KnownProxies, trusted=playground.settings.trusted_proxies)
    return app


def _head(assets_path: str) -> str:
    """Tags for the stylesheet and the scripts. `window.playground()` returns a promise of the page's scripts. They are
    loaded at the first widget's call, because until then the browser is busy with Gradio's controls."""
    return f"""
        <link rel="stylesheet" href="{assets_path}/{STYLESHEET}">
        <script src="{assets_path}/js/visitor.js"></script>
        <script>window.playground = () => import("{assets_path}/js/page.js")</script>
    """


def _version(folder: Path) -> str:
    """Twelve hex digits that change with any file that the page loads."""
    digest = hashlib.sha256()
    for file in sorted([folder / "examples.json", *folder.glob("css/*.css"), *folder.glob("js/**/*.js")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
