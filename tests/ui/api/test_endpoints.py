"""The public API through its clients: gradio_client, plain HTTP, and an MCP client, against the real server."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from PIL import Image
from support.forked import fork_app
from support.patience import PATIENCE_SECONDS
from support.server import AppServer

from services.code.fal_snippets import snippet
from services.models.kinds.integer import SEED_MAX
from services.models.registry import PARAMETERS
from services.request import parse_request

FAST: dict[str, Any] = {"image_size": {"width": 96, "height": 64}, "num_inference_steps": 2}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    with fork_app(tmp_path_factory.mktemp("app"), PLAYGROUND_DEMO_STEP_SECONDS="0.03") as running:
        yield running
        assert "Traceback" not in running.log, running.log


def runs_of(server: AppServer, visitor: dict[str, str]) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = httpx.get(f"{server.url}/runs", headers=visitor).raise_for_status().json()["runs"]
    return runs


# -- gradio_client ---------------------------------------------------------------------------------------------------


def test_arguments_have_the_order_and_the_defaults_of_the_endpoint(client: Client) -> None:
    told = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/generate"]["parameters"]

    assert [argument["parameter_name"] for argument in told] == [
        "prompt",
        "image_size",
        "seed",
        "num_inference_steps",
        "guidance_scale",
        "enable_prompt_expansion",
        "safety_tolerance",
        "enable_safety_checker",
        "output_format",
        "sync_mode",
    ]
    assert [argument["parameter_name"] for argument in told if not argument["parameter_has_default"]] == ["prompt"]
    assert {argument["parameter_name"]: argument["parameter_default"] for argument in told} == {
        name: parameter.default for name, parameter in PARAMETERS.items()
    }


def test_nothing_else_is_offered(client: Client) -> None:
    told = client.view_api(return_format="dict", print_info=False)

    assert set(told["named_endpoints"]) == {"/cancel", "/generate", "/grid", "/history", "/run", "/snippet", "/start"}
    assert told["unnamed_endpoints"] == {}


def test_generate_by_position(client: Client) -> None:
    made = client.predict("A cat", "square", 5, 3, 4.5, False, "4", False, "png", True, api_name="/generate")

    assert made["state"] == "done"
    assert made["engine"] == "demo"
    assert made["cost_usd"] == 0
    assert made["seed"] == 5
    assert made["seconds"] > 0
    assert made["request"] == {
        "prompt": "A cat",
        "image_size": "square",
        "seed": 5,
        "num_inference_steps": 3,
        "guidance_scale": 4.5,
        "enable_prompt_expansion": False,
        "safety_tolerance": "4",
        "enable_safety_checker": False,
        "output_format": "png",
        "sync_mode": True,
    }
    with Image.open(made["image"]) as picture:
        assert (picture.format, picture.size) == ("PNG", (512, 512))


def test_generate_by_name_with_a_size_of_its_own(client: Client) -> None:
    made = client.predict(
        prompt="A cat",
        image_size={"width": 128, "height": 64},
        seed=SEED_MAX,
        num_inference_steps=2,
        api_name="/generate",
    )

    assert made["seed"] == SEED_MAX
    assert made["request"]["image_size"] == {"width": 128, "height": 64}
    with Image.open(made["image"]) as picture:
        assert (picture.format, picture.size) == ("JPEG", (128, 64))


def test_a_seed_is_drawn_where_none_is_given_and_repeats_the_picture(client: Client) -> None:
    first = client.predict("Twice", **FAST, api_name="/generate")
    other = client.predict("Twice", **FAST, api_name="/generate")
    again = client.predict("Twice", **FAST, seed=first["seed"], api_name="/generate")

    assert first["seed"] != other["seed"]
    assert Path(first["image"]).read_bytes() == Path(again["image"]).read_bytes()
    assert Path(first["image"]).read_bytes() != Path(other["image"]).read_bytes()


def test_the_picture_is_the_original_and_the_run_is_in_the_visitors_history(
    client: Client, server: AppServer, visitor: dict[str, str]
) -> None:
    made = client.predict("Mine", **FAST, api_name="/generate")

    [run] = runs_of(server, visitor)
    assert (run["id"], run["prompt"], run["state"]) == (made["run_id"], "Mine", "done")
    original = httpx.get(server.url + run["media"])
    assert Path(made["image"]).read_bytes() == original.content
    details = httpx.get(f"{server.url}/runs/{made['run_id']}", headers=visitor).json()
    assert details["request"] == made["request"]
    assert details["request_id"] == made["request_id"]


def test_runs_of_callers_without_a_token_are_nobodys(
    server: AppServer, visitor: dict[str, str], tmp_path: Path
) -> None:
    client = Client(server.url, download_files=tmp_path, verbose=False)
    made = client.predict("Nobody's", **FAST, api_name="/generate")
    client.close()

    assert made["state"] == "done"
    assert runs_of(server, visitor) == []
    assert httpx.get(f"{server.url}/runs/{made['run_id']}", headers=visitor).status_code == 404


@pytest.mark.parametrize(
    "settings",
    [
        {"prompt": "  "},
        {"prompt": "x" * 10_001},
        {"prompt": "A cat", "num_inference_steps": 51},
        {"prompt": "A cat", "guidance_scale": 1},
        {"prompt": "A cat", "seed": -1},
        {"prompt": "A cat", "image_size": "huge"},
        {"prompt": "A cat", "image_size": {"width": 100, "height": 64}},
        {"prompt": "A cat", "image_size": {"width": 2560, "height": 2560}},
        {"prompt": "A cat", "image_size": {"width": 64}, "safety_tolerance": "9"},
    ],
    ids=lambda settings: next(reversed(settings)),
)
def test_errors_carry_the_sentences_of_the_page(
    client: Client, server: AppServer, visitor: dict[str, str], settings: dict[str, Any]
) -> None:
    with pytest.raises(Exception) as expected:  # noqa: PT011  the sentence is what is compared
        parse_request(settings)

    with pytest.raises(AppError) as raised:
        client.predict(**settings, api_name="/generate")

    assert str(raised.value) == str(expected.value)
    assert runs_of(server, visitor) == []


def test_a_refused_prompt_raises_with_its_sentence(client: Client, server: AppServer, visitor: dict[str, str]) -> None:
    with pytest.raises(AppError, match="refused this prompt"):
        client.predict("A cat [refuse]", **FAST, api_name="/generate")

    [run] = runs_of(server, visitor)
    assert run["state"] == "failed"


def test_two_calls_run_at_once(client: Client, server: AppServer, visitor: dict[str, str]) -> None:
    jobs = [client.submit("Slow", "square", steps, 50, api_name="/generate") for steps in (1, 2)]

    deadline = time.monotonic() + PATIENCE_SECONDS
    while sum(run["state"] == "running" for run in runs_of(server, visitor)) < 2:
        assert time.monotonic() < deadline, "the two calls never ran side by side"
        time.sleep(0.02)
    assert [job.result(timeout=PATIENCE_SECONDS)["seed"] for job in jobs] == [1, 2]


@pytest.mark.parametrize("language", ["python", "javascript", "curl"])
def test_snippet_is_the_code_that_the_page_copies(client: Client, language: Any) -> None:
    settings = {"prompt": 'Say "hi"', "seed": 3, "output_format": "png"}

    code = client.predict(language, settings, api_name="/snippet")

    assert code == snippet(language, parse_request(settings))


def test_snippet_names_what_is_wrong(client: Client) -> None:
    with pytest.raises(AppError, match="There is no parameter called “stepz”"):
        client.predict("python", {"prompt": "A cat", "stepz": 3}, api_name="/snippet")


GRID: dict[str, Any] = {
    "request": {"prompt": "A fox", "seed": 3, **FAST},
    "x": {"field": "guidance_scale", "values": "2-4 (+1)"},
    "y": {"field": "prompt_sr", "values": ["fox", "owl"]},
}
"""Arguments of /grid, and what comes of them, by every way of calling."""


def assert_is_the_grid(made: dict[str, Any]) -> None:
    told = [(cell["request"]["prompt"], cell["request"]["guidance_scale"], cell["seed"]) for cell in made["cells"]]
    assert told == [(f"A {animal}", scale, 3) for animal in ("fox", "owl") for scale in (2, 3, 4)]
    assert {cell["state"] for cell in made["cells"]} == {"done"}
    assert {cell["request"]["enable_prompt_expansion"] for cell in made["cells"]} == {False}


def test_grid_makes_a_table_of_pictures(client: Client, server: AppServer, visitor: dict[str, str]) -> None:
    made = client.predict(**GRID, api_name="/grid")

    assert_is_the_grid(made)
    with Image.open(made["sheet"]) as sheet:
        assert sheet.format == "PNG"
    assert httpx.get(f"{server.url}/grids/{made['grid_id']}", headers=visitor).status_code == 200
    again = client.predict(**GRID, api_name="/grid")
    assert [cell["run_id"] for cell in again["cells"]] == [cell["run_id"] for cell in made["cells"]]


def test_a_large_grid_asks_first(client: Client) -> None:
    with pytest.raises(AppError, match="confirm"):
        client.predict(GRID["request"], {"field": "seed", "values": "1-51"}, api_name="/grid")


# -- plain HTTP ------------------------------------------------------------------------------------------------------


def call(
    server: AppServer, name: str, arguments: dict[str, Any], headers: dict[str, str] | None = None
) -> tuple[str, Any]:
    """What the README's cURL lines do: (kind of the last event, its data)."""
    posted = httpx.post(f"{server.url}/gradio_api/call/v2/{name}", json=arguments, headers=headers)
    asked = posted.raise_for_status().json()
    told = httpx.get(f"{server.url}/gradio_api/call/{name}/{asked['event_id']}", timeout=PATIENCE_SECONDS).text
    event, data = told.strip().splitlines()[-2:]
    return event.removeprefix("event: "), json.loads(data.removeprefix("data: "))


