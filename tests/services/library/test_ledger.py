"""The ledger follows each run as long as it exists, and says the same when it is gone."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from typing import Any

from sqlalchemy import select

from services.errors import Failure
from services.library.history import History
from services.library.import_rows import ImportRows
from services.library.ledger import CHARGED, FREE, MADE, OPEN
from services.library.scope import EVERYONE
from services.library.spending import DELETED, INBOX, Spending, Sum, spending
from services.library.tables import ledger, runs
from services.run import Run, RunState, new_id
from services.stored import StoredRequest

NOW = datetime(2026, 3, 31, 15, 30, tzinfo=timezone.utc)
REQUEST = StoredRequest({"prompt": "a fox", "seed": 1})


def a_run(**fields: Any) -> Run:
    defaults = {"id": new_id(), "visitor": "ann", "engine": "fal", "key_of": "owner", "request": REQUEST,
                "created_at": NOW, "cost_usd": 0.05}  # fmt: skip
    return Run(**{**defaults, **fields})


def rows(history: History) -> list[tuple[Any, ...]]:
    columns = ("run_id", "status", "cost_usd", "billed_usd", "project_id")
    return [tuple(row) for row in history.table(select(*(ledger.c[name] for name in columns)).order_by(ledger.c.seq))]


def told(history: History) -> Spending:
    return spending(history, EVERYONE, NOW, timezone.utc)


def test_it_follows_a_run_to_its_end(history):
    (run,) = history.add([a_run()])
    assert rows(history) == [(run.id, OPEN, 0.05, 0.0, None)]
    for state in (RunState.SUBMITTING, RunState.SUBMITTED, RunState.RUNNING):
        history.change(run.id, state=state)
    assert rows(history) == [(run.id, OPEN, 0.05, 0.0, None)]
    history.change(run.id, state=RunState.DONE, cost_usd=0.2, billed_units=4)
    assert rows(history) == [(run.id, MADE, 0.2, 0.2, None)]


def test_what_is_fetched_again_is_open_again(history):
    (run,) = history.add([a_run()])
    history.change(run.id, state=RunState.FAILED, failure=Failure(code="disk", message="Full.", charged=True))
    assert rows(history)[0][1] == CHARGED
    history.change(run.id, state=RunState.SUBMITTED, failure=None)
    assert rows(history)[0][1] == OPEN
    history.change_from(RunState.SUBMITTED, run.id, state=RunState.CANCELLED)
    assert rows(history)[0][1] == FREE


def test_it_follows_many_at_once_and_no_others(history):
    made = history.add([a_run() for _ in range(3)])
    history.change_all(runs.c.id.in_([run.id for run in made[:2]]), project_id="p", state=RunState.DONE)
    assert [row[1:] for row in rows(history)] == [(MADE, 0.05, 0.0, "p")] * 2 + [(OPEN, 0.05, 0.0, None)]


def test_a_row_outlives_its_run_without_naming_it(history):
    gone, stays = history.add([a_run(state=RunState.DONE, deleted_at=NOW), a_run(state=RunState.DONE)])
    before = told(history)
    history.purge(NOW + timedelta(minutes=1))
    assert told(history) == before
    assert [row[0] for row in rows(history)] == [None, stays.id]
    with history._engine.connect() as connection:
        assert gone.id.encode() not in str(connection.execute(select(ledger)).all()).encode()


def test_a_restored_run_never_counts(history):
    rows_of_imports = ImportRows(history)
    rows_of_imports.add_hidden([a_run(state=RunState.FAILED)], 1)
    rows_of_imports.show_hidden()
    history.change_all(runs.c.state == "failed", state=RunState.SUBMITTED)
    history.change_all(runs.c.state == "submitted", state=RunState.DONE, cost_usd=9.0)
    assert rows(history) == []


def test_projects_that_are_gone_are_told_apart_from_the_inbox(history):
    history.add([a_run(state=RunState.DONE, project_id="gone"), a_run(state=RunState.DONE)])
    assert told(history).projects == {DELETED: Sum(1, 0.05), INBOX: Sum(1, 0.05)}


def test_whatever_is_deleted_no_sum_changes(history):
    """200 runs in all states, deleted and removed in any order."""
    dice = random.Random(1)
    made = [a_run(state=dice.choice(list(RunState)), cost_usd=dice.choice((0.0, 0.05, 0.1)),
                  visitor=dice.choice(("ann", "bob", None)), key_of=dice.choice(("owner", "visitor")),
                  created_at=NOW - timedelta(hours=dice.randrange(90)),
                  billed_units=dice.choice((None, 2)), engine=dice.choice(("fal", "demo")))
            for _ in range(200)]  # fmt: skip
    history.add(made)

    def sums() -> object:
        since = NOW - timedelta(days=2)
        spent = [history.owners_spending(since, who) for who in ("ann", "bob", None)]
        return told(history), spent, history.totals(EVERYONE, since), history.owners_spending(since, everyone=True)

    before = sums()
    assert before[1][0] > 0
    for run in dice.sample(made, 150):
        history.change(run.id, deleted_at=NOW)
        assert sums() == before
    history.purge(NOW + timedelta(minutes=1))
    assert sums() == before
    assert len(history.values(select(runs.c.id))) < 150
