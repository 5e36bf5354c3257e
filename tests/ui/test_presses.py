"""Every route and endpoint that makes pictures, taken from the app itself: each takes an Idempotency-Key, and pressed
twice at once by tabs and scripts it makes at fal what its presses count to."""

from __future__ import annotations

import asyncio
import inspect
import json
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from pydantic import SecretStr
from starlette.routing import BaseRoute
from support.clock import FakeClock
from support.patience import PATIENCE_SECONDS
from support.standin import WORKING, Reply, Seen, StandIn, lead_gateways_to
from support.whole import WholeApp, whole_app

from services.grids.service import Grids
from services.library.scope import EVERYONE
from services.playground import Playground
from services.run import AT_FAL_STATES, RunState
from ui.presses import PAYING, press_of_request

TOKEN = {"X-Playground-Visitor": "t" * 40}
SMALL: dict[str, Any] = {"image_size": {"width": 64, "height": 64}, "num_inference_steps": 2}
AT_ONCE = 20


class MoodyFal(StandIn):
    """Ends requests as their prompts say: `refuse` without a picture, `lose` without an answer."""

    def usual(self, seen: Seen) -> Reply:
        reply = super().usual(seen)
        if seen.kind == "submit" and "lose" in seen.json["prompt"]:
            raise httpx.ReadTimeout("no answer")
        if seen.kind == "result" and "refuse" in self.taken[seen.request_id].body["prompt"]:
            return Reply(500, {"detail": "refused"})
        return reply


@pytest.fixture
def fal(monkeypatch: pytest.MonkeyPatch) -> MoodyFal:
    fal = lead_gateways_to(MoodyFal(), monkeypatch)
    fal.stages = []  # done at the first look
    return fal


@pytest.fixture
async def whole(tmp_path: Path, fal: MoodyFal, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WholeApp]:
    clock = FakeClock().drive_fal_client(monkeypatch)
    settings = {"fal_key": SecretStr("owner:secret"), "playground_engine": "fal", "fal_queue_run_host": "none.invalid"}
    async with whole_app(tmp_path, clock, **settings) as app:
        yield app


# -- what pays, by the app itself ------------------------------------------------------------------------------------

USE_CASES = {
    (kind.__name__, name)
    for kind in (Playground, Grids)
    for name, method in inspect.getmembers(kind, inspect.isfunction)
    if "press" in inspect.signature(method).parameters and not name.startswith("_")
}
"""Methods that make pictures: they take a press."""
CALLED = re.compile(r"(?:\b|_)(playground|grids)\.(\w+)\(")


def paid_for(function: Any, seen: set[int] | None = None) -> set[tuple[str, str]]:
    """Which of USE_CASES a function calls: by its source, and by that of functions that it holds."""
    seen = set() if seen is None else seen
    if id(function) in seen:
        return set()
    seen.add(id(function))
    found: set[tuple[str, str]] = set()
    if inspect.ismethod(function):
        found |= {(type(function.__self__).__name__, function.__name__)} & USE_CASES
        if found:
            return found
        function = function.__func__
    if not inspect.isfunction(function):
        return found
    for owner, name in CALLED.findall(inspect.getsource(function)):
        found |= {({"playground": "Playground", "grids": "Grids"}[owner], name)} & USE_CASES
    named = [function.__globals__.get(name) for name in function.__code__.co_names]
    held = [cell.cell_contents for cell in function.__closure__ or ()]
    for other in [*held, *(one for one in named if getattr(one, "__module__", "").startswith("ui."))]:
        if callable(other) and not inspect.isclass(other):
            found |= paid_for(other, seen)
    return found


def routes(app: FastAPI, of: list[BaseRoute] | None = None) -> Iterator[APIRoute]:
    for route in app.routes if of is None else of:
        if isinstance(route, APIRoute):
            yield route
        elif inner := getattr(getattr(route, "original_router", None), "routes", None):
            yield from routes(app, inner)


def paying_routes(app: FastAPI) -> dict[str, APIRoute]:
    return {route.path: route for route in routes(app) if paid_for(route.endpoint)}


def functions(app: FastAPI) -> dict[str, Any]:
    """Gradio's functions by their names: the API's, and the page's own."""
    [blocks] = [route.app.get_blocks() for route in app.routes if hasattr(getattr(route, "app", None), "get_blocks")]
    return {str(function.api_name): function for function in blocks.fns.values()}


