"""Two visitors against each other, over everything that the app itself lists: routes and Gradio's functions.

MCP's tools are probed in tests/ui/api/test_endpoints.py: Gradio's MCP server calls itself over the network.

What is new is listed by the app and so is probed too. Where a probe does not get past the validation of a new route
or function, the test names it: say in QUERIES, BODIES or ARGUMENTS how one would ask there for another's picture.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.whole import WholeApp, routes_of, whole_app

from services.grids.plan import parse_plan
from services.library.scope import EVERYONE
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.run import Run, RunState, new_id
from ui.visitors import HEADER, visitor_of
from ui.web.guard import _is_closed

# Gradio sums up its calls by means that pandas has deprecated.
pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:gradio\.queueing")

ANN, BOB = "ann-" + "a" * 40, "bob-" + "b" * 40
MARK = "anns-own-words"
REQUEST = Flux2FlexRequest(prompt=f"a fox {MARK}", seed=7, num_inference_steps=2,
                            image_size=ImageSize(width=64, height=64))  # fmt: skip
NOBODYS_BUSINESS = ("/healthz", "/static/", "/assets/", "/favicon.ico", "/theme.css", "/robots.txt", "/pwa_icon",
                    "/manifest.json", "/openapi.json", "/gradio_api/file=", "/gradio_api/mcp/sse",
                    "/gradio_api/heartbeat/", "/gradio_api/queue/data")  # fmt: skip
"""Files of the program; `file=`, which tests/ui/web/test_guard.py tries; endless streams of Gradio's for who knows the
secret of a session: MCP's old form, heartbeats, and a session's own results."""
CAPABILITIES = ("/media/{name}", "/thumbs/{name}", "/archive/exports/{name}")
"""Whoever knows such a name may have the picture or the export: no other answer may tell it."""
NOTHING_THERE = ("/archive/exports",)
"""Where 422 says that there is nothing of one's own."""
QUERIES = {
    "/runs": "limit=200&visit=0",
    "/runs/visit": "since=0",
    "/runs/{run_id}/snippet": "language=python",
    "/compare": "ids={run_id},{other_id}",
    "/history": "query=fox&limit=200",
    "/history/count": "query=fox",
    "/history/ids": "query=fox",
    "/usage/removed": "since=2020-01-01T00:00:00Z",
    "/history/stacks": "ids={grid_id}",
}
BODIES: dict[str, Any] = {
    "/runs/{run_id}/nearby": {"field": "guidance_scale"},
    "/runs/{run_id}/favourite": {"on": True},
    "/key": {"key": "bobs:own-secret-key"},
    "/history/favourite": {"query": "fox", "newest": 2**62},
    "/history/delete": {"ids": ["{run_id}", "{other_id}", "{deleted_id}"]},
    "/history/restore": {"ids": ["{run_id}", "{other_id}", "{deleted_id}"]},
    "/history/move": {"ids": ["{run_id}", "{other_id}"], "to": "inbox"},
    "/history/tags": {"ids": ["{run_id}", "{other_id}"], "add": ["bobs"]},
    "/runs/{run_id}/notes": {"notes": "bobs"},
    "/runs/{run_id}/tags": {"tags": ["bobs"]},
    "/archive/exports": {"ids": ["{run_id}", "{other_id}"]},
    "/projects": {"name": "bobs"},
    "/projects/choose": {"project": "{project_id}"},
    "/projects/{project_id}/name": {"name": "renamed by bob"},
    "/code": {"request": {"prompt": "bobs"}, "address": "http://localhost", "with_token": True},
    "/grids": {"run_id": "{run_id}", "axes": [{"field": "seed", "values": "1"}]},
    "/grids/preview": {"grid_id": "{grid_id}", "axes": [{"field": "seed", "values": "1"}]},
    "/grids/{grid_id}/blind": {"axis": 0, "mode": "pairs"},
    "/grids/{grid_id}/blind/{ballot_id}/verdict": {"round": 1, "choice": 0},
    "/gradio_api/reset": {"event_id": "anns"},
    "/gradio_api/cancel": {"session_hash": "anns", "fn_index": 0, "event_id": "anns"},
    "/gradio_api/queue/join": {"data": [], "fn_index": 0, "session_hash": "bobs"},
    "/gradio_api/run/{api_name}": {"data": ["fox"]},
    "/gradio_api/call/{api_name}": {"data": ["fox"]},
    "/gradio_api/call/v2/{api_name}": {"query": "fox"},
}
PATHS = {"api_name": "history", "event_id": "anns", "session_hash": "anns", "number": "1", "side": "0"}
"""What stands in a path besides ids of Ann's."""
ARGUMENTS: dict[str, dict[str, Any]] = {
    "generate": {"prompt": "bobs own", "image_size": {"width": 64, "height": 64}, "num_inference_steps": 2},
    "grid": {
        "request": {"prompt": "bobs own", "image_size": {"width": 64, "height": 64}, "num_inference_steps": 2},
        "x": {"field": "seed", "values": "7"},
    },
    "start": {"prompt": "bobs own", "image_size": {"width": 64, "height": 64}, "num_inference_steps": 2},
    "run": {"run_id": "{run_id}", "wait_seconds": 1},
    "cancel": {"run_id": "{other_id}"},
    "history": {"query": "", "limit": 200},
    "snippet": {"language": "python", "request": {"prompt": "bobs own"}},
}
"""The public endpoints, asked by someone else."""