def test_curl_takes_named_arguments(server: AppServer) -> None:
    event, [made] = call(server, "generate", {"prompt": "A dog", "seed": 11, **FAST})

    assert event == "complete"
    assert (made["state"], made["seed"]) == ("done", 11)
    picture = httpx.get(made["image"]["url"])
    assert picture.headers["content-type"] == "image/jpeg"
    assert len(picture.content) == made["image"]["size"]


def test_curl_makes_a_grid_and_finds_it_in_the_history(server: AppServer, visitor: dict[str, str]) -> None:
    event, [made] = call(server, "grid", GRID, visitor)

    assert event == "complete"
    assert_is_the_grid(made)
    assert httpx.get(made["sheet"]["url"]).headers["content-type"] == "image/png"
    _, [found] = call(server, "history", {"query": "owl guidance:>2"}, visitor)
    assert {run["run_id"] for run in found["runs"]} == {cell["run_id"] for cell in made["cells"][4:]}
    _, [code] = call(server, "snippet", {"language": "python", "request": made["cells"][0]["request"]})
    assert code == snippet("python", parse_request(made["cells"][0]["request"]))


def test_curl_hears_the_sentence_of_an_error(server: AppServer) -> None:
    event, told = call(server, "generate", {"prompt": "A dog", "num_inference_steps": 1})

    assert event == "error"
    assert told["error"] == "Steps: 1 is below 2. Allowed are 2 to 50."


