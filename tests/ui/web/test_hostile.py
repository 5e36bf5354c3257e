"""Hostile requests to every route and every function that the app itself lists: none ends in a 500 or a traceback, and
each refusal says what is wrong.

Each is asked as it wants to be asked (support/anns.py) but for one value, which is one of many odd ones.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import parse_qsl, quote, urlencode

import httpx
import pytest
from fastapi.routing import APIRoute
from pydantic import BaseModel
from starlette.routing import BaseRoute
from support.anns import ANN, ARGUMENTS, BODIES, PATHS, QUERIES, Anns, filled
from support.whole import WholeApp, routes_of, whole_app

from ui.visitors import HEADER
from ui.web.guard import _is_closed

T = TypeVar("T")
SHORT = [
    "", "-1", "1e400", "nan", str(2**63), str(-(2**63) - 1), "\x00", "🦊 ü", "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00", "../../etc/passwd", "'; DROP TABLE runs; --", "((((NEAR(", "x" * 3000,
]  # fmt: skip
TEXTS = [quote(text, safe="") for text in SHORT] + ["%ED%A0%80", "%FF%FE", "9" * 400]
"""What stands in a path or a query, percent-encoded: half a surrogate and bytes that are no UTF-8 among them."""
VALUES: list[Any] = [
    None, True, 0, -1, 2**63, -(2**63) - 1, 10**400, 0.5, 1e308, float("nan"), float("-inf"), "", "\ud800", "\x00",
    "9999-99-99", "x" * 9000, [], [None], [[[]]], ["\ud83e"], {}, {"a": None}, {"\ud800": 2**70},
]  # fmt: skip
RAW = [b"", b"{", b"\xff\xfe", b"null", b"[]", b"7", b'"text"', b"{}", b"[" * 2000, b'{"a": 1}', b"nan"]
HEADERS = {
    HEADER: ["x", "\x80\xff", "a" * 5000],
    "Cookie": ["playground_visitor=\x80; =;;", 'playground_visitor="', "a" * 5000],
    "Last-Event-ID": ["\x80", "h1.99999999999999999999", "-1"],
    "Range": ["bytes=9-1", "bytes=-", "bytes=" + "9" * 99],
    "Content-Type": ["text/plain", "multipart/form-data", "\x80", "application/json; charset=nonsense"],
    "X-Forwarded-Host": ["\x80", "[::1"],
    "Host": ["[", "a" * 300],
    "Origin": ["[", "http://[::1"],
}  # fmt: skip
EACH = 3
"""How many of the odd values each place gets: the next of them in turn, so that every one comes often."""
LAST = ("/key", "/my-data")
"""They change who asks."""
ENDLESS = ("/events", "/gradio_api/heartbeat/", "/gradio_api/mcp/sse")


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[WholeApp]:
    async with whole_app(tmp_path) as whole:
        yield whole


@pytest.fixture
async def anns(whole: WholeApp) -> Anns:
    anns = Anns(whole)
    await anns.make(whole)
    return anns


@pytest.fixture(scope="module")
async def shown(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[WholeApp, Anns]]:
    """An app that tests only look at, with Ann's things in it."""
    async with whole_app(tmp_path_factory.mktemp("shown")) as whole:
        anns = Anns(whole)
        await anns.make(whole)
        yield whole, anns


