"""The use cases, with a real history; the runner only notes what it was given."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from pydantic import SecretStr
from support.clock import FakeClock
from support.newest import newest
from support.patience import PATIENCE_SECONDS

from services.clock import SYSTEM, Clock
from services.errors import BudgetExceeded, InvalidRequest, KeyNeeded, NotFound
from services.intake.pricing import Cheaper
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.kinds.integer import SEED_MAX
from services.models.sizes import ImageSize
from services.playground import NEW_SEEDS, UNDO_SECONDS, Playground
from services.run import Run, RunState, now
from services.settings import Settings

ANN, BOB = "a" * 32, "b" * 32
REQUEST = Flux2FlexRequest(prompt="a fox", seed=7)
Open = Callable[..., Playground]


@pytest.fixture
async def open_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Open]:
    """open_(setting=…) → a playground on fal's engine whose runs stay as they are; `.taken` are those given to work."""
    opened: list[Playground] = []

    def make(clock: Clock = SYSTEM, **settings: Any) -> Playground:
        defaults = {"fal_key": SecretStr("owner:secret"), "playground_engine": "fal", "playground_history": "visitor"}
        playground = Playground(Settings(**{**defaults, "playground_data_dir": tmp_path, **settings}), clock=clock)
        playground.taken = []  # type: ignore[attr-defined]
        monkeypatch.setattr(playground.runner, "take", playground.taken.append)  # type: ignore[attr-defined]
        opened.append(playground)
        return playground

    yield make
    for playground in opened:
        await playground.stop()


@pytest.fixture
async def playground(open_: Open) -> Playground:
    return open_()


def seeds(runs: list[Run]) -> list[int | None]:
    return [run.request.seed for run in runs]


