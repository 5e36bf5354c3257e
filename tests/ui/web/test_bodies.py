"""The limit on a request's body: alone, and around every route of the whole application."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import Message, Receive, Scope, Send
from support.server import AppServer
from support.whole import routes_of, whole_app

from ui.web.bodies import BODY_MAX, FILES, SENTENCE, Bodies

pytestmark = pytest.mark.anyio


async def told(scope: Scope, receive: Receive, send: Send) -> None:
    await JSONResponse({"bytes": len(await Request(scope, receive).body())})(scope, receive, send)


async def in_chunks(size: int) -> AsyncIterator[bytes]:
    for start in range(0, size, 100_000):
        yield b"x" * min(100_000, size - start)


@pytest.mark.parametrize("chunked", [False, True])
@pytest.mark.parametrize(("size", "status"), [(0, 200), (BODY_MAX, 200), (BODY_MAX + 1, 413)])
async def test_up_to_the_limit_a_body_passes_whole(chunked, size, status):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Bodies(told)), base_url="http://page") as client:
        answer = await client.post("/runs", content=in_chunks(size) if chunked else b"x" * size)
    assert answer.status_code == status
    assert answer.json() == ({"bytes": size} if status == 200 else {"message": SENTENCE, "issues": []})
    assert "4 MB" in SENTENCE


@pytest.mark.parametrize("length", [str(10**12), "9" * 400])
async def test_an_announced_length_is_enough(length):
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "POST", "path": "/runs", "headers": [(b"content-length", length.encode())]}
    await Bodies(told)(scope, receive, send)
    assert sent[0]["status"] == 413


async def test_a_body_that_breaks_off_reaches_no_route():
    messages: list[Message] = [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}]
    scope = {"type": "http", "method": "POST", "path": "/runs", "headers": [(b"transfer-encoding", b"chunked")]}

    async def receive() -> Message:
        return messages.pop(0)

    async def fail(*_: object) -> None:
        raise ClientDisconnect

    await Bodies(fail)(scope, receive, fail)  # type: ignore[arg-type]


async def test_no_route_but_those_for_files_takes_more(tmp_path: Path) -> None:
    body = json.dumps({"prompt": "x" * BODY_MAX}).encode()
    async with whole_app(tmp_path) as whole:
        taking = {
            (method, re.sub(r"{[^}]*}", "x", path))
            for method, path in routes_of(whole.app.routes)
            if method in ("POST", "PUT", "PATCH", "DELETE")
        }
        assert len(taking) > 40
        answers = {path: await whole.client.request(method, path, content=body) for method, path in taking}
    others = {path: answer for path, answer in answers.items() if path not in FILES}
    assert len(answers) - len(others) == len(FILES)
    # 404: what the guard has closed is not read at all
    assert {path for path, answer in others.items() if answer.status_code not in (413, 404)} == set()
    assert {answer.json()["message"] for answer in others.values() if answer.status_code == 413} == {SENTENCE}
    assert not [path for path in answers if path not in others and answers[path].status_code == 413]


async def test_a_client_that_is_still_sending_gets_the_answer(server: AppServer) -> None:
    for body in (b"x" * (2 * BODY_MAX), in_chunks(2 * BODY_MAX)):
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
            answer = await client.post("/code", content=body)
        assert (answer.status_code, answer.json()["message"]) == (413, SENTENCE)
