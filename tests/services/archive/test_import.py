from __future__ import annotations

import itertools
import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from support.newest import newest
from support.projects import GROUP, LIMITS, Shelf, a_picture, lines_of, packed, parts_of, written

from services.archive import import_ as restoring
from services.archive.errors import ArchiveError, PicturesWait, RestWaits
from services.archive.import_ import Imported
from services.archive.lines import RunLine
from services.archive.ownership import Owner
from services.errors import CannotWrite, Failure
from services.grids.blind.blind import Ballot, Judging, Side
from services.grids.plan import parse_plan
from services.library.bulk import Named
from services.library.import_rows import ImportRows
from services.library.scope import EVERYONE, Scope
from services.library.spending import Sum, spending
from services.library.tables import ballots, grid_cells, grids, projects, runs
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.run import RunState, Ticket, new_id, now

PLAN = parse_plan(Flux2FlexRequest(prompt="a fox", seed=7), [("seed", [1, 2])])
MOMENT = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=timezone.utc)
TICKET = Ticket(request_id="r-1", status_url="https://q/s", response_url="https://q/r", cancel_url="https://q/c")
ANN, BOB = Owner("ann", shares=False), Owner("bob", shares=False)


def a_grid(shelf: Shelf, *cells: str, visitor: str = "ann", project: str | None = None) -> str:
    """A grid whose repeat and ballot name its runs."""
    grid = new_id()
    pair = json.dumps(list(cells[:2]), separators=(",", ":"))
    values = {"visitor": visitor, "repeat": pair, "project_id": project, "created_at": MOMENT.isoformat()}
    shelf.write(grids, id=grid, plan=PLAN.model_dump_json(), paused=True, **values)
    for number, run in enumerate(cells):
        shelf.write(grid_cells, grid_id=grid, key=f"cell {number}", run_id=run)
    sides = tuple(Side(run_id=run, value=value) for value, run in enumerate(cells[:2]))
    ballot = Ballot(id=new_id(), created_at=MOMENT, axis="Seed", labels=("1", "2"), mode="pairs", rounds=(sides,))
    judging = Judging(ballot=ballot, verdicts=(1,))
    written = json.dumps(judging.model_dump(mode="json"), separators=(",", ":"))
    shelf.write(ballots, id=ballot.id, grid_id=grid, ballot=written, created_at=MOMENT.isoformat())
    return grid


def filled(shelf: Shelf) -> Shelf:
    """Every kind of entry."""
    project = new_id()
    shelf.write(projects, id=project, visitor="ann", name="Foxes", created_at="2026-01-01T00:00:00.000000+00:00")
    first = shelf.add("a fox", created_at=MOMENT, submitted_at=MOMENT, started_at=MOMENT, finished_at=MOMENT,
                      ticket=TICKET, seed_used=9, billed_units=1.5, cost_usd=0.05, favourite=True, notes="nice\n=1",
                      tags=("red", "狐"), project_id=project, note="kept")  # fmt: skip
    second = shelf.add(request=Flux2FlexRequest(prompt="x", seed=1, image_size=ImageSize(width=640, height=320)),
                       repeat_of=first.id)  # fmt: skip
    shelf.add("refused", picture=False, failure=Failure(code="x", message="No.", field="prompt", charged=True))
    shelf.add("cancelled", picture=False, state=RunState.CANCELLED, cancel_asked=True, finished_at=MOMENT)
    grid = a_grid(shelf, first.id, second.id, project=project)
    shelf.history.change(second.id, grid_id=grid)
    removed = shelf.add("an old one")
    shelf.history.change(removed.id, original_removed_at=MOMENT)
    shelf.media.delete("media", removed.picture.name)
    return shelf


