"""The History tab's routes and its API, on a bare FastAPI with a playground on the demo engine behind them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, get_args

import gradio as gr
import httpx
import pytest
from fastapi import FastAPI
from support.patience import PATIENCE_SECONDS

from services.library.query import FIELDS
from services.library.search import Sort
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.registry import PARAMETERS
from services.playground import Playground
from services.run import Picture, Run, RunState, new_id, now
from services.settings import Settings
from ui.api.history import _history
from ui.history.tab import MAX_PAGE, history_routes
from ui.runs.routes import add_routes
from ui.visitors import HEADER, visitor_of

ANN, BOB = "ann-" + "a" * 40, "bob-" + "b" * 40
pytestmark = pytest.mark.anyio


class Desk:
    """A playground, the history's routes, and a client for them."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        defaults = {"playground_engine": "demo", "playground_history": "visitor", "playground_demo_step_seconds": 0}
        self.playground = Playground(Settings(**{**defaults, "playground_data_dir": folder, **settings}))
        app = FastAPI()
        add_routes(app, self.playground, "/ui-assets/v1")
        app.include_router(history_routes(self.playground))
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page")

    async def get(self, path: str, token: str | None = ANN, **query: Any) -> httpx.Response:
        return await self.client.get(path, params=query, headers={HEADER: token} if token else {})

    async def post(self, path: str, body: Any, token: str | None = ANN) -> httpx.Response:
        return await self.client.post(path, json=body, headers={HEADER: token} if token else {})

    async def prompts(self, token: str | None = ANN, **query: Any) -> list[str]:
        answer = await self.get("/history", token, **query)
        assert answer.status_code == 200, answer.text
        return [run["prompt"] for run in answer.json()["runs"]]

    def add(self, prompt: str, token: str | None = ANN, **fields: Any) -> Run:
        request = Flux2FlexRequest(prompt=prompt, seed=7, **fields.pop("settings", {}))
        defaults = {"id": new_id(), "visitor": visitor_of(request_of(token)), "engine": "demo", "key_of": "owner",
                    "request": request, "created_at": now(), "state": RunState.DONE}  # fmt: skip
        return self.playground.history.add([Run(**{**defaults, **fields})])[0]

    def purge(self, run_id: str) -> None:
        self.playground.history.change(run_id, deleted_at=now())
        self.playground.history.purge(now())


def request_of(token: str | None) -> Any:
    return SimpleNamespace(headers={HEADER: token} if token else {})


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    await desk.client.aclose()
    await desk.playground.stop()