class Anns:
    """What belongs to Ann: a project, a finished picture, one that waits, one that is deleted, a grid judged blind."""

    def __init__(self, whole: WholeApp) -> None:
        self.history = whole.playground.history
        self.name = visitor_of(type("Request", (), {"headers": {HEADER: ANN}})())

    async def make(self, whole: WholeApp) -> None:
        (run,) = await whole.playground.generate(self.name, REQUEST)
        done = await asyncio.wait_for(whole.playground.finished(None, run.id), 10)
        waiting = done.model_copy(update={"id": new_id(), "state": RunState.UNKNOWN, "picture": None})
        deleted = done.model_copy(update={"id": new_id(), "deleted_at": done.created_at, "picture": None})
        self.history.add([waiting, deleted])
        plan = parse_plan(REQUEST, [("seed", "7, 8")])
        grid = await whole.playground.grids.make(self.name, plan)
        await asyncio.wait_for(whole.playground.grids.finished(self.name, grid.id), 10)
        self.ids = {"run_id": done.id, "other_id": waiting.id, "deleted_id": deleted.id, "grid_id": grid.id}
        for name, path, asked in (
            ("ballot_id", f"/grids/{grid.id}/blind", {"axis": 0, "mode": "pairs"}),
            ("project_id", "/projects", {"name": MARK, "choose": False}),
        ):
            answer = (await whole.client.post(path, json=asked, headers={HEADER: ANN})).json()
            self.ids[name] = answer["ballot"] if name == "ballot_id" else answer["made"]["id"]
        assert done.picture is not None
        assert done.ticket is not None
        self.secrets = (MARK, *self.ids.values(), done.picture.name, done.picture.thumb, done.ticket.request_id, ANN)
        self.before = self.all()

    def all(self) -> list[Run]:
        entries = self.history.changed_since(EVERYONE, 0)
        return [entry.run for entry in entries if entry.run.visitor == self.name]

    def check(self, where: str, answer: str, asked: str = "") -> None:
        """What was asked may be repeated: whoever names an id knows it."""
        told = [secret for secret in self.secrets if secret in answer and secret not in asked]
        assert not told, f"{where} told {told}: {answer[:500]}"
        assert self.all() == self.before, f"{where} changed what is Ann's"


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[WholeApp]:
    async with whole_app(tmp_path) as whole:
        yield whole


@pytest.fixture
async def anns(whole: WholeApp) -> Anns:
    anns = Anns(whole)
    await anns.make(whole)
    return anns


def filled(template: Any, values: dict[str, str]) -> Any:
    """`{name}` → its value, anywhere in a query, a path or a body."""
    text = json.dumps(template)
    return json.loads(re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text))


