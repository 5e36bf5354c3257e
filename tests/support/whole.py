"""The whole application in this process, with its lifespan and without a socket.

    async with whole_app(tmp_path, playground_history="visitor") as app:
        await app.get("/healthz")

It returns whole bodies only; `tests/ui/runs/test_routes.py` has its own way to read a stream that stays open.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from services.clock import SYSTEM, Clock
from services.playground import Playground
from services.settings import Settings

ADDRESS = "http://localhost:7860"
DEFAULTS = {"playground_engine": "demo", "playground_history": "visitor", "playground_demo_step_seconds": 0}


@dataclass
class WholeApp:
    app: FastAPI
    playground: Playground
    client: httpx.AsyncClient
    """Like a script, or a browser without a cookie: it sends no cookie or header that a test does not name."""


@asynccontextmanager
async def whole_app(folder: Path, clock: Clock = SYSTEM, **settings: Any) -> AsyncIterator[WholeApp]:
    from ui.web.server import build_server

    playground = Playground(Settings(**{**DEFAULTS, "playground_data_dir": folder, **settings}), clock=clock)
    app = build_server(playground)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=("127.0.0.1", 1))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url=ADDRESS, timeout=10) as client,
    ):
        yield WholeApp(app, playground, client)


def routes_of(routes: list[BaseRoute], under: str = "") -> Iterator[tuple[str, str]]:
    """(method, path) of every route, those of mounted apps and of routers too."""
    for route in routes:
        path = under + getattr(route, "path", "")
        for method in sorted(getattr(route, "methods", None) or ()):
            yield method, path
        router = getattr(route, "original_router", None) or getattr(route, "app", None)
        inner = None if isinstance(route, APIRoute) else getattr(router, "routes", None)
        if inner:
            yield from routes_of(inner, path)
