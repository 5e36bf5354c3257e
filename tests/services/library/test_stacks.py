"""The runs of a grid as one card: pages that show each grid once, and what the card says."""

from __future__ import annotations

import random
from datetime import datetime, timezone
from typing import Any

import pytest
from sqlalchemy import insert

from services.library.history import History
from services.library.query import Query, parse
from services.library.scope import EVERYONE, Scope
from services.library.search import Search, Sort
from services.library.stacks import summed_up, title
from services.library.tables import grids
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Picture, Run, RunState, new_id

ANN, BOB = Scope("ann"), Scope("bob")
GRID, OTHER = "a" * 32, "b" * 32
NOW = datetime.now(timezone.utc)


@pytest.fixture
def search(history: History) -> Search:
    return Search(history)


def add(history: History, prompt: str = "fox", grid: str | None = None, thumb: str = "", **fields: Any) -> Run:
    values: dict[str, Any] = {"visitor": "ann", "engine": "demo", "key_of": "owner", "created_at": NOW, **fields}
    if thumb:
        values["picture"] = Picture(name=f"{thumb}.jpg", thumb=f"{thumb}.webp", content_type="image/jpeg", bytes=1,
                                    width=64, height=64)  # fmt: skip
        values["state"] = RunState.DONE
    request = Flux2FlexRequest(prompt=prompt, seed=7)
    return history.add([Run(id=new_id(), request=request, grid_id=grid, **values)])[0]


def shown(search: Search, text: str = "", sort: Sort = "newest", scope: Scope = ANN) -> list[str]:
    return [entry.run.request.prompt for entry in search.page(scope, parse(text), sort, limit=99, stacked=True)]


class TestPages:
    def test_a_grid_is_there_once_where_its_newest_run_is(self, history, search):
        for prompt, grid in (("1", None), ("2", GRID), ("3", OTHER), ("4", None), ("5", GRID), ("6", GRID)):
            add(history, prompt, grid)
        assert shown(search) == ["6", "4", "3", "1"]
        assert shown(search, sort="oldest") == ["1", "2", "3", "4"]

    def test_a_search_shows_a_stack_where_its_newest_hit_is(self, history, search):
        for prompt, grid in (("fox 1", GRID), ("cat 2", GRID), ("fox 3", None), ("fox 4", GRID), ("cat 5", GRID)):
            add(history, prompt, grid)
        assert shown(search, "fox") == ["fox 4", "fox 3"]
        assert shown(search, "cat") == ["cat 5"]
        assert shown(search, "-cat") == ["fox 4", "fox 3"]

    def test_deleted_runs_and_those_of_other_projects_stand_for_no_stack(self, history, search):
        add(history, "1", GRID)
        add(history, "2", GRID, project_id="p")
        add(history, "3", GRID, deleted_at=NOW)
        assert shown(search) == ["2"]
        found = search.page(ANN, Query(project="inbox"), limit=9, stacked=True)
        assert [entry.run.request.prompt for entry in found] == ["1"]

    def test_orders_by_a_setting_and_who_asks_for_a_grid_take_it_apart(self, history, search):
        for number in range(3):
            add(history, str(number), GRID)
        add(history, "single")
        assert len(shown(search, sort="steps")) == 4
        assert len(shown(search, f"grid:{GRID}")) == len(shown(search, "grid:any")) == 3
        assert shown(search, "grid:none") == ["single"]

    @pytest.mark.parametrize("sort", ["newest", "oldest"])
    @pytest.mark.parametrize("text", ["", "fox", "-fox", "seed:7 fox|cat"])
    def test_pages_follow_each_other_without_a_gap(self, history, search, sort, text):
        dice = random.Random(4)
        for number in range(120):
            add(history, f"{dice.choice(('fox', 'cat'))} {number}", dice.choice((None, GRID, OTHER, "c" * 32)))
        query = parse(text.replace("|", " ") if "seed" in text else text)
        whole = search.page(ANN, query, sort, limit=200, stacked=True)
        grids_shown = [entry.run.grid_id for entry in whole if entry.run.grid_id]
        assert len(grids_shown) == len(set(grids_shown))
        paged, after = [], None
        while page := search.page(ANN, query, sort, limit=7, after=after, stacked=True):
            paged += page
            after = page[-1].seq
        assert paged == whole
        flat = search.page(ANN, query, sort, limit=200)
        firsts = {entry.run.grid_id or entry.run.id: entry for entry in reversed(flat)}
        assert sorted(whole, key=lambda entry: entry.seq) == sorted(firsts.values(), key=lambda entry: entry.seq)


class TestCards:
    def test_what_a_stack_says(self, history):
        for thumb in "123456":
            add(history, "fox", GRID, thumb=thumb)
        add(history, "cat", GRID, state=RunState.FAILED)
        add(history, "cat", GRID, state=RunState.RUNNING)
        add(history, "cat", GRID, thumb="7", deleted_at=NOW)
        with history.writing() as connection:
            plan = '{"axes": [{"field": "num_inference_steps"}, {"field": "guidance_scale"}]}'
            row = {"id": GRID, "visitor": "ann", "plan": plan, "created_at": "2026-01-01", "paused": False}
            connection.execute(insert(grids).values(row))
        [stack] = summed_up(history, ANN, Query(), [GRID, GRID])
        assert (stack.title, stack.count, stack.hits, stack.live, stack.done, stack.failed) == (
            "Steps × Guidance", 8, 8, 1, 6, 1,
        )  # fmt: skip
        assert stack.thumbs == ("6.webp", "5.webp", "4.webp", "3.webp")
        [cats] = summed_up(history, ANN, parse("cat"), [GRID])
        assert (cats.count, cats.hits, cats.thumbs) == (8, 2, ())

    def test_nobody_is_told_of_anothers_grid(self, history):
        add(history, "fox", GRID)
        assert summed_up(history, BOB, Query(), [GRID]) == summed_up(history, Scope(None), Query(), [GRID]) == []
        assert len(summed_up(history, EVERYONE, Query(), [GRID, OTHER, "", "'"])) == 1

    @pytest.mark.parametrize("plan", ["", "[]", "{}", '{"axes": null}', '{"axes": [1]}', "{", '{"axes": []}'])
    def test_a_plan_that_is_not_understood_has_no_title(self, plan):
        assert title(plan) == ""

    def test_titles(self):
        assert title('{"axes": [{"field": "seed"}, {"field": "prompt_sr"}, {"field": "new_thing"}]}') == (
            "Seed × Prompt × New thing"
        )