class Hostile:
    """Sends, and keeps what was answered as it must not be."""

    def __init__(self, whole: WholeApp, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
        self._client, self._capfd, self._caplog = whole.client, capfd, caplog
        self.faults: list[str] = []
        self.sent = 0

    async def ask(self, method: str, url: str, content: bytes | None = None, **headers: str) -> httpx.Response:
        sent = {"Content-Type": "application/json", HEADER: ANN, **headers}
        request = self._client.build_request(
            method, url, content=content, headers={name: value.encode("latin-1") for name, value in sent.items()}
        )
        self.sent += 1
        answer = await self._client.send(request)
        said = self._capfd.readouterr()
        log = self._caplog.text
        self._caplog.clear()
        where = f"{method} {url[:150]} {(content or b'')[:200]!r} {headers}"
        if answer.status_code >= 500:
            self.faults.append(f"{answer.status_code} {where}: {answer.text[:200]}")
        elif answer.status_code >= 400 and method != "HEAD" and not sentence(answer):
            self.faults.append(f"says nothing {answer.status_code} {where}: {answer.text[:200]!r}")
        if "Traceback" in said.out + said.err + log + answer.text:
            self.faults.append(f"traceback {where}: {(said.err + log)[-300:]}")
        return answer


def sentence(answer: httpx.Response) -> str:
    """What an error's body says."""
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return answer.text.strip()
    body = answer.json()
    said = body.get("message") or body.get("detail") or body.get("error") if isinstance(body, dict) else ""
    return str(said or "").strip()


@pytest.fixture
def hostile(whole: WholeApp, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Iterator[Hostile]:
    caplog.set_level(logging.WARNING)
    hostile = Hostile(whole, capfd, caplog)
    yield hostile
    assert hostile.faults == [], f"{len(hostile.faults)} of {hostile.sent}:\n" + "\n".join(hostile.faults[:40])


class Turns:
    """Hands out a list EACH at a time, from its beginning again after its end."""

    def __init__(self, values: Sequence[T]) -> None:
        self._turn, self._count = cycle(values), min(EACH, len(values))

    def next(self) -> list[Any]:
        return list(islice(self._turn, self._count))


texts, values, raws = Turns(TEXTS), Turns(VALUES), Turns(RAW)
headers = Turns([(name, value) for name, odd in HEADERS.items() for value in odd])


def changed(body: Any) -> Iterator[Any]:
    """A JSON value with one value in it replaced by an odd one, removed, or added, in every place."""
    yield from values.next()
    places: Any = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for place, value in places:
        for other in changed(value):
            yield {**body, place: other} if isinstance(body, dict) else [*body[:place], other, *body[place + 1 :]]
        if isinstance(body, dict):
            yield {name: kept for name, kept in body.items() if name != place}
    if isinstance(body, dict):
        yield {**body, "no such name": 1}


def fields_of(route: APIRoute) -> list[tuple[str, Any]]:
    """Names that a body may have, with odd values."""
    models = [field.field_info.annotation for field in route.dependant.body_params]
    return [
        (name, value)
        for model in models
        if isinstance(model, type) and issubclass(model, BaseModel)
        for name in model.model_fields
        for value in values.next()
    ]


def api_routes(routes: list[BaseRoute]) -> dict[str, APIRoute]:
    found: dict[str, APIRoute] = {}
    for route in routes:
        if isinstance(route, APIRoute):
            found.setdefault(route.path, route)
        router = getattr(route, "original_router", None) or getattr(route, "app", None)
        found |= {} if isinstance(route, APIRoute) else api_routes(getattr(router, "routes", None) or [])
    return found


def dumped(value: Any) -> bytes:
    return json.dumps(value).encode()


def asked(whole: WholeApp, ids: dict[str, str]) -> Iterator[tuple[str, str, str, list[tuple[str, str]], Any]]:
    """(method, path as the app has it, its address for Ann, query, body or None) of every route."""
    routes = {
        (method, path)
        for method, path in routes_of(whole.app.routes)
        if not (_is_closed(path) or path.startswith(ENDLESS)) and not (path.endswith("/") and path != "/")
    }
    assert len(routes) > 60
    for method, path in sorted(routes, key=lambda one: (one[1].startswith(LAST), one[1].startswith("/my-data"), one)):
        names = {**ids, **PATHS}
        body = filled(BODIES.get(path, {}), names) if method in ("POST", "PUT", "PATCH") else None
        yield method, path, filled(path, names), parse_qsl(filled(QUERIES.get(path, ""), names)), body


async def test_no_route_ends_in_an_error_of_ours(whole: WholeApp, anns: Anns, hostile: Hostile) -> None:
    known = api_routes(whole.app.routes)
    for method, path, address, query, body in asked(whole, anns.ids):
        holes = re.findall(r"\{([^}]+)\}", path)
        content = None if body is None else dumped(body)
        whole_query = urlencode(query)
        for hole in holes:
            for text in texts.next():
                filled_in = path.replace(f"{{{hole}}}", text)
                await hostile.ask(method, f"{filled(filled_in, {**anns.ids, **PATHS})}?{whole_query}", content)
        names = {name for name, _ in query}
        names |= {parameter.name for parameter in known[path].dependant.query_params} if path in known else set()
        for name in sorted(names):
            rest = urlencode([pair for pair in query if pair[0] != name])
            for text in texts.next():
                await hostile.ask(method, f"{address}?{rest}&{name}={text}", content)
        await hostile.ask(method, f"{address}?{whole_query}&no_such_name=1", content)
        for header, value in headers.next():
            await hostile.ask(method, f"{address}?{whole_query}", content, **{header: value})
        if body is None:
            continue
        for raw in raws.next():
            await hostile.ask(method, f"{address}?{whole_query}", raw)
        for other in changed(body):
            await hostile.ask(method, f"{address}?{whole_query}", dumped(other))
        for name, value in fields_of(known[path]) if path in known else ():
            await hostile.ask(method, f"{address}?{whole_query}", dumped({**body, name: value}))


async def test_no_public_function_does(whole: WholeApp, anns: Anns, hostile: Hostile) -> None:
    """By every way of calling: arguments by name, by position through Gradio's queue, and past the queue."""
    told = (await whole.client.get("/gradio_api/info")).json()["named_endpoints"]
    functions = {one["api_name"]: one["id"] for one in (await whole.client.get("/config")).json()["dependencies"]}
    for path, about in told.items():
        name, arguments = path.strip("/"), filled(ARGUMENTS[path.strip("/")], anns.ids)
        order = [one["parameter_name"] for one in about["parameters"]]
        defaults = [one.get("parameter_default") for one in about["parameters"]]
        for other in [value for value in changed(arguments) if isinstance(value, dict)]:
            answer = await hostile.ask("POST", f"/gradio_api/call/v2/{name}", dumped(other))
            if answer.status_code == 200:
                await result(hostile, name, answer.json()["event_id"])
        for place, argument in enumerate(order):
            for value in values.next():
                data = [arguments.get(one, default) for one, default in zip(order, defaults, strict=True)]
                body = {"data": [*data[:place], value, *data[place + 1 :]]}
                await hostile.ask("POST", f"/gradio_api/run/{name}", dumped(body))
                if argument in arguments:
                    answer = await hostile.ask("POST", f"/gradio_api/call/{name}", dumped(body))
                    if answer.status_code == 200:
                        await result(hostile, name, answer.json()["event_id"])
        for data in ([], [None] * (len(order) + 1), {}, None):
            for way in (f"run/{name}", f"call/{name}", "queue/join"):
                body = {"data": data, "fn_index": functions[name], "session_hash": "anns"}
                await hostile.ask("POST", f"/gradio_api/{way}", dumped(body))


async def result(hostile: Hostile, name: str, event_id: str) -> None:
    answer = await hostile.ask("GET", f"/gradio_api/call/{name}/{event_id}")
    if "event: error" in answer.text and not (json.loads(answer.text.split("data: ")[-1]) or {}).get("error"):
        hostile.faults.append(f"an error without a word: {name} {answer.text}")


async def test_no_function_of_the_page_does(whole: WholeApp, anns: Anns, hostile: Hostile) -> None:
    """Hidden ones too: who knows a function's number can call it."""
    page = (await whole.client.get("/config")).json()
    props = {one["id"]: one["props"] for one in page["components"]}
    for function in page["dependencies"]:
        data = [props[number].get("value") for number in function["inputs"]]
        event = {"id": anns.ids["run_id"], "values": {"prompt": "a fox", "seed": "7"}, "prompt": "a fox", "said": ""}
        whole_body = {"fn_index": function["id"], "session_hash": "anns", "event_data": event, "data": data}
        for other in [value for value in changed(whole_body) if isinstance(value, dict)]:
            await hostile.ask("POST", "/gradio_api/run/predict", dumped(other))


@pytest.mark.parametrize(
    ("method", "url", "body", "status", "says"),
    [
        ("GET", f"/grids?before={2**63}", None, 422, "query before"),
        ("GET", "/usage/removed?since=0001-01-01T00:00:00%2B14:00", None, 422, "outside the years 1 to 9999"),
        ("POST", "/gradio_api/call/v2/painting", {}, 404, "There are: cancel, generate, grid, history, run, snippet"),
        ("POST", "/gradio_api/call/v2/generate", {"promt": "a fox"}, 422, "There is no argument called “promt”"),
        ("POST", "/gradio_api/call/v2/generate", {"seed": 7}, 422, "The argument prompt is missing."),
        ("POST", "/gradio_api/call/generate", {"data": ["a fox"]}, 422, "data has 1 values, and generate takes 10."),
        ("POST", "/gradio_api/queue/join", {"data": [], "fn_index": 999, "session_hash": "x"}, 404, "number 999"),
        ("POST", "/gradio_api/run/history", {"data": ["", "ten", 0]}, 422, "limit: “ten” is no whole number."),
        ("GET", "/gradio_api/call/generate/unheard-of", None, 404, "No call has this event id"),
        ("GET", "/gradio_api/queue/data?session_hash=unheard-of", None, 404, "No call of this session"),
    ],
)
async def test_it_says_what_is_wrong(
    shown: tuple[WholeApp, Anns], method: str, url: str, body: Any, status: int, says: str
) -> None:
    whole, _ = shown
    answer = await whole.client.request(method, url, json=body, headers={HEADER: ANN})
    assert answer.status_code == status
    told = answer.json()
    assert says in (told.get("message") or told["error"])


@pytest.mark.parametrize(
    ("axes", "at_fault"),
    [
        ([("seed", ["\ud83e"]), ("num_inference_steps", "10")], {"seed"}),
        ([("prompt_sr", ["fox", "\ud83e"])], {"prompt_sr"}),
        ([("prompt_sr", "owl, cat")], {"prompt_sr"}),
        ([("prompt_sr", ["a fox anns-own-words", " "])], {"prompt_sr"}),
        ([("seed", "1, 2"), ("seed", "3")], {"seed"}),
        ([("image_size", ["2560x2560"]), ("seed", "3")], {"image_size"}),
        ([("image_size", [{"width": 100}])], {"image_size"}),
        ([("no such field", "1"), ("seed", "3")], {"no such field"}),
        ([("num_inference_steps", [2**70])], {"num_inference_steps"}),
    ],
)
async def test_a_preview_names_the_axis_at_fault(
    shown: tuple[WholeApp, Anns], axes: list[tuple[str, Any]], at_fault: set[str]
) -> None:
    whole, anns = shown
    typed = [{"field": field, "values": values} for field, values in axes]
    body = {"run_id": anns.ids["run_id"], "axes": typed}
    answer = await whole.client.post(
        "/grids/preview", content=dumped(body), headers={HEADER: ANN, "Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    seen = answer.json()
    assert not seen["ready"]
    assert {axis["field"] for axis in seen["axes"] if axis["fault"]} == at_fault
