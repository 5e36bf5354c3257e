from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.projects import Shelf, a_picture

from services.library.changes import Changes
from services.library.media_store import Store
from services.library.scope import EVERYONE, Scope
from services.library.storage import Storage
from services.library.tables import grid_cells
from services.run import Run, RunState, now

pytestmark = pytest.mark.anyio
SIZE = len(a_picture("0"))


@pytest.fixture
def shelf(tmp_path: Path, new_store: Callable[[Path], Store]) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path, new_store(tmp_path))
    yield shelf
    shelf.close()


def storage(shelf: Shelf, pictures: float | None) -> Storage:
    """With a limit of so many pictures, all of which have the same size."""
    limit = None if pictures is None else int(pictures * SIZE)
    return Storage(shelf.history, shelf.media, Changes(), shelf.folder, limit)


def add(shelf: Shelf, count: int, **fields: Any) -> list[Run]:
    begin = now() - timedelta(days=1)
    moments = (begin + timedelta(seconds=number) for number in range(count))
    return [shelf.add("0", created_at=moment, **fields) for moment in moments]


def kept(shelf: Shelf) -> list[bool]:
    """Of each run, whether its original is there and its entry says so; the two must agree."""
    runs = shelf.all()
    there = [shelf.media.size("media", run.picture.name) is not None for run in runs if run.picture]
    assert there == [run.original_removed_at is None for run in runs if run.picture]
    assert all(shelf.media.size("thumbs", run.picture.thumb) is not None for run in runs if run.picture)
    return there


async def test_the_oldest_go_until_there_is_room_and_entries_stay(shelf, caplog):
    add(shelf, 6)
    with caplog.at_level(logging.WARNING):
        assert await storage(shelf, 4).make_room() == 3  # down to 95 % of the limit
    assert kept(shelf) == [False, False, False, True, True, True]
    assert "3 originals of the oldest pictures were removed" in caplog.text
    assert await storage(shelf, 4).make_room() == 0


async def test_without_a_limit_and_below_it_nothing_goes(shelf):
    add(shelf, 3)
    assert await storage(shelf, None).make_room() == 0
    assert await storage(shelf, 3).make_room() == 0
    assert kept(shelf) == [True] * 3


async def test_favourites_and_what_can_be_restored_stay(shelf, caplog):
    favourite, _, deleted = add(shelf, 3)
    shelf.history.change(favourite.id, favourite=True)
    shelf.history.change(deleted.id, deleted_at=now())
    assert await storage(shelf, 0.5).make_room() == 1
    assert kept(shelf) == [True, False, True]
    assert "GB of originals stay" in caplog.text


async def test_a_grid_that_is_under_way_keeps_all_of_its_pictures(shelf):
    done, borrowed, single = add(shelf, 3)
    shelf.history.change(done.id, grid_id="g")
    shelf.write(grid_cells, grid_id="g", key="k", run_id=borrowed.id)
    live = shelf.add(picture=False, state=RunState.PENDING, grid_id="g")
    assert await storage(shelf, 0.5).make_room() == 1
    assert kept(shelf) == [True, True, False]
    shelf.history.change(live.id, state=RunState.CANCELLED)
    assert await storage(shelf, 0.5).make_room() == 2
    assert single.grid_id is None


async def test_pages_hear_of_it(shelf):
    add(shelf, 2)
    watched = storage(shelf, 1)
    with watched._changes.listen(Scope("ann")) as wake, watched._changes.listen(Scope("bob")) as others:
        await watched.make_room()
    assert (wake.is_set(), others.is_set()) == (True, False)
    changed = shelf.history.changed_since(EVERYONE, 2)
    assert [entry.run.original_removed_at is not None for entry in changed] == [True, True]


async def test_what_was_removed_is_told_once_it_was_seen_no_more(shelf):
    add(shelf, 3)
    room = storage(shelf, 2)
    before = now()
    await room.make_room()
    found = room.removed(Scope("ann"), before)
    assert (found.originals, found.bytes) == (2, 2 * SIZE)
    assert room.removed(Scope("ann"), found.newest).originals == 0
    assert room.removed(Scope("bob"), before).originals == 0


async def test_an_entry_whose_original_never_was_here_is_not_said_to_be_removed(shelf):
    (run,) = add(shelf, 1)
    shelf.history.change(run.id, original_removed_at=now(), picture=run.picture.model_copy(update={"thumb": ""}))
    assert storage(shelf, 1).removed(EVERYONE).originals == 0


def test_usage_of_all_and_of_one_visitor(shelf):
    add(shelf, 2)
    add(shelf, 1, visitor="bob")
    room = storage(shelf, 9)
    of_all, of_ann = room.usage(EVERYONE), room.usage(Scope("ann"))
    assert (of_all.originals, of_all.originals_bytes, of_all.limit_bytes) == (3, 3 * SIZE, 9 * SIZE)
    assert of_all.thumbs_bytes == sum(map(len, shelf.thumbs().values()))
    assert of_all.database_bytes
    assert (of_ann.originals, of_ann.originals_bytes, of_ann.thumbs_bytes) == (2, 2 * SIZE, None)


def test_what_a_crash_left_goes_at_the_next_start(shelf):
    """The entry says so, and the file is still there."""
    (run,) = add(shelf, 1)
    shelf.history.change(run.id, original_removed_at=now())
    storage(shelf, 9)._remove_leftovers()
    assert kept(shelf) == [False]
