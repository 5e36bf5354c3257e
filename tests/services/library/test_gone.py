"""What was erased is erased again in a copy from before, wherever the copy comes from."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import insert, select
from support.clock import FakeClock

from services.library.gone import FILE, LEAST, MARGIN, GoneList, hashed
from services.library.scope import EVERYONE
from services.library.tables import erasures, projects
from services.playground import UNDO_SECONDS, Playground
from services.run import Run, RunState, new_id
from services.settings import Settings
from services.stored import StoredRequest

ANN, BOB = "a" * 32, "b" * 32
DAY = 24 * 3600
Open = Callable[[], Playground]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def open_(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Open]:
    opened: list[Playground] = []

    def make() -> Playground:
        settings = Settings(playground_engine="demo", playground_history="visitor", playground_data_dir=tmp_path)
        opened.append(Playground(settings, clock=clock))
        opened[-1].runner.take = lambda run: None  # type: ignore[method-assign]
        return opened[-1]

    yield make
    for playground in opened:
        await playground.stop()


def add(playground: Playground, visitor: str) -> Run:
    run = Run(id=new_id(), visitor=visitor, engine="demo", key_of="owner", state=RunState.DONE,
              request=StoredRequest({"prompt": f"words of {visitor[0]}", "seed": 1}),
              created_at=playground.clock.now())  # fmt: skip
    with playground.history.writing() as connection:
        row = {"id": new_id(), "visitor": visitor, "name": new_id(), "created_at": "1"}
        connection.execute(insert(projects).values(row))
    return playground.history.add([run])[0]


def ids(playground: Playground) -> set[str]:
    return {entry.run.id for entry in playground.history.changed_since(EVERYONE, -(2**40))}


def copy(folder: Path, to: str) -> None:
    source, target = sqlite3.connect(folder / "history.sqlite3"), sqlite3.connect(folder / to)
    source.backup(target)
    source.close()
    target.close()


def put_in_place(folder: Path, name: str) -> None:
    for ending in ("-wal", "-shm"):
        (folder / f"history.sqlite3{ending}").unlink(missing_ok=True)
    (folder / "history.sqlite3").write_bytes((folder / name).read_bytes())


async def test_a_copy_from_before_is_erased_again_and_one_from_after_keeps_what_came_later(open_, clock, tmp_path):
    playground = open_()
    add(playground, ANN)
    bobs, deleted = add(playground, BOB), add(playground, BOB)
    copy(tmp_path, "before")
    await playground.delete_everything(ANN)
    await playground.delete(BOB, deleted.id)
    clock.advance(UNDO_SECONDS + 1)
    await playground.tidy()
    later = add(playground, ANN)
    copy(tmp_path, "after")
    await playground.stop()

    for name, left in (("before", {bobs.id}), ("after", {bobs.id, later.id}), ("before", {bobs.id})):
        put_in_place(tmp_path, name)
        playground = open_()
        await playground.start()
        assert ids(playground) == left, name
        names = set(playground.history.values(select(projects.c.visitor)))
        assert names == ({BOB} if name == "before" else {ANN, BOB})
        await playground.erase.compact()
        if name == "before":
            assert b"words of a" not in (tmp_path / "history.sqlite3").read_bytes()
        await playground.stop()


async def test_at_an_ordinary_start_nothing_more_is_erased(open_, tmp_path):
    playground = open_()
    add(playground, ANN)
    await playground.delete_everything(ANN)
    kept = add(playground, ANN)
    await playground.stop()
    again = open_()
    await again.start()
    assert ids(again) == {kept.id}


async def test_the_list_tells_no_name(open_, tmp_path):
    playground = open_()
    add(playground, ANN)
    await playground.delete_everything(ANN)
    text = (tmp_path / FILE).read_text()
    assert ANN not in text
    assert json.loads(text)["visitor"] == hashed(ANN)


async def test_a_line_goes_when_no_copy_can_be_older(open_, clock, tmp_path):
    playground = open_()
    add(playground, ANN)
    await playground.delete_everything(ANN)
    known = GoneList(tmp_path)
    (tmp_path / "backups").mkdir()
    backup = tmp_path / "backups" / "history-20260101.sqlite3"
    backup.touch()
    os.utime(backup, (clock.now().timestamp() - 60,) * 2)
    moment = clock.now() + LEAST + MARGIN + timedelta(days=30)
    assert len(known.prune(moment)) == 1, "the backup is from before the erasure"
    backup.unlink()
    assert len(known.prune(clock.now() + LEAST)) == 1
    clock.advance((LEAST + MARGIN).total_seconds() + DAY)
    await playground.erase.again(clock.now())
    assert known.all() == []
    assert playground.history.values(select(erasures.c.id)) == []


def test_a_line_that_was_cut_off_is_left_out_and_the_next_begins_anew(tmp_path):
    known = GoneList(tmp_path)
    moment = datetime(2026, 1, 1, tzinfo=timezone.utc)
    first = known.add(moment, visitor="x")
    with (tmp_path / FILE).open("a") as file:
        file.write('{"id": "cut')
    second = known.add(moment, runs=("one",))
    assert [gone.id for gone in known.all()] == [first, second]
    assert known.all()[1].runs == ("one",)
