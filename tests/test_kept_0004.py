"""What the program wrote at migration 0004 still opens: a data folder, exports, sheets, pictures and cell keys.

The files are in `data/0004` and are never made anew. The figures below were noted when the files were made.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import shutil
import zipfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.patience import PATIENCE_SECONDS

from services.errors import InvalidRequest, NotFound
from services.grids.plan import read_plan
from services.grids.planner import preview_axes
from services.grids.service import GridView
from services.library.query import parse
from services.library.search import Search
from services.metadata import read_settings
from services.playground import Playground
from services.request import parse_value
from services.run import Run, RunState, now
from services.settings import Settings
from services.sheets.plan_in_file import read_plan as plan_in_file
from services.stored import StoredRequest
from ui.visitors import visitor_of

KEPT = Path(__file__).parent / "data" / "0004"
ANN, BOB = "e92c8f0a8d5505b23d1d214048d1695b", "62ff3876bc0c6f0db3d8d7205ee19867"
WHO = {"ann": ANN, "bob": BOB, "-": None}

RUNS = """
d033a435e7c22d5482f718e23ec50947 ann demo done       7          -      -
518d53d5d0db95f8dcf586efe558ddb5 ann demo done       4294967295 -      -
22b330adbb3e14fc0e284265bc853512 ann demo done       0          -      -
6c26e090d4fec8ed33d8289bd87da4c2 ann demo done       1234567890 -      -
4db4d596f0876782e42df1ef8492e971 ann demo done       3000000000 -      -
ad6215a025869d0880cb53af89d84299 ann demo done       42         -      -
b97fb736349b8f2b9934382a0d890e99 ann demo done       11         travel -
f451404248fa85787edbad4519748b52 ann demo done       12         travel -
9b315b21393d79659f7e37f3c41938ed bob demo done       21         -      -
de396e9a4a71a7dadfb03802e44a10b9 bob demo done       22         -      -
f4d19a3fd1edf5c368862bffef69bd4e -   demo done       31         -      -
ec9a4940e0ec312eaa98728f181995de ann demo failed     51         travel -
2e44a443e75d27f4567180d6972b9ec1 ann demo done       7          travel -
9d3858db5359b601a91393343290c9a7 ann demo done       7          foxes  -
8fb285cfa95f52ca67ce78cf73673170 ann demo done       7          foxes  steps
11e8b991b7e963ac8be5ca778b4cd656 ann demo done       7          foxes  steps
39fbd1f1e6e6481926aa0ffc25f1fda5 ann demo done       7          foxes  steps
7dc7b8dffdd11e496a4cf4aac340b91f ann demo done       7          foxes  steps
b0790cd6896d8193e149bb1cd47c8997 ann demo done       7          foxes  words
8f17866316cbd82b7190b8246a1ce4d6 ann demo done       7          foxes  words
94c60c5d68e18481850e6a4c2230cad7 ann demo done       7          foxes  words
87a0e5cad09a1a65570011e70735bb91 ann demo done       7          foxes  words
6968cb846aa3da9c071d0ad8dec319d7 ann demo done       7          foxes  words
9531bc8c25b584055923f09b4f38dd9e ann demo done       7          foxes  words
5f0e00ac766b14ce477ee77d05220259 ann demo done       7          foxes  words
98b5845fa6c5ae35c1a2169e3b3397de ann demo done       7          foxes  words
33a1976cf71b7072a246295b556189d3 ann demo done       4294967294 travel paused
55e56d8dd943ab6cd0d55972eb53ae79 ann demo done       100        travel paused
ec5ec7703c7cca37580d4347803e17e6 ann demo pending    104        travel paused
5cb37ae572a712b5ec7c29c61b030880 ann demo pending    103        travel paused
f52264caadf27d1cb141cb5997714c2f ann demo pending    102        travel paused
f94dfce63f8072d6e39722d0cac3fcc1 ann demo cancelled  61         travel -
a68dd70797aa2d2d613dcf0597152c8f ann demo unknown    62         travel -
477d17b36b187120a2d7a95ab9a03d69 ann fal  done       72         foxes  -
c13f2f5d08ad4ef0c1458efec7f5fa9c ann fal  failed     73         -      -
d0e26ef7b34d35cd97153ce8fb22d4ed ann fal  failed     74         -      -
6f46b6986b682fa26461946df77f9c9f bob fal  submitted  75         -      -
65d35f554152d22aba6840d9b8bf866b ann demo running    81         travel -
3549abd14a93dd4368e19fd7a55b6802 ann demo queued     82         travel -
f5f9523fed5a7daf8dc20c7d151a88f1 ann demo submitted  83         travel -
0991a471fa12cc2455b80b9df39838f7 ann demo pending    84         travel -
5dcfc1a80328bd9a6b73fcb02c0fcd77 ann demo submitting 85         travel -
"""
"""Every run that is not deleted, the oldest first: id, whose, engine, state, seed, project, grid."""

QUOTED, JAPANESE, ARABIC, HINDI = (line[:32] for line in RUNS.strip().splitlines()[:4])
TRAVEL, REMOVED, BOBS = (
    "b97fb736349b8f2b9934382a0d890e99",
    "f451404248fa85787edbad4519748b52",
    "de396e9a4a71a7dadfb03802e44a10b9",
)
AGAIN, ORIGIN, DELETED = (
    "2e44a443e75d27f4567180d6972b9ec1",
    "9d3858db5359b601a91393343290c9a7",
    "a0f70f37b3431f167dd51452ac02d3d7",
)
REFUSED, UNKNOWN = "ec9a4940e0ec312eaa98728f181995de", "a68dd70797aa2d2d613dcf0597152c8f"
FAL_DONE, FAL_LOST, FAL_WRONG, FAL_WAITS = (
    "477d17b36b187120a2d7a95ab9a03d69", "c13f2f5d08ad4ef0c1458efec7f5fa9c",
    "d0e26ef7b34d35cd97153ce8fb22d4ed", "6f46b6986b682fa26461946df77f9c9f",
)  # fmt: skip
RUNNING, QUEUED, SUBMITTED = (
    "65d35f554152d22aba6840d9b8bf866b",
    "3549abd14a93dd4368e19fd7a55b6802",
    "f5f9523fed5a7daf8dc20c7d151a88f1",
)
PENDING, SUBMITTING = "0991a471fa12cc2455b80b9df39838f7", "5dcfc1a80328bd9a6b73fcb02c0fcd77"

STEPS, WORDS, PAUSED = (
    "e7e022a837252a10afffdedc7f5fc9de",
    "518bfc75311344588d59526f02b402ba",
    "fb6dad167a84a16d63d969f59060a192",
)
"""Grids: one with two deleted cells, one of words, one that is paused."""
PROJECTS = {"travel": "Slow Travel", "foxes": "Füchse 狐"}
STATES = {"done": 28, "pending": 4, "failed": 3, "submitted": 2, "running": 1, "queued": 1, "submitting": 1,
          "cancelled": 1, "unknown": 1}  # fmt: skip

Open = Callable[..., Playground]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A copy. Its files are as new as it is: the demo engine forgets requests that are a day old."""
    return Path(shutil.copytree(KEPT / "data", tmp_path / "data", copy_function=shutil.copyfile))


