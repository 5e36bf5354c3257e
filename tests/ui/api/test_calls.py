"""What cancels a picture that a call asked for, and what does not: against the real server, by Gradio's own clients."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from pathlib import Path
from typing import Any

import gradio as gr
import httpx
import pytest
from gradio.context import LocalContext
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CancelledNotification, CancelledNotificationParams, ClientNotification
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send
from support.forked import fork_app
from support.node import install
from support.patience import PATIENCE_SECONDS
from support.server import AppServer
from support.whole import whole_app

from ui.api.calls import MARK, Calls
from ui.api.mcp import MCP, CancelNotices

SETTINGS: dict[str, Any] = {"image_size": {"width": 96, "height": 64}, "num_inference_steps": 10}
"""A picture that takes half a second."""
ENDED = (CancelledError, AppError)
"""What a cancelled job raises: by itself, or because the server answered sooner."""
LIVE = {"pending", "submitting", "submitted", "queued", "running"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """It makes two pictures at a time: of eight calls, some wait."""
    settings = {"PLAYGROUND_DEMO_STEP_SECONDS": "0.05", "PLAYGROUND_MAX_CONCURRENT": "2"}
    with fork_app(tmp_path_factory.mktemp("app"), **settings) as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.fixture
def states(server: AppServer, visitor: dict[str, str]) -> Callable[[], dict[int, str]]:
    """Seed → state of every run of the visitor."""
    with httpx.Client(base_url=server.url, headers=visitor, timeout=PATIENCE_SECONDS) as http:
        yield lambda: {run["seed"]: run["state"] for run in http.get("/runs?limit=200").json()["runs"]}


def until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (found := condition()):
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.02)
    return found


def all_ended(states: Callable[[], dict[int, str]], count: int) -> dict[int, str]:
    found: dict[int, str] = until(
        lambda: (seen := states()) and len(seen) == count and not LIVE & set(seen.values()) and seen
    )
    return found


# -- job.cancel() ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["running", "pending"])
def test_of_eight_jobs_of_a_client_the_cancelled_one_is_cancelled_and_seven_end_done(
    client: Client, states: Callable[[], dict[int, str]], which: str
) -> None:
    jobs = {seed: client.submit("Eight", seed=seed, **SETTINGS, api_name="/generate") for seed in range(8)}
    until(lambda: len(states()) == 8)
    seed = until(lambda: [seed for seed, state in states().items() if state == which])[0]

    assert jobs[seed].cancel()

    with pytest.raises(ENDED):
        jobs[seed].result(timeout=PATIENCE_SECONDS)
    others = [job.result(timeout=PATIENCE_SECONDS) for other, job in jobs.items() if other != seed]
    assert {made["state"] for made in others} == {"done"}
    assert all_ended(states, 8) == {other: "cancelled" if other == seed else "done" for other in range(8)}


def test_a_job_that_is_cancelled_before_its_event_id_is_known_makes_no_picture(
    client: Client, states: Callable[[], dict[int, str]]
) -> None:
    job = client.submit("At once", seed=1, **SETTINGS, api_name="/generate")
    job.cancel()
    with pytest.raises(ENDED):
        job.result(timeout=PATIENCE_SECONDS)

    assert client.predict("Another", seed=2, **SETTINGS, api_name="/generate")["state"] == "done"
    assert until(lambda: (seen := states()) and seen.get(1) not in LIVE and seen) in (
        {2: "done"},
        {1: "cancelled", 2: "done"},
    )


def test_a_cancelled_grid_ends_with_all_of_its_cells(
    client: Client, server: AppServer, states: Callable[[], dict[int, str]]
) -> None:
    grid = {"request": {"prompt": "Grid", **SETTINGS}, "x": {"field": "seed", "values": "1-6"}}
    job = client.submit(**grid, api_name="/grid")
    single = client.submit("Beside it", seed=9, **SETTINGS, api_name="/generate")
    until(lambda: len(states()) == 2)  # a grid is one card
    job.cancel()
    with pytest.raises(ENDED):
        job.result(timeout=PATIENCE_SECONDS)

    assert single.result(timeout=PATIENCE_SECONDS)["state"] == "done"
    found = until(
        lambda: (
            (runs := client.predict("", 50, api_name="/history")["runs"])
            and not [run for run in runs if run["state"] in LIVE]
            and runs
        )
    )
    cells = [run["state"] for run in found if run["grid_id"]]
    assert len(cells) == 6
    assert cells.count("cancelled") >= 4  # what was begun may be finished before fal hears of it


SCRIPT = """
import { Client } from "@gradio/client";
const [address, token, settings] = JSON.parse(process.env.ARGUMENTS);
const app = await Client.connect(address, { headers: { "X-Playground-Visitor": token }, events: ["status", "data"] });
const jobs = [...Array(8).keys()].map(seed => app.submit("/generate", { prompt: "Eight", seed, ...settings }));
const told = await Promise.all(jobs.map(async (job, seed) => {
  for await (const message of job) {
    if (message.type === "data") return message.data[0].state;
    if (message.type === "status" && message.stage === "error") return message.message;
    if (seed === 5 && message.type === "status") await job.cancel();
  }
}));
console.log(JSON.stringify(told));
process.exit(0);
"""


def test_the_javascript_client_cancels_one_of_its_eight_jobs(
    server: AppServer, visitor: dict[str, str], states: Callable[[], dict[int, str]], tmp_path: Path
) -> None:
    (tmp_path / "node_modules").symlink_to(install() / "node_modules")
    (tmp_path / "script.mjs").write_text(SCRIPT, encoding="utf-8")
    arguments = json.dumps([server.url, visitor["X-Playground-Visitor"], SETTINGS])
    ran = subprocess.run(
        ["node", "script.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=120,
        env={**os.environ, "ARGUMENTS": arguments},
    )  # fmt: skip

    assert ran.returncode == 0, ran.stderr
    told = json.loads(ran.stdout.splitlines()[-1])
    assert told.count("done") == 7
    assert told[5] == "The request was cancelled."
    found = until(lambda: (seen := states()) and not LIVE & set(seen.values()) and seen)
    assert {seed: state for seed, state in found.items() if seed != 5} == {s: "done" for s in range(8) if s != 5}
    assert found.get(5, "cancelled") == "cancelled"


def test_an_id_of_no_call_under_way_is_named(server: AppServer, client: Client) -> None:
    answer = httpx.post(f"{server.url}/gradio_api/cancel", json={"event_id": "unheard of", "session_hash": "x"})
    assert (answer.status_code, answer.json()["detail"][:24]) == (404, "No call with this event ")
    assert httpx.post(f"{server.url}/gradio_api/reset", json={"event_id": "unheard of"}).json() == {"success": True}


# -- a closed connection ---------------------------------------------------------------------------------------------


def test_a_closed_connection_loses_nothing(
    server: AppServer, visitor: dict[str, str], states: Callable[[], dict[int, str]]
) -> None:
    """More calls than Gradio carries out at once by itself, and their one stream is closed before any has an answer."""
    count, quick = 60, {**SETTINGS, "num_inference_steps": 2}
    with httpx.Client(base_url=f"{server.url}/gradio_api", headers=visitor, timeout=PATIENCE_SECONDS) as http:
        config = http.get(f"{server.url}/config").json()
        [function] = [one["id"] for one in config["dependencies"] if one["api_name"] == "generate"]
        names = list(http.get("/info").json()["named_endpoints"]["/generate"]["parameters"])
        for seed in range(count):
            values = {"prompt": "Closed", "seed": seed, **quick}
            data = [values.get(one["parameter_name"], one.get("parameter_default")) for one in names]
            body = {"data": data, "fn_index": function, "session_hash": "closed"}
            assert http.post("/queue/join", json=body).status_code == 200
        with http.stream("GET", "/queue/data", params={"session_hash": "closed"}) as stream:
            next(stream.iter_lines())

    assert all_ended(states, count) == dict.fromkeys(range(count), "done")


def test_who_never_asks_for_the_answer_has_the_picture_all_the_same(
    server: AppServer, visitor: dict[str, str], states: Callable[[], dict[int, str]]
) -> None:
    asked = {"prompt": "Never fetched", "seed": 1, **SETTINGS}
    httpx.post(f"{server.url}/gradio_api/call/v2/generate", json=asked, headers=visitor).raise_for_status()

    assert all_ended(states, 1) == {1: "done"}


# -- /start, /run, /cancel -------------------------------------------------------------------------------------------

KEYS = {"run_id", "state", "request_id", "seed", "image", "request", "cost_usd", "seconds", "engine", "error",
        "verdict", "rating", "favourite", "tags", "notes"}  # fmt: skip


def test_start_returns_at_once_and_run_waits_for_the_picture(client: Client) -> None:
    begun = client.predict("Later", seed=4, **SETTINGS, api_name="/start")
    assert set(begun) == {"run_id", "state"}
    assert begun["state"] == "pending"

    made = client.predict(begun["run_id"], wait_seconds=PATIENCE_SECONDS, api_name="/run")
    assert (made["state"], made["error"], made["verdict"], made["rating"]) == ("done", None, "none", 0)
    assert set(made) == KEYS
    assert (made["favourite"], made["tags"], made["notes"], made["seed"]) == (False, [], "", 4)
    assert Path(made["image"]).read_bytes().startswith(b"\xff\xd8")


@pytest.mark.filterwarnings(r"ignore::DeprecationWarning:gradio\.queueing")
async def test_a_wait_ends_after_its_seconds_with_the_picture_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with whole_app(tmp_path) as whole:
        monkeypatch.setattr(whole.playground.runner, "take", lambda run: None)  # it stays pending

        async def call(name: str, **asked: Any) -> dict[str, Any]:
            event = (await whole.client.post(f"/gradio_api/call/v2/{name}", json=asked)).json()["event_id"]
            answer = (await whole.client.get(f"/gradio_api/call/{name}/{event}")).text
            [found] = json.loads(answer.split("data: ")[-1])
            return found

        begun = await call("start", prompt="Later", seed=4)
        for seconds in (0, 0.05):
            told = await call("run", run_id=begun["run_id"], wait_seconds=seconds)
            assert set(told) == KEYS
            assert (told["state"], told["image"], told["seed"], told["seconds"]) == ("pending", None, 4, None)


def test_run_tells_what_its_owner_has_marked(client: Client, server: AppServer, visitor: dict[str, str]) -> None:
    run_id = client.predict("Marked", **SETTINGS, api_name="/start")["run_id"]
    with httpx.Client(base_url=f"{server.url}/runs/{run_id}", headers=visitor) as http:
        http.post("/favourite", json={"on": True}).raise_for_status()
        http.post("/notes", json={"notes": "for the client"}).raise_for_status()
        http.post("/tags", json={"tags": ["poster"]}).raise_for_status()

    told = client.predict(run_id, api_name="/run")
    assert (told["verdict"], told["favourite"], told["tags"], told["notes"]) == (
        "pick", True, ["poster"], "for the client",
    )  # fmt: skip


def test_a_failed_run_is_told_and_not_raised(client: Client) -> None:
    run_id = client.predict("A cat [refuse]", **SETTINGS, api_name="/start")["run_id"]
    told = client.predict(run_id, wait_seconds=PATIENCE_SECONDS, api_name="/run")

    assert (told["state"], told["image"], told["cost_usd"]) == ("failed", None, 0)
    assert "refused this prompt" in told["error"]
    assert client.predict(run_id, api_name="/cancel")["state"] == "failed"


def test_cancel_means_it(client: Client) -> None:
    run_id = client.predict("Stop", **{**SETTINGS, "num_inference_steps": 50}, api_name="/start")["run_id"]
    until(lambda: client.predict(run_id, api_name="/run")["state"] == "running")

    told = client.predict(run_id, api_name="/cancel")
    assert set(told) == KEYS
    assert (told["state"], told["image"], told["error"]) == ("cancelled", None, None)


@pytest.mark.parametrize("function", ["/run", "/cancel"])
def test_a_foreign_or_unknown_picture_is_none(client: Client, server: AppServer, function: str) -> None:
    run_id = client.predict("Mine", **SETTINGS, api_name="/start")["run_id"]
    other = Client(server.url, headers={"X-Playground-Visitor": secrets.token_urlsafe(32)}, verbose=False)
    nobody = Client(server.url, verbose=False)
    for asking, asked in ((other, run_id), (nobody, run_id), (client, "0" * 32), (client, "ü"), (client, 7)):
        with pytest.raises(AppError, match=r"^There is no such picture\.$"):
            asking.predict(asked, api_name=function)
    nobodys = nobody.predict("Nobody's", **SETTINGS, api_name="/start")["run_id"]
    assert nobody.predict(nobodys, api_name=function)["run_id"] == nobodys
    with pytest.raises(AppError, match=r"^There is no such picture\.$"):
        client.predict(nobodys, api_name=function)
    for one in (other, nobody):
        one.close()


@pytest.mark.parametrize("seconds", [-1, 3601, "soon", None, True, 2**70])
def test_a_wait_that_is_none_is_named(client: Client, seconds: Any) -> None:
    run_id = client.predict("Wait", **SETTINGS, api_name="/start")["run_id"]
    with pytest.raises(AppError, match=r"wait_seconds: .+ is no number from 0 to 3600"):
        client.predict(run_id, seconds, api_name="/run")


def test_start_names_what_is_wrong(client: Client) -> None:
    with pytest.raises(AppError, match="Prompt is empty"):
        client.predict("", api_name="/start")


# -- MCP -------------------------------------------------------------------------------------------------------------


async def test_mcps_notice_stops_what_fal_has_not_begun_and_nothing_else(
    server: AppServer, visitor: dict[str, str], states: Callable[[], dict[int, str]]
) -> None:
    def settings(seed: int) -> dict[str, Any]:
        return {"prompt": "MCP", "seed": seed, **SETTINGS, "num_inference_steps": 40}

    async with (
        httpx.AsyncClient(headers=visitor, timeout=PATIENCE_SECONDS) as http,
        streamable_http_client(f"{server.url}/gradio_api/mcp/", http_client=http) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        numbers, calls = {}, []
        for seed in range(4):
            numbers[seed] = session._request_id
            calls.append(asyncio.create_task(session.call_tool("generate", settings(seed))))
            await asyncio.to_thread(until, lambda seed=seed: seed in states())
        begun = await asyncio.to_thread(
            until, lambda: len(running := [s for s, state in states().items() if state == "running"]) == 2 and running
        )
        for number in numbers.values():
            params = CancelledNotificationParams(requestId=number, reason="changed my mind")
            await session.send_notification(ClientNotification(CancelledNotification(params=params)))
        told = await asyncio.gather(*calls)

    found = await asyncio.to_thread(all_ended, states, 4)
    assert found == {seed: "done" if seed in begun else "cancelled" for seed in range(4)}
    assert [answer.isError for answer in told] == [seed not in begun for seed in range(4)]


async def test_a_notice_of_another_visitor_stops_nothing(server: AppServer, visitor: dict[str, str]) -> None:
    """Each client numbers its requests itself: the same number is another's call."""
    stopped: list[str] = []

    class Kept(Calls):
        async def leave_off(self, mark: str) -> None:
            stopped.append(mark)

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        seen.append(Headers(scope=scope).get(MARK, ""))

    async def say(message: dict[str, Any], token: str | None, shared: bool = False) -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": json.dumps(message).encode()}

        headers = [(b"x-playground-visitor", token.encode())] if token else []
        scope = {"type": "http", "method": "POST", "path": MCP, "headers": headers, "query_string": b""}
        notices._shared = shared
        await notices(scope, receive, lambda message: asyncio.sleep(0))

    seen: list[str] = []
    notices = CancelNotices(app, calls=Kept(), shared=False)
    call = {"method": "tools/call", "id": 1, "params": {}}
    notice = {"method": "notifications/cancelled", "params": {"requestId": 1}}
    for token in ("a" * 32, "b" * 32, None):
        await say(call, token)
        await say(notice, token)
    anns, bobs, nobodys = seen[::2]
    assert len({anns, bobs, nobodys}) == 3
    assert nobodys == ""
    assert stopped == [anns, bobs, ""]
    await say(call, None, shared=True)
    assert seen[-1]
    for odd in ([], "text", {"method": "notifications/cancelled", "params": [1]}, {"method": "tools/call", "id": [1]}):
        await say(odd, "a" * 32)  # type: ignore[arg-type]