class TestEverythingComesBack:
    def test_export_wipe_restore_is_the_same(self, shelf, other):
        data = filled(shelf).export()
        (grid,) = (row["id"] for row in shelf.rows(grids))
        assert other.restore(data) == Imported(restored=5, here=0, originals=2, without=1, grids=(grid,))
        assert other.all() == shelf.all()
        assert other.kin() == shelf.kin()
        assert other.files() == shelf.files()
        assert other.thumbs() == shelf.thumbs()
        assert parts_of(other.export())["history.jsonl"] == parts_of(data)["history.jsonl"]

    def test_twice_restored_is_once_there(self, shelf, other):
        data = filled(shelf).export()
        other.restore(data)
        before = other.state()
        assert replace(other.restore(data), grids=()) == Imported(restored=0, here=5, originals=0, without=0)
        assert other.state() == before

    def test_beside_what_is_here_the_older_stand_below_and_the_newer_above(self, shelf, other):
        old = shelf.add("old", created_at=MOMENT)
        middle = other.add("middle", created_at=MOMENT + timedelta(days=1))
        other.restore(shelf.export())
        shelf.add("new", created_at=MOMENT + timedelta(days=2))
        other.restore(shelf.export())
        assert [run.request.prompt for run in other.all()] == ["old", "middle", "new"]
        assert old.created_at < middle.created_at
        assert other.add("newest").id == other.all()[-1].id

    def test_pages_are_not_told_of_each(self, shelf, other):
        shelf.add("a fox")
        before = other.history.revision()
        other.restore(shelf.export())
        assert other.history.changed_since(EVERYONE, 0) == []
        assert other.history.revision() == before
        (run,) = other.all()
        other.history.change(run.id, favourite=True)
        assert len(other.history.changed_since(EVERYONE, before)) == 1

    def test_what_is_restored_is_found(self, shelf, other):
        shelf.add("a zeppelin at dusk")
        other.restore(shelf.export())
        (entry,) = newest(other.history, EVERYONE, limit=5)
        assert entry.run.request.prompt == "a zeppelin at dusk"
        prompts = select(runs.c.width).where(runs.c.num_inference_steps == 28)
        assert other.history.values(prompts) == [512]

    def test_what_was_deleted_here_is_back(self, shelf):
        run = shelf.add("a fox")
        data = shelf.export()
        shelf.history.change(run.id, deleted_at=now())
        assert shelf.restore(data).here == 1
        assert shelf.history.get(run.id, EVERYONE).deleted_at is None

    def test_a_selection_restores_its_part_of_a_grid_and_the_rest_completes_it(self, shelf, other):
        one, two = shelf.add("one"), shelf.add("two")
        grid = a_grid(shelf, one.id, two.id)
        for run in (one, two):
            shelf.history.change(run.id, grid_id=grid)
        other.restore(shelf.export(chosen=Named((one.id,))))
        assert [cell["run_id"] for cell in other.rows(grid_cells)] == [one.id]
        other.restore(shelf.export(grid_ids=[grid]))
        assert other.kin() == shelf.kin()

    def test_a_project_of_the_same_name_is_the_same(self, shelf, other):
        for place in (shelf, other):
            place.write(projects, id=new_id(), visitor="ann", name="Foxes", created_at=MOMENT.isoformat())
        shelf.add("a fox", project_id=shelf.rows(projects)[0]["id"])
        other.restore(shelf.export())
        (project,) = other.rows(projects)
        assert other.all()[0].project_id == project["id"]

    @settings(derandomize=True, deadline=None, max_examples=20, suppress_health_check=list(HealthCheck))
    @given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1).filter(str.strip))
    def test_any_prompt(self, shelf, other, prompt):
        shelf.add(request=Flux2FlexRequest(prompt=prompt, seed=1), picture=False, notes=prompt, tags=(prompt,))
        other.restore(shelf.export("jsonl"))
        assert other.all() == shelf.all()


class TestWithoutPictures:
    def test_lines_alone_restore_entries_that_say_that_they_lack_theirs(self, shelf, other):
        run = shelf.add("a fox")
        assert other.restore(shelf.export("jsonl")) == Imported(restored=1, here=0, originals=0, without=1)
        (found,) = other.all()
        assert found.original_removed_at is not None
        assert found.picture == run.picture.model_copy(update={"thumb": ""})
        assert other.files() == {}

    def test_the_zip_gives_them_back_later(self, shelf, other):
        filled(shelf)
        other.restore(shelf.export("jsonl"))
        again = other.restore(shelf.export())
        assert (again.restored, again.here, again.originals) == (0, 5, 2)
        assert other.files() == shelf.files()
        assert [run.picture for run in other.all()[:2]] == [run.picture for run in shelf.all()[:2]]
        assert other.all()[0].original_removed_at is None

    def test_another_picture_is_not_taken_for_the_missing_one(self, shelf, other):
        run = shelf.add("a fox")
        other.restore(shelf.export("jsonl"))
        bigger = a_picture("another", size=(64, 64))
        parts = parts_of(shelf.export())
        (line,) = lines_of(parts["history.jsonl"])
        line["picture"] |= {"bytes": len(bigger), "width": 64, "height": 64}
        parts |= {"history.jsonl": written([line]), f"media/{run.picture.name}": bigger}
        assert other.restore(packed(parts)).originals == 0
        assert other.files() == {}


