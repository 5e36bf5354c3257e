"""Stacks: a grid's runs summarized for one card, with the number of those that a search finds."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import and_, func, select

from services.library.dialect import hidden, json_value, rows_of
from services.library.history import History
from services.library.query import Query
from services.library.rules import LIVE, found_by
from services.library.scope import EVERYONE, Scope
from services.library.tables import grids, runs
from services.models.registry import PARAMETERS
from services.run import RunState

MOSAIC = 4
"""Number of pictures that a stack's card shows."""
NOT_DELETED = runs.c.deleted_at.is_(None)


@dataclass(frozen=True)
class Stack:
    grid_id: str
    title: str
    """Its axes: `Steps × Guidance`; empty if its plan cannot be read."""
    count: int
    """Runs that the grid made, without deleted ones."""
    hits: int
    """How many of them the search finds."""
    live: int
    done: int
    failed: int
    thumbs: tuple[str, ...]
    """Names of the newest thumbnails among the hits, newest first, at most MOSAIC."""


def summed_up(history: History, scope: Scope, query: Query, grid_ids: Iterable[str]) -> list[Stack]:
    """The stacks of these grids; grids without runs in this scope are left out. Blocks for some milliseconds."""
    if not (wanted := _within(history, scope, grid_ids)):
        return []
    states = _states(history, wanted)
    hits = _hits(history, query, wanted) if query != Query() else {grid: each.total() for grid, each in states.items()}
    titles, thumbs = _titles(history, wanted), _thumbs(history, query, wanted)
    return [
        Stack(
            grid_id=grid_id,
            title=titles.get(grid_id, ""),
            count=states[grid_id].total(),
            hits=hits.get(grid_id, 0),
            live=sum(states[grid_id][state] for state in LIVE),
            done=states[grid_id][RunState.DONE.value],
            failed=states[grid_id][RunState.FAILED.value] + states[grid_id][RunState.UNKNOWN.value],
            thumbs=tuple(thumbs[grid_id]),
        )
        for grid_id in wanted
        if grid_id in states
    ]


def _within(history: History, scope: Scope, grid_ids: Iterable[str]) -> list[str]:
    """The ids of the grids that are in the scope. All runs of a grid belong to one visitor, so one run decides. Later
    queries then need not check the scope, and can use the index of grids alone.
    """
    asked = rows_of(dict.fromkeys(grid_ids))
    mine = select(runs.c.seq).where(runs.c.grid_id == asked.c.value, scope.clause(hidden(runs, "visitor")))
    return history.values(select(asked.c.value).where(mine.exists()))


def _states(history: History, grid_ids: list[str]) -> dict[str, Counter[str]]:
    """Grid id → number of its runs in each state, without deleted ones."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    counted = select(runs.c.grid_id, runs.c.state, func.count()).where(runs.c.grid_id.in_(grid_ids), NOT_DELETED)
    for grid_id, state, count in history.table(counted.group_by(runs.c.grid_id, runs.c.state)):
        found[grid_id][state] = count
    return dict(found)


def _hits(history: History, query: Query, grid_ids: list[str]) -> dict[str, int]:
    cell = runs.alias("cell")
    rule = and_(cell.c.grid_id.in_(grid_ids), found_by(EVERYONE, query, cell))
    counted = history.table(select(cell.c.grid_id, func.count()).where(rule).group_by(cell.c.grid_id))
    return dict(counted)


def _thumbs(history: History, query: Query, grid_ids: list[str]) -> dict[str, list[str]]:
    """Grid id → names of its newest thumbnails. The index is read backwards, only until there are MOSAIC of them."""
    asked = rows_of(grid_ids)
    cell = runs.alias("cell")
    rule = and_(cell.c.grid_id == asked.c.value, found_by(EVERYONE, query, cell), cell.c.state == RunState.DONE.value)
    newest = select(cell.c.seq).where(rule).order_by(cell.c.seq.desc()).limit(MOSAIC).correlate(asked)
    shown = select(runs.c.grid_id, json_value(runs.c.picture, "thumb")).select_from(asked)
    found: dict[str, list[str]] = defaultdict(list)
    for grid_id, thumb in history.table(shown.join(runs, runs.c.seq.in_(newest)).order_by(runs.c.seq.desc())):
        found[grid_id].append(thumb)
    return found


def _titles(history: History, grid_ids: list[str]) -> dict[str, str]:
    plans = history.table(select(grids.c.id, grids.c.plan).where(grids.c.id.in_(grid_ids)))
    return {grid_id: title(plan) for grid_id, plan in plans}


def title(plan: str) -> str:
    """The axes of a grid's plan (JSON) in words; empty if the plan has an unknown form."""
    try:
        fields = [str(axis["field"]) for axis in json.loads(plan)["axes"]]
    except (ValueError, KeyError, TypeError):
        return ""
    return " × ".join(_axis(field) for field in fields)


def _axis(field: str) -> str:
    name = PARAMETERS[field].short if field in PARAMETERS else field.removesuffix("_sr").replace("_", " ")
    return name.capitalize()
