"""POST /grids and /grids/preview: what is typed is read once, and never by the thread that answers everyone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.grids import axes
from services.grids import plan as grid
from services.grids import planner as grid_planner
from services.playground import Playground
from services.settings import Settings
from ui.compare.grids import grid_routes
from ui.runs.routes import add_routes

BASE = {"prompt": "a red fox", "seed": 7}
STEPS = {"field": "num_inference_steps", "values": "2, 3"}
SIZE = {"field": "image_size", "values": "square, 64x64"}


class Page:
    def __init__(self, folder: Path) -> None:
        self.playground = Playground(
            Settings(playground_engine="demo", playground_data_dir=folder, playground_demo_step_seconds=0)
        )
        app = FastAPI()
        add_routes(app, self.playground, "/assets")
        app.include_router(grid_routes(self.playground))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://page")

    async def ask(self, path: str, *typed: dict[str, Any], **more: Any) -> httpx.Response:
        return await self.client.post(path, json={"request": BASE, "axes": typed, **more})


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    page = Page(tmp_path)
    yield page
    await page.client.aclose()
    await page.playground.stop()


@pytest.fixture
def parsed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The fields of the axes that were parsed, in order."""
    fields: list[str] = []
    loops_own = threading.current_thread()

    def parse_axis(field: str, *others: Any) -> axes.Axis:
        assert threading.current_thread() is not loops_own, "the event loop waits while axes are read"
        fields.append(field)
        return axes.parse_axis(field, *others)

    for module in (grid_planner, grid):
        monkeypatch.setattr(module, "parse_axis", parse_axis)
    return fields


async def test_axes_are_parsed_once_and_in_a_thread(page, parsed):
    seen = (await page.ask("/grids/preview", STEPS, SIZE)).json()
    assert (seen["ready"], seen["size"], parsed) == (True, [2, 2], [STEPS["field"], SIZE["field"]])
    parsed.clear()
    made = (await page.ask("/grids", STEPS, SIZE)).json()
    assert (len(made["cells"]), parsed) == (4, [STEPS["field"], SIZE["field"]])
    parsed.clear()
    grown = (await page.ask("/grids", {**STEPS, "values": "2-4"}, SIZE, grid_id=made["id"])).json()
    assert (len(grown["cells"]), parsed) == (6, [STEPS["field"], SIZE["field"]])
    parsed.clear()
    assert (await page.client.get(f"/grids/{made['id']}")).json()["axes"] == grown["axes"]
    assert parsed == []


async def test_two_axes_of_a_thousand_values_are_refused_with_a_sentence(page):
    typed = [{"field": "seed", "values": "1-1000"}, {"field": "guidance_scale", "values": "1.5-9.9 [1000]"}]
    sentence = "1000 × 1000 = 1,000,000 cells are too many; 1,000 are allowed. Take some values away."
    preview, run = await asyncio.gather(page.ask("/grids/preview", *typed), page.ask("/grids", *typed))
    assert (preview.status_code, preview.json()["fault"]) == (200, sentence)
    assert (run.status_code, run.json()["issues"]) == (422, [{"field": "grid", "message": sentence}])
