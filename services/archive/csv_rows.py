"""The history as CSV, for spreadsheets: a row for each run, the parameters of all models in their order."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from services.archive.lines import ProjectLine
from services.models.registry import MODELS, PARAMETERS
from services.run import Run

Cell = Callable[[Run], Any]
ACTIVE = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""A spreadsheet may run a cell that begins with one of these as a formula. The last four are full-width forms, which
Chinese and Japanese keyboards type."""
BYTE_ORDER_MARK = "\ufeff"
"""Without it Excel takes UTF-8 for Latin-1."""


class Sheet:
    def __init__(self, projects: Mapping[str, ProjectLine]) -> None:
        """`projects`: id → the project that a run may name."""
        self._columns = {**_before(), **_parameters(), **_after(projects)}

    def head(self) -> bytes:
        return BYTE_ORDER_MARK.encode() + _written([list(self._columns)])

    def rows(self, runs: Iterable[Run]) -> bytes:
        """A row for each run."""
        cells = self._columns.values()
        return _written([[_plain(cell(run)) for cell in cells] for run in runs])


def harmless(text: str) -> str:
    """The text, with an apostrophe before it if a spreadsheet might run it as a formula."""
    return f"'{text}" if text.startswith(ACTIVE) else text


def _before() -> dict[str, Cell]:
    return {"id": lambda run: run.id, "created_at": lambda run: run.created_at, "state": lambda run: run.state.value}


def _parameters() -> dict[str, Cell]:
    """Columns under fal's parameter names, as their kinds write them; the seed as it was used."""
    found: dict[str, Cell] = {}
    for name, parameter in PARAMETERS.items():
        if name == "seed":
            found[name] = lambda run: run.seed
        else:
            found |= {heading: _setting(name, cell) for heading, cell in parameter.kind.csv_cells(parameter).items()}
    known = {parameter.key_name for parameter in PARAMETERS.values()}
    gone = [name for model in MODELS for name in (*model.recorded.base, *model.recorded.later) if name not in known]
    return found | {name: _kept(name) for name in gone}


def _setting(name: str, cell: Callable[[Any], Any]) -> Cell:
    return lambda run: cell(run.request.values.get(name))


def _kept(name: str) -> Cell:
    """A setting that the model does not have any more."""
    return lambda run: run.request.recorded.get(name)


def _after(projects: Mapping[str, ProjectLine]) -> dict[str, Cell]:
    def project(run: Run) -> str:
        found = projects.get(run.project_id or "")
        return found.name if found else ""

    return {
        "engine": lambda run: run.engine,
        "seconds": lambda run: run.seconds,
        "queue_seconds": lambda run: run.queue_seconds,
        "cost_usd": lambda run: run.cost_usd,
        "billed_units": lambda run: run.billed_units,
        "request_id": lambda run: run.ticket.request_id if run.ticket else None,
        "failure": lambda run: run.failure.message if run.failure else None,
        "favourite": lambda run: run.favourite,
        "project": project,
        "tags": lambda run: " ".join(run.tags),
        "notes": lambda run: run.notes,
        "grid_id": lambda run: run.grid_id,
        "file": lambda run: run.picture.name if run.picture else None,
        "file_bytes": lambda run: run.picture.bytes if run.picture else None,
        "file_width": lambda run: run.picture.width if run.picture else None,
        "file_height": lambda run: run.picture.height if run.picture else None,
    }


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return harmless(value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _written(rows: Iterable[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue().encode()
