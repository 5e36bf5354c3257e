"""From the version before to this one, with work under way, and back again: real processes on one data folder."""

from __future__ import annotations

import json
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.server import ROOT, AppServer

BEFORE = "d752754b6f77d46d4aac35b2cf90d18eb0c3ee26"
"""The last commit of schema 0004."""
TOKEN = {"X-Playground-Visitor": "u" * 40}
SLOW: dict[str, Any] = {"prompt": "A fox", "image_size": "square", "num_inference_steps": 40}
PATIENCE = 60


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the version before, as git has it."""
    folder = tmp_path_factory.mktemp("before")
    packed = folder / "tree.tar"
    done = subprocess.run(
        ["git", "archive", "-o", packed, BEFORE, "app.py", "ui", "services", "assets"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode != 0:
        pytest.skip(f"git does not have the version before: {done.stderr.strip()}")
    with tarfile.open(packed) as tree:
        tree.extractall(folder, filter="data") if hasattr(tarfile, "data_filter") else tree.extractall(folder)
    return folder


@pytest.fixture
def new_server(tmp_path: Path) -> Iterator[Callable[[str], AppServer]]:
    """`new_server("name")`: an app with a data folder of that name, to be started."""
    made: list[AppServer] = []

    def make(name: str) -> AppServer:
        (tmp_path / name).mkdir()
        slowly = {"PLAYGROUND_DEMO_STEP_SECONDS": "0.1", "PLAYGROUND_MAX_CONCURRENT": "2"}
        made.append(AppServer(tmp_path / name, slowly))
        return made[-1]

    yield make
    for server in made:
        server.kill()


def cards(server: AppServer) -> dict[str, dict[str, Any]]:
    # sorted by a setting: then no grid is a stack
    found = httpx.get(f"{server.url}/history?sort=steps&limit=200", headers=TOKEN).json()["runs"]
    return {card["id"]: card for card in found}


def start(server: AppServer, count: int, **settings: Any) -> None:
    for _ in range(count):
        call = f"{server.url}/gradio_api/call/v2/generate"
        httpx.post(call, json={**SLOW, **settings}, headers=TOKEN).raise_for_status()


def wait_until(server: AppServer, what: str, holds: Any) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds(states := sorted(card["state"] for card in cards(server).values())):
        assert time.monotonic() < deadline, f"{what}: {states}"
        time.sleep(0.05)


def post(server: AppServer, path: str, body: Any = None) -> dict[str, Any]:
    answer = httpx.post(f"{server.url}{path}", json=body or {}, headers=TOKEN)
    answer.raise_for_status()
    return answer.json()


def test_what_is_under_way_goes_on_and_what_was_made_goes_back(
    before: Path, new_server: Callable[[str], AppServer]
) -> None:
    server = new_server("data")
    server.root = before
    server.start()
    start(server, 1, num_inference_steps=2)
    start(server, 1, num_inference_steps=2, prompt="A fox [refuse]")
    wait_until(server, "one done, one failed", lambda states: states == ["done", "failed"])
    grid = {"request": {**SLOW, "seed": 7}, "axes": [{"field": "num_inference_steps", "values": "2, 3"}]}
    grid_id = post(server, "/grids", grid)["id"]
    wait_until(server, "a grid of two", lambda states: states.count("done") == 3)
    start(server, 4)
    wait_until(server, "two run", lambda states: states.count("running") == states.count("pending") == 2)
    cancelled = next(name for name, card in cards(server).items() if card["state"] == "pending")
    post(server, f"/runs/{cancelled}/cancel")
    at_stop = cards(server)
    assert sorted(card["state"] for card in at_stop.values()) == [
        "cancelled", "done", "done", "done", "failed", "pending", "running", "running",
    ]  # fmt: skip
    server.stop()

    server.root = ROOT
    server.start()
    wait_until(server, "all ended", lambda states: states == ["cancelled", *["done"] * 6, "failed"])
    now = cards(server)
    assert now.keys() == at_stop.keys(), "nothing was asked twice, nothing is lost"
    assert {name: card["seed"] for name, card in now.items()} == {name: card["seed"] for name, card in at_stop.items()}
    for name, card in at_stop.items():
        if card["state"] in ("done", "failed", "cancelled"):
            assert {**now[name], **card} == now[name], "what had ended is as it was"
    seen = post(server, "/grids/preview", {**grid, "grid_id": grid_id})
    assert (seen["made"], seen["new"]) == (2, 0)

    order = post(server, "/archive/exports", {"everything": True, "kind": "zip"})
    export = httpx.get(f"{server.url}{order['url']}", headers=TOKEN).content
    server.stop()
    back = new_server("back")
    back.root = before
    back.start()
    answer = httpx.post(f"{back.url}/archive/imports", content=export, headers=TOKEN, timeout=PATIENCE)
    assert json.loads(answer.text.splitlines()[-1])["restored"] == 8
    seen = post(back, "/grids/preview", {**grid, "grid_id": grid_id})
    assert (seen["made"], seen["new"]) == (2, 0)