class TestOfOtherVisitors:
    def test_what_belongs_to_another_is_neither_shown_nor_taken(self, shelf):
        run = shelf.add("a fox", visitor="ann", notes="secret")
        data = shelf.export()
        before = shelf.history.get(run.id, Scope("ann")), shelf.files()[run.picture.name]
        assert shelf.restore(data, BOB) == Imported(restored=1, here=0, originals=1, without=0)
        (mine,) = newest(shelf.history, Scope("bob"), limit=9)
        assert mine.run.id != run.id
        assert mine.run.picture.name != run.picture.name
        assert (shelf.history.get(run.id, Scope("ann")), shelf.files()[run.picture.name]) == before
        assert shelf.restore(data, BOB) == Imported(restored=0, here=1, originals=0, without=0)

    def test_an_entry_never_names_another_s_file(self, shelf, other):
        """Lines alone: a name in them must not open what is called so here."""
        run = shelf.add("a fox", visitor="ann")
        shelf.restore(shelf.export("jsonl"), BOB)
        (mine,) = newest(shelf.history, Scope("bob"), limit=9)
        assert mine.run.picture.name != run.picture.name

    def test_projects_grids_and_ballots_get_ids_of_their_own(self, shelf):
        filled(shelf)
        theirs = shelf.kin()
        for _ in range(2):
            shelf.restore(shelf.export(scope=Scope("ann")), BOB)
        assert [len(rows) for rows in shelf.kin()] == [2 * len(rows) for rows in theirs]
        mine = [entry.run for entry in newest(shelf.history, Scope("bob"), limit=9)][::-1]
        _, grid = shelf.rows(grids)
        assert mine[1].grid_id == grid["id"]
        assert mine[1].repeat_of == mine[0].id
        assert json.loads(grid["repeat"]) == [mine[0].id, mine[1].id]
        judged = Judging.model_validate_json(shelf.rows(ballots)[1]["ballot"])
        assert [side.run_id for side in judged.ballot.rounds[0]] == [mine[0].id, mine[1].id]
        cells = [cell["run_id"] for cell in shelf.rows(grid_cells) if cell["grid_id"] == grid["id"]]
        assert cells == [mine[0].id, mine[1].id]
        _, project = shelf.rows(projects)
        assert (mine[0].project_id, project["name"]) == (project["id"], "Foxes")

    def test_in_a_shared_history_an_entry_is_there_whoever_made_it(self, shelf):
        shelf.add("a fox", visitor="ann")
        assert shelf.restore(shelf.export(), Owner("bob", shares=True)).here == 1


class TestUnfinished:
    @pytest.mark.parametrize(
        ("state", "ticket", "becomes", "refetch"),
        [
            (RunState.PENDING, None, RunState.CANCELLED, None),
            (RunState.SUBMITTING, None, RunState.UNKNOWN, False),
            (RunState.SUBMITTED, TICKET, RunState.FAILED, True),
            (RunState.RUNNING, TICKET, RunState.FAILED, True),
            (RunState.QUEUED, None, RunState.UNKNOWN, False),
        ],
    )
    def test_nothing_is_sent(self, shelf, other, state, ticket, becomes, refetch):
        shelf.add("a fox", picture=False, state=state, ticket=ticket, progress=0.5, queue_position=2, note="waiting")
        other.restore(shelf.export())
        (run,) = other.all()
        assert run.state is becomes
        assert (run.failure.refetch if run.failure else None) is refetch
        assert (run.progress, run.queue_position, run.note) == (None, None, None)
        assert run.finished_at is not None
        assert other.history.unfinished() == []

    def test_the_owner_s_key_fetches_nothing_on_a_visitor_s_word(self, shelf, other):
        old = Failure(code="x", message="Retry.", refetch=True)
        shelf.add("one", picture=False, state=RunState.RUNNING, ticket=TICKET)
        shelf.add("two", picture=False, ticket=TICKET, failure=old)
        shelf.add("three", picture=False, ticket=TICKET, failure=old, key_of="visitor")
        other.restore(shelf.export(), ANN)
        assert [run.failure.refetch for run in other.all()] == [False, False, True]