@pytest.fixture
async def open_(data: Path) -> AsyncIterator[Open]:
    """`open_()`: on the data folder, not started; one history for all where nothing else is said."""
    opened: list[Playground] = []

    def make(folder: Path = data, mode: str = "shared") -> Playground:
        engine = {"playground_engine": "demo", "playground_demo_step_seconds": 0}
        opened.append(Playground(Settings(**engine, playground_history=mode, playground_data_dir=folder)))
        return opened[-1]

    yield make
    for playground in opened:
        await playground.stop()


@pytest.fixture
async def playground(open_: Open) -> Playground:
    return open_()


@pytest.fixture
async def empty(open_: Open, tmp_path: Path) -> Playground:
    return open_(tmp_path / "empty")


def found(playground: Playground, text: str = "", visitor: str | None = None) -> list[Run]:
    """What a search finds, the oldest first."""
    entries = Search(playground.history).page(playground.scope(visitor), parse(text), "oldest", limit=99)
    return [entry.run for entry in entries]


def lines(playground: Playground) -> Iterator[str]:
    """The history in the words of RUNS."""
    names = {project.id: project.name for project in playground.projects.of(playground.scope(None))}
    whose = {visitor: name for name, visitor in WHO.items()}
    projects = {name: short for short, name in PROJECTS.items()}
    grids = {STEPS: "steps", WORDS: "words", PAUSED: "paused", None: "-"}
    for run in found(playground):
        project = projects[names[run.project_id]] if run.project_id else "-"
        start = f"{run.id} {whose[run.visitor]:3} {run.engine:4} {run.state.value:10} {run.seed:<10}"
        yield f"{start} {project:6} {grids[run.grid_id]}"


