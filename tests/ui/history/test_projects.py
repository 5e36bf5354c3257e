"""The header's routes: projects are made, chosen and renamed, and nobody sees another's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.models.flux_2_flex import Flux2FlexRequest
from services.playground import Playground
from services.settings import Settings
from ui.runs.routes import add_routes
from ui.visitors import HEADER, visitor_of

ANN, BOB = "ann-" + "a" * 40, "bob-" + "b" * 40
Ask = Callable[..., Awaitable[httpx.Response]]
pytestmark = pytest.mark.anyio


@pytest.fixture
async def playground(tmp_path: Path) -> AsyncIterator[Playground]:
    settings = Settings(playground_data_dir=tmp_path, playground_engine="demo", playground_history="visitor",
                        playground_demo_step_seconds=0)  # fmt: skip
    playground = Playground(settings)
    yield playground
    await playground.stop()


@pytest.fixture
async def ask(playground: Playground) -> AsyncIterator[Ask]:
    """ask("POST", "/projects", {…}, token) → the answer."""
    app = FastAPI()
    add_routes(app, playground, "/ui-assets/v1")

    async def asked(method: str, path: str, body: Any = None, token: str | None = ANN) -> httpx.Response:
        return await client.request(method, path, json=body, headers={HEADER: token} if token else {})

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as client:
        yield asked


async def test_made_chosen_and_renamed(ask):
    assert (await ask("GET", "/projects")).json() == {"projects": [], "project": "inbox"}
    made = (await ask("POST", "/projects", {"name": " Slow  Travel "})).json()
    travel = made["made"]["id"]
    assert made == {"projects": [made["made"]], "project": travel, "made": {"id": travel, "name": "Slow Travel"}}
    assert (await ask("POST", "/projects", {"name": "Other", "choose": False})).json()["project"] == travel
    assert (await ask("POST", "/projects/choose", {"project": "all"})).json()["project"] == "all"
    renamed = (await ask("POST", f"/projects/{travel}/name", {"name": "<b>Fast</b>"})).json()
    assert [project["name"] for project in renamed["projects"]] == ["<b>Fast</b>", "Other"]


async def test_a_fault_is_a_sentence(ask):
    await ask("POST", "/projects", {"name": "Slow Travel"})
    refused = await ask("POST", "/projects", {"name": "slow travel"})
    assert (refused.status_code, refused.json()["issues"][0]["field"]) == (422, "name")
    assert refused.json()["message"] == "There is a project “slow travel” already. Choose another name."
    for body in ({}, {"name": 1}, {"name": "x", "id": "y"}):
        assert (await ask("POST", "/projects", body)).status_code == 422


async def test_nobody_sees_or_touches_anothers(ask):
    travel = (await ask("POST", "/projects", {"name": "Slow Travel"})).json()["made"]["id"]
    assert (await ask("GET", "/projects", token=BOB)).json() == {"projects": [], "project": "inbox"}
    assert (await ask("POST", "/projects/choose", {"project": travel}, BOB)).status_code == 404
    assert (await ask("POST", f"/projects/{travel}/name", {"name": "mine"}, BOB)).status_code == 404
    assert (await ask("POST", "/projects", {"name": "x"}, None)).status_code == 401
    assert (await ask("GET", "/projects", token=None)).json() == {"projects": [], "project": "inbox"}


async def test_the_gallery_shows_the_chosen_project(ask, playground):
    ann = visitor_of(SimpleNamespace(headers={HEADER: ANN}))

    async def prompts() -> list[str]:
        return [run["prompt"] for run in (await ask("GET", "/runs")).json()["runs"]]

    await playground.generate(ann, Flux2FlexRequest(prompt="in the inbox"))
    travel = (await ask("POST", "/projects", {"name": "Slow Travel"})).json()["made"]["id"]
    await playground.generate(ann, Flux2FlexRequest(prompt="in slow travel"))
    assert await prompts() == ["in slow travel"]
    page = (await ask("GET", "/runs")).json()
    assert (page["project"], page["runs"][0]["project"]) == (travel, travel)
    await ask("POST", "/projects/choose", {"project": "inbox"})
    assert await prompts() == ["in the inbox"]
    await ask("POST", "/projects/choose", {"project": "all"})
    assert await prompts() == ["in slow travel", "in the inbox"]
