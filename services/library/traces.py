"""What is kept of a visitor: every table, folder and file, and how the visitor's part of it goes when it is erased.

`tests/services/library/test_erase.py` compares both lists with the history's own schema and with a used data folder:
a new table or file needs a line here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, or_, select

from services.library.dialect import SEQUENCES
from services.library.ledger import ERASED
from services.library.tables import (
    ballots,
    chosen_projects,
    deletions,
    grid_cells,
    grids,
    ledger,
    metadata,
    presses,
    projects,
)  # fmt: skip

Whose = Callable[[str], ColumnElement[bool]]
"""Visitor → the condition for the visitor's rows."""


@dataclass(frozen=True)
class Removed:
    """The visitor's rows are deleted."""

    whose: Whose


@dataclass(frozen=True)
class Unnamed:
    """The visitor's rows stay with these values, which no longer tell whose they are."""

    whose: Whose
    values: Mapping[str, Any]


@dataclass(frozen=True)
class Otherwise:
    """Goes in another way, or holds nothing of a visitor: `how` says it."""

    how: str


def _named(table: Table) -> Whose:
    return lambda visitor: table.c.visitor == visitor


def _of_grids(table: Table) -> Whose:
    return lambda visitor: table.c.grid_id.in_(select(grids.c.id).where(grids.c.visitor == visitor))


def _of(table: Table) -> Whose:
    return lambda visitor: deletions.c.deleted.in_(select(table.c.id).where(table.c.visitor == visitor))


INDEX = Otherwise("Triggers of runs write the full-text index; Compaction removes what is left of deleted runs.")

TABLES: Mapping[str, Removed | Unnamed | Otherwise] = {
    "runs": Otherwise("Erase removes those that have ended, with their files, and blanks the others until they end."),
    # Before the grids and projects, by which they are found.
    "deletions": Removed(lambda visitor: or_(_of(grids)(visitor), _of(projects)(visitor))),
    "grid_cells": Removed(_of_grids(grid_cells)),
    "ballots": Removed(_of_grids(ballots)),
    "grids": Removed(_named(grids)),
    "projects": Removed(_named(projects)),
    "chosen_projects": Removed(_named(chosen_projects)),
    "presses": Removed(_named(presses)),
    "ledger": Unnamed(_named(ledger), {"visitor": ERASED, "project_id": None}),
    "prompts": INDEX,
    "prompts_data": INDEX,
    "prompts_idx": INDEX,
    "prompts_docsize": INDEX,
    "prompts_config": INDEX,
    "erasures": Otherwise("Random ids of erasures."),
    "counters": Otherwise("Numbers of the history."),
    "alembic_version": Otherwise("The schema's number."),
    SEQUENCES: Otherwise("The highest seq of each table."),
}
"""In the order in which they are erased."""

FILES: Mapping[str, str] = {
    "history.sqlite3": "TABLES says it; deleted data are overwritten.",
    "history.sqlite3-wal": "Truncated by Compaction.",
    "history.sqlite3-shm": "Holds page numbers only.",
    "media": "The originals of removed runs are deleted.",
    "thumbs": "So are their small copies.",
    "demo": "So are their requests to the demo engine.",
    "incoming": "Empty unless an export is being made or restored.",
    "history.start": "Numbers of the history.",
    "backups": "Go by age; what is restored from one is erased again (erase_again.py).",
    "in-use.lock": "Empty.",
    "erased.jsonl": "A hash of each erased visitor, and ids of what was removed, as long as a copy may hold it.",
}
"""The data folder. Copies made before an update or a restore, `history.sqlite3.…`, are the owner's to remove."""


def erase_rows(connection: Connection, visitor: str) -> None:
    """Erase the visitor's part of all tables but the runs, which are Erase's."""
    for name, how in TABLES.items():
        if isinstance(how, Removed):
            connection.execute(metadata.tables[name].delete().where(how.whose(visitor)))
        elif isinstance(how, Unnamed):
            connection.execute(metadata.tables[name].update().where(how.whose(visitor)).values(**how.values))
