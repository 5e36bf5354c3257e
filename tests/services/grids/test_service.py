"""Grids on a real history, with the demo engine and fal's own client in the path."""

from __future__ import annotations

import asyncio
import io
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import SecretStr

from services import keys, request, stored
from services.compare.sameness import sameness
from services.errors import BudgetExceeded, ConfirmNeeded, Failure, InvalidRequest, KeyNeeded, NotFound
from services.grids import axes as axes_module
from services.grids import plan as grid_module
from services.grids import planner as grid_planner
from services.grids.grid import Grid
from services.grids.plan import Typed, parse_axes, parse_plan
from services.grids.planner import Preview, preview_axes
from services.grids.service import GridView
from services.intake import pricing
from services.library.media import Media
from services.library.media_store import Store
from services.library.scope import EVERYONE
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.playground import Playground
from services.run import RunState
from services.settings import Settings
from services.sheets.html import write_page
from services.sheets.layout_of_grid import layout_of
from services.sheets.pdf import contact_sheet_pdf
from services.sheets.png import contact_sheet

ANN, BOB = "a" * 32, "b" * 32
BASE = Flux2FlexRequest(
    prompt="a red fox", seed=7, image_size=ImageSize(width=64, height=64), enable_prompt_expansion=False
)
STEPS = ("num_inference_steps", "2, 3, 4")
Open = Callable[..., Playground]


@pytest.fixture
async def open_(tmp_path: Path) -> AsyncIterator[Open]:
    opened: list[Playground] = []

    def make(*, media: Media | None = None, **settings: Any) -> Playground:
        defaults = {"playground_engine": "demo", "playground_history": "visitor", "playground_demo_step_seconds": 0}
        settings = {**defaults, "playground_data_dir": tmp_path, **settings}
        opened.append(Playground(Settings(**settings), media=media))
        return opened[-1]

    yield make
    for playground in opened:
        await playground.stop()


@pytest.fixture
async def playground(open_: Open) -> Playground:
    playground = open_()
    await playground.start()
    return playground


async def finished(playground: Playground, grid: Grid, visitor: str = ANN) -> GridView:
    return await asyncio.wait_for(playground.grids.finished(visitor, grid.id), 20)


async def make(playground: Playground, *axes: tuple[str, Any], **choices: Any) -> GridView:
    grid = await playground.grids.make(ANN, parse_plan(BASE, axes), **choices)
    return await finished(playground, grid)


async def preview(playground: Playground, axes: Typed, visitor: str = ANN, **choices: Any) -> Preview:
    return await playground.grids.preview(visitor, BASE, preview_axes(axes, BASE), **choices)


def count(playground: Playground) -> int:
    return playground.history.count(EVERYONE)


def states(view: GridView) -> list[str | None]:
    return [run.state.value if (run := view.run_of(cell.key)) else None for cell in view.grid.plan.cells]