def paying_functions(app: FastAPI) -> dict[str, Any]:
    return {name: function for name, function in functions(app).items() if paid_for(function.fn)}


async def test_every_paying_route_takes_a_key(whole):
    paying = paying_routes(whole.app)
    assert set(paying) >= {"/grids", "/grids/{grid_id}/retry", "/runs/{run_id}/retry", "/runs/{run_id}/new-seeds"}
    without = [path for path, route in paying.items() if not takes_a_key(route)]
    assert without == []


def takes_a_key(route: APIRoute) -> bool:
    return any(dependency.call is press_of_request for dependency in route.dependant.dependencies)


async def test_every_paying_function_takes_a_key(whole):
    paying = paying_functions(whole.app)
    assert set(paying) >= {"generate", "grid", "start", "press_generate"}
    without = [name for name, function in paying.items() if not reads_a_key(function.fn)]
    assert without == []
    public = {f"/{name}" for name, function in paying.items() if function.api_visibility == "public"}
    assert public == set(PAYING), "their MCP tools take the argument"


def reads_a_key(function: Any) -> bool:
    held = [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    source = inspect.getsource(function)
    return "press_of_call(" in source or any(reads_a_key(one) for one in held if inspect.isfunction(one))


def test_a_route_without_a_key_is_found():
    app = FastAPI()
    playground: Any = None

    @app.post("/new")
    async def new() -> None:
        await playground.generate(None, None)

    [(path, route)] = paying_routes(app).items()
    assert (path, takes_a_key(route)) == ("/new", False)


# -- the judge: double presses ---------------------------------------------------------------------------------------


@dataclass
class Double:
    """Two presses of the same thing at once."""

    path: str
    """The route as the app names it, or `/gradio_api/…` and the function's name."""
    body: dict[str, Any]
    counts: int
    """Pictures that one of the presses makes."""
    once: bool = False
    """One press however often: else each counts, unless both have the same key."""


@dataclass
class Bench:
    """Runs and grids to press buttons of."""

    whole: WholeApp
    done: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    grids: list[tuple[str, int]] = field(default_factory=list)
    """Id, and how many cells have no picture."""
    seeds: int = 0

    async def post(self, path: str, body: Any, key: str | None = None) -> Any:
        headers = {**TOKEN, **({"Idempotency-Key": key} if key else {})}
        answer = await self.whole.client.post(path, json=body, headers=headers)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def call(self, name: str, body: dict[str, Any], key: str | None = None) -> Any:
        """A call of the API as curl makes it."""
        begun = await self.post(f"/gradio_api/call/v2/{name}", body, key)
        address = f"/gradio_api/call/v2/{name}/{begun['event_id']}"
        lines = (await self.whole.client.get(address, headers=TOKEN)).text.splitlines()
        event, data = lines[0].removeprefix("event: "), json.loads(lines[1].removeprefix("data: "))
        assert event == "complete" or "refuse" in str(body), lines
        return data[0] if event == "complete" else None

    async def page_generate(self, body: dict[str, Any], key: str | None = None) -> Any:
        """A press of Generate, as Gradio's page sends it."""
        function = functions(self.whole.app)["press_generate"]
        data = [body.get((block.elem_id or "").removeprefix("field-"), block.value) for block in function.inputs]
        return await self.post("/gradio_api/run/predict", {"data": data, "fn_index": function._id}, key)

    def seed(self) -> int:
        """Another one each time: no picture that is there is reused."""
        self.seeds += 1
        return self.seeds

    async def settled(self) -> None:
        """Wait until no run is under way."""
        for _ in range(int(PATIENCE_SECONDS * 100)):
            if not await asyncio.to_thread(self.whole.playground.history.unfinished):
                return
            await asyncio.sleep(0.01)
        raise AssertionError("runs are still under way")

    async def fill(self, count: int) -> None:
        """Make what buttons are pressed of."""
        playground = self.whole.playground
        for prompt, into in (("a fox", self.done), ("refuse", self.refused), ("lose", self.lost)):
            made = [self.call("start", {"prompt": prompt, "seed": self.seed(), **SMALL}) for _ in range(count)]
            await asyncio.gather(*made)
            await self.settled()
            states = {"a fox": RunState.DONE, "refuse": RunState.FAILED, "lose": RunState.UNKNOWN}
            found = [entry.run for entry in playground.history.changed_since(EVERYONE, 0, limit=100_000)]
            into += [run.id for run in found if run.state is states[prompt] and run.grid_id is None]
            assert len(into) == count
        for number in range(count):
            prompt = "a fox, refuse" if number % 2 else "a fox"
            grid = await self.post("/grids", self.plan(prompt=prompt))
            self.grids.append((grid["id"], 2 if number % 2 else 0))
        await self.settled()

    def plan(self, prompt: str = "a fox", steps: str = "2, 3") -> dict[str, Any]:
        request = {"prompt": prompt, "seed": self.seed(), **SMALL}
        return {"request": request, "axes": [{"field": "num_inference_steps", "values": steps}]}

    def some_double(self, path: str, choose: random.Random) -> Double:
        """A press of this route, with what it is pressed of."""
        if path == "/runs/{run_id}/retry":
            pool = choose.choice([self.refused, self.lost])
            return Double(f"/runs/{pool.pop(choose.randrange(len(pool)))}/retry", {}, 1, once=True)
        if path.startswith("/runs/"):
            count, body = {
                "new-seeds": (4, {}),
                "nearby": (4, {"field": "guidance_scale"}),
                "repeat": (1, {}),
            }[path.rpartition("/")[2]]
            return Double(path.format(run_id=choose.choice(self.done)), body, count)
        if path == "/grids/{grid_id}/retry":
            at = choose.choice([at for at, (_, lost) in enumerate(self.grids) if lost])
            grid, lost = self.grids.pop(at)
            return Double(f"/grids/{grid}/retry", {}, lost, once=True)
        if path == "/grids/{grid_id}/repeat":
            return Double(f"/grids/{choose.choice([grid for grid, lost in self.grids if not lost])}/repeat", {}, 1)
        if path == "/grids" and choose.random() < 0.5:
            at = choose.choice([at for at, (_, lost) in enumerate(self.grids) if not lost])
            grid, _ = self.grids.pop(at)
            axes = [{"field": "num_inference_steps", "values": "2, 3, 4"}]
            return Double("/grids", {"grid_id": grid, "axes": axes}, 1, once=True)  # each cell is made once
        if path == "/grids":
            return Double("/grids", {**self.plan(), "reuse": False}, 2)
        body = {"prompt": "a fox", "seed": self.seed(), **SMALL}
        if path == "/gradio_api/grid":
            x = {"field": "seed", "values": [self.seed() + 10_000_000, self.seed() + 10_000_000]}
            return Double(path, {"request": body, "x": x}, 2)
        return Double(path, {"prompt": "a fox"} if path.endswith("press_generate") else body, 1)

    def press(self, double: Double, key: str | None) -> Awaitable[Any]:
        name = double.path.removeprefix("/gradio_api/")
        if name == double.path:
            return self.post(double.path, double.body, key)
        return self.page_generate(double.body, key) if name == "press_generate" else self.call(name, double.body, key)

    async def press_twice(self, double: Double, choose: random.Random) -> int:
        """By two tabs, or a tab and a script: with the same key, with keys of their own, or without. Returns how many
        pictures that asks for."""
        same = f"key {choose.random()}"
        keys = choose.choice([(same, same), (None, None), (f"{same} 1", f"{same} 2"), (None, same)])
        first, second = await asyncio.gather(*(self.press(double, key) for key in keys))
        if double.once or keys[0] == keys[1] == same:
            assert names_in(first) == names_in(second), double
            return double.counts
        return 2 * double.counts


def names_in(answer: Any) -> set[str]:
    """The ids of the runs, or of the grid, that an answer tells of."""
    if isinstance(answer, dict) and "cells" in answer:
        return {answer.get("id") or answer["grid_id"]}
    return set(re.findall(r"\b[0-9a-f]{32}\b", json.dumps(answer))) - set(
        re.findall(r"([0-9a-f]{32})\.\w+", json.dumps(answer))
    )


@asynccontextmanager
async def counted(fal: StandIn, bench: Bench) -> AsyncIterator[Callable[[], int]]:
    await bench.settled()
    before = fal.count("submit")
    yield lambda: fal.count("submit") - before


@pytest.mark.parametrize("presses", [120, pytest.param(1000, marks=pytest.mark.benchmark)])
async def test_double_presses_ask_fal_what_they_count_to(whole, fal, presses):
    choose = random.Random(20)
    paths = [*paying_routes(whole.app), *(f"/gradio_api/{name}" for name in paying_functions(whole.app))]
    bench = Bench(whole)
    await bench.fill(presses // 4)
    asked = 0
    async with counted(fal, bench) as sent:
        for _ in range(presses // AT_ONCE):
            doubles = [bench.some_double(choose.choice(paths), choose) for _ in range(AT_ONCE)]
            asked += sum(await asyncio.gather(*(bench.press_twice(double, choose) for double in doubles)))
        await bench.settled()
        assert sent() == asked


async def test_a_key_with_another_body_is_refused_and_so_is_a_short_one_of_nobody(whole):
    bench, key = Bench(whole), {"Idempotency-Key": "a key"}
    plan = bench.plan()
    first, again = [await whole.client.post("/grids", json=plan, headers={**TOKEN, **key}) for _ in range(2)]
    assert (first.status_code, again.status_code, first.json()["id"]) == (200, 200, again.json()["id"])
    other = await whole.client.post("/grids", json=bench.plan(), headers={**TOKEN, **key})
    assert (other.status_code, other.json()["message"][:49]) == (
        409,
        "This Idempotency-Key came with another request wi",
    )
    short = await whole.client.post("/grids", json=plan, headers=key)
    assert (short.status_code, short.json()["issues"][0]["field"]) == (422, "idempotency_key")
    await bench.settled()


async def test_a_call_of_the_api_with_a_reused_key_is_refused_before_gradio_answers_200(whole):
    """By every way in which functions of the API can be called over HTTP; the same call again is let through by all."""
    bench, key = Bench(whole), {"Idempotency-Key": "a key"}
    pages = (await whole.client.get("/config")).json()["dependencies"]
    numbers = {one["api_name"]: one["id"] for one in pages}
    info = (await whole.client.get("/gradio_api/info")).json()["named_endpoints"]
    axis = {"field": "seed", "values": "1, 2"}
    asked = {"/generate": {"prompt": "a fox", **SMALL}, "/start": {"prompt": "an owl", **SMALL},
             "/grid": {"request": {"prompt": "a hare", **SMALL}, "x": axis}}  # fmt: skip
    assert asked.keys() == set(PAYING)
    for path, named in asked.items():
        name = path.removeprefix("/")
        order = [(one["parameter_name"], one.get("parameter_default")) for one in info[path]["parameters"]]

        def ways(arguments, name=name, order=order):
            data = [arguments.get(argument, default) for argument, default in order]
            yield f"call/v2/{name}", arguments
            yield f"call/{name}", {"data": data}
            yield f"run/{name}", {"data": data}
            yield "queue/join", {"data": data, "fn_index": numbers[name], "session_hash": "ours"}

        for way, body in ways(named):
            answer = await whole.client.post(f"/gradio_api/{way}", json=body, headers={**TOKEN, **key})
            assert answer.status_code == 200, (way, answer.text)
            await bench.settled()
        changed = {"request": {"prompt": "x"}} if name == "grid" else {"prompt": "x"}
        for way, body in ways({**named, **changed}):
            answer = await whole.client.post(f"/gradio_api/{way}", json=body, headers={**TOKEN, **key})
            if way == "queue/join":
                assert answer.status_code == 200, "Gradio's clients would not tell its sentence"
                continue
            assert (answer.status_code, answer.json()["message"][:40]) == (
                409,
                "This Idempotency-Key came with another r",
            ), way
        short = await whole.client.post(f"/gradio_api/call/v2/{name}", json=named, headers=key)
        assert (short.status_code, "Idempotency-Key has 5 characters" in short.text) == (422, True)
    await bench.settled()
    made = (await whole.client.get("/history/ids", headers=TOKEN)).json()["ids"]
    assert len(made) == 4, "a picture of /generate, one of /start, two of /grid"


async def test_send_again_of_what_fal_took_says_so(whole, fal):
    bench = Bench(whole)
    fal.stages = [WORKING]
    fal.finish.clear()
    run_id = (await bench.call("start", {"prompt": "a fox", **SMALL}))["run_id"]
    for _ in range(2000):
        if whole.playground.history.get(run_id, EVERYONE).state in AT_FAL_STATES:
            break
        await asyncio.sleep(0.005)
    assert await bench.post(f"/runs/{run_id}/retry", {}) == {"runs": [run_id], "code": "taken"}
    second = await bench.post(f"/runs/{run_id}/retry", {"confirm": True})
    assert second == await bench.post(f"/runs/{run_id}/retry", {}) != {"runs": [run_id]}
    fal.finish.set()
    await bench.settled()
    assert fal.count("submit") == 2
