from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from services.errors import NotFound
from services.library import rules as rules_module
from services.library.bulk import Bulk, Matching, Named
from services.library.changes import Changes
from services.library.dialect import matches
from services.library.history import History
from services.library.projects import Projects
from services.library.query import Query, parse
from services.library.scope import EVERYONE, Scope
from services.library.search import Search, Sort
from services.library.tables import grids, prompts, runs
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.registry import PARAMETERS
from services.models.sizes import ImageSize
from services.run import Run, RunState, new_id

LATIN = st.characters(categories=["L", "N", "Zs"], max_codepoint=0x24F)
ANN, BOB, NOBODY = Scope("ann"), Scope("bob"), Scope(None)
START = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


@pytest.fixture
def search(history: History) -> Search:
    return Search(history)


def add(history: History, prompt: str = "a fox", **fields: Any) -> Run:
    settings_ = {name: fields.pop(name) for name in list(fields) if name in PARAMETERS}
    defaults = {"id": new_id(), "visitor": "ann", "engine": "fal", "key_of": "owner", "created_at": START}
    request = Flux2FlexRequest(prompt=prompt, **{"seed": 7, **settings_})
    (run,) = history.add([Run(**{**defaults, "request": request, **fields})])
    return run


def found(search: Search, text: str, sort: Sort = "newest", scope: Scope = ANN) -> list[str]:
    """The prompts that a search finds; their number is what `count` says."""
    query = parse(text)
    entries = search.page(scope, query, sort, limit=100)
    assert search.count(scope, query) == len(entries)
    return [entry.run.request.prompt for entry in entries]


