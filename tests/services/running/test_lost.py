"""Submits that were never answered, looked for in fal's list of requests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from support.clock import FakeClock
from support.standin import Lost, Reply, Seen, StandIn

from services.library.scope import EVERYONE
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.playground import Playground
from services.run import Run, RunState
from services.running.lost import FOUND, NOT_ALLOWED, NOT_FOUND, NOT_REACHED, PAUSES_SECONDS
from services.settings import Settings

REQUEST = Flux2FlexRequest(prompt="a fox", seed=7, image_size=ImageSize(width=64, height=64))
LOST = Lost(httpx.ReadTimeout("no answer"))
Open = Callable[..., Playground]


@pytest.fixture
async def open_(tmp_path: Path, fal: StandIn, clock: FakeClock) -> AsyncIterator[Open]:
    opened: list[Playground] = []

    def make(**settings: Any) -> Playground:
        defaults = {"fal_key": SecretStr("owner:secret"), "playground_engine": "fal", "playground_history": "shared"}
        opened.append(Playground(Settings(**{**defaults, "playground_data_dir": tmp_path, **settings}), clock=clock))
        return opened[-1]

    yield make
    for playground in opened:
        await playground.stop()


@pytest.fixture
async def playground(open_: Open) -> Playground:
    return open_()


async def press(playground: Playground, count: int = 1) -> list[Run]:
    return await playground.generate(None, REQUEST, count)


async def until(playground: Playground, run: Run, condition: Callable[[Run], object]) -> Run:
    for _ in range(2500):
        if condition(seen := playground.history.get(run.id, EVERYONE)):
            return seen
        await asyncio.sleep(0.002)
    raise AssertionError(f"it never came to that: {seen}")


def is_done(run: Run) -> bool:
    return run.state is RunState.DONE


async def test_found_it_goes_on_and_is_not_sent_again(playground, fal):
    fal.script("submit", LOST)
    (run,) = await press(playground)
    done = await until(playground, run, is_done)
    assert done.ticket is not None
    assert done.ticket.request_id in fal.taken
    assert (done.failure, fal.count("submit"), fal.accepted) == (None, 1, 1)
    assert playground.media.find("media", done.picture.name)


async def test_the_card_says_where_it_was_found(playground, fal):
    fal.script("submit", LOST)
    fal.script("status", lambda seen: notes.append(playground.history.get(run.id, EVERYONE).note))
    notes: list[str | None] = []
    (run,) = await press(playground)
    await until(playground, run, is_done)
    assert notes == [FOUND]


async def test_it_is_looked_for_until_it_has_ended_there(playground, fal):
    empty = Reply(200, {"items": [], "has_more": False})
    fal.script("submit", LOST)
    fal.script("list", empty, Reply(500, {"detail": "boom"}), Reply(200, b"no JSON"), Reply(200, {"items": 7}))
    (run,) = await press(playground)
    await until(playground, run, is_done)
    assert fal.count("list") == 5


async def test_on_a_later_page_it_is_found_too(playground, fal):
    fal.script("submit", LOST)
    fal.script("list", Reply(200, {"items": [], "has_more": True, "next_cursor": "Mg=="}))
    (run,) = await press(playground)
    await until(playground, run, is_done)
    assert "cursor=Mg%3D%3D" in fal.calls("list")[1].url


async def test_after_a_restart_it_is_looked_for(open_, fal):
    playground = open_()
    fal.script("submit", LOST)
    (run,) = await press(playground)
    await until(playground, run, lambda run: run.state is RunState.UNKNOWN)
    await playground.stop()
    again = open_()
    again.history.change(run.id, state=RunState.SUBMITTING, failure=None)
    await again.runner.recover()
    await until(again, run, is_done)
    assert fal.count("submit") == 1


async def test_two_lost_ones_of_the_same_settings_are_two_requests(playground, fal):
    fal.script("submit", LOST, LOST)
    runs = [(await press(playground))[0] for _ in range(2)]
    tickets = [(await until(playground, run, is_done)).ticket for run in runs]
    assert {ticket.request_id for ticket in tickets if ticket} == set(fal.taken)
    assert fal.accepted == 2


@pytest.mark.parametrize(
    ("listed", "said"),
    [
        (lambda seen: Reply(200, {"items": []}), NOT_FOUND),
        (lambda seen: Reply(200, {"items": [{"request_id": "x", "json_input": {"prompt": "a fox"}}]}), NOT_FOUND),
        (lambda seen: Reply(200, {"items": [{"request_id": "x", "json_input": None}]}), NOT_FOUND),
        (lambda seen: Reply(403, {"error": "forbidden"}), NOT_ALLOWED),
        (lambda seen: Reply(401, {"error": "unauthorized"}), NOT_ALLOWED),
        (lambda seen: Reply(503, b""), NOT_REACHED),
    ],
    ids=["empty", "another's", "no payloads", "403", "401", "503"],
)
async def test_what_is_not_found_stays_unknown_and_says_so(playground, fal, listed, said):
    fal.script("submit", LOST)
    fal.script("list", *[listed] * len(PAUSES_SECONDS))
    (run,) = await press(playground)
    unknown = await until(playground, run, lambda run: run.failure and said in run.failure.message)
    assert unknown.state is RunState.UNKNOWN
    assert unknown.failure.message.startswith("fal may have accepted this; it was not sent again.")
    assert fal.count("list") == (1 if said is NOT_ALLOWED else len(PAUSES_SECONDS))
    assert fal.count("submit") == 1


async def test_a_second_submission_by_hand_is_no_match_for_the_first(playground, fal):
    """Send again while it is being looked for: the second one's request is known as its own."""
    fal.script("submit", Lost(httpx.ReadTimeout("")))
    fal.script("list", *[Reply(200, {"items": []})] * 2)
    (run,) = await press(playground)
    await until(playground, run, lambda run: run.state is RunState.UNKNOWN)
    (second,) = await playground.retry(None, run.id)
    first, other = await until(playground, run, is_done), await until(playground, second, is_done)
    assert first.ticket.request_id != other.ticket.request_id


