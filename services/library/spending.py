"""Spending: today, this month, by engine and project, and by day. The database adds up the ledger's rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Integer, Select, case, cast, func, select, text

from services.library.history import History
from services.library.ledger import FREE, MADE, OPEN
from services.library.rows import stamp
from services.library.scope import Scope
from services.library.tables import ledger, projects

DAYS = 30
INBOX = "Inbox"
DELETED = "Deleted projects"
Key = TypeVar("Key")


@dataclass(frozen=True)
class Sum:
    """A number of pictures and their cost."""

    pictures: int = 0
    cost_usd: float = 0.0
    """US dollars: what fal billed if its reply contained the megapixels, else the estimate."""
    billed_usd: float = 0.0
    """The part of `cost_usd` for which fal's reply contained the billed megapixels."""

    def __add__(self, other: Sum) -> Sum:
        return Sum(
            self.pictures + other.pictures,
            round(self.cost_usd + other.cost_usd, 6),
            round(self.billed_usd + other.billed_usd, 6),
        )


@dataclass(frozen=True)
class Spending:
    today: Sum = Sum()
    month: Sum = Sum()
    open_usd: float = 0.0
    """Estimated cost of unfinished runs and unanswered submits, which may still be charged."""
    engines: dict[str, Sum] = field(default_factory=dict)
    """This month, by engine."""
    projects: dict[str, Sum] = field(default_factory=dict)
    """This month, by the project's name: INBOX for runs without one, DELETED for those of projects that are gone."""
    days: dict[str, Sum] = field(default_factory=dict)
    """The last 30 days, oldest first: ISO date → its sum."""


def spending(history: History, scope: Scope, moment: datetime, zone: tzinfo) -> Spending:
    """Days and months begin at midnight in `zone`. Deleted runs count as before; imported ones never did.

    Blocks: about 100 ms with 100,000 runs over two years.
    """
    today = moment.astimezone(zone).date()
    days = [today - timedelta(days=before) for before in range(DAYS - 1, -1, -1)]
    month = today.replace(day=1)
    found = _rows(history, scope, min(days[0], month), zone)
    spent = [row for row in found if not row.is_open]
    this_month = [row for row in spent if row.day >= month]
    by_day = _by(spent, lambda row: row.day)
    return Spending(
        today=by_day.get(today, Sum()),
        month=_total(this_month),
        open_usd=_total([row for row in found if row.is_open]).cost_usd,
        engines=_by(this_month, lambda row: row.engine),
        projects=_by(this_month, lambda row: row.project),
        days={day.isoformat(): by_day.get(day, Sum()) for day in days},
    )


@dataclass(frozen=True)
class _Row:
    day: date
    engine: str
    project: str
    is_open: bool
    sum: Sum


def _rows(history: History, scope: Scope, since: date, zone: tzinfo) -> list[_Row]:
    """Sums by quarter of an hour in UTC, with their day in `zone`: midnight falls on a quarter in every time zone."""
    kept = select(projects.c.id, projects.c.name).where(projects.c.deleted_at.is_(None))
    names = {row["id"]: row["name"] for row in history.records(kept)}
    found = []
    for row in history.records(_query(scope, datetime(since.year, since.month, since.day, tzinfo=zone))):
        begun = datetime.fromisoformat(f"{row['hour']}:{int(row['quarter']) * 15:02}:00+00:00")
        money = Sum(row["pictures"], row["cost"], row["billed"])
        project = names.get(row["project_id"], DELETED) if row["project_id"] else INBOX
        found.append(_Row(begun.astimezone(zone).date(), row["engine"], project, row["is_open"] == 1, money))
    return found


def _query(scope: Scope, since: datetime) -> Select[Any]:
    columns: dict[str, ColumnElement[Any]] = {
        "hour": func.substr(ledger.c.created_at, 1, 13),
        "quarter": cast(func.substr(ledger.c.created_at, 15, 2), Integer) // 15,
        "engine": ledger.c.engine,
        "project_id": ledger.c.project_id,
        "is_open": ledger.c.status == OPEN,
    }
    sums: dict[str, ColumnElement[Any]] = {
        "pictures": func.sum(case((ledger.c.status == MADE, 1), else_=0)),
        "cost": func.sum(ledger.c.cost_usd),
        "billed": func.sum(ledger.c.billed_usd),
    }
    chosen = [column.label(name) for name, column in (columns | sums).items()]
    rules = (scope.clause(ledger.c.visitor), ledger.c.created_at >= stamp(since), ledger.c.status != FREE)
    return select(*chosen).where(*rules).group_by(*(text(name) for name in columns))


def _by(rows: Iterable[_Row], key: Callable[[_Row], Key]) -> dict[Key, Sum]:
    found: dict[Key, Sum] = {}
    for row in rows:
        found[key(row)] = found.get(key(row), Sum()) + row.sum
    return found


def _total(rows: Iterable[_Row]) -> Sum:
    return sum((row.sum for row in rows), Sum())