def finish(playground: Playground, run: Run, **fields: Any) -> Run:
    """As if its picture had come."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64)).save(out, "jpeg")
    picture = playground.media.keep(out.getvalue(), run.request)
    return playground.history.change(run.id, state=RunState.DONE, picture=picture, finished_at=now(), **fields)


def files(folder: Path) -> list[Path]:
    return [file for place in ("media", "thumbs") for file in (folder / place).iterdir()]


class TestProjects:
    async def test_what_is_asked_for_goes_to_the_chosen_project(self, playground):
        scope = playground.scope(ANN)
        travel = playground.projects.make(ANN, scope, "Slow Travel").id
        [before] = await playground.generate(ANN, REQUEST)
        playground.projects.choose(ANN, scope, travel)
        [run] = await playground.generate(ANN, REQUEST)
        more = [*await playground.new_seeds(ANN, before.id), *await playground.nearby(ANN, before.id, "guidance_scale")]
        assert before.project_id is None
        assert {made.project_id for made in [run, *more]} == {travel}
        assert (await playground.generate(BOB, REQUEST))[0].project_id is None
        assert (await playground.generate(None, REQUEST))[0].project_id is None

    async def test_with_all_projects_chosen_it_goes_where_it_comes_from(self, playground):
        scope = playground.scope(ANN)
        travel = playground.projects.make(ANN, scope, "Slow Travel").id
        playground.projects.choose(ANN, scope, travel)
        [run] = await playground.generate(ANN, REQUEST)
        playground.projects.choose(ANN, scope, "all")
        playground.history.change(run.id, state=RunState.CANCELLED)
        assert [made.project_id for made in await playground.retry(ANN, run.id)] == [travel]
        assert (await playground.generate(ANN, REQUEST))[0].project_id is None


class TestRepeat:
    async def test_the_same_again_with_the_seed_that_was_used(self, playground):
        [run] = await playground.generate(ANN, REQUEST)
        finish(playground, run, seed_used=9)
        [again] = await playground.repeat(ANN, run.id)
        assert (again.request, again.repeat_of) == (REQUEST.vary(seed=9), run.id)
        assert playground.taken[-1].id == again.id
        with pytest.raises(NotFound):
            await playground.repeat(BOB, run.id)

    async def test_another_engine_cannot_make_the_same(self, playground):
        [run] = await playground.generate(ANN, REQUEST)
        playground.history.change(run.id, engine="demo")
        with pytest.raises(InvalidRequest, match="made by the demo engine, and fal makes them now"):
            await playground.repeat(ANN, run.id)


class TestGenerate:
    @pytest.mark.parametrize("count", [1, 2, 8])
    async def test_a_seed_counts_up(self, playground, count):
        runs = await playground.generate(ANN, REQUEST, count)
        assert seeds(runs) == list(range(7, 7 + count))
        assert [run.id for run in playground.taken] == [run.id for run in runs]
        assert all(run.request.vary(seed=7) == REQUEST for run in runs)

    async def test_runs_are_pending_in_the_history_with_owner_engine_and_estimate(self, playground):
        (run,) = await playground.generate(ANN, REQUEST.vary(image_size="square_hd"))
        assert (run.state, run.visitor, run.engine, run.key_of) == (RunState.PENDING, ANN, "fal", "owner")
        assert run.cost_usd == 0.05
        assert await playground.run(ANN, run.id) == run

    async def test_without_a_seed_each_gets_a_random_one_that_is_kept(self, playground):
        runs = await playground.generate(ANN, Flux2FlexRequest(prompt="a fox"), 8)
        assert len(set(seeds(runs))) == 8
        assert all(isinstance(seed, int) and 0 <= seed <= SEED_MAX for seed in seeds(runs))

    @pytest.mark.parametrize("count", [0, -1, 9])
    async def test_another_count_is_refused(self, playground, count):
        with pytest.raises(InvalidRequest) as caught:
            await playground.generate(ANN, REQUEST, count)
        assert caught.value.issues[0].field == "images"
        assert str(caught.value) == f"Images: {count} is not 1 to 8."
        assert playground.taken == []

    async def test_seeds_do_not_run_over(self, playground):
        assert seeds(await playground.generate(ANN, REQUEST.vary(seed=SEED_MAX - 1), 2)) == [SEED_MAX - 1, SEED_MAX]
        with pytest.raises(InvalidRequest, match="leaves no room for 2 pictures") as caught:
            await playground.generate(ANN, REQUEST.vary(seed=SEED_MAX), 2)
        assert caught.value.issues[0].field == "seed"

    async def test_a_press_stands_in_its_own_order_and_newer_presses_above(self, playground):
        await playground.generate(ANN, REQUEST, 3)
        await playground.generate(ANN, REQUEST.vary(seed=100), 2)
        page = newest(playground.history, playground.scope(ANN))
        assert seeds([entry.run for entry in page]) == [100, 101, 7, 8, 9]

    async def test_without_the_owners_key_a_key_is_asked_for(self, open_):
        playground = open_(fal_key=None)
        with pytest.raises(KeyNeeded, match="set FAL_KEY where the server runs"):
            await playground.generate(ANN, REQUEST)
        assert newest(playground.history, playground.scope(ANN)) == []

    async def test_a_visitors_own_key_makes_it_theirs_to_pay(self, open_):
        playground = open_(fal_key=None, playground_engine="demo")
        await playground.enter_key(ANN, " id:their-secret\n")
        (anns,) = await playground.generate(ANN, REQUEST)
        (bobs,) = await playground.generate(BOB, REQUEST)
        assert (anns.engine, anns.key_of, anns.cost_usd) == ("fal", "visitor", 0.05)
        assert (bobs.engine, bobs.key_of, bobs.cost_usd) == ("demo", "owner", 0.0)
        playground.forget_key(ANN)
        assert (await playground.generate(ANN, REQUEST))[0].engine == "demo"

    @pytest.mark.parametrize("key", ["", "short", "with a space", "ключ-ключ-ключ", "x" * 501, "line\nbreak:secret"])
    async def test_what_is_no_key_is_refused_and_not_repeated(self, playground, key):
        with pytest.raises(InvalidRequest, match="does not look like a fal key") as caught:
            await playground.enter_key(ANN, key)
        assert caught.value.issues[0].field == "key"
        assert not key or key not in str(caught.value)
        assert not playground.engines.has_key(ANN)

    async def test_the_estimate(self, open_):
        playground = open_()
        large = REQUEST.vary(image_size={"width": 1040, "height": 1024})
        estimate = playground.estimate(ANN, large, 4)
        assert (estimate.count, estimate.engine) == (4, "fal")
        assert estimate.cost_usd == pytest.approx(0.40)
        assert estimate.cheaper == Cheaper(1024, 1024, 0.05)
        demo = open_(playground_engine="demo").estimate(ANN, large, 4)
        assert (demo.cost_usd, demo.engine, demo.cheaper) == (0.0, "demo", None)


class TestVariations:
    async def made(self, playground: Playground, **settings: Any) -> Run:
        (run,) = await playground.generate(ANN, REQUEST.vary(**settings))
        return run

    @pytest.mark.parametrize(
        ("guidance", "around"),
        [(3.5, [2.5, 3.0, 4.0, 4.5]), (1.5, [2.0, 2.5]), (2.0, [1.5, 2.5, 3.0]), (10, [9.0, 9.5])],
    )
    async def test_nearby_guidance_stays_in_range(self, playground, guidance, around):
        run = await self.made(playground, guidance_scale=guidance)
        runs = await playground.nearby(ANN, run.id, "guidance_scale")
        assert [run.request.guidance_scale for run in runs] == around
        assert set(seeds(runs)) == {7}

    @pytest.mark.parametrize(
        ("steps", "around"),
        [(28, [18, 23, 33, 38]), (2, [7, 12]), (50, [40, 45]), (45, [35, 40, 50])],
    )
    async def test_nearby_steps_stay_in_range(self, playground, steps, around):
        run = await self.made(playground, num_inference_steps=steps)
        runs = await playground.nearby(ANN, run.id, "num_inference_steps")
        assert [run.request.num_inference_steps for run in runs] == around
        others = {run.request.vary(num_inference_steps=28) for run in runs}
        assert others == {run.request.vary(num_inference_steps=28)}

    async def test_nearby_keeps_the_seed_that_fal_used(self, playground):
        run = await self.made(playground)
        finish(playground, run, seed_used=99)
        assert set(seeds(await playground.nearby(ANN, run.id, "guidance_scale"))) == {99}

    @pytest.mark.parametrize("field", ["seed", "prompt", "None", ""])
    async def test_nearby_knows_two_fields(self, playground, field):
        run = await self.made(playground)
        with pytest.raises(InvalidRequest, match="Nearby works on guidance_scale, num_inference_steps"):
            await playground.nearby(ANN, run.id, field)

    async def test_new_seeds_change_nothing_else(self, playground):
        run = await self.made(playground, guidance_scale=5)
        runs = await playground.new_seeds(ANN, run.id)
        assert len({7, *seeds(runs)}) == NEW_SEEDS + 1
        assert {run.request.but(seed=7) for run in runs} == {run.request}

    @pytest.mark.parametrize("state", [RunState.FAILED, RunState.CANCELLED, RunState.UNKNOWN])
    async def test_retry_asks_anew_where_there_is_nothing_to_fetch(self, playground, state):
        run = await self.made(playground)
        playground.history.change(run.id, state=state)
        (again,) = await playground.retry(ANN, run.id)
        assert again.id != run.id
        assert again.request == run.request
        assert again.id in [run.id for run in playground.taken]

    async def test_retry_of_work_under_way_is_no_second_request(self, playground):
        run = await self.made(playground)
        assert await playground.retry(ANN, run.id) == [run]
        assert [taken.id for taken in playground.taken] == [run.id]


class TestBudgets:
    PRICE = 0.05

    async def press_all(self, playground: Playground, visitors: list[str | None]) -> tuple[int, list[BudgetExceeded]]:
        """Press at the same time for all; how many went through, and what the others were told."""
        ends = await asyncio.gather(*(playground.generate(who, REQUEST) for who in visitors), return_exceptions=True)
        refused = [end for end in ends if isinstance(end, BudgetExceeded)]
        assert all(isinstance(end, list | BudgetExceeded) for end in ends)
        return len(ends) - len(refused), refused

    async def test_50_at_once_never_exceed_a_visitors_budget(self, open_):
        playground = open_(playground_visitor_budget_usd=1.0)
        through, refused = await self.press_all(playground, [ANN] * 50)
        assert (through, len(refused)) == (20, 30)
        assert str(refused[0]) == (
            "Each visitor may spend $1.00 a day; ≈ $1.00 is used and this would add ≈ $0.05. Make fewer or smaller "
            "pictures, enter your own fal key, or come back tomorrow."
        )
        assert (await self.press_all(playground, [BOB]))[0] == 1

    async def test_50_at_once_never_exceed_the_budget_of_all(self, open_):
        playground = open_(playground_daily_budget_usd=0.75)
        through, refused = await self.press_all(playground, [f"{number:032}" for number in range(50)])
        assert (through, len(refused)) == (15, 35)
        assert str(refused[0]).startswith("All visitors together may spend $0.75 a day;")

    async def test_callers_without_a_token_share_one_budget(self, open_):
        playground = open_(playground_visitor_budget_usd=0.10)
        through, refused = await self.press_all(playground, [None] * 5)
        assert through == 2
        assert str(refused[0]).startswith("Callers without a token may together spend $0.10 a day;")

    async def test_a_press_goes_through_whole_or_not_at_all(self, open_):
        playground = open_(playground_visitor_budget_usd=0.20)
        await playground.generate(ANN, REQUEST, 2)
        with pytest.raises(BudgetExceeded) as caught:
            await playground.generate(ANN, REQUEST, 3)
        assert (caught.value.limit_usd, caught.value.spent_usd) == (0.20, 0.10)
        assert caught.value.asked_usd == pytest.approx(0.15)
        assert len(newest(playground.history, playground.scope(ANN))) == 2
        await playground.generate(ANN, REQUEST, 2)

    async def test_what_was_not_charged_can_be_spent_again(self, open_):
        playground = open_(playground_visitor_budget_usd=0.05)
        (run,) = await playground.generate(ANN, REQUEST)
        playground.history.change(run.id, state=RunState.FAILED)
        await playground.generate(ANN, REQUEST)

    async def test_an_unanswered_submit_counts(self, open_):
        playground = open_(playground_visitor_budget_usd=0.05)
        (run,) = await playground.generate(ANN, REQUEST)
        playground.history.change(run.id, state=RunState.UNKNOWN)
        with pytest.raises(BudgetExceeded):
            await playground.retry(ANN, run.id)

    async def test_a_new_day_begins_at_midnight(self, open_):
        clock = FakeClock()
        playground = open_(clock=clock, playground_visitor_budget_usd=0.05)
        await playground.generate(ANN, REQUEST)
        with pytest.raises(BudgetExceeded):
            await playground.generate(ANN, REQUEST)
        clock.advance(24 * 3600)
        await playground.generate(ANN, REQUEST)

    async def test_ones_own_key_and_the_demo_engine_have_no_budget(self, open_):
        playground = open_(playground_visitor_budget_usd=0.0)
        await playground.enter_key(ANN, "id:their-secret")
        await playground.generate(ANN, REQUEST, 8)
        with pytest.raises(BudgetExceeded):
            await playground.generate(BOB, REQUEST)
        await open_(playground_engine="demo", playground_visitor_budget_usd=0.0).generate(BOB, REQUEST)

    async def test_a_deleted_picture_does_not_give_its_money_back(self, open_):
        playground = open_(playground_visitor_budget_usd=0.05)
        (run,) = await playground.generate(ANN, REQUEST)
        finish(playground, run)
        await playground.delete(ANN, run.id)
        with pytest.raises(BudgetExceeded):
            await playground.generate(ANN, REQUEST)


class TestWhoSeesWhat:
    ACTIONS = ("run", "cancel", "retry", "delete", "undelete", "new_seeds")

    async def test_visitors_do_not_see_each_other(self, playground):
        (anns,) = await playground.generate(ANN, REQUEST)
        (nobodys,) = await playground.generate(None, REQUEST)
        assert [entry.run.id for entry in newest(playground.history, playground.scope(ANN))] == [anns.id]
        assert newest(playground.history, playground.scope(BOB)) == []
        assert newest(playground.history, playground.scope(None)) == []
        for run in (anns, nobodys):
            for action in self.ACTIONS:
                with pytest.raises(NotFound):
                    await getattr(playground, action)(BOB, run.id)
            with pytest.raises(NotFound):
                await playground.favourite(BOB, run.id, True)
            with pytest.raises(NotFound):
                await playground.nearby(BOB, run.id, "guidance_scale")
        assert await playground.run(ANN, anns.id) == anns

    async def test_shared_mode_is_one_history_for_all(self, open_):
        playground = open_(playground_history="shared")
        runs = [(await playground.generate(who, REQUEST))[0] for who in (ANN, BOB, None)]
        for who in (ANN, BOB, None):
            seen = newest(playground.history, playground.scope(who))
            assert {entry.run.id for entry in seen} == {run.id for run in runs}
            assert await playground.run(who, runs[0].id) == runs[0]

    async def test_totals_are_ones_own(self, playground):
        (run,) = await playground.generate(ANN, REQUEST)
        finish(playground, run)
        yesterday = now() - timedelta(days=1)
        assert (await playground.totals(ANN, yesterday)).pictures == 1
        assert (await playground.totals(BOB, yesterday)).pictures == 0

    async def test_a_caller_without_a_token_can_wait_for_its_run(self, playground):
        (run,) = await playground.generate(None, REQUEST)
        waiting = asyncio.create_task(playground.finished(None, run.id))
        await asyncio.sleep(0.02)
        assert not waiting.done()
        finish(playground, run)
        playground.changes.tell(None)
        assert (await asyncio.wait_for(waiting, PATIENCE_SECONDS)).state is RunState.DONE


class TestButtons:
    async def test_favourite_on_and_off(self, playground):
        (run,) = await playground.generate(ANN, REQUEST)
        assert (await playground.favourite(ANN, run.id, True)).favourite
        assert (await playground.run(ANN, run.id)).favourite
        assert not (await playground.favourite(ANN, run.id, False)).favourite

    async def test_delete_hides_and_undelete_brings_back(self, playground, tmp_path):
        (run,) = await playground.generate(ANN, REQUEST)
        finish(playground, run)
        await playground.delete(ANN, run.id)
        assert newest(playground.history, playground.scope(ANN)) == []
        assert len(files(tmp_path)) == 2
        await playground.undelete(ANN, run.id)
        assert [entry.run.id for entry in newest(playground.history, playground.scope(ANN))] == [run.id]

    async def test_delete_cancels_what_was_not_sent(self, playground):
        (run,) = await playground.generate(ANN, REQUEST)
        deleted = await playground.delete(ANN, run.id)
        assert deleted.state is RunState.CANCELLED
        assert deleted.deleted_at

    @pytest.mark.parametrize(("age", "stays"), [(UNDO_SECONDS - 60, True), (UNDO_SECONDS + 60, False)])
    async def test_the_next_start_forgets_what_was_deleted_long_ago(self, open_, tmp_path, age, stays):
        playground = open_()
        (run,) = await playground.generate(ANN, REQUEST)
        finish(playground, run)
        playground.history.change(run.id, deleted_at=now() - timedelta(seconds=age))
        await playground.stop()
        again = open_()
        await again.start()
        assert len(files(tmp_path)) == (2 if stays else 0)
        if stays:
            assert (await again.undelete(ANN, run.id)).deleted_at is None
        else:
            with pytest.raises(NotFound):
                await again.undelete(ANN, run.id)

    async def test_what_was_paid_for_today_still_counts_after_it_was_deleted(self, open_, tmp_path):
        playground = open_()
        (run,) = await playground.generate(ANN, REQUEST)
        finish(playground, run)
        playground.history.change(run.id, deleted_at=now() - timedelta(seconds=UNDO_SECONDS + 60), cost_usd=0.05)
        await playground.stop()
        again = open_()
        await again.start()
        midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
        assert again.history.owners_spending(midnight, ANN) == 0.05
        assert (await again.totals(ANN, midnight)).cost_usd == 0.05
        assert files(tmp_path) == []
        with pytest.raises(NotFound):
            await again.run(ANN, run.id)

    async def test_every_change_wakes_those_who_may_see_it(self, playground):
        with (
            playground.changes.listen(playground.scope(ANN)) as anns,
            playground.changes.listen(playground.scope(BOB)) as bobs,
            playground.changes.listen(playground.scope(None)) as nobodys,
        ):
            for change in ("generate", "favourite", "delete", "undelete"):
                if change == "generate":
                    (run,) = await playground.generate(ANN, REQUEST)
                elif change == "favourite":
                    await playground.favourite(ANN, run.id, True)
                else:
                    await getattr(playground, change)(ANN, run.id)
                assert anns.is_set(), change
                anns.clear()
            assert not bobs.is_set()
            assert not nobodys.is_set()

    async def test_stopping_wakes_every_listener(self, playground):
        with playground.changes.listen(playground.scope(ANN)) as wake:
            await playground.stop()
            assert wake.is_set()
            assert playground.changes.closed


def test_a_custom_size_is_estimated_by_its_pixels(tmp_path):
    playground = Playground(Settings(fal_key=SecretStr("a:b"), playground_data_dir=tmp_path))
    request = REQUEST.vary(image_size=ImageSize(width=2048, height=1024).model_dump())
    assert playground.estimate(None, request, 3).cost_usd == pytest.approx(0.30)
    playground.history.close()


class TestWildcards:
    async def test_each_prompt_is_made_with_the_same_seeds(self, playground):
        runs = await playground.generate(ANN, REQUEST.vary(prompt="{red|blue} fox"), 2, expand=True)
        asked = [(run.request.prompt, run.request.seed) for run in runs]
        assert asked == [("red fox", 7), ("red fox", 8), ("blue fox", 7), ("blue fox", 8)]
        random = await playground.generate(ANN, Flux2FlexRequest(prompt="{red|blue} fox"), expand=True)
        assert len({run.request.seed for run in random}) == 1

    async def test_braces_are_text_where_nobody_asked_for_choices(self, playground):
        (run,) = await playground.generate(ANN, REQUEST.vary(prompt=r"{red|blue} \{fox\}"))
        assert run.request.prompt == r"{red|blue} \{fox\}"

    @pytest.mark.parametrize(("prompt", "count"), [("{a|b|c|d|e|f|g}", 8), ("{a|b}" * 6, 1), ("{a|b}" * 500, 1)])
    async def test_more_than_a_press_may_ask_for_is_refused_and_nothing_is_asked(self, playground, prompt, count):
        with pytest.raises(
            InvalidRequest, match=r"^Prompt: its choices make [\d,]+ pictures, and one press may ask for 50"
        ):
            await playground.generate(ANN, REQUEST.vary(prompt=prompt), count, expand=True)
        assert playground.taken == []

    async def test_a_choice_that_leaves_nothing_is_refused(self, playground):
        with pytest.raises(InvalidRequest, match="Prompt is empty"):
            await playground.generate(ANN, REQUEST.vary(prompt="{|fox}"), expand=True)