def test_a_file_uses_up_no_budget(shelf, other):
    midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
    shelf.add("a fox", cost_usd=1000.0)
    shelf.add("yesterday's", cost_usd=1000.0, created_at=midnight - timedelta(seconds=1))
    other.restore(shelf.export(), ANN)
    for run in other.all():
        other.history.change(run.id, favourite=True, cost_usd=2000.0)
    assert other.history.owners_spending(midnight, everyone=True) == 0
    assert other.history.owners_asked_since("ann", midnight) == 0
    assert spending(other.history, EVERYONE, now(), timezone.utc).month == Sum()


def stop(*_args, **_more):
    raise KeyboardInterrupt


def refuse(*_args, **_more):
    raise CannotWrite("database or disk is full")


@contextmanager
def killed(monkeypatch):
    """Nothing is undone or cleared away any more, as when the process is killed."""
    with monkeypatch.context() as broken:
        broken.setattr(ImportRows, "drop_hidden", lambda _rows: None)
        broken.setattr("services.archive.staging.shutil.rmtree", lambda *_, **__: None)
        yield broken


def nth(method, number, then):
    """`method`, but its call with this number, from 0, is `then`."""
    calls = itertools.count()

    def called(*args, **more):
        return (then if next(calls) == number else method)(*args, **more)

    return called


class TestACrash:
    """Each is a stop at one point; `recover` is what the next start does."""

    def crashed(self, shelf, other, monkeypatch, owner, method, number=0) -> None:
        data = shelf.export()
        with killed(monkeypatch) as broken:
            broken.setattr(restoring, "BATCH", 1)
            broken.setattr("services.library.import_rows.BATCH", 1)
            broken.setattr(owner, method, nth(getattr(owner, method), number, stop))
            with pytest.raises(KeyboardInterrupt):
                other.restore(data)
        assert list((other.folder / "incoming").glob("restore-*/media/*"))

    @pytest.mark.parametrize(
        ("owner", "method", "number"),
        [
            *((ImportRows, "add_hidden", number) for number in range(5)),
            (restoring.Staging, "write_steps", 0),
            (ImportRows, "decide", 0),
        ],
    )
    def test_before_it_counts_nothing_is_there(self, shelf, other, monkeypatch, owner, method, number):
        filled(shelf)
        mine = other.add("mine")
        before = other.state()
        self.crashed(shelf, other, monkeypatch, owner, method, number)
        assert [entry.run.id for entry in newest(other.history, EVERYONE, limit=99)] == [mine.id]
        other.importer.recover()
        assert other.state() == before
        assert other.restore(shelf.export()).restored == 5

    @pytest.mark.parametrize(
        ("owner", "method", "number"),
        [
            *((ImportRows, "_do", number) for number in range(3)),
            *((ImportRows, "_hidden", number) for number in range(5)),
            (restoring.Staging, "move", 0),
        ],
    )
    def test_when_it_counts_everything_is(self, shelf, other, monkeypatch, owner, method, number):
        filled(shelf)
        gone = shelf.all()[3]
        other.history.add([gone.model_copy(update={"deleted_at": now(), "visitor": "ann"})])
        self.crashed(shelf, other, monkeypatch, owner, method, number)
        other.importer.recover()
        assert {run.id: run for run in other.all()} == {run.id: run for run in shelf.all()}
        assert len(newest(other.history, EVERYONE, limit=99)) == 5
        assert other.kin() == shelf.kin()
        assert (other.files(), other.thumbs()) == (shelf.files(), shelf.thumbs())
        assert not list((other.folder / "incoming").iterdir())
        assert ImportRows(other.history).decided() is None

    def test_the_next_import_finishes_one_that_counts_too(self, shelf, other, monkeypatch):
        filled(shelf)
        self.crashed(shelf, other, monkeypatch, ImportRows, "show_hidden")
        assert other.restore(shelf.export()).here == 5
        assert len(newest(other.history, EVERYONE, limit=99)) == 5

    def test_a_full_disk_while_it_is_put_in_place_is_said_and_the_next_start_goes_on(self, shelf, other, monkeypatch):
        filled(shelf)
        data = shelf.export()
        with monkeypatch.context() as full:
            full.setattr(ImportRows, "show_hidden", refuse)
            with pytest.raises(RestWaits, match=r"some entries, which .* \(database or disk is full\)"):
                other.restore(data)
        assert newest(other.history, EVERYONE, limit=99) == []
        other.importer.recover()
        assert other.all() == shelf.all()
        assert other.files() == shelf.files()

    def test_a_full_disk_before_it_counts_leaves_nothing(self, shelf, other, monkeypatch):
        filled(shelf)
        before, data = other.state(), shelf.export()
        with monkeypatch.context() as full:
            full.setattr(restoring, "BATCH", 1)
            full.setattr(ImportRows, "add_hidden", nth(ImportRows.add_hidden, 3, refuse))
            with pytest.raises(CannotWrite):
                other.restore(data)
        assert other.state() == before

    @pytest.mark.parametrize("kept", range(4))
    def test_a_full_disk_after_it_leaves_the_rest_for_the_next_start(self, shelf, other, monkeypatch, kept):
        """Two pictures are two thumbnails and two originals: the disk is full after some of them."""
        shelf.add("a fox")
        shelf.add("a cat")
        data, put, left = shelf.export(), other.media.put, iter(range(kept))

        def fill(*args, **more):
            if next(left, None) is None:
                raise OSError(28, "No space left on device")
            put(*args, **more)

        with monkeypatch.context() as full:
            full.setattr(other.media, "put", fill)
            with pytest.raises(PicturesWait, match=r"some pictures, which .* \(No space left on device\)"):
                other.restore(data)
        assert len(other.files()) + len(other.thumbs()) == kept
        other.importer.recover()
        assert other.all() == shelf.all()
        assert (other.files(), other.thumbs()) == (shelf.files(), shelf.thumbs())
        assert not list((other.folder / "incoming").iterdir())

    def test_a_second_try_after_a_full_disk_brings_the_rest_too(self, shelf, other, monkeypatch):
        shelf.add("a fox")
        data = shelf.export()

        def full(*_args, **_more):
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as broken:
            broken.setattr(other.media, "put", full)
            with pytest.raises(PicturesWait):
                other.restore(data)
        assert other.restore(data).originals == 1
        assert other.files() == shelf.files()
        other.importer.recover()
        assert other.files() == shelf.files()

    def test_an_upload_that_was_left_goes(self, other):
        left = other.folder / "incoming" / "upload-x"
        left.parent.mkdir()
        left.write_bytes(b"x")
        other.importer.recover()
        assert not left.exists()


