"""Conversion between runs and rows of the database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from pydantic import BaseModel
from sqlalchemy import Row

from services.library.tables import runs
from services.models.registry import PARAMETERS
from services.run import Run, RunState
from services.stored import StoredRequest

NESTED = ("request", "ticket", "failure", "picture", "tags")
"""Fields kept as JSON text."""
COLUMNS = {name: parameter.key_name for name, parameter in PARAMETERS.items() if parameter.key_name in runs.c}
"""Parameter → the column that it is searched in, of those that have their own."""
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True)
class Entry:
    """A run with its position in the history: `seq` increases in the order in which runs were asked for."""

    seq: int
    run: Run


def stamp(moment: datetime) -> str:
    """A moment as the database stores it: ISO 8601 in UTC with microseconds, so that it sorts as text."""
    return moment.astimezone(timezone.utc).isoformat(timespec="microseconds")


def row_of(run: Run) -> dict[str, Any]:
    return {**columns_of({name: getattr(run, name) for name in Run.model_fields}), "seconds": run.seconds}


def columns_of(fields: dict[str, Any]) -> dict[str, Any]:
    """Run fields → column values."""
    values = {name: _plain(value) for name, value in fields.items()}
    if "picture" in fields:
        values["media_name"] = fields["picture"].name if fields["picture"] else None
    if "request" in fields:
        values |= _searchable(fields["request"])
    if fields.get("seed_used") is not None:
        values["seed"] = fields["seed_used"]
    return values


def entry_of(row: Row[Any]) -> Entry:
    found = row._mapping
    values = {name: found[name] for name in Run.model_fields}
    for name in NESTED:
        if values[name] is not None:
            values[name] = json.loads(values[name])
    return Entry(found["seq"], Run.model_validate(values))


def _searchable(request: StoredRequest) -> dict[str, Any]:
    """Column values of the parameters that have their own column. The others are searched in the JSON, more slowly."""
    width, height = request.pixels or (None, None)
    return {"key": request.key, "width": width, "height": height} | {
        column: request.values.get(name) for name, column in COLUMNS.items()
    }


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    if isinstance(value, StoredRequest):
        return _as_json(value.kept)
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    return value.value if isinstance(value, RunState) else value