class TestPage:
    async def test_cards_that_match(self, desk):
        desk.add("a red fox", settings={"num_inference_steps": 40})
        desk.add("a blue fox")
        assert await desk.prompts(query="fox") == ["a blue fox", "a red fox"]
        assert await desk.prompts(query="fox steps:>30") == ["a red fox"]
        assert await desk.prompts(query="fox", sort="oldest") == ["a red fox", "a blue fox"]

    async def test_pages(self, desk):
        for number in range(5):
            desk.add(f"fox {number}")
        first = (await desk.get("/history", limit=2)).json()
        assert [first["more"], len(first["runs"])] == [True, 2]
        last = (await desk.get("/history", limit=3, after=first["runs"][-1]["seq"])).json()
        assert [last["more"], [run["prompt"] for run in last["runs"]]] == [False, ["fox 2", "fox 1", "fox 0"]]

    @pytest.mark.parametrize("sort", get_args(Sort))
    async def test_the_next_page_comes_though_the_last_run_of_this_one_is_purged(self, desk, sort):
        runs = [desk.add(f"fox {number}", settings={"num_inference_steps": 10 + number % 2}) for number in range(6)]
        whole = await desk.prompts(sort=sort)
        page = (await desk.get("/history", sort=sort, limit=4)).json()
        last = page["runs"][-1]
        assert page["next"]["after"] == last["seq"]
        desk.purge(last["id"])
        rest = (await desk.get("/history", sort=sort, limit=4, **page["next"])).json()
        assert [run["prompt"] for run in (*page["runs"], *rest["runs"])] == whole
        assert (len(whole), rest["more"], rest["next"]) == (len(runs), False, None)

    async def test_a_page_after_a_purged_run_alone_is_refused_and_not_empty(self, desk):
        for _ in range(2):
            desk.add("fox")
        last = (await desk.get("/history", sort="seed", limit=1)).json()["runs"][0]
        desk.purge(last["id"])
        assert await desk.prompts(sort="newest", after=last["seq"]) == ["fox"]
        answer = await desk.get("/history", sort="seed", after=last["seq"])
        assert answer.status_code == 404

    @pytest.mark.parametrize(("asked", "given"), [(0, 1), (-5, 1), (10**6, MAX_PAGE)])
    async def test_a_page_has_bounds(self, desk, asked, given):
        for _ in range(MAX_PAGE + 1):
            desk.add("fox")
        assert len(await desk.prompts(limit=asked)) == given

    @pytest.mark.parametrize("query", [{"after": 2**63}, {"after": -(2**63)}, {"sort": "colour"}, {"limit": "x"},
                                       {"at": "nan"}])  # fmt: skip
    async def test_what_is_no_page_is_refused(self, desk, query):
        assert (await desk.get("/history", **query)).status_code == 422

    async def test_a_fault_is_a_sentence(self, desk):
        for path in ("/history", "/history/count"):
            answer = await desk.get(path, query="steps:many")
            assert answer.status_code == 422
            assert answer.json()["message"].startswith("steps: “many” is not a number.")

    async def test_days_are_those_of_the_browsers_zone(self, desk):
        moment = now().replace(year=2026, month=3, day=1, hour=2, minute=0)
        desk.add("fox", created_at=moment)
        assert await desk.prompts(query="after:2026-03-01") == ["fox"]
        assert await desk.prompts(query="after:2026-03-01", zone="America/New_York") == []
        assert await desk.prompts(query="after:2026-03-01", zone="../../etc/passwd") == ["fox"]
        assert await desk.prompts(query="after:2026-03-01", zone="Mars/Olympus") == ["fox"]

    async def test_another_visitor_finds_nothing(self, desk):
        desk.add("fox")
        assert await desk.prompts(token=BOB) == []
        assert await desk.prompts(token=None) == []
        assert (await desk.get("/history/count", BOB)).json() == {"count": 0, "total": 0}

    async def test_counts(self, desk):
        first = desk.add("fox")
        desk.add("cat")
        desk.add("deleted fox", deleted_at=now())
        assert (await desk.get("/history/count", query="fox")).json() == {"count": 1, "total": 2}
        assert (await desk.get("/history/count")).json() == {"count": 2, "total": 2}
        seq = (await desk.get("/history", query="fox")).json()["runs"][0]["seq"]
        assert first.request.prompt == "fox"
        assert (await desk.get("/history/count", newer_than=seq)).json()["count"] == 1

    async def test_a_grid_is_one_card_with_its_hits(self, desk):
        for prompt in ("fox 1", "cat", "fox 2"):
            desk.add(prompt, grid_id="a" * 32)
        desk.add("fox alone")
        page = (await desk.get("/history", query="fox")).json()
        assert [run["prompt"] for run in page["runs"]] == ["fox alone", "fox 2"]
        stack = page["stacks"]["a" * 32]
        assert (stack["count"], stack["hits"]) == (3, 2)
        again = (await desk.get("/history/stacks", ids=f"{'a' * 32},{'b' * 32}", query="cat")).json()["stacks"]
        assert {grid: found["hits"] for grid, found in again.items()} == {"a" * 32: 1}
        assert (await desk.get("/history/stacks", BOB, ids="a" * 32)).json() == {"stacks": {}}
        inside = (await desk.get("/history", query=f"grid:{'a' * 32} fox")).json()
        assert ([run["prompt"] for run in inside["runs"]], inside["stacks"]) == (["fox 2", "fox 1"], {})
        assert len((await desk.get("/history/ids", query="fox")).json()["ids"]) == 3
        assert (await desk.get("/history/count", query="fox")).json() == {"count": 3, "total": 4}

    async def test_a_search_of_one_project(self, desk):
        travel = (await desk.post("/projects", {"name": "Slow Travel"})).json()["made"]["id"]
        desk.add("a fox", project_id=travel)
        desk.add("a fox in the inbox", tags=("poster",))
        assert await desk.prompts(query="fox", project=travel) == ["a fox"]
        assert await desk.prompts(query="fox", project="inbox") == ["a fox in the inbox"]
        assert len(await desk.prompts(query="fox")) == 2
        assert await desk.prompts(query='project:"slow travel"', project="inbox") == ["a fox"]
        assert (await desk.get("/history/count", project=travel, query="cat")).json() == {"count": 0, "total": 1}
        assert (await desk.get("/history/tags", project="inbox")).json() == {"tags": [{"tag": "poster", "count": 1}]}
        assert (await desk.get("/history/tags", project=travel)).json() == {"tags": []}
        assert await desk.prompts(query="fox", project=travel, token=BOB) == []

    async def test_the_fields_are_told(self, desk):
        told = (await desk.get("/history/fields")).json()
        assert [field["name"] for field in told["fields"]] == list(FIELDS)
        short = [parameter.short for name, parameter in PARAMETERS.items() if name != "prompt"]
        assert [one["name"] for one in told["parameters"]] == short