def test_runs_made_meanwhile_stand_above(shelf, other, monkeypatch):
    """Newer ones than those here are restored above them; what is asked for during the import is newer still."""
    other.add("old", created_at=MOMENT)
    shelf.add("restored 1")
    shelf.add("restored 2")
    monkeypatch.setattr(restoring, "BATCH", 1)
    add = ImportRows.add_hidden

    def beside(*args):
        add(*args)
        if len(other.all()) == 2:
            other.add("made meanwhile")

    monkeypatch.setattr(ImportRows, "add_hidden", beside)
    other.restore(shelf.export())
    assert [run.request.prompt for run in other.all()] == ["old", "restored 1", "restored 2", "made meanwhile"]


def test_between_any_two_batches_others_write(shelf, other, monkeypatch):
    """Lines are parsed, and pictures checked, while nobody waits for a commit."""
    filled(shelf)
    mine = other.add("mine")
    monkeypatch.setattr("services.library.import_rows.BATCH", 1)
    monkeypatch.setattr(restoring, "BATCH", 1)
    written: list[str] = []

    def watched(owner, name):
        method = getattr(owner, name)

        def called(*args, **more):
            other.history.change_soon(mine.id, notes=name).result(5)
            written.append(name)
            return method(*args, **more)

        monkeypatch.setattr(owner, name, called)

    watched(RunLine, "run")
    watched(restoring.Staging, "original")
    watched(ImportRows, "_do")
    watched(ImportRows, "_hidden")
    other.restore(shelf.export())
    assert (written.count("run"), written.count("original")) == (5, 2)
    assert written.count("_do") >= 3
    assert written.count("_hidden") >= 6


def test_progress_is_told(shelf, other):
    for number in range(3):
        shelf.add(f"fox {number}")
    told: list[int] = []
    file = other.folder / "dropped"
    file.write_bytes(shelf.export())
    other.importer.import_file(file, GROUP, LIMITS, told.append)
    assert told == [1, 2, 3]


def test_what_cannot_be_written_leaves_nothing(shelf, other, monkeypatch):
    shelf.add("a fox")
    data, before = shelf.export(), other.state()

    def full(*_args, **_more):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("services.archive.staging.FolderStore.put", full)
    with pytest.raises(OSError, match="No space"):
        other.restore(data)
    assert other.state() == before
    monkeypatch.undo()
    with pytest.raises(ArchiveError):
        other.restore(data[:-1])
    assert other.restore(data).restored == 1
