"""GET /compare: what the viewer is told, and whom."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from services.models.registry import PARAMETERS
from services.playground import Playground
from services.request import parse_request
from services.run import Picture, Run, RunState, new_id, now
from services.settings import Settings
from ui.compare.tab import compare_routes
from ui.runs.routes import add_routes
from ui.visitors import HEADER, visitor_of

MINE, THEIRS = "m" * 32, "t" * 32


def picture() -> Picture:
    stem = new_id()
    return Picture(
        name=f"{stem}.png", thumb=f"{stem}.webp", content_type="image/png", bytes=2048, width=512, height=512
    )


class Page:
    """Our routes on a real history, as one visitor's browser calls them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        defaults = {"playground_engine": "demo", "playground_history": "visitor", "playground_data_dir": folder}
        self.playground = Playground(Settings(**{**defaults, **settings}))
        app = FastAPI()
        add_routes(app, self.playground, "/assets")
        app.include_router(compare_routes(self.playground))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://page")

    def keep(self, token: str = MINE, *, done: bool = True, deleted: bool = False, **settings: Any) -> str:
        """A run in the history; its id."""
        [run] = self.playground.history.add(
            [
                Run(
                    id=new_id(),
                    visitor=visitor_of(httpx.Request("GET", "http://page", headers={HEADER: token})),
                    engine="demo",
                    key_of="owner",
                    request=parse_request({"prompt": "A red fox", "seed": 7, "image_size": "square", **settings}),
                    created_at=now(),
                    state=RunState.DONE if done else RunState.FAILED,
                    picture=picture() if done else None,
                    deleted_at=now() if deleted else None,
                )
            ]
        )
        return run.id

    async def compare(self, *ids: str, token: str = MINE) -> httpx.Response:
        return await self.client.get("/compare", params={"ids": ",".join(ids)}, headers={HEADER: token})


@pytest.fixture
async def page(tmp_path: Path) -> AsyncIterator[Page]:
    page = Page(tmp_path)
    yield page
    await page.client.aclose()
    page.playground.history.close()


async def test_two_pictures_and_what_differs(page: Page) -> None:
    first, second = page.keep(num_inference_steps=10), page.keep(prompt="A blue fox")

    told = (await page.compare(second, first)).json()

    assert [picture["id"] for picture in told["pictures"]] == [second, first]
    assert {"media", "thumb", "width", "height", "favourite"} <= told["pictures"][0].keys()
    assert told["missing"] == []
    assert told["labels"] == ["A · 28 steps · “blue”", "B · 10 steps · “red”"]
    assert told["table"]["letters"] == ["A", "B"]
    assert [row["name"] for row in told["table"]["rows"] if row["differs"]] == ["prompt", "num_inference_steps"]
    assert len(told["table"]["rows"]) == len(PARAMETERS) + 5
    assert [token["kind"] for token in told["prompts"][1]] == ["same", "removed", "added", "same"]
    assert told["summary"] == "A and B differ in prompt and steps (28, 10)."
    assert told["markdown"].startswith("|  | A | B |\n")


async def test_what_this_visitor_cannot_see_is_missing(page: Page) -> None:
    mine = page.keep()
    unseen = [page.keep(THEIRS), page.keep(done=False), page.keep(deleted=True), "f" * 32]

    told = (await page.compare(mine, *unseen)).json()

    assert [picture["id"] for picture in told["pictures"]] == [mine]
    assert told["missing"] == unseen
    assert told["summary"] == ""


async def test_nothing_to_see_is_no_fault(page: Page) -> None:
    answer = await page.compare("a", "b")

    assert answer.status_code == 200
    assert answer.json()["pictures"] == []
    assert answer.json()["missing"] == ["a", "b"]


async def test_a_shared_history_is_seen_by_all(tmp_path: Path) -> None:
    page = Page(tmp_path, playground_history="shared")
    told = (await page.compare(page.keep(), page.keep(seed=8), token=THEIRS)).json()
    await page.client.aclose()
    page.playground.history.close()

    assert told["missing"] == []
    assert told["labels"] == ["A · seed 7", "B · seed 8"]


@pytest.mark.parametrize("ids", [[], ["a"], ["a", "a"], [str(number) for number in range(9)]])
async def test_two_to_eight(page: Page, ids: list[str]) -> None:
    answer = await page.compare(*ids)

    assert answer.status_code == 422
    assert answer.json()["message"] == f"Compare takes 2 to 8 pictures, not {len(set(ids))}."


async def test_eight_pictures(page: Page) -> None:
    told = (await page.compare(*(page.keep(seed=seed) for seed in range(8)))).json()

    assert told["labels"][-1] == "H · seed 7"