@pytest.mark.parametrize("token", [BOB, None], ids=["bob", "nobody"])
async def test_no_route_tells_or_changes_what_is_anothers(whole: WholeApp, anns: Anns, token: str | None) -> None:
    headers = {HEADER: token} if token else {}
    probed = 0
    for method, path in sorted(set(routes_of(whole.app.routes))):
        skipped = path.startswith(NOBODYS_BUSINESS) or path in CAPABILITIES or path == "/events" or _is_closed(path)
        if skipped or (path.endswith("/") and path != "/"):
            continue
        values = {**anns.ids, **PATHS}
        address = filled(path, values)
        assert "{" not in address, f"Say in PATHS what stands in {path}."
        query = filled(QUERIES.get(path, ""), values)
        body = filled(BODIES.get(path, {}), values) if method in ("POST", "PUT", "PATCH") else None
        answer = await whole.client.request(method, f"{address}?{query}", json=body, headers=headers)
        where = f"{method} {path}"
        understood = answer.status_code != 422 or path in NOTHING_THERE
        assert understood or token is None, f"{where} was not asked as it wants to be: {answer.text}"
        assert answer.status_code < 500 or path.startswith("/gradio_api/"), f"{where}: {answer.text}"
        anns.check(where, answer.text, f"{address}?{query} {body}")
        probed += 1
    assert probed > 30


async def test_ann_herself_is_told_by_those_routes(whole: WholeApp, anns: Anns) -> None:
    """Else the probes above would pass whatever they asked."""
    own = ("/runs", "/runs/{run_id}", "/runs/{run_id}/snippet", "/compare", "/history", "/projects", "/grids")
    for path in (*own, "/grids/{grid_id}", "/grids/{grid_id}/page.html"):
        query = filled(QUERIES.get(path, ""), anns.ids)
        answer = await whole.client.get(f"{filled(path, anns.ids)}?{query}", headers={HEADER: ANN})
        assert MARK in answer.text, path


async def test_the_event_stream_tells_nothing_of_anothers(whole: WholeApp, anns: Anns) -> None:
    streams = [
        asyncio.create_task(whole.client.get("/events?after=0", headers={HEADER: token} if token else {}))
        for token in (BOB, None, ANN)
    ]
    await asyncio.sleep(0.2)
    whole.playground.changes.close()
    bobs, nobodys, own = [(await stream).text for stream in streams]
    anns.check("/events", bobs + nobodys)
    assert MARK in own


async def test_no_function_of_the_page_tells_or_changes_what_is_anothers(whole: WholeApp, anns: Anns) -> None:
    """All of Gradio's functions by their number, hidden ones too: each is called with an event that names Ann's run."""
    config = (await whole.client.get("/config")).json()
    assert len(config["dependencies"]) > 10
    for function in config["dependencies"]:
        for run_id in anns.ids.values():
            asked = {"fn_index": function["id"], "session_hash": "bobs", "event_data": {"id": run_id},
                     "data": [None] * len(function["inputs"])}  # fmt: skip
            answer = await whole.client.post("/gradio_api/run/predict", json=asked, headers={HEADER: BOB})
            anns.check(f"function {function['api_name'] or function['id']}", answer.text, run_id)


async def test_no_public_endpoint_tells_or_changes_what_is_anothers(whole: WholeApp, anns: Anns) -> None:
    told = (await whole.client.get("/gradio_api/info")).json()
    names = {name.strip("/") for name in told["named_endpoints"]}
    assert names == set(ARGUMENTS), "Say in ARGUMENTS how one would ask a new endpoint for another's picture."
    for name in names:
        for headers in ({HEADER: BOB}, {}):
            asked = filled(ARGUMENTS[name], anns.ids)
            event = await whole.client.post(f"/gradio_api/call/v2/{name}", json=asked, headers=headers)
            answer = await whole.client.get(f"/gradio_api/call/{name}/{event.json()['event_id']}")
            assert "event: complete" in answer.text or "There is no such picture." in answer.text, answer.text
            anns.check(name, answer.text)