# -- the list of calls -----------------------------------------------------------------------------------------------


class Asked:
    """What a call asked for, and how it was stopped."""

    def __init__(self) -> None:
        self.stopped: list[bool] = []

    async def stop(self, begun_too: bool) -> None:
        self.stopped.append(begun_too)


async def test_a_call_that_is_cancelled_while_its_runs_are_written_cancels_them() -> None:
    calls, asked = Calls(), Asked()
    LocalContext.event_id.set("an event")
    with calls.begin(None) as call:
        assert await calls.cancel("an event", {"an event"})
        assert await calls.cancel("an event", {"an event"})  # as /reset after /cancel
        assert asked.stopped == []
        await call.asked_for(asked.stop)
    assert asked.stopped == [True]
    assert not await calls.cancel("an event", set())


async def test_a_call_that_is_cancelled_before_its_turn_asks_for_nothing() -> None:
    calls = Calls()
    assert await calls.cancel("an event", {"an event"})
    LocalContext.event_id.set("an event")
    with pytest.raises(gr.Error, match="cancelled"), calls.begin(None):
        pass
    with calls.begin(None):
        pass


async def test_a_word_for_all_of_it_goes_beyond_a_word_for_what_has_not_begun() -> None:
    calls, asked = Calls(), Asked()
    LocalContext.event_id.set("an event")
    with calls.begin(None) as call:
        await call.asked_for(asked.stop)
        await calls.leave_off("an event")
        await calls.leave_off("an event")
        await calls.cancel("an event", {"an event"})
        await calls.leave_off("an event")
    assert asked.stopped == [False, True]


async def test_a_mark_that_two_calls_have_stops_neither() -> None:
    calls, asked = Calls(), Asked()
    LocalContext.event_id.set("twice")
    with calls.begin(None) as one, calls.begin(None) as two:
        await one.asked_for(asked.stop)
        await two.asked_for(asked.stop)
        await calls.leave_off("twice")
    assert asked.stopped == []