def states(view: GridView) -> list[str | None]:
    """Of the cells, in their order; None where there is no picture any more."""
    return [run.state.value if (run := view.run_of(cell.key)) else None for cell in view.grid.plan.cells]


def holds(new: Any, old: Any) -> bool:
    """Whether all that is in `old` is in `new` as it was. Later versions may add fields."""
    if isinstance(old, dict):
        return isinstance(new, dict) and all(name in new and holds(new[name], value) for name, value in old.items())
    if isinstance(old, list):
        return isinstance(new, list) and len(new) == len(old) and all(map(holds, new, old))
    return type(new) is type(old) and new == old


def json_lines(data: bytes, name: str) -> list[dict[str, Any]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [json.loads(line) for line in archive.read(name).splitlines()]


def table(data: bytes) -> list[dict[str, str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return list(csv.DictReader(io.StringIO(archive.read("history.csv").decode("utf-8-sig"), newline="")))


async def exported(playground: Playground) -> bytes:
    download = await playground.archive.export(playground.scope(None), None, "zip")
    data = b"".join(download.blocks)
    download.close()
    return data


async def restored(playground: Playground, name: str) -> Any:
    return await playground.archive.import_file(KEPT / name, ANN, playground.scope(ANN), lambda _done: None)


class TestHistory:
    async def test_every_run_is_there(self, playground):
        assert list(lines(playground)) == RUNS.strip().splitlines()
        assert Counter(run.state.value for run in found(playground)) == STATES
        assert set(STATES) == {state.value for state in RunState}

    async def test_each_visitor_sees_their_own(self, open_):
        playground = open_(mode="visitor")
        assert [len(found(playground, "", visitor)) for visitor in (ANN, BOB, None)] == [38, 3, 0]

    @pytest.mark.parametrize(("token", "visitor"), [("ann-" + 40 * "0", ANN), ("bob-" + 40 * "0", BOB)])
    def test_a_browser_is_known_again_by_its_token(self, token, visitor):
        for headers in ({"x-playground-visitor": token}, {"cookie": f"playground_visitor={token}"}):
            assert visitor_of(SimpleNamespace(headers=headers)) == visitor

    async def test_prompts_are_as_they_were_typed(self, playground):
        asked = {run.seed: run.request.prompt for run in found(playground, "grid:none")}
        assert asked[7] == "a red fox in the snow"
        assert asked[4294967295] == '夕暮れの赤い狐、看板に "狐" とある'
        assert asked[0] == "ثعلب أحمر عند الغروب"
        assert asked[1234567890] == "लाल लोमड़ी 🦊👩‍🚀 café naïve Ω"
        assert asked[3000000000] == 'рыжая лиса\n\tв сумерках \\ "<b>&amp;</b>"'
        assert asked[42] == "a lighthouse on a cliff, " * 24 + "at night"

    async def test_what_was_written_about_pictures(self, playground):
        runs = {run.id: run for run in found(playground)}
        assert {run.id: run.notes for run in runs.values() if run.notes} == {
            QUOTED: "for the client\n=1+1, second line",
            ARABIC: "ملاحظة: warm light",
        }
        assert {run.id: run.tags for run in runs.values() if run.tags} == {
            QUOTED: ("poster", "Straße", "狐"),
            TRAVEL: ("Poster",),
        }
        assert {run.id for run in runs.values() if run.favourite} == {QUOTED, TRAVEL, BOBS}
        assert (runs[AGAIN].repeat_of, runs[AGAIN].note) == (QUOTED, "Run again: equal to the byte.")

    async def test_projects_and_those_that_are_chosen(self, playground):
        projects = {project.name: project.id for project in playground.projects.of(playground.scope(None))}
        assert set(projects) == set(PROJECTS.values())
        chosen = [playground.projects.chosen(visitor, playground.scope(visitor)) for visitor in (ANN, BOB, "c" * 32)]
        assert chosen == [projects["Slow Travel"], "all", "inbox"]

    async def test_pictures_and_small_copies(self, playground):
        runs = {run.id: run for run in found(playground) if run.picture}
        sizes = Counter((run.picture.width, run.picture.height, run.picture.content_type) for run in runs.values())
        assert sizes == {
            (64, 64, "image/jpeg"): 21,
            (80, 64, "image/jpeg"): 4,
            (64, 64, "image/png"): 2,
            (128, 80, "image/jpeg"): 1,
        }
        for run in runs.values():
            original = playground.media.read("media", run.picture.name)
            assert (len(original) if original else None) == (None if run.id == REMOVED else run.picture.bytes)
            assert playground.media.read("thumbs", run.picture.thumb)
        assert [run.id for run in runs.values() if run.original_removed_at] == [REMOVED]

    async def test_what_fal_said(self, playground):
        runs = {run.id: run for run in found(playground)}
        done = runs[FAL_DONE]
        assert (done.request.seed, done.seed_used, done.billed_units, done.cost_usd) == (71, 72, 0.5, 0.025)
        assert (done.seconds, done.queue_seconds, done.ticket.request_id) == (8.25, 1.5, "fal-done")
        assert done.picture.note == "fal sent 64 × 64 instead of 96 × 64."
        failures = {run.id: (run.failure.code, run.failure.charged) for run in runs.values() if run.failure}
        assert failures == {
            REFUSED: ("content_policy", None),
            UNKNOWN: ("unanswered", None),
            FAL_LOST: ("disk", True),
            FAL_WRONG: ("validation", False),
        }
        assert [run.id for run in runs.values() if run.can_be_fetched] == [FAL_LOST]
        assert (runs[QUEUED].queue_position, runs[FAL_WAITS].key_of) == (3, "visitor")

    async def test_what_was_deleted_can_be_restored(self, playground):
        before = await playground.run(ANN, DELETED)
        assert before.deleted_at is not None
        assert playground.media.read("media", before.picture.name)
        await playground.undelete(ANN, DELETED)
        assert len(found(playground)) == 43

    async def test_numbers_go_on(self, playground):
        assert playground.history.revision() == 198
        changed = await playground.favourite(ANN, HINDI, True)
        assert changed.revision == 199

    @pytest.mark.parametrize(
        ("text", "count"),
        [
            ("fox", 11),
            ("狐", 5),
            ("cafe", 1),
            ("लोमड़ी", 1),
            ("сумерк", 1),
            ("notes:client", 1),
            ("notes:light", 1),
            ("tag:poster", 2),
            ("tag:STRASSE", 1),
            ("tag:狐", 1),
            ("is:favourite", 3),
            ("is:failed", 3),
            ("is:unknown", 1),
            ("is:cancelled", 1),
            ("is:running", 9),
            ("seed:4294967295", 1),
            ("seed:0", 1),
            ("seed:72", 1),
            ("steps:50", 1),
            ("guidance:<2", 1),
            ("guidance:6.5", 1),
            ("expansion:off", 10),
            ("safety:5 checker:off unlisted:on", 1),
            ("format:png", 2),
            ("size:64x64", 32),
            ("size:square", 1),
            ("size:landscape_4_3", 1),
            ("engine:fal", 4),
            ("cost:0.025", 1),
            ("took:8-8.5", 3),
            ("grid:any", 17),
            (f"grid:{WORDS}", 8),
            ('project:"Slow Travel"', 16),
            ('project:"füchse 狐"', 14),
            ("project:inbox", 12),
        ],
    )
    async def test_searches_find_as_many(self, playground, text, count):
        assert len(found(playground, text)) == count
        assert Search(playground.history).count(playground.scope(None), parse(text)) == count


class TestGrids:
    async def test_they_are_listed(self, playground):
        listed = await playground.grids.newest(ANN, limit=9)
        assert [(line.id, line.title, line.cells) for line in listed] == [
            (PAUSED, "Seed", 5),
            (WORDS, "Prompt S/R × Prompt expansion × Image size", 8),
            (STEPS, "Steps × Guidance scale", 6),
        ]

    @pytest.mark.parametrize(
        ("grid_id", "size", "cells", "paused", "origin"),
        [
            (PAUSED, (5,), ["done"] * 2 + ["pending"] * 3, True, None),
            (WORDS, (2, 2, 2), ["done"] * 8, False, None),
            (STEPS, (3, 2), ["done"] * 4 + [None] * 2, False, ORIGIN),
        ],
    )
    async def test_they_open(self, playground, grid_id, size, cells, paused, origin):
        view = await playground.grids.view(ANN, grid_id)
        plan = view.grid.plan
        assert (plan.size, states(view), view.grid.paused, plan.origin) == (size, cells, paused, origin)
        assert set(view.grid.cells) == set(plan.requests), "every cell is found by its key"
        runs = [(run, cell) for cell in plan.cells if (run := view.run_of(cell.key))]
        assert all(run.request == cell.request for run, cell in runs)

    async def test_words_are_put_in(self, playground):
        view = await playground.grids.view(ANN, WORDS)
        prompts = [cell.request.prompt for cell in view.grid.plan.cells]
        assert prompts == ["a red fox in the snow", "a red 狐 in the snow"] * 4
        assert [cell.request.pixels for cell in view.grid.plan.cells] == [(64, 64)] * 4 + [(80, 64)] * 4
        assert [cell.request.enable_prompt_expansion for cell in view.grid.plan.cells] == [True, True, False, False] * 2

    async def test_a_picture_from_before_fills_a_cell_and_one_was_made_twice(self, playground):
        view = await playground.grids.view(ANN, STEPS)
        assert view.run_of(view.grid.plan.cells[1].key).id == ORIGIN
        first, second = (view.runs[run_id] for run_id in view.grid.repeat)
        assert (second.repeat_of, second.request) == (first.id, first.request)

    @pytest.mark.parametrize(
        ("grid_id", "made", "new", "held"), [(PAUSED, 2, 3, 5), (WORDS, 8, 0, 8), (STEPS, 4, 2, 4)]
    )
    async def test_what_is_done_is_not_made_again(self, playground, grid_id, made, new, held):
        plan = (await playground.grids.view(ANN, grid_id)).grid.plan
        axes = preview_axes([(axis.field, axis.values) for axis in plan.axes], plan.base)
        seen = await playground.grids.preview(ANN, plan.base, axes)
        assert (seen.made, seen.new, seen.fault) == (made, new, "")
        assert (await playground.grids.preview(ANN, plan.base, axes, grid_id=grid_id)).made == held

    async def test_blind_picks_are_ranked_as_before(self, playground):
        newer, older = playground.ballots.judgings(ANN, STEPS)
        assert (older.ballot.axis, older.ballot.mode, older.verdicts) == ("Steps", "pairs", (1, 1, 1, 1, 0, "tie"))
        standings = [(each.label, each.score, each.place) for each in older.ranking().standings]
        assert standings == [
            ("steps 20", "4 of 4", "leads"),
            ("steps 10", "1.5 of 4", "undecided"),
            ("steps 40", "0.5 of 4", "undecided"),
        ]
        assert (newer.ballot.mode, len(newer.ballot.rounds), newer.verdicts, newer.next) == ("four", 3, ("skip", 0), 3)
        assert newer.ranking().standings[0].score == "1 of 1"
        assert playground.ballots.judgings(ANN, WORDS) == []


class TestRestart:
    async def test_what_was_under_way_goes_on(self, playground):
        before = {run.id: run for run in found(playground)}
        await playground.start()
        ended = [playground.finished(ANN, run) for run in (PENDING, SUBMITTED, QUEUED, RUNNING, SUBMITTING)]
        pending, submitted, queued, running, submitting = await asyncio.wait_for(
            asyncio.gather(*ended), PATIENCE_SECONDS
        )
        # The demo engine keeps the requests of two; the third it does not know.
        assert [run.state.value for run in (pending, submitted, running)] == ["done"] * 3
        assert [run.seed_used for run in (pending, submitted, running)] == [84, 83, 81]
        assert all(playground.media.read("media", run.picture.name) for run in (pending, submitted, running))
        assert (submitted.ticket, running.ticket) == (before[SUBMITTED].ticket, before[RUNNING].ticket)
        assert (queued.state.value, queued.failure.code) == ("failed", "gone")
        assert (submitting.state.value, submitting.failure.code, submitting.ticket) == ("unknown", "unanswered", None)
        # What needs a key that is not known, or is paused, waits; the rest stays as it was.
        waits = await playground.run(BOB, FAL_WAITS)
        assert (waits.state.value, waits.note) == ("submitted", "Enter your key to fetch it.")
        gone_on = {PENDING, SUBMITTED, QUEUED, RUNNING, SUBMITTING, FAL_WAITS}
        after = {run.id: run for run in found(playground)}
        assert {name: run for name, run in after.items() if name not in gone_on} == {
            name: run for name, run in before.items() if name not in gone_on
        }

    async def test_a_paused_grid_goes_on_when_asked(self, playground):
        await playground.start()
        assert states(await playground.grids.view(ANN, PAUSED)) == ["done"] * 2 + ["pending"] * 3
        await playground.grids.resume(ANN, PAUSED)
        view = await asyncio.wait_for(playground.grids.finished(ANN, PAUSED), PATIENCE_SECONDS)
        assert states(view) == ["done"] * 5

    async def test_what_was_deleted_long_ago_goes_for_good(self, playground):
        deleted = await playground.run(ANN, DELETED)
        # Its own time is long past, but for a machine whose clock is slow.
        playground.history.change(DELETED, deleted_at=now() - timedelta(hours=1))
        await playground.start()
        with pytest.raises(NotFound):
            await playground.run(ANN, DELETED)
        assert playground.media.read("media", deleted.picture.name) is None
        assert states(await playground.grids.view(ANN, STEPS)) == ["done"] * 4 + [None] * 2
        assert len(found(playground)) == 42


class TestExports:
    async def test_an_export_says_the_same_as_then(self, playground):
        before, after = (KEPT / "export.zip").read_bytes(), await exported(playground)
        for name, count in (("history.jsonl", 42), ("grids.jsonl", 3)):
            old_lines, new_lines = json_lines(before, name), json_lines(after, name)
            assert (len(old_lines), len(new_lines)) == (count, count)
            assert [old["id"] for old, new in zip(old_lines, new_lines, strict=True) if not holds(new, old)] == []

    async def test_a_table_says_the_same_as_then(self, playground):
        then, now = table((KEPT / "export.zip").read_bytes()), table(await exported(playground))
        assert (len(then), len(then[0])) == (42, 30)
        assert [old["id"] for old, new in zip(then, now, strict=True) if not holds(new, old)] == []

    async def test_all_of_it_is_restored(self, playground, empty):
        told = await restored(empty, "export.zip")
        assert (told.restored, told.here, told.originals, told.without) == (42, 0, 27, 1)
        assert set(told.grids) == {STEPS, WORDS, PAUSED}
        runs, originals = found(empty), found(playground)
        assert [run.id for run in runs] == [run.id for run in originals]
        for run, original in zip(runs, originals, strict=True):
            if original.state.is_final:
                same = {"revision": run.revision, "visitor": run.visitor}
                assert run == original.model_copy(update=same)
            if run.picture and run.id != REMOVED:
                name = run.picture.name
                assert empty.media.read("media", name) == playground.media.read("media", name)
        assert {project.name for project in empty.projects.of(empty.scope(ANN))} == set(PROJECTS.values())

    async def test_what_was_under_way_is_restored_with_an_end(self, empty):
        await restored(empty, "export.zip")
        runs = {run.id: run.state.value for run in found(empty)}
        ends = [runs[run] for run in (PENDING, SUBMITTING, SUBMITTED, QUEUED, RUNNING, FAL_WAITS)]
        assert ends == ["cancelled", "unknown", "failed", "failed", "failed", "failed"]
        assert Counter(runs.values()) == {"done": 28, "cancelled": 5, "failed": 7, "unknown": 2}

    async def test_grids_are_restored(self, playground, empty):
        await restored(empty, "export.zip")
        for grid_id in (STEPS, WORDS, PAUSED):
            there, then = await empty.grids.view(ANN, grid_id), await playground.grids.view(ANN, grid_id)
            assert there.grid.plan == then.grid.plan
            assert (there.grid.repeat, there.grid.paused) == (then.grid.repeat, then.grid.paused)
            assert states(there) == [{"pending": "cancelled"}.get(state or "", state) for state in states(then)]
            assert empty.ballots.judgings(ANN, grid_id) == playground.ballots.judgings(ANN, grid_id)

    async def test_twice_restored_is_once_there(self, playground):
        told = await restored(playground, "export.zip")
        assert (told.restored, told.here, told.originals) == (0, 42, 0)
        assert list(lines(playground)) == RUNS.strip().splitlines()

    async def test_the_lines_alone_are_restored(self, empty, tmp_path):
        with zipfile.ZipFile(KEPT / "export.zip") as archive:
            file = Path(archive.extract("history.jsonl", tmp_path))
        told = await empty.archive.import_file(file, ANN, empty.scope(ANN), lambda _done: None)
        assert (told.restored, told.originals, told.without) == (42, 0, 28)

    async def test_one_grid_is_restored(self, empty):
        told = await restored(empty, "grid.zip")
        assert (told.restored, told.originals, told.without, told.grids) == (5, 2, 0, (PAUSED,))
        view = await empty.grids.view(ANN, PAUSED)
        assert states(view) == ["done"] * 2 + ["cancelled"] * 3
        assert [view.run_of(cell.key).seed for cell in view.grid.plan.cells] == [100, 4294967294, 102, 103, 104]


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "grid_id"),
        [("sheet.png", PAUSED), ("sheet.pdf", WORDS), ("page.html", WORDS)],
    )
    async def test_a_plan_is_read_back(self, playground, name, grid_id):
        plan = read_plan(plan_in_file((KEPT / name).read_bytes()))
        then = (await playground.grids.view(ANN, grid_id)).grid.plan
        assert plan == then
        assert (plan.base.seed, plan.size) == {PAUSED: (100, (5,)), WORDS: (7, (2, 2, 2))}[grid_id]

    @pytest.mark.parametrize("name", ["grid/sheet.png", "grid/page.html"])
    async def test_the_files_in_a_grid_s_export_hold_its_plan(self, playground, name):
        with zipfile.ZipFile(KEPT / "grid.zip") as archive:
            plan = read_plan(plan_in_file(archive.read(name)))
        assert plan == (await playground.grids.view(ANN, PAUSED)).grid.plan

    @pytest.mark.parametrize(
        ("name", "run_id", "values"),
        [
            (
                "picture.jpg",
                HINDI,
                {
                    "prompt": "लाल लोमड़ी 🦊👩‍🚀 café naïve Ω",
                    "image_size": {"width": 64, "height": 64},
                    "seed": 1234567890,
                    "num_inference_steps": 28,
                    "guidance_scale": 10.0,
                    "enable_prompt_expansion": False,
                    "safety_tolerance": "5",
                    "enable_safety_checker": False,
                    "output_format": "jpeg",
                    "sync_mode": True,
                },
            ),
            (
                "picture.png",
                JAPANESE,
                {
                    "prompt": '夕暮れの赤い狐、看板に "狐" とある',
                    "image_size": {"width": 64, "height": 64},
                    "seed": 4294967295,
                    "num_inference_steps": 28,
                    "guidance_scale": 3.5,
                    "enable_prompt_expansion": True,
                    "safety_tolerance": "2",
                    "enable_safety_checker": True,
                    "output_format": "png",
                    "sync_mode": False,
                },
            ),
        ],
    )
    async def test_settings_are_read_from_pictures(self, playground, name, run_id, values):
        read = read_settings((KEPT / name).read_bytes())
        run = await playground.run(ANN, run_id)
        assert (read.source, read.unused) == ("FLUX.2 [flex] Playground", ())
        assert holds(read.values, StoredRequest(values).values)
        assert read.request == StoredRequest(values) == run.request
        assert read.notes == ("Made by the demo engine, which is no model.",)
        record = read.record
        assert (record.endpoint, record.engine, record.seed) == ("fal-ai/flux-2-flex", "demo", values["seed"])
        assert (record.request_id, record.created_at) == (run.ticket.request_id, run.created_at)


CELL_KEYS: list[dict[str, Any]] = json.loads((KEPT / "cell_keys.json").read_text("utf-8"))


def test_there_are_twenty_cell_keys():
    assert len(CELL_KEYS) == 20
    assert len({case["key"] for case in CELL_KEYS}) == 19, "one changes a setting to what it was"


@pytest.mark.parametrize("case", CELL_KEYS, ids=[case["key"][:8] for case in CELL_KEYS])
def test_a_cell_is_named_as_then(case):
    """The key stands in people's grids: whoever changes it loses their pictures. Treat any change as a migration."""
    changes = {name: as_json(name, value) for name, value in case.get("changes", {}).items()}
    assert StoredRequest(case["request"]).but(**changes).key == case["key"]


def as_json(name: str, value: Any) -> Any:
    """A value as a request writes it: 4 as "4" where choices are texts."""
    try:
        return parse_value(name, value)
    except (InvalidRequest, KeyError):  # not allowed by today's program any more, or gone
        return value
