"""Answers in JSON are compressed for those who can read it; everything else stays as it is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import JSONResponse, Response, StreamingResponse

from services.pools import Pools
from ui.web.packing import LARGE, PackedJson

RUNS = [{"id": f"{number:032x}", "prompt": "a red fox at dusk, 狐"} for number in range(40)]
MANY = RUNS * (1 + LARGE // 2000)
BROTLI = {"Accept-Encoding": "gzip, br"}


@pytest.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()

    async def parts() -> AsyncIterator[bytes]:
        for part in ("[" + "1," * 1000, "2]"):
            yield part.encode()

    app.get("/runs")(lambda: RUNS)
    app.get("/many")(lambda: MANY)
    app.get("/little")(lambda: {"status": "ok"})
    app.get("/picture")(lambda: Response(bytes(5000), media_type="image/jpeg"))
    app.get("/parts")(lambda: StreamingResponse(parts(), media_type="application/json"))
    app.get("/packed")(lambda: Response(b"x" * 5000, headers={"content-encoding": "x"}, media_type="application/json"))
    app.get("/refused")(lambda: JSONResponse({"message": "no" * 2000}, 402, {"Vary": "Cookie"}))
    app.add_middleware(PackedJson, pool=Pools().sums)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as client:
        yield client


@pytest.mark.parametrize(("path", "said"), [("/runs", RUNS), ("/many", MANY)])
async def test_json_is_compressed(client: httpx.AsyncClient, path: str, said: object) -> None:
    answer = await client.get(path, headers=BROTLI)
    assert answer.json() == said
    assert answer.headers["content-encoding"] == "br"
    assert answer.headers["vary"] == "accept-encoding"
    assert int(answer.headers["content-length"]) < len(json.dumps(said)) / 5


async def test_those_who_cannot_read_it_get_it_plain(client: httpx.AsyncClient) -> None:
    answer = await client.get("/runs", headers={"Accept-Encoding": "gzip"})
    assert "content-encoding" not in answer.headers
    assert answer.json() == RUNS


@pytest.mark.parametrize("path", ["/little", "/picture", "/parts"])
async def test_what_gains_nothing_stays_as_it_is(client: httpx.AsyncClient, path: str) -> None:
    packed, plain = await client.get(path, headers=BROTLI), await client.get(path, headers={"Accept-Encoding": "gzip"})
    assert packed.content == plain.content
    assert "content-encoding" not in packed.headers


async def test_nothing_is_compressed_twice(client: httpx.AsyncClient) -> None:
    assert (await client.get("/packed", headers=BROTLI)).headers["content-encoding"] == "x"


async def test_an_error_keeps_its_status_and_headers(client: httpx.AsyncClient) -> None:
    answer = await client.get("/refused", headers=BROTLI)
    assert answer.status_code == 402
    assert answer.json() == {"message": "no" * 2000}
    assert answer.headers["vary"] == "Cookie, accept-encoding"
