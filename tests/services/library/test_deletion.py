"""Grids, projects and ballots are deleted, restored as they were, and removed for good."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from sqlalchemy import Table, insert, select

from services.errors import InvalidRequest, NotFound
from services.library.deletion import Deletion
from services.library.grid_store import GridStore
from services.library.history import History
from services.library.projects import PROJECTS_MAX, Projects
from services.library.scope import Scope
from services.library.tables import ballots, deletions, grid_cells, grids, projects, runs
from services.run import Run, RunState, new_id
from services.stored import StoredRequest

ANN, BOB = Scope("ann"), Scope("bob")
NOW = datetime(2026, 3, 31, 15, 30, tzinfo=timezone.utc)
KEPT = (runs, grids, grid_cells, ballots, projects)


@pytest.fixture
def deletion(history: History) -> Deletion:
    """Ann's project with a grid of two pictures, one of them deleted, a picture of its own, and a ballot."""

    def write(table: Table, **values: Any) -> None:
        with history.writing() as connection:
            connection.execute(insert(table).values(**values))

    write(projects, id="p", visitor="ann", name="Foxes", created_at="1")
    write(grids, id="g", visitor="ann", plan="{}", created_at="2026-03-01T00:00:00+00:00", paused=False, project_id="p")
    write(ballots, id="b", grid_id="g", ballot="{}", created_at="1")
    history.add([a_run("one", grid_id="g", project_id="p"), a_run("two", grid_id="g", project_id="p", deleted_at=NOW),
                 a_run("three", project_id="p"), a_run("four")])  # fmt: skip
    for name in ("one", "two"):
        write(grid_cells, grid_id="g", key=name, run_id=name)
    return Deletion(history)


def a_run(name: str, **fields: Any) -> Run:
    defaults = {"id": name, "visitor": "ann", "engine": "fal", "key_of": "owner", "state": RunState.DONE,
                "request": StoredRequest({"prompt": "a fox", "seed": 1}), "created_at": NOW}  # fmt: skip
    return Run(**{**defaults, **fields})


def everything(history: History) -> list[Any]:
    found = [[dict(row) for row in history.records(select(table))] for table in KEPT]
    for row in found[0]:
        del row["revision"]
    return found


def field(history: History, name: str) -> dict[str, Any]:
    return dict(history.table(select(runs.c.id, runs.c[name])))


def test_a_grid_goes_and_its_pictures_stay_each_by_itself(history, deletion):
    before = everything(history)
    assert deletion.delete_grid(ANN, "g", NOW) == 1
    assert deletion.delete_grid(ANN, "g", NOW) == 1, "pressed twice"
    assert set(field(history, "grid_id").values()) == {None}
    assert GridStore(history).newest(ANN, limit=9) == []
    with pytest.raises(NotFound):
        GridStore(history).get("g", ANN)
    for _ in range(2):
        deletion.restore_grid(ANN, "g")
        assert everything(history) == before


@pytest.mark.parametrize(("pictures", "shown"), [("move", {"one", "three", "four"}), ("delete", {"four"})])
def test_a_project_s_pictures_move_or_go_with_it(history, deletion, pictures, shown):
    before = everything(history)
    assert deletion.delete_project(ANN, "p", pictures, NOW) == 2
    assert Projects(history).of(ANN) == []
    assert {name for name, deleted in field(history, "deleted_at").items() if deleted is None} == shown
    if pictures == "move":
        assert set(field(history, "project_id").values()) == {None}
        assert GridStore(history).get("g", ANN)
    deletion.restore_project(ANN, "p")
    assert everything(history) == before


def test_a_ballot(history, deletion):
    store = GridStore(history)
    deletion.delete_ballot(ANN, "b", NOW)
    assert store.ballots_of("g") == []
    with pytest.raises(NotFound):
        store.ballot("g", "b")
    deletion.restore_ballot(ANN, "b")
    assert store.ballot("g", "b") == "{}"


def test_nothing_of_another_s_is_deleted(history, deletion):
    before = everything(history)
    for work in (lambda: deletion.delete_grid(BOB, "g", NOW), lambda: deletion.restore_grid(BOB, "g"),
                 lambda: deletion.delete_project(BOB, "p", "delete", NOW), lambda: deletion.restore_project(BOB, "p"),
                 lambda: deletion.delete_ballot(BOB, "b", NOW), lambda: deletion.restore_ballot(BOB, "b")):  # fmt: skip
        with pytest.raises(NotFound):
            work()
    assert everything(history) == before


@pytest.mark.parametrize("pictures", ["move", "delete"])
def test_after_a_while_it_is_gone_for_good(history, deletion, pictures):
    deletion.delete_project(ANN, "p", pictures, NOW)
    deletion.delete_grid(ANN, "g", NOW)
    history.change("three", deleted_at=None)  # brought back by itself
    deletion.purge(NOW)
    assert history.values(select(grids.c.id)) == ["g"], "not yet"
    history.purge(NOW + timedelta(seconds=1))
    deletion.purge(NOW + timedelta(seconds=1))
    for table in (grids, grid_cells, ballots, projects, deletions):
        assert history.table(select(table)) == []
    assert field(history, "project_id") == dict.fromkeys(field(history, "project_id"))
    assert {"three", "four"} <= field(history, "project_id").keys()
    with pytest.raises(NotFound):
        deletion.restore_project(ANN, "p")


def test_a_name_that_was_taken_meanwhile_is_said(history, deletion):
    deletion.delete_project(ANN, "p", "move", NOW)
    Projects(history).make("ann", ANN, "foxes")
    with pytest.raises(InvalidRequest, match="There is a project “Foxes” already"):
        deletion.restore_project(ANN, "p")


def test_200_projects_and_one_deleted_leave_room_for_another(history):
    known = Projects(history)
    with history.writing() as connection:
        connection.execute(insert(projects), [{"id": f"{number}", "visitor": "ann", "name": f"n{number}",
                                               "created_at": "1"} for number in range(PROJECTS_MAX)])  # fmt: skip
    with pytest.raises(InvalidRequest, match="Delete one that is not needed"):
        known.make("ann", ANN, "one more")
    Deletion(history).delete_project(ANN, "7", "move", NOW)
    known.make("ann", ANN, "one more")


def test_a_grid_whose_pictures_are_all_gone_says_so(history, deletion):
    history.add([a_run(new_id())])
    (line,) = GridStore(history).newest(ANN, limit=9)
    assert (line.cells, line.gone) == (2, False)
    history.change("one", deleted_at=NOW)
    assert GridStore(history).newest(ANN, limit=9)[0].gone
    history.purge(NOW + timedelta(seconds=1))
    assert GridStore(history).newest(ANN, limit=9)[0].gone