async def test_a_listed_request_whose_own_answer_is_on_its_way_is_no_match(playground, fal):
    """Sent again, listed already, and the answer comes only after the list was read."""
    taken, listed = asyncio.Event(), asyncio.Event()

    async def answered_late(seen: Seen) -> Reply:
        reply = fal.usual(seen)
        taken.set()
        await listed.wait()
        await asyncio.sleep(0.05)
        return reply

    async def listed_early(seen: Seen) -> None:
        await taken.wait()
        listed.set()

    fal.script("submit", LOST, answered_late)
    fal.script("list", listed_early)
    (run,) = await press(playground)
    await until(playground, run, lambda run: run.state is RunState.UNKNOWN)
    (second,) = await playground.retry(None, run.id)
    first, other = await until(playground, run, is_done), await until(playground, second, is_done)
    assert [first.ticket.request_id, other.ticket.request_id] == list(fal.taken)


@pytest.mark.parametrize(
    ("settings", "host"),
    [
        ({}, "api.fal.ai"),
        ({"fal_queue_run_host": "localhost:8443"}, None),
        ({"fal_queue_run_host": "localhost:8443", "playground_fal_api_host": "localhost:8444"}, "localhost:8444"),
    ],
)
async def test_where_it_is_looked_for(open_, fal, settings, host):
    playground = open_(**settings)
    fal.script("submit", LOST)
    asked: list[Seen] = []
    fal.script("list", asked.append)
    (run,) = await press(playground)
    if host is None:
        await until(playground, run, lambda run: run.state is RunState.UNKNOWN)
        await asyncio.sleep(0.05)
        assert asked == []
    else:
        await until(playground, run, lambda _: asked)
        assert asked[0].host == host
        assert asked[0].headers["authorization"] == "Key owner:secret"
        assert "endpoint_id=fal-ai%2Fflux-2-flex" in asked[0].url
        assert "expand=payloads" in asked[0].url


async def test_the_demo_engine_has_no_such_list(open_, fal):
    playground = open_(playground_engine="demo")
    fal.script("submit", LOST)
    (run,) = await press(playground)
    await until(playground, run, lambda run: run.state is RunState.UNKNOWN)
    await asyncio.sleep(0.05)
    assert fal.count("list") == 0


async def test_stopping_ends_the_search(open_, fal, clock):
    clock.wakes.clear()
    playground = open_()
    fal.script("submit", LOST)
    (run,) = await press(playground)
    await until(playground, run, lambda run: run.state is RunState.UNKNOWN)
    await asyncio.wait_for(playground.stop(), 2)
    assert playground.runner._lost._tasks == set()