class TestBulk:
    async def test_delete_and_undo(self, desk):
        runs = [desk.add(f"fox {number}") for number in range(3)]
        deleted = (await desk.post("/history/delete", {"ids": [runs[0].id, runs[1].id]})).json()
        assert sorted(deleted["ids"]) == sorted([runs[0].id, runs[1].id])
        assert await desk.prompts() == ["fox 2"]
        restored = await desk.post("/history/restore", {"ids": deleted["ids"]})
        assert len(restored.json()["ids"]) == 3 - 1
        assert len(await desk.prompts()) == 3

    async def test_all_that_match(self, desk):
        for prompt in ("fox", "cat", "fox", "fox"):
            desk.add(prompt)
        page = (await desk.get("/history", query="fox")).json()["runs"]
        later = desk.add("fox")
        body = {"query": "fox", "newest": page[0]["seq"], "but_for": [page[1]["id"]]}
        done = (await desk.post("/history/favourite", body)).json()
        assert sorted(done["ids"]) == sorted([page[0]["id"], page[2]["id"]])
        assert later.id not in done["ids"]
        assert len(await desk.prompts(query="is:favourite")) == 2
        await desk.post("/history/favourite", {"ids": done["ids"], "on": False})
        assert await desk.prompts(query="is:favourite") == []

    async def test_move_and_undo(self, desk):
        travel = (await desk.post("/projects", {"name": "Slow Travel"})).json()["made"]["id"]
        runs = [desk.add("fox"), desk.add("cat"), desk.add("fox", project_id=travel)]
        newest = (await desk.get("/history")).json()["runs"][0]["seq"]
        chosen = {"query": "", "project": "inbox", "newest": newest, "to": travel}
        moved = (await desk.post("/history/move", chosen)).json()["before"]
        assert moved == [{"to": "inbox", "ids": [runs[0].id, runs[1].id]}]
        assert len(await desk.prompts(project=travel)) == 3
        await desk.post("/history/move", moved[0])
        assert len(await desk.prompts(project="inbox")) == 2
        for to in ("all", "f" * 32):
            assert (await desk.post("/history/move", {"ids": [runs[0].id], "to": to})).status_code == 404
        assert (await desk.post("/history/move", {"ids": [runs[0].id], "to": travel}, BOB)).status_code == 404

    async def test_tag_and_undo(self, desk):
        plain, tagged = desk.add("fox"), desk.add("fox", tags=("Poster", "b"))
        both = {"ids": [plain.id, tagged.id]}
        done = (await desk.post("/history/tags", {**both, "add": ["poster", "c"]})).json()["before"]
        assert [run["tags"] for run in (await desk.get("/history")).json()["runs"]] == [
            ["Poster", "b", "c"],
            ["poster", "c"],
        ]
        for group in done:
            await desk.post("/history/tags", group)
        assert [run["tags"] for run in (await desk.get("/history")).json()["runs"]] == [["Poster", "b"], []]
        await desk.post("/history/tags", {**both, "remove": ["POSTER"]})
        assert await desk.prompts(query="tag:poster") == []
        assert (await desk.post("/history/tags", {**both, "add": ["a|b"]})).status_code == 422

    async def test_nobody_touches_what_belongs_to_another(self, desk):
        run = desk.add("fox")
        for path, body in (
            ("delete", {"ids": [run.id]}),
            ("delete", {"query": "fox", "newest": 99}),
            ("favourite", {"ids": [run.id]}),
            ("restore", {"ids": [run.id]}),
        ):
            assert (await desk.post(f"/history/{path}", body, BOB)).json() == {"ids": []}
        for path, change in (("move", {"to": "inbox"}), ("tags", {"add": ["a"]})):
            assert (await desk.post(f"/history/{path}", {"ids": [run.id], **change}, BOB)).json() == {"before": []}

    @pytest.mark.parametrize("body", [[], {"ids": "x"}, {"colour": 1}, {"newest": -(2**63)}, {"query": "steps:many"}])
    async def test_what_is_no_choice_is_refused(self, desk, body):
        assert (await desk.post("/history/delete", body)).status_code == 422

    async def test_an_empty_choice_means_no_run(self, desk):
        desk.add("fox")
        assert (await desk.post("/history/delete", {"ids": []})).json() == {"ids": []}
        assert (await desk.post("/history/delete", {})).json() == {"ids": []}

    async def test_pages_hear_of_it(self, desk):
        run = desk.add("fox")
        with desk.playground.changes.listen(desk.playground.scope(run.visitor)) as wake:
            await desk.post("/history/favourite", {"ids": [run.id]})
            await asyncio.wait_for(wake.wait(), PATIENCE_SECONDS)


