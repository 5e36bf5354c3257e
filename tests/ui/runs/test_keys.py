"""Marked keys are planted, everything is used, and every place where they could come to light is searched."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock
from support.folder import contents
from support.standin import Lost, Reply, StandIn, lead_gateways_to
from support.whole import WholeApp, routes_of, whole_app

from services.models.flux_2_flex import MODEL
from services.request import parse_request
from ui.visitors import HEADER, visitor_of

pytestmark = pytest.mark.filterwarnings(r"ignore::DeprecationWarning:gradio\.queueing")

OWNER_KEY = "planted-owner-id:planted-owner-secret"
OWN_KEY = "planted-visitor-id:planted-visitor-secret"
SECRETS = ("planted-owner", "planted-visitor", "owner-secret", "visitor-secret")
ANN = {HEADER: "ann-" + "a" * 40}
REQUEST = {"prompt": "a fox", "image_size": {"width": 64, "height": 64}, "num_inference_steps": 2, "seed": 7}
ENDLESS = ("/events", "/gradio_api/heartbeat/", "/gradio_api/queue/data", "/gradio_api/mcp/sse")


def repeating(status: int) -> Any:
    """A step: fal's error, which repeats the key that came with the request."""
    return lambda seen: Reply(status, {"detail": f"No: {seen.headers.get('authorization')}"})


@pytest.fixture
def fal(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    """It remembers the keys that gateways brought."""
    return lead_gateways_to(StandIn(), monkeypatch)


@pytest.fixture
def logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """What the program logs, as chatty as it is when it is served."""
    with caplog.at_level(logging.INFO):
        yield caplog


@pytest.fixture
async def whole(tmp_path: Path, fal: StandIn, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WholeApp]:
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "gradio"))
    clock = FakeClock().drive_fal_client(monkeypatch)
    settings = {"playground_engine": "fal", "fal_queue_run_host": "none.invalid"}  # no list of requests there
    async with whole_app(tmp_path / "data", clock, fal_key=SecretStr(OWNER_KEY), **settings) as whole:
        yield whole


async def test_no_key_comes_to_light(
    whole: WholeApp, fal: StandIn, tmp_path: Path, logged: pytest.LogCaptureFixture
) -> None:
    answers: dict[str, str] = {}

    async def ask(method: str, path: str, body: Any = None) -> httpx.Response:
        answer = await whole.client.request(method, path, json=body, headers=ANN)
        answers[f"{len(answers)} {method} {path}"] = f"{answer.headers} {answer.text}"
        return answer

    listening = asyncio.create_task(ask("GET", "/events?after=0"))
    await make_and_fail(whole, fal)
    await ask("POST", "/key", {"key": OWN_KEY + " "})
    await ask("POST", "/key", {"key": OWN_KEY + " and more"})
    await make_and_fail(whole, fal)
    assert {seen.headers["authorization"] for seen in fal.calls("submit")} == {f"Key {OWNER_KEY}", f"Key {OWN_KEY}"}

    runs = (await ask("GET", "/runs?limit=200")).json()["runs"]
    assert {run["state"] for run in runs} == {"done", "failed", "unknown"}
    done = next(run["id"] for run in runs if run["state"] == "done")
    for method, path in sorted(set(routes_of(whole.app.routes))):
        if not path.startswith(ENDLESS):
            address = path.replace("{run_id}", done).replace("{api_name}", "history")
            await ask(method, f"{address}?language=python&ids={done},{runs[0]['id']}", {"field": "guidance_scale"})
    for name, arguments in (("snippet", {"language": "curl", "request": REQUEST}), ("history", {})):
        event = (await ask("POST", f"/gradio_api/call/v2/{name}", arguments)).json()["event_id"]
        assert "complete" in (await ask("GET", f"/gradio_api/call/{name}/{event}")).text
    for run in whole.playground.history.unfinished():
        await asyncio.wait_for(whole.playground.finished(None, run.id), 10)
    whole.playground.changes.close()
    assert done in (await listening).text

    for where, text in answers.items():
        assert not [secret for secret in SECRETS if secret in text], where
    assert not [secret for secret in SECRETS if secret in logged.text]
    search_files(tmp_path)


def search_files(folder: Path) -> None:
    files = contents(folder)
    assert any(name.endswith("history.sqlite3") for name in files)
    for name, content in files.items():
        assert not [secret for secret in SECRETS if secret.encode() in content], name


async def make_and_fail(whole: WholeApp, fal: StandIn) -> None:
    """A picture that comes, and every way to fail in which fal repeats what it was sent."""
    visitor = visitor_of(httpx.Request("GET", "http://page/", headers=ANN))
    request = parse_request(REQUEST)
    steps: list[tuple[str, Any]] = [("result", lambda seen: None)]
    steps += [("submit", repeating(status)) for status in (400, 401, 403, 422, 500)]
    steps += [("status", repeating(status)) for status in (401, 403)]
    steps += [("result", repeating(status)) for status in (403, 422, 500)]
    steps += [("submit", Lost(httpx.ReadTimeout(f"while sending Key {OWNER_KEY}")))]
    for kind, step in steps:
        fal.script(kind, step)  # type: ignore[arg-type]
        (run,) = await whole.playground.generate(visitor, request)
        await asyncio.wait_for(whole.playground.finished(None, run.id), 10)


async def test_the_key_goes_to_fals_queue_and_not_with_the_picture(whole: WholeApp, fal: StandIn) -> None:
    await make_and_fail(whole, fal)

    def carrying(kind: Any) -> set[str | None]:
        return {seen.headers.get("authorization") for seen in fal.calls(kind)}

    assert carrying("media") == {None}
    assert carrying("submit") == carrying("status") == carrying("result") == {f"Key {OWNER_KEY}"}
    assert {seen.path for seen in fal.calls("submit")} == {f"/{MODEL.endpoint}"}
