"""What the owner of a public page allows: pace, queue, locked settings; and what is deleted for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import select
from support.clock import FakeClock
from support.newest import newest

from services.clock import SYSTEM, Clock
from services.engines.registry import FORGET_SECONDS
from services.errors import InvalidRequest, NotFound, TooMuch
from services.grids.plan import parse_plan
from services.library.media import Media
from services.library.scope import EVERYONE
from services.library.tables import grid_cells, grids
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.playground import Playground
from services.run import Run, RunState, now
from services.settings import Settings

ANN, BOB = "a" * 32, "b" * 32
WORDS = "a fox that nobody else should read of"
REQUEST = Flux2FlexRequest(prompt=WORDS, seed=7, num_inference_steps=2, image_size=ImageSize(width=64, height=64))
Open = Callable[..., Playground]


@pytest.fixture
async def open_(tmp_path: Path) -> AsyncIterator[Open]:
    """open_(setting=…) → a playground on the demo engine; `idle=True` keeps its runs waiting."""
    opened: list[Playground] = []

    def make(*, idle: bool = False, media: Media | None = None, clock: Clock = SYSTEM, **settings: Any) -> Playground:
        defaults = {"playground_engine": "demo", "playground_history": "visitor", "playground_demo_step_seconds": 0}
        chosen = Settings(**{**defaults, "playground_data_dir": tmp_path, **settings})
        playground = Playground(chosen, media=media, clock=clock)
        if idle:
            playground.runner.take = lambda run: None  # type: ignore[method-assign]
        opened.append(playground)
        return playground

    yield make
    for playground in opened:
        await playground.stop()


async def press_all(playground: Playground, visitors: list[str | None]) -> tuple[int, list[TooMuch]]:
    """Press at the same time for all; how many went through, and what the others were told."""
    ends = await asyncio.gather(*(playground.generate(who, REQUEST) for who in visitors), return_exceptions=True)
    refused = [end for end in ends if isinstance(end, TooMuch)]
    assert all(isinstance(end, list | TooMuch) for end in ends)
    return len(ends) - len(refused), refused


async def made(playground: Playground, visitor: str | None) -> Run:
    (run,) = await playground.generate(visitor, REQUEST)
    return await asyncio.wait_for(playground.finished(None, run.id), 10)


class TestPace:
    async def test_50_at_once_never_pass_a_visitors_pace(self, open_):
        playground = open_(idle=True, playground_pictures_per_minute=6)
        through, refused = await press_all(playground, [ANN] * 50)
        assert (through, len(refused)) == (6, 44)
        assert str(refused[0]) == (
            "A visitor may ask for 6 pictures a minute; 6 were asked for in the last one. Try again in a minute, or "
            "enter your own fal key."
        )
        assert refused[0].retry_after == 60
        assert (await press_all(playground, [BOB] * 9))[0] == 6
        assert (await press_all(playground, [None] * 9))[0] == 6, "callers without a token share one pace"

    async def test_a_minute_later_there_is_room_again(self, open_):
        clock = FakeClock()
        playground = open_(idle=True, clock=clock, playground_pictures_per_minute=1)
        await playground.generate(ANN, REQUEST)
        clock.advance(59)
        with pytest.raises(TooMuch):
            await playground.generate(ANN, REQUEST)
        clock.advance(2)
        await playground.generate(ANN, REQUEST)

    async def test_50_at_once_never_pass_the_queues_limit(self, open_):
        playground = open_(idle=True, playground_queue_limit=10)
        through, refused = await press_all(playground, [f"{number:032}" for number in range(50)])
        assert (through, len(refused)) == (10, 40)
        assert str(refused[0]).startswith("10 pictures are waiting or being made here, and the owner allows 10 at once")
        for entry in newest(playground.history, EVERYONE, limit=3):
            playground.history.change(entry.run.id, state=RunState.DONE)
        assert (await press_all(playground, [ANN] * 9))[0] == 3

    async def test_ones_own_key_is_free_of_both(self, open_):
        playground = open_(idle=True, playground_pictures_per_minute=1, playground_queue_limit=1)
        await playground.enter_key(ANN, "id:their-secret")
        assert (await press_all(playground, [ANN] * 5))[0] == 5
        assert (await press_all(playground, [BOB] * 5))[0] == 1

    async def test_without_settings_there_is_no_limit(self, open_):
        assert (await press_all(open_(idle=True), [ANN] * 80))[0] == 80


class TestLockedSafety:
    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("safety_tolerance", "5", "Safety tolerance is locked at 2 by this page's owner."),
            ("safety_tolerance", "1", "Safety tolerance is locked at 2 by this page's owner."),
            ("enable_safety_checker", False, "Safety checker is locked at on by this page's owner."),
        ],
    )
    async def test_other_values_are_refused_at_their_control(self, open_, field, value, sentence):
        playground = open_(idle=True, playground_lock_safety=True)
        with pytest.raises(InvalidRequest) as caught:
            await playground.generate(ANN, REQUEST.vary(**{field: value}))
        (issue,) = caught.value.issues
        assert (issue.field, issue.message) == (field, sentence)
        await playground.generate(ANN, REQUEST)

    async def test_a_run_from_before_cannot_be_repeated_with_them(self, open_):
        playground = open_(idle=True)
        (run,) = await playground.generate(ANN, REQUEST.vary(safety_tolerance="5"))
        playground.history.change(run.id, state=RunState.FAILED)
        locked = open_(idle=True, playground_lock_safety=True)
        for ask in (locked.retry, locked.new_seeds):
            with pytest.raises(InvalidRequest, match="is locked"):
                await ask(ANN, run.id)


class TestDeleteEverything:
    async def test_nothing_of_ones_own_is_left_and_nothing_of_others_goes(self, open_, tmp_path, new_store):
        playground = open_(media=Media(new_store(tmp_path)))
        mine, others = await made(playground, ANN), await made(playground, BOB)
        deleted = await made(playground, ANN)
        await playground.delete(ANN, deleted.id)
        await playground.enter_key(ANN, "id:their-secret")
        for run in (mine, others, deleted):
            playground.media.shrunk(run.picture)

        assert await playground.delete_everything(ANN) == 2

        assert [entry.run.id for entry in playground.history.changed_since(EVERYONE, 0)] == [others.id]
        assert not playground.engines.has_key(ANN)
        assert [name for name, _ in playground.media.list("media")] == [others.picture.name]
        assert [name for name, _ in playground.media.list("thumbs")] == [others.picture.thumb]
        kept = {file.stem for file in (tmp_path / "demo").iterdir()}
        assert kept == {others.ticket.request_id}
        with pytest.raises(NotFound):
            await playground.run(ANN, mine.id)

    async def test_the_words_are_gone_from_the_files(self, open_, tmp_path):
        playground = open_()
        await made(playground, ANN)
        await playground.delete_everything(ANN)
        await playground.stop()
        assert not [file for file in tmp_path.rglob("*.*") if WORDS.encode() in file.read_bytes()]

    async def test_what_was_paid_for_today_still_counts_and_tells_nothing(self, open_):
        playground = open_(
            idle=True, playground_engine="fal", fal_key=SecretStr("a:b"), playground_visitor_budget_usd=1.0
        )
        (run,) = await playground.generate(ANN, REQUEST)
        playground.history.change(run.id, state=RunState.DONE)
        await playground.delete_everything(ANN)
        midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
        assert playground.history.owners_spending(midnight, everyone=True) == 0.05
        assert playground.history.owners_spending(midnight, ANN) == playground.history.owners_spending(midnight) == 0
        assert playground.history.changed_since(EVERYONE, 0) == []

    async def test_what_fal_goes_on_with_keeps_no_words_and_goes_when_it_ends(self, open_):
        playground = open_(idle=True, playground_engine="fal", fal_key=SecretStr("a:b"))
        (run,) = await playground.generate(ANN, REQUEST)
        await playground.note(ANN, run.id, WORDS)
        playground.history.change(run.id, state=RunState.SUBMITTING)
        playground.runner._tasks[run.id] = asyncio.current_task()
        await playground.delete_everything(ANN)
        (left,) = playground.history.changed_since(EVERYONE, 0)
        assert (left.run.request.prompt, left.run.notes, left.run.visitor) == ("(deleted)", "", None)
        await playground._purge()
        assert playground.history.changed_since(EVERYONE, 0), "it is still worked on"
        playground.history.change(run.id, state=RunState.CANCELLED)
        await playground._purge()
        assert playground.history.changed_since(EVERYONE, 0) == []
        playground.runner._tasks.clear()

    async def test_what_waits_for_a_key_that_is_gone_goes_too(self, open_):
        playground = open_(idle=True, playground_engine="fal", fal_key=SecretStr("a:b"))
        (run,) = await playground.generate(ANN, REQUEST)
        playground.history.change(run.id, state=RunState.RUNNING, key_of="visitor")
        await playground.delete_everything(ANN)
        await playground._purge()
        assert playground.history.changed_since(EVERYONE, 0) == []

    async def test_what_waits_is_never_sent(self, open_):
        playground = open_(idle=True)
        await playground.generate(ANN, REQUEST, 3)
        await playground.delete_everything(ANN)
        assert playground.history.unfinished() == []

    async def test_a_shared_history_is_nobodys_to_delete(self, open_):
        playground = open_(playground_history="shared")
        await made(playground, ANN)
        for who in (ANN, None):
            with pytest.raises(NotFound):
                await playground.delete_everything(who)
        assert playground.history.count(EVERYONE) == 1


class TestRetention:
    async def test_what_is_nobodys_goes_after_its_days(self, open_, tmp_path, new_store):
        playground = open_(media=Media(new_store(tmp_path)), playground_keep_nobodys_days=2)
        old, new, anns = await made(playground, None), await made(playground, None), await made(playground, ANN)
        for run in (old, anns):
            playground.history.change(run.id, created_at=now() - timedelta(days=3))
        await playground._purge()
        left = {entry.run.id for entry in playground.history.changed_since(EVERYONE, 0)}
        assert left == {new.id, anns.id}
        assert len(list(playground.media.list("media"))) == 2

    async def test_grids_of_nobody_go_with_their_cells(self, open_):
        clock = FakeClock()
        playground = open_(idle=True, clock=clock, playground_keep_nobodys_days=2)
        plan = parse_plan(REQUEST, [("seed", "7, 8")])
        nobodys, anns = [await playground.grids.make(who, plan) for who in (None, ANN)]
        clock.advance(2.5 * 24 * 3600)
        new = await playground.grids.make(None, plan)
        await playground._purge()
        tables = (grids.c.id, grid_cells.c.grid_id)
        assert [set(playground.history.values(select(column))) for column in tables] == [{anns.id, new.id}] * 2
        assert nobodys.id not in (anns.id, new.id)

    async def test_in_a_shared_history_nothing_is_nobodys(self, open_):
        playground = open_(playground_history="shared", playground_keep_nobodys_days=1)
        run = await made(playground, None)
        playground.history.change(run.id, created_at=now() - timedelta(days=3))
        await playground._purge()
        assert playground.history.count(EVERYONE) == 1


async def test_nothing_of_a_thousand_visitors_is_in_memory_half_a_day_later(open_):
    clock = FakeClock()
    playground = open_(idle=True, clock=clock)
    visitors = [f"{number:032x}" for number in range(1000)]
    engines = playground.engines
    for visitor in visitors:
        await playground.enter_key(visitor, f"id:{visitor}")
        (run,) = await playground.generate(visitor, REQUEST)
        engines.gateway(run)
        playground.tickets.add(playground.scope(visitor), None, "zip")
        async with playground.runner._in_flight.slot(engines.key_name(run)):
            pass
    clock.advance(FORGET_SECONDS - 1)
    engines.gateway(run)
    clock.advance(2)
    await playground.tidy()
    assert list(engines._visitor_keys) == [visitors[-1]], "it was used a moment ago"
    assert list(engines._gateways) == [f"visitor:{visitors[-1]}"]
    assert (len(playground.tickets), len(playground.runner._in_flight)) == (0, 0)
