"""Our own routes for runs beside Gradio's, and the assets that the page loads."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI, HTTPException
from fastapi.responses import Response

from services.playground import Playground
from services.version import VERSION
from ui.history.projects import project_routes
from ui.runs.events import event_routes
from ui.runs.files import file_routes
from ui.runs.keys import key_routes
from ui.runs.media import media_routes
from ui.runs.runs import run_routes
from ui.web.assets import Assets
from ui.web.errors import add_error_answers

ASSETS = Path(__file__).parents[2] / "assets"
STYLES = ("style", "compare", "grid", "blind", "history", "usage", "projects", "keys", "touch")
"""Style sheets in assets/css/, in the order of the cascade."""
STYLESHEET = "page.css"
"""The name under which all STYLES are served as one file: the page waits for one file, not for nine."""


def add_routes(app: FastAPI, playground: Playground, assets_path: str) -> None:
    """`assets_path`: where assets/ is served. It contains their version, so that browsers may cache them for good."""
    for router in (
        _health(playground),
        run_routes(playground),
        project_routes(playground),
        event_routes(playground),
        media_routes(playground),
        file_routes(playground),
        key_routes(playground),
    ):
        app.include_router(router)
    app.mount(assets_path, Assets(ASSETS, forever=True, joined={STYLESHEET: [f"css/{name}.css" for name in STYLES]}))
    add_error_answers(app)


def _health(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.api_route("/healthz", methods=["GET", "HEAD"])
    async def healthz() -> dict[str, str]:
        return {"status": "ok", "engine": playground.settings.engine, "version": VERSION}

    # Gradio's own deep links store every component's value in a file that anyone may read: refused.
    @router.get("/gradio_api/deep_link")
    async def no_deep_links() -> Response:
        raise HTTPException(404)

    return router
