from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import insert

from services.errors import Failure
from services.library.history import History
from services.library.scope import EVERYONE, Scope
from services.library.spending import DAYS, Spending, Sum, spending
from services.library.tables import projects
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Run, RunState, new_id

NOW = datetime(2026, 3, 31, 15, 30, tzinfo=timezone.utc)


def add(history: History, moment: datetime = NOW, cost: float = 0.05, **fields: Any) -> None:
    defaults = {"id": new_id(), "visitor": "ann", "engine": "fal", "key_of": "owner", "state": RunState.DONE,
                "request": Flux2FlexRequest(prompt="x", seed=1), "created_at": moment, "cost_usd": cost}  # fmt: skip
    history.add([Run(**{**defaults, **fields})])


def told(history: History, scope: Scope = EVERYONE, zone: Any = timezone.utc) -> Spending:
    return spending(history, scope, NOW, zone)


def test_nothing(history):
    found = told(history)
    assert (found.today, found.month, found.engines, found.projects, found.open_usd) == (Sum(), Sum(), {}, {}, 0)
    assert next(iter(found.days)) == "2026-03-02"
    assert list(found.days)[-1] == "2026-03-31"
    assert len(found.days) == DAYS


def test_today_the_month_and_the_days(history):
    for moment in (NOW, NOW - timedelta(days=1), NOW.replace(day=1), datetime(2026, 2, 28, tzinfo=timezone.utc)):
        add(history, moment)
    found = told(history)
    assert found.today == Sum(1, 0.05)
    assert found.month == Sum(3, 0.15)
    assert {day: one.pictures for day, one in found.days.items() if one.pictures} == {"2026-03-30": 1, "2026-03-31": 1}


def test_estimates_beside_what_was_billed(history):
    add(history, cost=0.1, billed_units=2)
    add(history, cost=0.05)
    assert told(history).today == Sum(2, 0.15, 0.1)


def test_engines_and_projects(history):
    with history.writing() as connection:
        values = {"id": "p", "visitor": "ann", "name": "Foxes", "created_at": NOW.isoformat()}
        connection.execute(insert(projects).values(values))
    add(history, project_id="p")
    add(history, cost=0.0, engine="demo")
    add(history)
    found = told(history)
    assert found.engines == {"fal": Sum(2, 0.1), "demo": Sum(1, 0.0)}
    assert found.projects == {"Foxes": Sum(1, 0.05), "Inbox": Sum(2, 0.05)}


def test_what_is_charged_without_a_picture_and_what_is_open(history):
    add(history, state=RunState.FAILED, failure=Failure(code="disk", message="Full.", charged=True))
    add(history, state=RunState.FAILED, failure=Failure(code="x", message="No."))
    add(history, state=RunState.CANCELLED)
    add(history, state=RunState.UNKNOWN)
    add(history, state=RunState.RUNNING)
    found = told(history)
    assert (found.today, found.open_usd) == (Sum(0, 0.05), 0.1)


def test_of_one_visitor_and_of_all_deleted_ones_too(history):
    add(history, visitor="bob")
    add(history, deleted_at=NOW)
    assert told(history, Scope("ann")).month == Sum(1, 0.05)
    assert told(history).month == Sum(2, 0.1)
    assert told(history, Scope(None)).month == Sum()


@pytest.mark.parametrize(("zone", "day"), [("Asia/Kathmandu", "2026-03-31"), ("America/Caracas", "2026-03-30")])
def test_days_begin_at_midnight_where_the_visitor_is(history, zone, day):
    """18:16 UTC is a minute after midnight in Kathmandu, which is 5:45 ahead."""
    add(history, datetime(2026, 3, 30, 18, 16, tzinfo=timezone.utc))
    found = told(history, zone=ZoneInfo(zone))
    assert [name for name, one in found.days.items() if one.pictures] == [day]


def test_a_day_that_is_an_hour_short(history):
    """Berlin's clocks went forward on the 29th: midnight was at 23:00 UTC, then at 22:00."""
    for hour in (22, 23):
        add(history, datetime(2026, 3, 28, hour, 30, tzinfo=timezone.utc))
        add(history, datetime(2026, 3, 29, hour - 1, 30, tzinfo=timezone.utc))
    found = told(history, zone=ZoneInfo("Europe/Berlin"))
    assert {name: one.pictures for name, one in found.days.items() if one.pictures} == {
        "2026-03-28": 1, "2026-03-29": 2, "2026-03-30": 1}  # fmt: skip
