"""Two visitors against each other, over everything that the app itself lists: routes and Gradio's functions.

MCP's tools are probed in tests/ui/api/test_endpoints.py: Gradio's MCP server calls itself over the network.

What is new is listed by the app and so is probed too. Where a probe does not get past the validation of a new route
or function, the test names it: say in QUERIES, BODIES or ARGUMENTS how one would ask there for another's picture.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from support.anns import (
    ANN,
    ARGUMENTS,
    BOB,
    BODIES,
    CAPABILITIES,
    MARK,
    NOBODYS_BUSINESS,
    NOTHING_THERE,
    PATHS,
    QUERIES,
    Anns,
    filled,
)
from support.whole import WholeApp, routes_of, whole_app

from ui.visitors import HEADER
from ui.web.guard import _is_closed

# Gradio sums up its calls by means that pandas has deprecated.
pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:gradio\.queueing")


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[WholeApp]:
    async with whole_app(tmp_path) as whole:
        yield whole


@pytest.fixture
async def anns(whole: WholeApp) -> Anns:
    anns = Anns(whole)
    await anns.make(whole)
    return anns


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
