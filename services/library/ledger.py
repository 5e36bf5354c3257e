"""The ledger: what each run that was asked for here costs. It outlives the runs, so that deleting one changes no sum.

A run's row is written with the run and follows it as long as the run exists: its cost, what became of it, its project.
Imported runs have no row: they were paid for elsewhere, or before. After a visitor's erasure the rows stay without the
visitor's name. All functions are part of a transaction of the history.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, Connection, bindparam, case, insert, select, update

from services.library.dialect import json_value, one_of
from services.library.tables import ledger, runs
from services.run import FINAL_STATES, RunState

MADE, OPEN, CHARGED, FREE = "made", "open", "charged", "free"
"""What became of a run: it made a picture; it is under way or unanswered, and may still be charged; fal charged for it
though it made none; it costs nothing.
"""
ERASED = "erased"
"""The visitor of rows whose visitor's data were erased. Visitors' names are 32 hex digits."""
CONCERNED = {"state", "failure", "cost_usd", "billed_units", "project_id"}
"""Fields of a run whose change may change its row."""
UNDER_WAY = {RunState.PENDING, RunState.SUBMITTING, RunState.QUEUED, RunState.RUNNING}
"""States that are reached from states in which a run is OPEN already."""

_MAY_COST = [state.value for state in RunState if state not in FINAL_STATES] + [RunState.UNKNOWN.value]
_FIELDS: dict[str, ColumnElement[Any]] = {
    "status": case(
        (runs.c.state == RunState.DONE.value, MADE),
        (runs.c.state.in_(_MAY_COST), OPEN),
        ((runs.c.state == RunState.FAILED.value) & (json_value(runs.c.failure, "charged") == 1), CHARGED),
        else_=FREE,
    ),
    "project_id": runs.c.project_id,
    "cost_usd": runs.c.cost_usd,
    "billed_usd": case((runs.c.billed_units.is_not(None), runs.c.cost_usd), else_=0.0),
}
_FIXED = {name: runs.c[name] for name in ("visitor", "engine", "key_of", "created_at")}
_NEW = {"run_id": runs.c.id, **_FIXED, **_FIELDS}
_CHANGED = runs.c.revision.between(bindparam("first"), bindparam("last"))
# Constant statements: SQLAlchemy compiles each of them only once.
_SELECTED = select(*(value.label(name) for name, value in _NEW.items())).where(_CHANGED)
_ENTER = insert(ledger).from_select(list(_NEW), _SELECTED)
_FOLLOW = update(ledger).where(ledger.c.run_id == runs.c.id, _CHANGED).values(_FIELDS)


def enter(connection: Connection, first: int, last: int) -> None:
    """Write rows for the new runs of these revisions."""
    connection.execute(_ENTER, {"first": first, "last": last})


def follow(connection: Connection, fields: Iterable[str], first: int, last: int, state: RunState | None = None) -> None:
    """Change the rows of the runs of these revisions, whose `fields` were changed; `state` is their new one, if any."""
    concerned = CONCERNED.intersection(fields)
    if concerned and not (concerned == {"state"} and state in UNDER_WAY):
        connection.execute(_FOLLOW, {"first": first, "last": last})


def let_go(connection: Connection, run_ids: Iterable[str]) -> None:
    """The runs are removed: their rows no longer say which runs they were."""
    connection.execute(update(ledger).where(ledger.c.run_id.in_(one_of(run_ids))).values(run_id=None))
