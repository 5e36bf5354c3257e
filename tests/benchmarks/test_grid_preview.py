"""Previews of large grids: how long the answer takes, and for how long everyone else waits for it meanwhile."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI
from support.bench import Sample, by_turns, ratio, show

from services.models.flux_2_flex import Flux2FlexRequest
from services.playground import Playground
from services.request import parse_value
from services.settings import Settings
from ui.compare.grids import grid_routes
from ui.runs.routes import add_routes

ROUNDS = 15
VALUES = 1000
SHORT, LONG = "a red fox", "a red fox " * 999
SEEDS, GUIDANCE = {"field": "seed", "values": "1-1000"}, {"field": "guidance_scale", "values": "1.5-9.9 [1000]"}
CELLS = [{"field": "guidance_scale", "values": "2-5.9 [40]"}, {"field": "seed", "values": "1-25"}]
REPLACED = {"field": "prompt_sr", "values": ["fox", *(f"w{number}" for number in range(39))]}
PREVIEWS: dict[str, tuple[str, list[dict[str, Any]], int]] = {
    "1,000 × 1,000 values, refused": (SHORT, [SEEDS, GUIDANCE], 0),
    "refused, a prompt of 10,000 characters": (LONG, [SEEDS, GUIDANCE], 0),
    "40 × 25 cells": (SHORT, CELLS, 1000),
    "40 × 25 cells, a prompt of 10,000 characters": (LONG, CELLS, 1000),
    "40 replacements in such a prompt × 25": (LONG, [REPLACED, CELLS[1]], 1000),
}


class Watch:
    """The longest time for which the event loop did not come round, in seconds."""

    def __init__(self) -> None:
        self.longest = 0.0

    async def run(self) -> None:
        while True:
            before = time.perf_counter()
            await asyncio.sleep(0.001)
            self.longest = max(self.longest, time.perf_counter() - before - 0.001)


@asynccontextmanager
async def page(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    playground = Playground(Settings(playground_engine="demo", playground_data_dir=folder))
    app = FastAPI()
    add_routes(app, playground, "/assets")
    app.include_router(grid_routes(playground))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://page") as client:
        yield client
    await playground.stop()


async def previewed(client: httpx.AsyncClient, prompt: str, axes: list[dict[str, Any]], cells: int) -> tuple[str, ...]:
    body = json.dumps({"request": {"prompt": prompt, "seed": 5}, "axes": axes}).encode()
    took, waits = [], []
    for _ in range(ROUNDS):
        watch = Watch()
        watching = asyncio.create_task(watch.run())
        await asyncio.sleep(0.005)
        begun = time.perf_counter()
        answer = await client.post("/grids/preview", content=body, headers={"Content-Type": "application/json"})
        took.append(1000 * (time.perf_counter() - begun))
        await asyncio.sleep(0.005)
        watching.cancel()
        waits.append(1000 * watch.longest)
        seen = answer.raise_for_status().json()
        assert (seen["cells"], "too many" in seen["fault"]) == (cells, not cells)
    return Sample(tuple(took)).told("ms", 0), "≤ 100 ms", Sample(tuple(waits)).told("ms", 0), "≤ 20 ms"


async def test_previews(tmp_path: Path) -> None:
    async with page(tmp_path) as client:
        rows = [(name, *await previewed(client, *asked)) for name, asked in PREVIEWS.items()]
    show(
        f"Previews, {ROUNDS} each",
        ("", "until it is answered", "target", "the event loop's longest wait", "target"),
        rows,
    )


def test_a_value_by_itself_and_in_a_whole_request() -> None:
    rows = []
    for words, prompt in (("a short prompt", SHORT), ("10,000 characters", LONG)):
        base = Flux2FlexRequest(prompt=prompt, seed=5)

        def alone() -> float:
            return timed(lambda seed: parse_value("seed", seed))

        def whole(base: Flux2FlexRequest = base) -> float:
            return timed(lambda seed: base.vary(seed=seed))

        ours, theirs = by_turns(5, alone, whole)
        rows.append((words, ours.told("ms", 1), theirs.told("ms", 1), f"{ratio(ours, theirs):.2f}"))
    show(f"{VALUES:,} values of an axis checked", ("", "by their own field", "in a whole request", "ratio"), rows)


def timed(check: Any) -> float:
    """Milliseconds of this process for all values."""
    begun = time.process_time()
    for seed in range(VALUES):
        check(seed)
    return 1000 * (time.process_time() - begun)
