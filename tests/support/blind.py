"""A BlindStore in memory with one grid, whose pictures the demo engine paints, and a server for it."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import product
from pathlib import Path
from typing import Literal

import uvicorn
from fastapi import FastAPI
from fastapi.responses import HTMLResponse
from fastapi.staticfiles import StaticFiles

from services.engines.demo.painting.painter import paint
from services.errors import NotFound, PlaygroundError
from services.grids.blind.blind import JudgedCell, Judging
from services.pools import Pools
from ui.compare.blind import blind_routes
from ui.runs.routes import ASSETS
from ui.web.errors import say

STEPS = (4, 12, 28, 50)
SEEDS = (7, 1234567)
GRID = "grid-1"
START_SECONDS = 10.0

PAGE = """<!doctype html><html lang="en"><head><title>A grid</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
<link rel="stylesheet" href="/assets/css/style.css"><link rel="stylesheet" href="/assets/css/compare.css">
<link rel="stylesheet" href="/assets/css/blind.css"></head>
<body><button id="open" type="button">Blind pick</button><script type="module">
    import { openBlind } from "/assets/js/blind/blind.js";
    const axes = [
        { axis: 0, name: "Steps", count: 4 },
        { axis: 1, name: "Seed", count: 2 },
        { axis: 2, name: "Guidance scale", count: 1 },
    ];
    document.body.classList.toggle("dark", matchMedia("(prefers-color-scheme: dark)").matches);
    document.querySelector("#open").onclick = async () => {
        await openBlind({ gridId: "grid-1", axes });
        document.body.dataset.closed = "yes";
    };
</script></body></html>"""
"""A page with nothing on it but the button that opens the blind pick of this grid."""


class GridInMemory:
    """Steps × seeds, one picture each; the third axis has one value. `owner` is the one visitor who sees it."""

    def __init__(self, folder: Path, *, owner: str | None, steps: Sequence[int] = STEPS, size: int = 64) -> None:
        self.owner, self.folder, self.size = owner, folder, size
        self.steps = tuple(steps)
        self.kept: dict[str, Judging] = {}
        self.runs = {
            (x, y, 0): hashlib.sha256(f"{x}/{y}".encode()).hexdigest()[:32]
            for x, y in product(range(len(steps)), range(len(SEEDS)))
        }
        self.gone: set[str] = set()
        """Runs whose picture was deleted."""

    def place(self, run_id: str) -> tuple[int, int]:
        """Index of the steps and of the seed."""
        return next((x, y) for (x, y, _), known in self.runs.items() if known == run_id)

    def cells(self, visitor: str | None, grid_id: str) -> list[JudgedCell]:
        self._check(visitor, grid_id)
        return [JudgedCell(at, run_id) for at, run_id in self.runs.items()]

    def axis(self, visitor: str | None, grid_id: str, axis: int) -> tuple[str, Sequence[str]]:
        self._check(visitor, grid_id)
        names = [("Steps", [f"{steps} steps" for steps in self.steps]), ("Seed", [f"seed {seed}" for seed in SEEDS])]
        return [*names, ("Guidance scale", ["guidance 3.5"])][axis]

    def judgings(self, visitor: str | None, grid_id: str) -> list[Judging]:
        self._check(visitor, grid_id)
        return list(reversed(self.kept.values()))

    def add(self, visitor: str | None, grid_id: str, judging: Judging) -> None:
        self._check(visitor, grid_id)
        self.kept[judging.ballot.id] = judging

    def load(self, visitor: str | None, grid_id: str, ballot_id: str) -> Judging:
        self._check(visitor, grid_id)
        if ballot_id not in self.kept:
            raise NotFound("such ballot")
        return self.kept[ballot_id]

    def change(
        self, visitor: str | None, grid_id: str, ballot_id: str, change: Callable[[Judging], Judging]
    ) -> Judging:
        self.kept[ballot_id] = change(self.load(visitor, grid_id, ballot_id))
        return self.kept[ballot_id]

    def picture(self, run_id: str) -> bytes | None:
        """Painted at the first request: by turns PNG or JPEG, small or large, so that type or size, if a page got them,
        would give the value away."""
        if run_id in self.gone:
            return None
        x, y = self.place(run_id)
        ending: Literal["png", "jpeg"] = "png" if (x + y) % 2 else "jpeg"
        file = self.folder / f"{run_id}.{ending}"
        if not file.exists():
            height = self.size // (1 + x % 2)
            data = paint(prompt="A red fox in the snow", width=height * 4 // 3, height=height, seed=SEEDS[y],
                         num_inference_steps=self.steps[x], guidance_scale=3.5, output_format=ending)  # fmt: skip
            file.write_bytes(data)
        return file.read_bytes()

    def app(self) -> FastAPI:
        """The blind pick's routes on this grid, with the app's own error responses."""
        app = FastAPI(openapi_url=None)
        app.include_router(blind_routes(self, Pools()))
        app.add_exception_handler(PlaygroundError, say)
        return app

    def _check(self, visitor: str | None, grid_id: str) -> None:
        if grid_id != GRID or visitor != self.owner:
            raise NotFound("such grid")


@contextmanager
def serve_grid(grid: GridInMemory) -> Iterator[str]:
    """PAGE and all it needs, from a thread; yields its address."""
    app = grid.app()
    app.mount("/assets", StaticFiles(directory=ASSETS))
    app.add_api_route("/", lambda: HTMLResponse(PAGE))
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, name="grid", daemon=True)
    thread.start()
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("The grid's server did not start; its log says why.")
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(START_SECONDS)
        listener.close()
