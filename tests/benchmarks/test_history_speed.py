"""The history with 10, 10,000 and 100,000 runs: searching, the first page, and adding a run, on the server.

Times are of the route as a browser asks it, without the network: from the request to the bytes of its answer.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from benchmarks.make_history import fill, runs
from fastapi import FastAPI
from support.bench import show

from services.library.history import History
from services.playground import Playground
from services.settings import Settings
from ui.history.tab import history_routes

SIZES = (10, 10_000, 100_000)
ROUNDS = 15
ADDED = 200
FEW = 10  # the first page of each history has this many, so that pages of the same length are compared
SEARCHES = (
    "", "fox", "red fox at dusk", "axolotl", '"paper-cut valley" -dusk', "lighthouse linocut", "steps:>30",
    "guidance:3-5 is:favourite", "is:failed", "seed:42", "size:1536x640 format:png", "engine:demo after:2026-01-01",
    "took:>10 cost:>0.02", "expansion:off safety:5", "fox steps:28 is:favourite", "zep",
    "project:inbox grid:none", "tag:poster", 'notes:"for client"',
)  # fmt: skip


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """A data folder of each size."""
    made = {}
    for size in SIZES:
        made[size] = tmp_path_factory.mktemp(f"runs-{size}")
        history = History(made[size])
        fill(history, runs(size))
        history.close()
    return made


async def timed(ask: Callable[[], Awaitable[object]], rounds: int = ROUNDS) -> list[float]:
    """Milliseconds of each round; one before them warms up."""
    await ask()
    found = []
    for _ in range(rounds):
        begun = time.perf_counter()
        await ask()
        found.append(1000 * (time.perf_counter() - begun))
    return found


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


class Desk:
    def __init__(self, folder: Path) -> None:
        self.playground = Playground(Settings(playground_data_dir=folder, playground_history="shared"))
        app = FastAPI()
        app.include_router(history_routes(self.playground))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")

    async def get(self, path: str, **query: object) -> dict[str, object]:
        answer = await self.client.get(path, params=query)  # type: ignore[arg-type]
        return dict(answer.raise_for_status().json())

    async def close(self) -> None:
        await self.client.aclose()
        await self.playground.stop()


async def measure(folder: Path) -> dict[str, list[float]]:
    desk = Desk(folder)
    found = {"first page": await timed(lambda: desk.get("/history", limit=FEW), 60)}
    for query in SEARCHES:
        found[f"search {query}"] = await timed(lambda query=query: desk.get("/history", query=query))
        found[f"count {query}"] = await timed(lambda query=query: desk.get("/history/count", query=query))
    for sort in ("longest", "steps", "guidance", "seed"):
        found[f"search by {sort}"] = await timed(lambda sort=sort: desk.get("/history", sort=sort))
    await desk.close()
    return found


def add_milliseconds(histories: dict[int, History]) -> dict[int, list[float]]:
    """A run at a time, by turns, so that a noisy machine is noisy for all sizes."""
    found: dict[int, list[float]] = {size: [] for size in histories}
    new: dict[int, Iterator] = {size: runs(ADDED, seed=100 + size) for size in histories}  # type: ignore[type-arg]
    for _ in range(ADDED):
        for size, history in histories.items():
            run = next(new[size])
            begun = time.perf_counter()
            history.add([run])
            found[size].append(1000 * (time.perf_counter() - begun))
    return found


def test_searching(folders: dict[int, Path]) -> None:
    measured = {size: asyncio.run(measure(folder)) for size, folder in folders.items()}
    rows = []
    for size, found in measured.items():
        searches = [value for name, values in found.items() if name != "first page" for value in values]
        slowest = max(found, key=lambda name: statistics.median(found[name]))
        first = statistics.median(found["first page"])
        beside = first / statistics.median(measured[SIZES[0]]["first page"])
        rows.append((f"{size:,}", f"{first:.1f} ms", f"{beside:.2f}", f"{statistics.median(searches):.1f} ms",
                     f"{p95(searches):.1f} ms", f"{slowest} {statistics.median(found[slowest]):.1f} ms"))  # fmt: skip
    show(
        f"A page or a count for each of {len(SEARCHES)} searches and 4 orders, {ROUNDS} times",
        ("runs", f"first page of {FEW}", "beside 10 runs (target 1.2)", "median", "p95 (target 50 ms)", "slowest"),
        rows,
    )


def test_adding(folders: dict[int, Path]) -> None:
    histories = {size: History(folder) for size, folder in folders.items()}
    found = add_milliseconds(histories)
    smallest = statistics.median(found[SIZES[0]])
    show(
        f"Adding a run, {ADDED} times by turns",
        ("runs", "median", "beside 10 runs (target 0.8 to 1.2)"),
        [
            (f"{size:,}", f"{statistics.median(values):.2f} ms", f"{statistics.median(values) / smallest:.2f}")
            for size, values in found.items()
        ],
    )
    for history in histories.values():
        history.close()


def test_what_is_found_is_right(folders: dict[int, Path]) -> None:
    """By looking at every run, as a search must not."""
    wanted = [run for run in runs(SIZES[1]) if "fox" in run.request.prompt and run.request.num_inference_steps > 30]

    async def count() -> object:
        desk = Desk(folders[SIZES[1]])
        told = await desk.get("/history/count", query="fox steps:>30 ")
        await desk.close()
        return told["count"]

    extra = sum("fox" in run.request.prompt and run.request.num_inference_steps > 30
                for run in runs(ADDED, seed=100 + SIZES[1]))  # fmt: skip
    assert asyncio.run(count()) in (len(wanted), len(wanted) + extra)
