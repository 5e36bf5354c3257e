"""Hundreds of hostile requests to every route of ours: none ends in a 500, and the server goes on."""

from __future__ import annotations

import json
import logging
import random
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from support.whole import WholeApp, routes_of, whole_app

from services.version import VERSION
from ui.visitors import HEADER

ANN = "ann-" + "a" * 40
ODD: list[Any] = [
    "", " ", "0", "-1", "1e400", "nan", str(2**63), str(-(2**70)), "null", "\x00", "%00", "../../etc/passwd",
    "..%2f..%2fapp.py", "<script>alert(1)</script>", "${7*7}", "{{7*7}}", "'; DROP TABLE runs; --",
    "\x1b[31mred\x1b[0m", "\ud800", "🦊" * 40, "a" * 9000, '"unbalanced', "steps:>>", "seed:-", "cost:nan",
    "after:9999-99-99", "(((((((", "NEAR(", "*", "^", "prompt:",
]  # fmt: skip
BODIES: list[Any] = [
    None, True, 7, 1e308, "text", [], [[[]]], {}, {"": None}, {"ids": None}, {"ids": [None]}, {"ids": "x"},
]  # fmt: skip
NAMES = ("query", "limit", "before", "after", "visit", "since", "language", "ids", "sort", "zone", "newer_than",
         "field", "on", "key", "newest", "at")  # fmt: skip
ENDLESS = ("/events",)


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[WholeApp]:
    async with whole_app(tmp_path) as whole:
        yield whole


def ours(whole: WholeApp) -> list[tuple[str, str]]:
    """Our own routes: Gradio's answer for themselves."""
    own = [route for route in routes_of(whole.app.routes) if not route[1].startswith("/gradio_api/")]
    return sorted({(method, path) for method, path in own if path.startswith(OWN) and path not in ENDLESS})


OWN = ("/runs", "/history", "/compare", "/media", "/thumbs", "/key", "/my-data", "/settings-of-file", "/healthz")


def text(value: Any) -> str:
    return str(value).encode("utf-8", "surrogatepass").decode("latin-1")


async def test_no_hostile_request_ends_in_an_error_of_ours(whole: WholeApp, caplog: pytest.LogCaptureFixture) -> None:
    chance = random.Random(2026)
    routes = ours(whole)
    assert len(routes) > 20
    with caplog.at_level(logging.WARNING):
        for _ in range(500):
            method, path = chance.choice(routes)
            address = re.sub(r"\{\w+\}", lambda _: text(chance.choice(ODD)) or "x", path)
            query = {name: text(chance.choice(ODD)) for name in chance.sample(NAMES, chance.randint(0, 4))}
            body = chance.choice(
                [*BODIES, {name: chance.choice([*ODD[:8], *BODIES]) for name in chance.sample(NAMES, 3)}]
            )
            content = chance.choice(
                [json.dumps(body).encode(), b"", b"{", b"\xff\xfe\x00", text(chance.choice(ODD)).encode()]
            )
            headers = {
                HEADER: chance.choice([ANN, "x", text("🦊").encode("latin-1").decode("latin-1")]),
                "Last-Event-ID": "x" * 99,
            }
            headers["Content-Type"] = chance.choice(
                ["application/json", "text/plain", "multipart/form-data", "image/png"]
            )
            url = whole.client.base_url.copy_with(path=re.sub(r"[?#\x00-\x1f]", "x", address))
            answer = await whole.client.request(
                method, url, params=query, content=content if method != "GET" else None,
                headers={name: value.encode("latin-1") for name, value in headers.items()},
            )  # fmt: skip
            assert answer.status_code < 500, f"{method} {address} {query} {content!r}: {answer.text[:300]}"
            assert "Traceback" not in answer.text
    assert "Traceback" not in caplog.text
    assert (await whole.client.get("/healthz")).json() == {"status": "ok", "engine": "demo", "version": VERSION}