class TestWords:
    @pytest.mark.parametrize(
        ("text", "finds"),
        [
            ("red fox", True),
            ("FOX red", True),
            ("re", True),
            ("re fox", False),  # only the last word may go on
            ('"red fox"', True),
            ('"fox red"', False),
            ("-cat", True),
            ("-fox", False),
            ("fox -dusk", False),
            ("cafe", True),
            ("café", True),
            ("at-dusk", True),
            ("16:9", True),
            ("prompt:dusk", True),
            ("猫", True),
            ("好き", True),
            ("犬", False),
            ("🦊", True),
            ("🐙", False),
            ("AND", False),
            ("fox OR cat", False),
        ],
    )
    def test_in_a_prompt(self, history, search, text, finds):
        prompt = 'A Red "Fox" at dusk, Café, 16:9 🦊 猫が好き'
        add(history, prompt)
        assert found(search, text) == ([prompt] if finds else [])

    def test_prompts_of_ten_thousand_characters(self, history, search):
        add(history, "fern " * 1999 + "heron")
        assert len(found(search, "heron")) == 1

    @settings(
        derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(text=st.text(max_size=40))
    def test_no_text_in_quotes_is_an_error(self, search, text):
        assert found(search, f'"{text}') == []
        assert found(search, f'x -"{text}"') == []

    @settings(
        derandomize=True, deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(prompt=st.text(LATIN, min_size=1).filter(str.strip))
    def test_a_prompt_is_found_by_its_own_words(self, history, search, prompt):
        run = add(history, prompt, visitor=new_id())
        found_ids = [entry.run.id for entry in search.page(Scope(run.visitor), parse(f'"{prompt}"'), limit=9)]
        assert found_ids == [run.id]


class TestFields:
    @pytest.fixture
    def mixed(self, history):
        sent = {"submitted_at": START, "state": RunState.DONE}
        add(history, "first", seed=42, num_inference_steps=10, guidance_scale=2, image_size="square", cost_usd=0.01,
            finished_at=START + timedelta(seconds=4), engine="demo", **sent)  # fmt: skip
        add(history, "second", num_inference_steps=28, guidance_scale=3.5, image_size=ImageSize(width=1024, height=768),
            favourite=True, cost_usd=0.1, finished_at=START + timedelta(seconds=20), **sent)  # fmt: skip
        add(history, "third", num_inference_steps=50, guidance_scale=7.5, safety_tolerance="5", output_format="png",
            enable_prompt_expansion=False, enable_safety_checker=False, sync_mode=True, cost_usd=9,
            created_at=START + timedelta(days=2), state=RunState.FAILED)  # fmt: skip
        add(history, "fourth", num_inference_steps=28, image_size="square_hd", state=RunState.QUEUED)

    @pytest.mark.parametrize(
        ("text", "numbers"),
        [
            ("", "4321"),
            ("steps:>28", "3"),
            ("steps:>=28", "432"),
            ("steps:10-28", "421"),
            ("-steps:28", "31"),
            ("guidance:3-5", "42"),
            ("guidance:<=3.5", "421"),
            ("seed:42", "1"),
            ("size:1024x768", "32"),
            ("size:landscape_4_3", "32"),
            ("size:square|square_hd", "41"),
            ("format:png", "3"),
            ("safety:2", "421"),
            ("expansion:off", "3"),
            ("checker:off", "3"),
            ("unlisted:on", "3"),
            ("is:favourite", "2"),
            ("is:failed", "3"),
            ("is:running", "4"),
            ("is:done -is:favourite", "1"),
            ("engine:demo", "1"),
            ("after:2026-03-02", "3"),
            ("before:2026-03-02", "421"),
            ("cost:>0.05", "2"),  # what failed was not paid for
            ("took:>10", "2"),
            ("-took:>10", "431"),  # those that took no time at all are not among them
            ("steps:28 is:running", "4"),
            ("fir steps:10", ""),  # only the last word of all may go on
            ("steps:10 fir", "1"),
            ("seed:" + "9" * 400, ""),
        ],
    )
    def test_what_is_found(self, mixed, search, text, numbers):
        names = {"1": "first", "2": "second", "3": "third", "4": "fourth"}
        assert found(search, text) == [names[number] for number in numbers]

    def test_a_parameter_without_a_column_is_found_too(self, mixed, search, monkeypatch):
        monkeypatch.setattr(rules_module, "_has_column", lambda name: name != "num_inference_steps")
        assert found(search, "steps:>28") == ["third"]

    def test_the_seed_that_fal_used_is_the_one_that_counts(self, history, search):
        run = add(history, seed=1)
        history.change(run.id, seed_used=2, submitted_at=START)
        history.change(run.id, finished_at=START + timedelta(seconds=12.5))
        assert found(search, "seed:2 took:12-13") == ["a fox"]
        assert found(search, "seed:1") == []
        history.change(run.id, finished_at=None)
        assert found(search, "took:>0") == []


class TestWhatItsOwnerSaid:
    @pytest.fixture
    def sorted_(self, history):
        projects = Projects(history)
        travel = projects.make("ann", ANN, "Slow Travel")
        projects.make("bob", BOB, "Slow Travel")
        add(history, "first", project_id=travel.id, tags=("Poster", "blue sky"), notes="For the Client, 2nd round")
        add(history, "second", tags=("postcard",), grid_id="a" * 32)
        add(history, "third", notes="ÄRGER mit 50 % of it", deleted_at=None)
        return travel

    @pytest.mark.parametrize(
        ("text", "names"),
        [
            ('project:"slow travel"', ["first"]),
            ("project:inbox", ["third", "second"]),
            ('project:"Slow Travel"|inbox', ["third", "second", "first"]),
            ("-project:inbox", ["first"]),
            ("project:nowhere", []),
            ("tag:poster", ["first"]),
            ('tag:"Blue Sky"', ["first"]),
            ("tag:post", []),
            ("tag:poster|postcard", ["second", "first"]),
            ("-tag:poster", ["third", "second"]),
            ('notes:"for the client"', ["first"]),
            ("notes:ärger", ["third"]),
            ("notes:%", ["third"]),
            ("-notes:client", ["third", "second"]),
            (f"grid:{'a' * 32}", ["second"]),
            ("grid:any", ["second"]),
            ("grid:none tag:poster first", ["first"]),
        ],
    )
    def test_what_is_found(self, sorted_, search, text, names):
        assert found(search, text) == names
        assert sorted(found(search, text, scope=EVERYONE)) == sorted(names)
        assert found(search, text, scope=BOB) == []

    def test_a_search_of_one_project(self, sorted_, search):
        def prompts(query: Query) -> list[str]:
            return [entry.run.request.prompt for entry in search.page(ANN, query, limit=9)]

        assert prompts(parse("").within(sorted_.id)) == ["first"]
        assert prompts(parse("").within("inbox")) == ["third", "second"]
        assert len(prompts(parse("").within("all"))) == 3
        assert prompts(parse("project:inbox").within(sorted_.id)) == ["third", "second"]  # it names its own
        assert search.ids(ANN, parse("").within(sorted_.id), limit=9) == search.ids(ANN, parse("tag:poster"), limit=9)


class TestScope:
    def test_nobody_finds_what_belongs_to_another(self, history, search):
        add(history, "ann's fox")
        add(history, "bob's fox", visitor="bob")
        add(history, "an api caller's fox", visitor=None)
        assert found(search, "fox") == ["ann's fox"]
        assert found(search, "fox", scope=BOB) == ["bob's fox"]
        assert found(search, "fox", scope=NOBODY) == []
        assert len(found(search, "fox", scope=EVERYONE)) == 3

    def test_deleted_runs_are_not_found(self, history, search):
        run = add(history)
        history.change(run.id, deleted_at=START)
        assert found(search, "") == found(search, "fox") == []
        history.change(run.id, deleted_at=None)
        assert found(search, "fox") == ["a fox"]

    def test_the_words_of_purged_runs_are_forgotten(self, history, search):
        history.change(add(history, state=RunState.DONE).id, deleted_at=START)
        history.purge(START + timedelta(days=1))
        assert history.values(matches(prompts, ["fox"])) == []


class TestPages:
    @pytest.mark.parametrize("sort", get_args(Sort))
    def test_pages_follow_each_other_without_a_gap(self, history, search, sort):
        dice = random.Random(3)
        for number in range(40):
            took = None if number % 5 == 0 else START + timedelta(seconds=dice.randint(1, 4))
            add(history, f"run {number}", seed=dice.randint(0, 5), num_inference_steps=dice.choice((10, 20)),
                guidance_scale=dice.choice((2.0, 3.5)), submitted_at=START, finished_at=took)  # fmt: skip
        whole = search.page(ANN, parse(""), sort, limit=100)
        paged, after = [], None
        while page := search.page(ANN, parse(""), sort, limit=7, after=after):
            paged += page
            after = page[-1].seq
        assert paged == whole
        assert len(paged) == 40
        assert search.page(ANN, parse(""), sort, limit=7, skip=7) == whole[7:14]

    @pytest.mark.parametrize("change", ["purged", "made"])
    @pytest.mark.parametrize("sort", get_args(Sort))
    def test_no_run_is_lost_where_the_last_one_of_a_page_is_purged_or_changes(self, history, search, sort, change):
        dice = random.Random(4)
        for number in range(30):
            took = None if number % 3 == 0 else START + timedelta(seconds=dice.randint(1, 4))
            run = add(history, f"run {number}", num_inference_steps=dice.choice((10, 20)), state=RunState.DONE,
                      guidance_scale=dice.choice((2.0, 3.5)), submitted_at=START)  # fmt: skip
            history.change(run.id, finished_at=took, seed_used=dice.randint(0, 5))
        whole = search.page(ANN, parse(""), sort, limit=100)
        paged, after, at = [], None, None
        while page := search.page(ANN, parse(""), sort, limit=4, after=after, at=at):
            paged += page
            last = page[-1]
            after, at = last.seq, search.value_at(ANN, sort, last.seq)
            if change == "purged":
                history.change(last.run.id, deleted_at=START)
                history.purge(START + timedelta(days=1))
            else:  # it goes to the end of the order, where it is found again
                history.change(last.run.id, seed_used=9, finished_at=START)
        assert list(dict.fromkeys(entry.seq for entry in paged)) == [entry.seq for entry in whole]

    @pytest.mark.parametrize("sort", get_args(Sort))
    def test_what_follows_a_purged_run_of_unknown_value_is_not_said_to_be_nothing(self, history, search, sort):
        for _ in range(2):
            add(history, state=RunState.DONE)
        last, left = search.page(ANN, parse(""), sort, limit=2)
        history.change(last.run.id, deleted_at=START)
        assert search.page(ANN, parse(""), sort, limit=9, after=last.seq) == [left]
        history.purge(START + timedelta(days=1))
        if sort in ("newest", "oldest"):
            assert search.page(ANN, parse(""), sort, limit=9, after=last.seq) == [left]
        else:
            with pytest.raises(NotFound):
                search.page(ANN, parse(""), sort, limit=9, after=last.seq)

    def test_nothing_is_learnt_of_anothers_run_by_asking_for_what_follows_it(self, history, search):
        add(history, seed=1)
        add(history, visitor="bob", seed=5)
        (bobs,) = search.page(BOB, parse(""), limit=1)
        assert search.value_at(ANN, "seed", bobs.seq) is None
        with pytest.raises(NotFound):
            search.page(ANN, parse(""), "seed", limit=9, after=bobs.seq)

    def test_the_orders(self, history, search):
        for number, (steps, guidance, seed, took) in enumerate([(20, 3.5, 9, 5), (50, 2.0, 1, 9), (20, 7.5, 5, 1)]):
            add(history, str(number), num_inference_steps=steps, guidance_scale=guidance, seed=seed,
                submitted_at=START, finished_at=START + timedelta(seconds=took))  # fmt: skip
        orders = {sort: "".join(found(search, "", sort)) for sort in get_args(Sort)}
        assert orders == {
            "newest": "210", "oldest": "012", "longest": "102", "steps": "120", "guidance": "201", "seed": "120",
        }  # fmt: skip

    def test_how_many_are_newer(self, history, search):
        add(history, "old fox")
        seen = search.page(ANN, parse(""), limit=1)[0].seq
        add(history, "new fox")
        add(history, "new cat")
        assert search.count(ANN, parse("fox"), newer_than=seen) == 1


class TestPlans:
    """SQLite reads the indexes that were made for searching, and no whole rows."""

    @pytest.mark.parametrize("text", ["", "fox", "steps:>30", "cost:>1 is:done", "-is:failed engine:fal", "size:1x1",
                                      "project:inbox grid:none"])  # fmt: skip
    @pytest.mark.parametrize(("scope", "index"), [(EVERYONE, "runs_of_everyone"), (ANN, "runs_of_visitor")])
    def test_counting_reads_the_index_only(self, history, text, scope, index):
        rule = rules_module.found_by(scope, parse(text))
        query = rules_module.select(rules_module.func.count()).select_from(runs).where(rule)
        plan = explain(history, query)
        assert f"SEARCH runs USING COVERING INDEX {index}" in plan, plan

    @pytest.mark.parametrize("scope", [EVERYONE, ANN])
    @pytest.mark.parametrize(("text", "index"), [("tag:x", "runs_with_tags"), ("notes:x", "runs_with_notes")])
    def test_only_runs_with_tags_or_notes_are_looked_through_for_them(self, history, text, scope, index):
        plan = explain(history, select(runs.c.seq).where(rules_module.found_by(scope, parse(text))))
        assert f"USING COVERING INDEX {index}" in plan, plan

    @pytest.mark.parametrize("text", ["", "fox steps:>30", "tag:x"])
    def test_the_siblings_of_a_grids_run_are_looked_up_in_their_index(self, history, text):
        seen: list[Any] = []
        history.rows = seen.append
        Search(history).page(ANN, parse(text), limit=9, stacked=True)
        assert "SEARCH sibling USING COVERING INDEX runs_of_grid" in explain(history, seen[0])

    def test_changes_are_read_by_their_revision(self, history):
        seen: list[Any] = []
        history.rows = seen.append
        history.changed_since(ANN, 5)
        assert "USING INDEX sqlite_autoindex_runs_2 (revision>?)" in explain(history, seen[0])


def explain(history: History, query: Any) -> str:
    with history._engine.connect() as connection:
        compiled = query.compile(connection, compile_kwargs={"render_postcompile": True})
        values = tuple(compiled.params[name] for name in compiled.positiontup)
        return "\n".join(str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values))


@contextmanager
def refusing(history: History, table: str, row_id: str) -> Iterator[None]:
    """Meanwhile every change of this row fails."""
    rule = f"BEFORE UPDATE ON {table} WHEN old.id = '{row_id}' BEGIN SELECT RAISE(ABORT, 'refused'); END"
    with history.writing() as connection:
        connection.exec_driver_sql(f"CREATE TRIGGER refusing {rule}")
    with pytest.raises(IntegrityError, match="refused"):
        yield
    with history.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER refusing")


@pytest.mark.anyio
class TestBulk:
    @pytest.fixture
    def cancelled(self):
        return []

    @pytest.fixture
    def bulk(self, history, cancelled):
        async def cancel(visitor: str | None, run_id: str) -> Run:
            cancelled.append(run_id)
            if history.get(run_id, EVERYONE).note == "gone":
                raise NotFound("picture")
            return history.change(run_id, state=RunState.CANCELLED)

        return Bulk(history, Changes(), cancel)

    async def test_what_is_named_and_back(self, history, search, bulk):
        mine, other = add(history), add(history, visitor="bob")
        assert await bulk.delete("ann", ANN, Named((mine.id, other.id, "nothing"))) == [mine.id]
        assert await bulk.delete("ann", ANN, Named((mine.id,))) == []
        assert search.count(EVERYONE, parse("")) == 1
        assert await bulk.undelete("ann", ANN, Named((mine.id, other.id))) == [mine.id]
        assert search.count(EVERYONE, parse("")) == 2

    async def test_all_that_is_found_but_for_some_and_not_what_came_later(self, history, search, bulk):
        first, second, cat = add(history), add(history), add(history, "a cat")
        newest = search.page(ANN, parse(""), limit=1)[0].seq
        add(history)
        changed = await bulk.favourite("ann", ANN, Matching(parse("fox"), newest, (second.id,)), True)
        assert changed == [first.id]
        assert not history.get(cat.id, ANN).favourite

    async def test_only_those_that_change_are_told(self, history, bulk):
        starred, plain = add(history, favourite=True), add(history)
        both = Named((starred.id, plain.id))
        assert await bulk.favourite("ann", ANN, both, True) == [plain.id]
        assert await bulk.favourite("ann", ANN, Named((plain.id,)), False) == [plain.id]

    async def test_each_changed_run_has_a_revision_of_its_own(self, history, bulk):
        made = [add(history) for _ in range(5)]
        before = history.revision()
        await bulk.favourite("ann", ANN, Named(tuple(run.id for run in made)), True)
        told = [entry.run.revision for entry in history.changed_since(ANN, before)]
        assert told == list(range(before + 1, before + 6))
        assert history.revision() == before + 5

    async def test_moved_and_back(self, history, search, bulk):
        travel = Projects(history).make("ann", ANN, "Slow Travel").id
        first, second, other = add(history), add(history, project_id=travel), add(history, visitor="bob")
        everything = Matching(parse(""), 99)
        assert await bulk.move("ann", ANN, everything, travel) == {None: [first.id]}
        assert found(search, 'project:"Slow Travel"') == ["a fox", "a fox"]
        assert history.get(other.id, BOB).project_id is None
        assert await bulk.move("ann", ANN, Named((first.id, second.id)), None) == {travel: [first.id, second.id]}

    async def test_a_grid_goes_with_the_last_of_its_runs(self, history, bulk):
        cells = [add(history, grid_id="a" * 32) for _ in range(2)]
        with history.writing() as connection:
            row = {"id": "a" * 32, "visitor": "ann", "plan": "{}", "created_at": "2026-01-01", "paused": False}
            connection.execute(insert(grids).values(row))
        project = select(grids.c.project_id)
        await bulk.move("ann", ANN, Named((cells[0].id,)), "p")
        assert history.values(project) == [None]
        await bulk.move("ann", ANN, Named((cells[1].id,)), "p")
        assert history.values(project) == ["p"]

    async def test_tagged_and_back(self, history, bulk):
        plain, tagged, twice = add(history), add(history, tags=("a",)), add(history, tags=("b", "a"))
        three = Named((plain.id, tagged.id, twice.id))

        def add_b(tags: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(dict.fromkeys((*tags, "b")))

        assert await bulk.tag("ann", ANN, three, add_b) == {(): [plain.id], ("a",): [tagged.id]}
        assert [history.get(run.id, ANN).tags for run in (plain, tagged, twice)] == [("b",), ("a", "b"), ("b", "a")]
        assert await bulk.tag("bob", BOB, three, add_b) == {}

    async def test_a_change_that_is_refused_changes_nothing(self, history, bulk):
        runs_ = [add(history, tags=(name,)) for name in "ab"]

        def refuse_b(tags: tuple[str, ...]) -> tuple[str, ...]:
            if "b" in tags:
                raise NotFound("room for another tag")
            return ("c",)

        with pytest.raises(NotFound):
            await bulk.tag("ann", ANN, Named(tuple(run.id for run in runs_)), refuse_b)
        assert [history.get(run.id, ANN).tags for run in runs_] == [("a",), ("b",)]

    async def test_a_change_that_fails_midway_changes_nothing(self, history, bulk):
        travel, city = (Projects(history).make("ann", ANN, name).id for name in ("Slow Travel", "City"))
        cell = add(history, grid_id="a" * 32)
        last = add(history, project_id=travel, tags=("a",))
        both = Named((cell.id, last.id))
        with history.writing() as connection:
            row = {"id": "a" * 32, "visitor": "ann", "plan": "{}", "created_at": "2026-01-01", "paused": False}
            connection.execute(insert(grids).values(row))

        with refusing(history, "runs", last.id):
            await bulk.move("ann", ANN, both, city)
        with refusing(history, "grids", "a" * 32):
            await bulk.move("ann", ANN, both, city)
        with refusing(history, "runs", last.id):
            await bulk.tag("ann", ANN, both, lambda tags: (*tags, "b"))

        assert [history.get(run.id, ANN) for run in (cell, last)] == [cell, last]
        assert await bulk.move("ann", ANN, both, city) == {None: [cell.id], travel: [last.id]}
        assert await bulk.tag("ann", ANN, both, lambda tags: (*tags, "b")) == {(): [cell.id], ("a",): [last.id]}

    async def test_running_ones_are_cancelled_first(self, history, bulk, cancelled):
        live, gone, done = add(history), add(history, note="gone"), add(history, state=RunState.DONE)
        await bulk.delete("ann", ANN, Named((live.id, gone.id, done.id)))
        assert sorted(cancelled) == sorted([live.id, gone.id])
        assert history.get(live.id, ANN).state is RunState.CANCELLED

    async def test_more_runs_than_sqlite_takes_parameters(self, history, bulk):
        run = add(history)
        many = tuple(f"{number:032x}" for number in range(40_000))
        assert await bulk.delete("ann", ANN, Named((*many, run.id))) == [run.id]