def test_deep_links_that_would_store_every_value_are_refused(server: AppServer) -> None:
    assert httpx.get(f"{server.url}/gradio_api/deep_link").status_code == 404


# -- MCP -------------------------------------------------------------------------------------------------------------


@asynccontextmanager
async def mcp_session(server: AppServer, headers: dict[str, str] | None = None) -> AsyncIterator[ClientSession]:
    address = f"{server.url}/gradio_api/mcp/"
    async with (
        httpx.AsyncClient(headers=headers, timeout=PATIENCE_SECONDS) as http,
        streamable_http_client(address, http_client=http) as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        yield session


async def test_mcp_lists_the_tools_with_every_argument_described(server: AppServer) -> None:
    async with mcp_session(server) as session:
        tools = {tool.name: tool for tool in (await session.list_tools()).tools}

    assert set(tools) == {"cancel", "generate", "grid", "history", "run", "snippet", "start"}
    assert "Make one picture with FLUX.2 [flex]" in (tools["generate"].description or "")
    arguments = tools["generate"].inputSchema["properties"]
    assert list(arguments) == [*PARAMETERS, "idempotency_key"]
    for name, parameter in PARAMETERS.items():
        assert parameter.help in arguments[name]["description"]
        assert parameter.range_text in arguments[name]["description"]
    assert tools["generate"].inputSchema["required"] == ["prompt"]
    assert set(tools["snippet"].inputSchema["properties"]) == {"language", "request"}
    assert set(tools["grid"].inputSchema["properties"]) == {"request", "x", "y", "z", "confirm", "idempotency_key"}
    assert tools["grid"].inputSchema["required"] == ["request", "x"]


async def test_mcp_makes_pictures_for_the_visitor(server: AppServer, visitor: dict[str, str]) -> None:
    async with mcp_session(server, visitor) as session:
        made = await session.call_tool("generate", {"prompt": "A fox", "seed": 21, **FAST})

    assert not made.isError
    [run] = runs_of(server, visitor)
    assert (run["prompt"], run["seed"], run["state"]) == ("A fox", 21, "done")
    assert run["id"] in made.content[0].text


@pytest.mark.parametrize("tool", ["generate", "grid"])
async def test_mcp_asks_once_for_each_key(server: AppServer, visitor: dict[str, str], tool: str) -> None:
    wanted = {"prompt": "A fox", "seed": 21, **FAST} if tool == "generate" else GRID
    async with mcp_session(server, visitor) as session:
        first = await session.call_tool(tool, {**wanted, "idempotency_key": "a call"})
        second = await session.call_tool(tool, {**wanted, "idempotency_key": "a call"})
        other = {**wanted, "prompt": "An owl"} if tool == "generate" else {**GRID, "confirm": True}
        refused = await session.call_tool(tool, {**other, "idempotency_key": "a call"})
    async with mcp_session(server, {**visitor, "Idempotency-Key": "a call"}) as session:
        third = await session.call_tool(tool, wanted)

    assert not first.isError, first.content
    assert len(runs_of(server, visitor)) == 1, "one picture, or one stack"
    [name] = {re.findall("[0-9a-f]{32}", answer.content[0].text)[0] for answer in (first, second, third)}
    assert name
    assert refused.isError
    assert refused.content[0].text.startswith("This Idempotency-Key came with another request")


def test_gradio_client_asks_once_for_each_key(server: AppServer, visitor: dict[str, str]) -> None:
    headers = {**visitor, "Idempotency-Key": "a call"}
    clients = [Client(server.url, headers=headers, verbose=False, download_files=False) for _ in range(2)]
    jobs = [client.submit("A fox", api_name="/generate", **FAST) for client in clients]
    made = [job.result() for job in jobs]
    with pytest.raises(AppError, match="This Idempotency-Key came with another request"):
        clients[0].predict("An owl", api_name="/generate", **FAST)
    for client in clients:
        client.close()

    assert made[0]["run_id"] == made[1]["run_id"]
    assert len(runs_of(server, visitor)) == 1


async def test_mcp_hears_the_sentence_of_an_error(server: AppServer) -> None:
    async with mcp_session(server) as session:
        told = await session.call_tool("generate", {"prompt": ""})

    assert told.isError
    assert told.content[0].text == "Prompt is empty. Describe the picture you want."


@pytest.mark.parametrize(
    ("name", "arguments", "says"),
    [
        ("run", {"run_id": 7}, "7 is not"),
        ("run", {"run_id": "7"}, "There is no such picture."),
        ("history", {"limit": "ten"}, "'ten' is not"),
        ("generate", {"promt": "a fox"}, "'prompt' is a required property"),
        ("generate", {"prompt": "a fox", "stepz": 1}, "stepz"),
        ("grid", {"request": {"prompt": "a fox"}, "x": {}}, "x is an object with field and values"),
        ("snippet", {"language": "cobol", "request": {"prompt": "a fox"}}, "cobol"),
        ("painting", {}, "painting"),
    ],
)
async def test_mcp_hears_what_is_wrong(server: AppServer, name: str, arguments: dict[str, Any], says: str) -> None:
    async with mcp_session(server) as session:
        told = await session.call_tool(name, arguments)

    assert told.isError
    assert says in told.content[0].text


async def test_mcp_makes_grids_and_finds_them(server: AppServer, visitor: dict[str, str]) -> None:
    async with mcp_session(server, visitor) as session:
        made = await session.call_tool("grid", GRID)
        found = await session.call_tool("history", {"query": "owl", "limit": 2})

    assert not made.isError, made.content
    texts = [item.text for item in made.content if item.type == "text"]
    runs = runs_of(server, visitor)
    assert runs
    assert all(run["id"] in texts[0] for run in runs)
    assert '"total": 3' in found.content[0].text.replace("'", '"')


async def test_mcp_writes_snippets(server: AppServer) -> None:
    async with mcp_session(server) as session:
        code = await session.call_tool("snippet", {"language": "curl", "request": {"prompt": "A fox"}})

    assert code.content[0].text == snippet("curl", parse_request({"prompt": "A fox"}))


PROBES: dict[str, dict[str, Any]] = {
    "generate": {"prompt": "Another's", **FAST},
    "grid": {"request": {"prompt": "Another's", **FAST}, "x": {"field": "seed", "values": "1, 2"}},
    "start": {"prompt": "Another's", **FAST},
    "run": {"run_id": "{run_id}", "wait_seconds": 1},
    "cancel": {"run_id": "{run_id}"},
    "history": {"query": "", "limit": 200},
    "snippet": {"language": "python", "request": {"prompt": "Another's"}},
}
"""How someone else would ask each tool for what is not theirs."""


async def test_no_mcp_tool_tells_what_is_anothers(server: AppServer, visitor: dict[str, str]) -> None:
    _, [made] = call(server, "generate", {"prompt": "Only mine", **FAST}, visitor)
    other = {"X-Playground-Visitor": secrets.token_urlsafe(32)}

    for headers in (other, None):
        async with mcp_session(server, headers) as session:
            tools = {tool.name for tool in (await session.list_tools()).tools}
            assert tools == set(PROBES), "Say in PROBES how one would ask a new tool for another's picture."
            for name in tools:
                asked = json.loads(json.dumps(PROBES[name]).replace("{run_id}", made["run_id"]))
                told = str(await session.call_tool(name, asked))
                assert not [secret for secret in ("Only mine", made["run_id"], made["request_id"]) if secret in told]
    assert [run["id"] for run in runs_of(server, visitor)] == [made["run_id"]]