async def until(condition: Callable[[], object]) -> None:
    for _ in range(4000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError("it never came to that")


class TestMaking:
    async def test_every_cell_has_its_picture(self, playground):
        view = await make(playground, STEPS, ("guidance_scale", [2, 6]))
        assert states(view) == ["done"] * 6
        for cell in view.grid.plan.cells:
            run = view.run_of(cell.key)
            assert (run.request, run.grid_id, run.visitor) == (cell.request, view.grid.id, ANN)

    async def test_pictures_made_before_are_used_and_not_made_again(self, playground):
        [single] = await playground.generate(ANN, BASE.vary(num_inference_steps=3))
        await playground.finished(ANN, single.id)
        seen = await preview(playground, [STEPS])
        assert (seen.cells, seen.made, seen.new) == (3, 1, 2)
        view = await make(playground, STEPS)
        assert count(playground) == 3
        assert view.run_of(view.grid.plan.cells[1].key).id == single.id
        again = await make(playground, STEPS)
        assert (count(playground), states(again)) == (3, ["done"] * 3)

    async def test_reuse_can_be_switched_off(self, playground):
        await make(playground, STEPS)
        assert (await preview(playground, [STEPS], reuse=False)).new == 3
        await make(playground, STEPS, reuse=False)
        assert count(playground) == 6

    async def test_nothing_of_other_visitors_is_used(self, playground):
        [single] = await playground.generate(BOB, BASE.vary(num_inference_steps=3))
        await playground.finished(BOB, single.id)
        assert (await preview(playground, [STEPS])).made == 0

    async def test_cells_that_come_out_alike_are_made_once(self, playground):
        view = await make(playground, ("prompt_sr", "red=blue, red=blue"), ("num_inference_steps", [2]))
        assert (count(playground), states(view)) == (1, ["done"])

    async def test_many_new_pictures_need_a_second_yes(self, playground):
        plan = parse_plan(BASE, [("seed", "1-51")])
        with pytest.raises(ConfirmNeeded, match="51 new pictures"):
            await playground.grids.make(ANN, plan)
        assert count(playground) == 0
        assert (await preview(playground, [("seed", "1-51")])).asks
        grid = await playground.grids.make(ANN, plan, confirm=True)
        assert (len(grid.cells), count(playground)) == (51, 51)
        await playground.grids.cancel(ANN, grid.id)

    async def test_the_budget_holds_for_the_whole_grid(self, open_):
        playground = open_(playground_engine="fal", fal_key=SecretStr("owner:x"), playground_visitor_budget_usd=0.12)
        with pytest.raises(BudgetExceeded):
            await playground.grids.make(ANN, parse_plan(BASE, [STEPS]))
        assert count(playground) == 0
        assert await playground.grids.newest(ANN, limit=9) == []

    async def test_no_key(self, open_):
        with pytest.raises(KeyNeeded):
            await open_(playground_engine="fal", fal_key=None).grids.make(ANN, parse_plan(BASE, [STEPS]))

    async def test_a_preview_tells_price_and_faults_axis_by_axis(self, open_):
        playground = open_(playground_engine="fal", fal_key=SecretStr("owner:x"))
        seen = await preview(playground, [STEPS])
        assert (seen.cost_usd, seen.engine, round(seen.seconds, 1)) == (0.15, "fal", 3.4)
        seen = await preview(playground, [("num_inference_steps", "60"), ("guidance_scale", "2, 3")])
        assert seen.plan is None
        assert [axis.fault for axis in seen.axes] == ["Steps: 60 is above 50. Allowed are 2 to 50.", ""]
        seen = await preview(playground, [STEPS, STEPS])
        assert "stands on two axes" in seen.fault


class TestTheWorkOfAPreview:
    """Counted, not timed: what is done once for each value or cell, and whether the event loop waits for it."""

    @pytest.fixture
    def work(self, monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
        """How often each function was called; never in the thread of the event loop."""
        counts: Counter[str] = Counter()
        loops_own = threading.current_thread()

        def count_calls(holder: ModuleType | type, name: str) -> None:
            real = getattr(holder, name)

            def counted(*args: Any, **named: Any) -> Any:
                assert threading.current_thread() is not loops_own, f"{name} keeps the event loop waiting"
                counts[name] += 1
                return real(*args, **named)

            monkeypatch.setattr(holder, name, counted)

        count_calls(grid_planner, "parse_axis")
        count_calls(axes_module, "split_items")
        count_calls(axes_module, "parse_value")
        count_calls(grid_module, "parse_axis")
        count_calls(stored, "parse_request")
        count_calls(keys, "key_of")
        count_calls(request, "parse_request")  # what `vary` builds a whole request with
        count_calls(pricing.Prices, "estimate")
        return counts

    async def preview(self, playground: Playground, axes: Typed) -> Preview:
        read = await asyncio.to_thread(preview_axes, axes, BASE)
        return await playground.grids.preview(ANN, BASE, read)

    async def test_two_axes_of_a_thousand_values(self, open_, work):
        playground = open_(playground_engine="fal", fal_key=SecretStr("owner:x"))
        seen = await self.preview(playground, [("seed", "1-1000"), ("guidance_scale", "1.5-9.9 [1000]")])
        assert seen.fault == ("1000 × 1000 = 1,000,000 cells are too many; 1,000 are allowed. Take some values away.")
        assert work == {"parse_axis": 2, "split_items": 2, "parse_value": 2000}

    async def test_a_thousand_cells(self, open_, work):
        playground = open_(playground_engine="fal", fal_key=SecretStr("owner:x"))
        seen = await self.preview(playground, [("guidance_scale", "2-5.9 [40]"), ("seed", "1-25")])
        assert (seen.fault, seen.cells, seen.new, seen.cost_usd) == ("", 1000, 1000, 50.0)
        assert work == {
            "parse_axis": 2, "split_items": 2, "parse_value": 65, "parse_request": 1000, "key_of": 1000,
            "estimate": 1000,
        }  # fmt: skip

    async def test_a_plan_that_was_kept_is_not_parsed_again(self, playground, work):
        plan = await asyncio.to_thread(parse_plan, BASE, [STEPS])
        grid = await playground.grids.make(ANN, plan)
        work.clear()
        view = await playground.grids.view(ANN, grid.id)
        assert view.grid.plan.axes == plan.axes
        assert not work

    @pytest.mark.parametrize(
        ("axes", "field"),
        [
            ([STEPS, ("prompt_sr", "dog, cat")], "prompt_sr"),
            ([STEPS, ("prompt_sr", "fox=cat, a red fox=")], "prompt_sr"),
            ([("seed", "1"), STEPS, STEPS], "num_inference_steps"),
            ([("seed", "1-101"), ("guidance_scale", "2-3.9 [20]")], "grid"),
        ],
    )
    async def test_a_fault_names_its_axis(self, playground, axes, field):
        seen = await self.preview(playground, axes)
        assert seen.plan is None
        assert [issue.field for issue in seen.issues] == [field]
        assert seen.fault == seen.issues[0].message


class TestChanging:
    async def test_an_added_value_makes_only_the_new_cells(self, playground):
        view = await make(playground, STEPS)
        before = dict(view.grid.cells)
        seen = await preview(playground, [("num_inference_steps", "2-5")], grid_id=view.grid.id)
        assert (seen.made, seen.new) == (3, 1)
        grid = await playground.grids.extend(ANN, view.grid.id, parse_axes([("num_inference_steps", "2-5")], BASE))
        view = await finished(playground, grid)
        assert (states(view), count(playground)) == (["done"] * 4, 4)
        assert before.items() <= view.grid.cells.items()

    async def test_swapping_axes_makes_nothing(self, playground):
        view = await make(playground, STEPS, ("guidance_scale", [2, 6]))
        grid = await playground.grids.extend(ANN, view.grid.id, parse_axes([("guidance_scale", [2, 6]), STEPS], BASE))
        view = await finished(playground, grid)
        assert (view.grid.plan.title, states(view), count(playground)) == ("Guidance scale × Steps", ["done"] * 6, 6)

    async def test_a_failed_cell_is_retried_alone_and_takes_its_place(self, playground):
        view = await make(playground, STEPS)
        lost = view.run_of(view.grid.plan.cells[1].key)
        timeout = Failure(code="timeout", message="Too slow.", retryable=True, charged=False)
        playground.history.change(lost.id, state=RunState.FAILED, failure=timeout, picture=None)
        view = await playground.grids.view(ANN, view.grid.id)
        assert states(view) == ["done", "failed", "done"]
        [new] = await playground.retry(ANN, lost.id)
        view = await finished(playground, view.grid)
        assert (states(view), view.grid.cells[view.grid.plan.cells[1].key]) == (["done"] * 3, new.id)
        assert count(playground) == 4

    async def test_retry_makes_all_that_failed_or_was_deleted(self, playground):
        view = await make(playground, STEPS)
        first, second, _ = (view.run_of(cell.key) for cell in view.grid.plan.cells)
        playground.history.change(first.id, state=RunState.CANCELLED, picture=None)
        await playground.delete(ANN, second.id)
        assert states(await playground.grids.view(ANN, view.grid.id)) == ["cancelled", None, "done"]
        await playground.grids.retry(ANN, view.grid.id)
        assert states(await finished(playground, view.grid)) == ["done"] * 3

    async def test_the_repeat_check_makes_one_cell_twice(self, playground):
        view = await make(playground, STEPS)
        await playground.grids.repeat_check(ANN, view.grid.id)
        view = await finished(playground, view.grid)
        first, second = (view.runs[run_id] for run_id in view.grid.repeat)
        assert (first.request, count(playground)) == (second.request, 4)
        files = [playground.media.opener("media", run.picture.name) for run in (first, second)]
        assert sameness(*files).kind == "bytes"

    async def test_nothing_can_be_checked_before_a_picture_is_there(self, open_):
        playground = open_()
        grid = await playground.grids.make(ANN, parse_plan(BASE, [STEPS]))
        with pytest.raises(InvalidRequest, match="No picture of this grid is finished"):
            await playground.grids.repeat_check(ANN, grid.id)


class TestPictures:
    """What looks at a grid's pictures, wherever they are kept."""

    @pytest.fixture
    async def playground(self, open_: Open, new_store: Callable[[Path], Store], tmp_path: Path) -> Playground:
        playground = open_(media=Media(new_store(tmp_path)))
        await playground.start()
        return playground

    async def test_sheets_and_the_page_show_all_of_them(self, playground):
        view = await make(playground, STEPS)
        layout = layout_of(view, playground.media)
        assert contact_sheet(layout, "technical", io.BytesIO()).cells.keys() == set(layout.places())
        page, document = io.BytesIO(), io.BytesIO()
        write_page(layout, page)
        assert page.getvalue().count(b"data:image/webp") == 3
        assert contact_sheet_pdf(layout, "technical", document) == 1
        assert document.getvalue().count(b"/Subtype /Image") == 3

    async def test_where_an_original_is_gone_its_thumbnail_is_shown_and_where_both_are_words(self, playground):
        view = await make(playground, STEPS)
        first, second, third = (view.run_of(cell.key).picture for cell in view.grid.plan.cells)
        playground.media.remove_original(first.name)
        playground.media.remove(second)
        layout = layout_of(view, playground.media)
        cells = [layout.cell(place) for place in layout.places()]
        assert [bool(cell.original) for cell in cells] == [False, False, True]
        assert [bool(cell.thumb) for cell in cells] == [True, False, True]
        assert [cell.words for cell in cells] == ["the picture's file is gone"] * 2 + [""]
        playground.media.remove(third)  # after it was looked for
        assert set(contact_sheet(layout, "technical", io.BytesIO()).cells) == {layout.places()[0]}

    async def test_a_damaged_original_without_a_thumbnail_costs_the_sheet_no_other_picture(self, playground):
        view = await make(playground, STEPS)
        damaged = view.run_of(view.grid.plan.cells[0].key).picture
        playground.media.put("media", damaged.name, b"damaged")
        playground.media.delete("thumbs", damaged.thumb)
        layout = layout_of(view, playground.media)
        assert contact_sheet(layout, "technical", io.BytesIO()).cells.keys() == set(layout.places()[1:])

    async def test_the_blind_pick_shows_a_picture_until_it_is_gone(self, playground):
        view = await make(playground, STEPS)
        run = view.run_of(view.grid.plan.cells[0].key)
        assert playground.ballots.picture(run.id) == playground.media.read("media", run.picture.name)
        playground.media.remove(run.picture)
        assert playground.ballots.picture(run.id) is None


class TestRunning:
    async def test_a_paused_grid_sends_nothing_and_goes_on_when_asked(self, open_):
        playground = open_(playground_max_concurrent=1, playground_demo_step_seconds=0.05)
        await playground.start()
        grid = await playground.grids.make(ANN, parse_plan(BASE, [STEPS]))
        await playground.grids.pause(ANN, grid.id)
        view = await playground.grids.finished(ANN, grid.id)
        await until(lambda: not playground.runner._tasks)
        view = await playground.grids.view(ANN, grid.id)
        assert view.grid.paused
        assert states(view).count("pending") >= 2
        await playground.grids.resume(ANN, grid.id)
        assert states(await finished(playground, grid)) == ["done"] * 3

    async def test_a_paused_grid_stays_paused_over_a_restart(self, open_, monkeypatch):
        first = open_()
        monkeypatch.setattr(first.runner, "take", lambda run: None)  # it stops before anything is sent
        grid = await first.grids.make(ANN, parse_plan(BASE, [STEPS]))
        await first.grids.pause(ANN, grid.id)
        await first.stop()
        second = open_()
        await second.start()
        await until(lambda: not second.runner._tasks)
        assert states(await second.grids.view(ANN, grid.id)) == ["pending"] * 3
        await second.grids.resume(ANN, grid.id)
        assert states(await finished(second, grid)) == ["done"] * 3

    async def test_single_pictures_go_first(self, open_):
        playground = open_(playground_max_concurrent=1, playground_demo_step_seconds=0.01)
        await playground.start()
        grid = await playground.grids.make(ANN, parse_plan(BASE, [STEPS]))
        [single] = await playground.generate(ANN, BASE.vary(seed=1))
        view = await finished(playground, grid)
        single = await playground.finished(ANN, single.id)
        sent = [run.submitted_at for cell in view.grid.plan.cells if (run := view.run_of(cell.key))]
        assert single.submitted_at < sent[1] < sent[2]

    async def test_cancel_ends_what_is_not_done(self, open_):
        playground = open_(playground_max_concurrent=1, playground_demo_step_seconds=0.2)
        await playground.start()
        grid = await playground.grids.make(ANN, parse_plan(BASE, [STEPS]))
        await until(lambda: playground.history.of_grid(grid.id, RunState.RUNNING))
        await playground.grids.cancel(ANN, grid.id)
        view = await finished(playground, grid)
        assert states(view)[1:] == ["cancelled"] * 2
        assert states(view)[0] in ("cancelled", "done")


class TestWhose:
    async def test_others_see_and_change_nothing(self, playground):
        view = await make(playground, STEPS)
        grids, grid_id = playground.grids, view.grid.id
        assert await grids.newest(BOB, limit=9) == []
        for act in (grids.view, grids.pause, grids.resume, grids.cancel, grids.retry, grids.repeat_check):
            with pytest.raises(NotFound):
                await act(BOB, grid_id)
        with pytest.raises(NotFound):
            await grids.extend(BOB, grid_id, parse_axes([STEPS], BASE))
        with pytest.raises(NotFound):
            await preview(playground, [STEPS], BOB, grid_id=grid_id)

    async def test_a_caller_without_a_token_gets_what_it_made(self, playground):
        grid = await playground.grids.make(None, parse_plan(BASE, [STEPS]))
        view = await playground.grids.finished(None, grid.id)
        assert states(view) == ["done"] * 3
        with pytest.raises(NotFound):
            await playground.grids.view(None, grid.id)

    async def test_grids_are_listed_newest_first(self, playground):
        first = await make(playground, STEPS)
        second = await make(playground, ("seed", "1, 2"))
        found = await playground.grids.newest(ANN, limit=9)
        assert [line.id for line in found] == [second.grid.id, first.grid.id]
        assert (found[0].title, found[0].cells) == ("Seed", 2)
        assert [line.id for line in await playground.grids.newest(ANN, limit=9, before=found[0].seq)] == [first.grid.id]
