"""The examples of "Use it from code": each is run as it is handed out, and its picture lands in the right history."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from support.patience import PATIENCE_SECONDS
from support.server import AppServer

from services.code.fal_snippets import snippet
from services.code.own_api import examples
from services.errors import InvalidRequest
from services.request import parse_request

SETTINGS: dict[str, Any] = {
    "prompt": """it's a "fox" \\ $HOME `id` ${x} %s\nJSON\n\u2028 🦊""",
    "image_size": {"width": 96, "height": 64},
    "num_inference_steps": 2,
    "seed": 7,
    "enable_prompt_expansion": False,
    "safety_tolerance": "3",
}


@pytest.fixture
def token() -> str:
    return secrets.token_urlsafe(32)


def asked(server: AppServer, headers: dict[str, str], **changes: Any) -> httpx.Response:
    body = {"request": SETTINGS, "address": server.url, **changes}
    return httpx.post(f"{server.url}/code", json=body, headers=headers)


def code_for(server: AppServer, token: str, example: str) -> str:
    answer = asked(server, {"X-Playground-Visitor": token}, with_token=True).raise_for_status()
    [code] = [found["code"] for found in answer.json()["examples"] if found["id"] == example]
    return str(code)


def assert_in_history(server: AppServer, token: str) -> None:
    [run] = httpx.get(f"{server.url}/runs", headers={"X-Playground-Visitor": token}).raise_for_status().json()["runs"]
    made = httpx.get(f"{server.url}/runs/{run['id']}", headers={"X-Playground-Visitor": token}).json()
    assert run["state"] == "done"
    assert parse_request(made["request"]) == parse_request(SETTINGS)


def run(command: list[str], folder: Path) -> str:
    env = {**os.environ, "NO_PROXY": "*", "no_proxy": "*", "GRADIO_TEMP_DIR": str(folder)}
    done = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_python(server: AppServer, token: str, tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text(code_for(server, token, "gradio_client"), encoding="utf-8")
    told = run([sys.executable, "example.py"], tmp_path).splitlines()
    assert told[-2] == "Seed: 7"
    assert Path(told[-1]).read_bytes().startswith(b"\xff\xd8")
    assert_in_history(server, token)


def test_curl(server: AppServer, token: str, tmp_path: Path) -> None:
    (tmp_path / "example.sh").write_text(code_for(server, token, "call"), encoding="utf-8")
    told = run(["bash", "example.sh"], tmp_path)
    assert "event: complete" in told
    assert '"seed": 7' in told
    assert_in_history(server, token)


async def test_mcp(server: AppServer, token: str) -> None:
    [configured] = json.loads(code_for(server, token, "mcp"))["mcpServers"].values()
    async with (
        httpx.AsyncClient(headers=configured["headers"], timeout=PATIENCE_SECONDS) as http,
        streamable_http_client(configured["url"], http_client=http) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        assert not (await session.call_tool("generate", SETTINGS)).isError
    assert_in_history(server, token)


def test_the_token_is_told_on_request_only_and_kept_nowhere(server: AppServer, token: str) -> None:
    headers = {"X-Playground-Visitor": token}
    assert token not in asked(server, headers).text
    told = asked(server, headers, with_token=True)
    assert told.text.count(token) == 3  # ours; fal is told nothing of it
    assert told.headers["cache-control"] == "no-store"
    foreign = {"Cookie": f"playground_visitor={token}", "Origin": "https://evil.example"}
    assert asked(server, foreign, with_token=True).status_code == 403


def test_fals_code_is_that_of_the_cards() -> None:
    request = parse_request(SETTINGS)
    made = {example.id: example.code for example in examples(request, "https://here.example", None)}
    assert {language: made[language] for language in ("python", "javascript", "curl")} == {
        language: snippet(language, request)  # type: ignore[arg-type]
        for language in ("python", "javascript", "curl")
    }


@pytest.mark.parametrize("address", ["javascript:alert(1)", "https://a.example/$(id)", 'http://a"', "", "http://a b"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(InvalidRequest, match="address"):
        examples(parse_request({"prompt": "a fox"}), address, None)