class TestApi:
    @pytest.fixture
    def history(self, desk):
        return _history(desk.playground)

    async def test_what_is_found(self, desk, history):
        name = f"{'a' * 32}.jpg"
        picture = Picture(name=name, thumb=name, content_type="image/jpeg", bytes=9, width=64, height=64)
        run = desk.add("a fox", picture=picture, seed_used=9, cost_usd=0.05)
        desk.add("a cat")
        answer = await history("fox", 20, 0, request_of(ANN))
        assert answer["total"] == 1
        [told] = answer["runs"]
        assert (told["run_id"], told["seed"], told["state"], told["media"]) == (run.id, 9, "done", f"/media/{name}")
        assert told["request"]["prompt"] == "a fox"
        assert told["request"]["seed"] == 9

    async def test_pages_and_bounds(self, desk, history):
        for number in range(5):
            desk.add(f"fox {number}")
        answer = await history("fox", 2, 1, request_of(ANN))
        assert (answer["total"], [run["request"]["prompt"] for run in answer["runs"]]) == (5, ["fox 3", "fox 2"])
        assert len((await history("", -1, -1, request_of(ANN)))["runs"]) == 1

    async def test_a_callers_history_is_his_own(self, desk, history):
        desk.add("a fox")
        for token in (BOB, None):
            assert await history("", 20, 0, request_of(token)) == {"total": 0, "runs": []}

    async def test_a_fault_is_the_pages_sentence(self, history):
        with pytest.raises(gr.Error, match="steps: “many” is not a number"):
            await history("steps:many", 20, 0, request_of(ANN))

    async def test_the_names_of_the_contract(self, history):
        assert list(inspect.signature(history).parameters)[:3] == ["query", "limit", "offset"]
        assert history.__name__ == "history"
