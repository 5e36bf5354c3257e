"""A run, and a grid, as a line of JSON. Read strictly: what comes from outside is checked field by field.

A run's line holds every field of Run except `visitor`, `revision` and `retry_of`, which are meaningful on one server
only, and `deleted_at`, since deleted runs are not exported. A new field of Run becomes a field of the line
automatically.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import from_json

from services.archive.errors import ArchiveError
from services.errors import InvalidRequest
from services.grids.blind.blind import Judging
from services.grids.plan import read_plan
from services.keys import DEFAULT_MODEL
from services.models.kinds.integer import SEED_MAX
from services.run import Picture, Run
from services.stored import StoredRequest, check_types, model_id

Format = Literal[1, 2]
FORMATS = get_args(Format)
"""Those that are read. A line that holds nothing beyond format 1 is written as such, so that the program before this
one restores it; else it is written as format 2.

A line of a newer format, or with an unknown field of a run, is refused: an import would silently lose part of it.
Unknown settings inside a request are kept."""
LINE_MAX = 4 * 2**20
"""Bytes of a line: a prompt of 10,000 characters has 60,000 at most; a grid's plan can have some thousand cells."""
LOCAL = ("visitor", "revision", "deleted_at", "retry_of")
NOT_IN_FIELDS = {*LOCAL, "request"}
NOT_IN_FIRST = {*NOT_IN_FIELDS, "model"}
_as_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode

ID = re.compile("[0-9a-f]{32}")
Id = Annotated[str, Field(pattern=f"^{ID.pattern}$")]
Moment = Annotated[
    AwareDatetime,
    Field(ge=datetime(1990, 1, 1, tzinfo=timezone.utc), lt=datetime(2200, 1, 1, tzinfo=timezone.utc)),
]
Count = Annotated[int, Field(ge=0, lt=2**53)]
STRICT = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class ProjectLine(BaseModel):
    model_config = STRICT

    id: Id
    name: Annotated[str, Field(min_length=1, max_length=200)]
    created_at: Moment


class PictureLine(Picture):
    model_config = STRICT

    name: Annotated[str, Field(pattern=r"^[0-9a-f]{32}\.(jpg|png|webp)$")]
    thumb: Annotated[str, Field(pattern=r"^([0-9a-f]{32}\.webp)?$")]
    bytes: Count
    width: Count
    height: Count


class RunLine(Run):
    model_config = STRICT

    format: Format
    project: ProjectLine | None
    visitor: None = None
    revision: Literal[0] = 0
    deleted_at: None = None
    retry_of: None = None
    id: Id
    model: Annotated[str, AfterValidator(model_id)] = DEFAULT_MODEL
    request: Annotated[StoredRequest, AfterValidator(check_types)]
    created_at: Moment
    submitted_at: Moment | None = None
    started_at: Moment | None = None
    finished_at: Moment | None = None
    original_removed_at: Moment | None = None
    queue_position: Count | None = None
    progress: Annotated[float, Field(ge=0, le=1)] | None = None
    seed_used: Annotated[int, Field(ge=0, le=SEED_MAX)] | None = None
    picture: PictureLine | None = None
    billed_units: Annotated[float, Field(ge=0, le=1e6)] | None = None
    cost_usd: Annotated[float, Field(ge=0, le=1e6)] = 0.0
    grid_id: Id | None = None
    project_id: Id | None = None
    repeat_of: Id | None = None

    def run(self, **changes: Any) -> Run:
        """The run itself, with some fields changed."""
        return Run(**{**{name: getattr(self, name) for name in Run.model_fields}, **changes})


class CellLine(BaseModel):
    model_config = STRICT

    key: Annotated[str, Field(min_length=1, max_length=64)]
    run_id: Id


def _sound_plan(plan: Any) -> Any:
    """The plan, each value of it checked again as if it had been typed."""
    try:
        found = read_plan(plan).model_dump(mode="json")
    except InvalidRequest as error:
        raise ValueError(str(error)) from error
    origin = plan.get("origin")
    return {**found, "origin": origin if isinstance(origin, str) and ID.fullmatch(origin) else None}


def _sound_ballot(ballot: Any) -> Any:
    return Judging.model_validate(ballot).model_dump(mode="json")


class BallotLine(BaseModel):
    model_config = STRICT

    id: Id
    ballot: Annotated[Any, AfterValidator(_sound_ballot)]
    created_at: Moment


class GridLine(BaseModel):
    model_config = STRICT

    format: Format
    id: Id
    plan: Annotated[Any, AfterValidator(_sound_plan)]
    created_at: Moment
    paused: bool
    repeat: tuple[Id, Id] | None = None
    project: ProjectLine | None = None
    cells: tuple[CellLine, ...] = ()
    ballots: tuple[BallotLine, ...] = ()


def run_line(run: Run, projects: Mapping[str, ProjectLine]) -> bytes:
    """A run's line, with its line feed."""
    project = projects.get(run.project_id or "")
    settings, is_first = run.request.written(), run.request.is_first
    fields = run.model_dump_json(exclude=NOT_IN_FIRST if is_first else NOT_IN_FIELDS)[1:-1]
    asked = _as_json(settings)
    named = project.model_dump_json() if project else "null"
    return f'{{"format":{1 if is_first else 2},{fields},"request":{asked},"project":{named}}}\n'.encode()


def json_line(values: Mapping[str, Any]) -> bytes:
    return _as_json(values).encode() + b"\n"


Line = TypeVar("Line", RunLine, GridLine)


def read_line(kind: type[Line], text: bytes, where: str) -> Line:
    """Parse and check a line. Raises ArchiveError that says what is wrong at `where` (`history.jsonl, line 3`)."""
    try:
        values = from_json(text, allow_inf_nan=False)
    except ValueError:
        raise ArchiveError("bad_line", f"{where} is no JSON; the file may be cut off or was edited.") from None
    if not isinstance(values, dict) or not isinstance(values.get("format"), int):
        raise ArchiveError("bad_line", f"{where} is no entry of an export of this playground.")
    if values["format"] > FORMATS[-1]:
        raise ArchiveError("newer", f"{where} was written by a newer version of this playground. Update this one.")
    try:
        return kind.model_validate(values)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])[:80]
        raise ArchiveError("bad_line", f"{where}: {field or 'the entry'}: {first['msg']}.") from None
