"""One press makes its pictures once, however often and from wherever it comes: on a real history, with fal's own client
in the path."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from support.clock import FakeClock
from support.patience import PATIENCE_SECONDS
from support.standin import Lost, Reply, Seen, StandIn

from services.engines.fal import gateway as gateway_module
from services.errors import BudgetExceeded, Failure, InvalidRequest, KeyReused, NotFound, TooMuch
from services.grids.plan import parse_axes, parse_plan
from services.library.scope import EVERYONE
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.playground import Playground
from services.press import KEY_MAX, KEY_MIN, Press, press_of
from services.run import Run, RunState, Ticket
from services.settings import Settings

ANN, BOB = "a" * 32, "b" * 32
REQUEST = Flux2FlexRequest(prompt="a fox", seed=7, image_size=ImageSize(width=64, height=64))
STEPS = ("num_inference_steps", "2, 3, 4")
BOOM = Reply(500, {"detail": "boom"})
PRESS = press_of(ANN, "/route", "a key", b"{}")
DAY_SECONDS = 24 * 3600
Open = Callable[..., Playground]


@pytest.fixture
async def open_(tmp_path: Path, fal: StandIn, clock: FakeClock) -> AsyncIterator[Open]:
    opened: list[Playground] = []

    def make(**settings: Any) -> Playground:
        defaults = {"fal_key": SecretStr("owner:secret"), "playground_engine": "fal", "playground_history": "visitor"}
        defaults["fal_queue_run_host"] = "none.invalid"  # no list of requests there: test_lost.py is about it
        opened.append(Playground(Settings(**{**defaults, "playground_data_dir": tmp_path, **settings}), clock=clock))
        return opened[-1]

    yield make
    for playground in opened:
        await playground.stop()


@pytest.fixture
async def playground(open_: Open) -> Playground:
    return open_()


async def ended(playground: Playground, run: Run) -> Run:
    return await asyncio.wait_for(playground.finished(None, run.id), PATIENCE_SECONDS)


async def make(playground: Playground, visitor: str | None = ANN, **settings: Any) -> Run:
    [run] = await playground.generate(visitor, REQUEST.vary(**settings))
    return await ended(playground, run)


async def failed(playground: Playground, fal: StandIn) -> Run:
    fal.script("result", BOOM)
    run = await make(playground)
    assert (run.state, run.can_be_fetched) == (RunState.FAILED, False)
    return run


async def at_once(count: int, press: Callable[[], Awaitable[Any]]) -> list[Any]:
    return await asyncio.gather(*(press() for _ in range(count)))


class TestRetry:
    async def test_pressed_often_at_once_it_is_sent_once_and_each_gets_the_run(self, playground, fal):
        lost = await failed(playground, fal)
        answers = await at_once(8, lambda: playground.retry(ANN, lost.id))
        [name] = {run.id for [run] in answers}
        assert (await ended(playground, answers[0][0])).state is RunState.DONE
        assert (name != lost.id, fal.accepted) == (True, 2)

    async def test_pressed_later_it_gives_the_newest_of_the_chain(self, playground, fal):
        first = await failed(playground, fal)
        fal.script("result", BOOM)
        [second] = await playground.retry(ANN, first.id)
        await ended(playground, second)
        assert [run.id for run in await playground.retry(ANN, first.id)] == [second.id]
        [third] = await playground.retry(ANN, second.id)
        done = await ended(playground, third)
        for run in (first, second, third):
            assert await playground.retry(ANN, run.id) == [done]
        assert fal.accepted == 3

    async def test_an_unanswered_one_is_sent_again_once(self, playground, fal):
        fal.script("submit", Lost(gateway_module.httpx.ReadTimeout("")))
        unknown = await make(playground)
        answers = await at_once(4, lambda: playground.retry(ANN, unknown.id))
        assert len({run.id for [run] in answers}) == 1
        await ended(playground, answers[0][0])
        assert (unknown.state, fal.accepted) == (RunState.UNKNOWN, 2)

    async def test_two_servers_on_one_history_send_it_once(self, playground, open_, fal):
        other = open_()
        lost = await failed(playground, fal)
        answers = await asyncio.gather(*(server.retry(ANN, lost.id) for server in [playground, other] * 3))
        [name] = {run.id for [run] in answers}
        assert len(playground.history.many([name, lost.id], EVERYONE)) == playground.history.count(EVERYONE) == 2

    async def test_once_what_came_of_it_is_deleted_it_can_be_pressed_again(self, playground, fal):
        lost = await failed(playground, fal)
        [again] = await playground.retry(ANN, lost.id)
        await playground.delete(ANN, again.id)
        [other] = await playground.retry(ANN, lost.id)
        assert other.id not in (again.id, lost.id)

    @pytest.mark.parametrize(
        ("settings", "error"),
        [({"playground_visitor_budget_usd": 0.075}, BudgetExceeded), ({"playground_pictures_per_minute": 2}, TooMuch)],
        ids=["budget", "pace"],
    )
    async def test_a_limit_that_allows_one_more_refuses_none_of_the_same_presses(self, open_, fal, settings, error):
        playground = open_(**settings)
        # charged, so that the budget counts it
        fal.script("result", Reply(422, {"detail": [{"type": "content_policy_violation", "msg": "no", "loc": []}]}))
        lost = await make(playground)
        answers = await at_once(3, lambda: playground.retry(ANN, lost.id))
        assert len({run.id for [run] in answers}) == 1
        await ended(playground, answers[0][0])
        if error is TooMuch:
            with pytest.raises(TooMuch):
                await playground.generate(ANN, REQUEST)

    async def test_of_a_grids_run_it_takes_each_cell_once(self, playground, fal):
        fal.script("result", BOOM)
        grid = await playground.grids.make(ANN, parse_plan(REQUEST, [STEPS]))
        view = await playground.grids.finished(ANN, grid.id)
        [lost] = [run for run in view.in_cells if run.state is RunState.FAILED]
        single = [playground.retry(ANN, lost.id) for _ in range(3)]
        whole = [playground.grids.retry(ANN, grid.id) for _ in range(3)]
        answers = await asyncio.gather(*single, *whole)
        view = await playground.grids.finished(ANN, grid.id)
        [name] = {run.id for [run] in answers[:3]}
        assert name in view.grid.cells.values()
        assert [run.state for run in view.in_cells] == [RunState.DONE] * 3
        assert fal.accepted == 4

    async def test_what_fal_has_is_fetched_once_and_a_finished_one_is_never_set_back(self, playground, fal):
        fal.script("media", Reply(404, b"gone"))
        lost = await make(playground)
        assert lost.can_be_fetched
        await at_once(3, lambda: playground.retry(ANN, lost.id))
        done = await ended(playground, lost)
        assert done.state is RunState.DONE
        assert await playground.runner.fetch_again(lost) == done, "as a press that read the run before"
        assert (fal.accepted, fal.count("result")) == (1, 2)


class TestTaken:
    """The request id came while the page still offered Send again."""

    async def unanswered(self, playground: Playground, fal: StandIn) -> Run:
        fal.finish.clear()
        fal.script("submit", Lost(gateway_module.httpx.ReadTimeout("")))
        [run] = await playground.generate(ANN, REQUEST)
        return await ended(playground, run)

    async def comes(self, playground: Playground, fal: StandIn, run: Run) -> Run:
        [taken] = fal.taken.values()
        return await playground.runner._journal.accept(run, ticket_of(taken.id))

    async def test_nothing_is_sent_and_the_run_itself_is_returned(self, playground, fal):
        unknown = await self.unanswered(playground, fal)
        await self.comes(playground, fal, unknown)
        [answer] = await playground.retry(ANN, unknown.id)
        assert (answer.id, answer.state, answer.failure) == (unknown.id, RunState.SUBMITTED, None)
        assert fal.accepted == 1

    async def test_sent_even_so_it_is_sent_once(self, playground, fal):
        unknown = await self.unanswered(playground, fal)
        await self.comes(playground, fal, unknown)
        answers = await at_once(3, lambda: playground.retry(ANN, unknown.id, confirm=True))
        [name] = {run.id for [run] in answers}
        fal.finish.set()
        await ended(playground, answers[0][0])
        assert (name != unknown.id, fal.accepted) == (True, 2)
        assert [run.id for run in await playground.retry(ANN, unknown.id)] == [name]

    async def test_it_comes_while_send_again_is_on_its_way(self, playground, fal, monkeypatch):
        """After the run was read as unknown, before the new one is added."""
        unknown = await self.unanswered(playground, fal)
        home = playground.projects.home

        def meanwhile(*of: Any) -> str | None:
            [taken] = fal.taken.values()
            playground.history.accept_soon(unknown.id, ticket_of(taken.id)).result()
            return home(*of)

        monkeypatch.setattr(playground.projects, "home", meanwhile)
        [answer] = await playground.retry(ANN, unknown.id)
        assert (answer.id, answer.state) == (unknown.id, RunState.SUBMITTED)
        assert playground.history.count(EVERYONE) == fal.accepted == 1


def ticket_of(request_id: str) -> Ticket:
    url = f"https://queue.fal.run/fal-ai/flux-2-flex/requests/{request_id}"
    return Ticket(request_id=request_id, status_url=f"{url}/status", response_url=url, cancel_url=f"{url}/cancel")


class TestTheRequestId:
    @pytest.mark.parametrize("state", [state for state in RunState if state is not RunState.DONE])
    async def test_it_is_written_whatever_state_the_run_is_in_by_then(self, playground, fal, state):
        """The run was set so while its submit was on its way, by another server or a mistake."""
        lost: list[Run] = []

        def meanwhile(seen: Seen) -> None:
            [run] = playground.history.unfinished()
            failure = Failure(code="unanswered", message="No answer.")
            lost.append(playground.history.change(run.id, state=state, failure=failure, finished_at=run.created_at))

        fal.script("submit", meanwhile)
        [run] = await playground.generate(ANN, REQUEST)
        for _ in range(2500):
            if lost and (seen := playground.history.get(run.id, EVERYONE)).state is RunState.DONE:
                break
            await asyncio.sleep(0.002)
        assert (seen.state, seen.failure, seen.ticket.request_id in fal.taken) == (RunState.DONE, None, True)
        assert fal.accepted == 1

    async def test_a_run_that_was_cancelled_meanwhile_is_cancelled_at_fal(self, playground, fal):
        def cancelled(seen: Seen) -> None:
            [run] = playground.history.unfinished()
            playground.history.change(run.id, state=RunState.CANCELLED, cancel_asked=True)

        fal.finish.clear()
        fal.script("submit", cancelled)
        [run] = await playground.generate(ANN, REQUEST)
        for _ in range(2500):
            seen = playground.history.get(run.id, EVERYONE)
            if seen.ticket and seen.state is RunState.CANCELLED:
                break
            await asyncio.sleep(0.002)
        assert seen.ticket.request_id in fal.taken
        assert (fal.count("cancel"), fal.accepted) == (1, 1)


class TestKeys:
    async def calls(self, playground: Playground) -> dict[str, tuple[int, Callable[[Press | None], Awaitable[Any]]]]:
        """Everything that makes pictures: name → how many it makes, how it is called."""
        done = await make(playground)
        plan = parse_plan(REQUEST.vary(seed=99), [STEPS])
        grid = await playground.grids.make(ANN, parse_plan(REQUEST.vary(seed=11), [STEPS]))
        await playground.grids.finished(ANN, grid.id)
        more = parse_axes([("num_inference_steps", "2, 3, 4, 5")], grid.plan.base)
        grids = playground.grids
        return {
            "generate": (2, lambda press: playground.generate(ANN, REQUEST.vary(seed=None), 2, press=press)),
            "new_seeds": (4, lambda press: playground.new_seeds(ANN, done.id, press=press)),
            "nearby": (4, lambda press: playground.nearby(ANN, done.id, "guidance_scale", press=press)),
            "repeat": (1, lambda press: playground.repeat(ANN, done.id, press=press)),
            "make": (3, lambda press: grids.make(ANN, plan, reuse=False, press=press)),
            "extend": (1, lambda press: grids.extend(ANN, grid.id, more, press=press)),
            "repeat_check": (1, lambda press: grids.repeat_check(ANN, grid.id, press=press)),
        }

    @pytest.mark.parametrize("name", ["generate", "new_seeds", "nearby", "repeat", "make", "extend", "repeat_check"])
    async def test_the_same_key_makes_it_once_now_and_later(self, playground, open_, fal, name):
        count, call = (await self.calls(playground))[name]
        before = playground.history.count(EVERYONE)
        answers = await at_once(4, lambda: call(PRESS))
        answers.append(await call(PRESS))
        names = {str([run.id for run in answer] if isinstance(answer, list) else answer.id) for answer in answers}
        assert len(names) == 1
        assert playground.history.count(EVERYONE) == before + count
        await call(press_of(ANN, "/route", "another key", b"{}"))
        more = 0 if name == "extend" else count  # a grid's own cells are never made twice
        assert playground.history.count(EVERYONE) == before + count + more
        with pytest.raises(KeyReused):
            await call(press_of(ANN, "/route", "a key", b'{"other": true}'))

    async def test_a_restart_and_another_server_know_it(self, open_, fal):
        first = open_()
        [run] = await first.generate(ANN, REQUEST, press=PRESS)
        await first.stop()
        for server in (open_(), open_()):
            assert [seen.id for seen in await server.generate(ANN, REQUEST, press=PRESS)] == [run.id]

    async def test_two_servers_at_once_make_it_once(self, playground, open_, fal):
        servers = [playground, open_()] * 4
        answers = await asyncio.gather(*(server.generate(ANN, REQUEST, press=PRESS) for server in servers))
        assert len({run.id for [run] in answers}) == playground.history.count(EVERYONE) == 1

    async def test_visitors_and_routes_have_keys_of_their_own(self, playground):
        presses = [press_of(ANN, "/a", "key", b""), press_of(BOB, "/a", "key", b""), press_of(ANN, "/b", "key", b"")]
        runs = [await playground.generate(press.visitor, REQUEST, press=press) for press in presses]
        assert len({run.id for [run] in runs}) == 3

    async def test_it_is_kept_for_a_day(self, playground, clock, fal):
        first = await playground.generate(ANN, REQUEST, press=PRESS)
        await ended(playground, first[0])
        clock.advance(DAY_SECONDS - 300)
        assert [run.id for run in await playground.generate(ANN, REQUEST, press=PRESS)] == [first[0].id]
        clock.advance(300)
        [second] = await playground.generate(ANN, REQUEST, press=PRESS)
        assert second.id != first[0].id
        clock.advance(DAY_SECONDS)
        playground.asking.presses.sweep()
        assert kept(playground) == 0

    async def test_it_goes_with_the_visitor(self, playground, fal):
        run = (await playground.generate(ANN, REQUEST, press=PRESS))[0]
        await playground.generate(BOB, REQUEST, press=press_of(BOB, "/route", "a key", b"{}"))
        await ended(playground, run)
        await playground.delete_everything(ANN)
        assert kept(playground) == 1

    async def test_what_was_refused_can_be_asked_for_again(self, playground, fal):
        with pytest.raises(InvalidRequest):
            await playground.generate(ANN, REQUEST, 9, press=PRESS)
        assert len(await playground.generate(ANN, REQUEST, press=PRESS)) == 1

    async def test_a_budget_for_one_refuses_none_of_the_same_presses(self, open_, fal):
        playground = open_(playground_visitor_budget_usd=0.05)
        answers = await at_once(4, lambda: playground.generate(ANN, REQUEST, press=PRESS))
        assert len({run.id for [run] in answers}) == 1
        with pytest.raises(BudgetExceeded):
            await playground.generate(ANN, REQUEST)

    async def test_a_picture_that_is_gone_is_not_made_again(self, playground, fal):
        [run] = await playground.generate(ANN, REQUEST, press=PRESS)
        await ended(playground, run)
        playground.history.forget(playground.scope(ANN).clause())
        with pytest.raises(NotFound):
            await playground.generate(ANN, REQUEST, press=PRESS)

    @pytest.mark.parametrize(
        ("visitor", "key", "fits"),
        [
            (ANN, "k", True),
            (ANN, "  ", False),
            (ANN, "k" * KEY_MAX, True),
            (ANN, "k" * (KEY_MAX + 1), False),
            (None, "k" * (KEY_MIN - 1), False),
            (None, "k" * KEY_MIN, True),
        ],
    )
    def test_how_long_a_key_is(self, visitor, key, fits):
        if fits:
            assert press_of(visitor, "/a", key, b"").key
        else:
            with pytest.raises(InvalidRequest, match=r"Allowed are (1|16) to 255"):
                press_of(visitor, "/a", key, b"")

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            (b'{"a": 1, "b": 2}', b'{"b":2,"a":1}', True),
            (b"", b"null", True),
            (b'{"a": 1}', b'{"a": 2}', False),
            (b"\xff no JSON", b"\xfe no JSON", False),
        ],
    )
    def test_which_bodies_are_the_same(self, one, other, same):
        assert (press_of(ANN, "/a", "k", one) == press_of(ANN, "/a", "k", other)) is same


class TestGrids:
    async def test_extended_twice_at_once_each_cell_is_made_once(self, playground, fal):
        grid = await playground.grids.make(ANN, parse_plan(REQUEST, [STEPS]))
        more = parse_axes([("num_inference_steps", "2, 3, 4, 5, 6")], grid.plan.base)
        await at_once(3, lambda: playground.grids.extend(ANN, grid.id, more))
        view = await playground.grids.finished(ANN, grid.id)
        assert [run.state for run in view.in_cells] == [RunState.DONE] * 5
        assert fal.accepted == 5

    async def test_retried_in_three_tabs_each_cell_is_made_once(self, playground, fal):
        fal.script("result", BOOM, BOOM)
        grid = await playground.grids.make(ANN, parse_plan(REQUEST, [STEPS]))
        view = await playground.grids.finished(ANN, grid.id)
        [done] = [run for run in view.in_cells if run.state is RunState.DONE]
        await playground.delete(ANN, done.id)
        await at_once(3, lambda: playground.grids.retry(ANN, grid.id))
        view = await playground.grids.finished(ANN, grid.id)
        assert [run.state for run in view.in_cells] == [RunState.DONE] * 3
        assert fal.accepted == 6

    async def test_a_limit_that_allows_it_once_refuses_no_tab(self, open_, fal):
        playground = open_(playground_pictures_per_minute=6)
        fal.script("result", BOOM, BOOM, BOOM)
        grid = await playground.grids.make(ANN, parse_plan(REQUEST, [STEPS]))
        await playground.grids.finished(ANN, grid.id)
        await at_once(3, lambda: playground.grids.retry(ANN, grid.id))
        await playground.grids.finished(ANN, grid.id)
        assert fal.accepted == 6


def kept(playground: Playground) -> int:
    """How many presses are in the database."""
    from sqlalchemy import func, select

    from services.library.tables import presses

    [count] = playground.history.values(select(func.count()).select_from(presses))
    return int(count)
