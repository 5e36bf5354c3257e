"""Run: the life of one request, from the press of the button to the picture. Frozen: a change makes a new version."""

from __future__ import annotations

import secrets
from datetime import datetime, timezone
from enum import Enum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, model_validator

from services.errors import Failure
from services.keys import DEFAULT_MODEL
from services.stored import StoredRequest, of_its_model

Engine = Literal["fal", "demo"]
KeyOf = Literal["owner", "visitor"]


class RunState(str, Enum):
    PENDING = "pending"
    """In the history, not sent yet."""
    SUBMITTING = "submitting"
    """About to be sent, or sent and not answered yet."""
    SUBMITTED = "submitted"
    """fal accepted it: the request id is known."""
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNKNOWN = "unknown"
    """Sent and never answered: fal may have accepted it, so it is never resent automatically."""

    @property
    def is_final(self) -> bool:
        return self in FINAL_STATES


FINAL_STATES = frozenset({RunState.DONE, RunState.FAILED, RunState.CANCELLED, RunState.UNKNOWN})
AT_FAL_STATES = frozenset({RunState.SUBMITTED, RunState.QUEUED, RunState.RUNNING})
"""States in which fal knows the request and its id is stored."""


class Ticket(BaseModel):
    """What fal's reply to a submit says about following the request. The URLs are fal's and are used unchanged."""

    model_config = ConfigDict(frozen=True)

    request_id: str
    status_url: str
    response_url: str
    cancel_url: str


class Picture(BaseModel):
    """The picture as fal sent it. `name` and `thumb` are names in the media store; `thumb` is empty if the run was
    imported without its files.
    """

    model_config = ConfigDict(frozen=True)

    name: str
    thumb: str
    content_type: str
    bytes: int
    width: int
    height: int
    note: str | None = None
    """A sentence where the picture is not what was asked for (another size or format)."""


class Run(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    visitor: str | None
    """The visitor whose history it belongs to; None for API callers without a token."""
    engine: Engine
    key_of: KeyOf
    """Whose fal key pays. The key itself is never stored."""
    model: str = DEFAULT_MODEL
    """The model that the request is for."""
    request: StoredRequest
    """Its seed is always set: a random one is drawn before the run is written."""
    state: RunState = RunState.PENDING
    revision: int = 0
    """The number of this run's newest change, counted over all runs. A page that reconnects asks for the changes after
    the last revision it has seen."""
    created_at: datetime
    submitted_at: datetime | None = None
    started_at: datetime | None = None
    finished_at: datetime | None = None
    ticket: Ticket | None = None
    queue_position: int | None = None
    """0 is next; None if fal gave none."""
    progress: float | None = None
    """0 to 1, if a log line contains it."""
    note: str | None = None
    """What the run is waiting for, in words."""
    cancel_asked: bool = False
    failure: Failure | None = None
    seed_used: int | None = None
    """The seed in fal's result."""
    picture: Picture | None = None
    billed_units: float | None = None
    """Megapixels billed, if fal's reply contains them."""
    cost_usd: float = 0.0
    """In US dollars; an estimate unless `billed_units` is known."""
    favourite: bool = False
    grid_id: str | None = None
    """The grid that made it; None for a single picture."""
    project_id: str | None = None
    """None: the Inbox."""
    notes: str = ""
    """Free text that its owner wrote about it."""
    tags: tuple[str, ...] = ()
    repeat_of: str | None = None
    """The run that this one repeats, to check whether the same settings give the same picture."""
    retry_of: str | None = None
    """The run without a picture that was asked for anew by this one: by Retry, Send again, or a grid's Retry."""
    original_removed_at: datetime | None = None
    """When the picture's original was removed to save space; the run and the thumbnail are kept. Also set on a run
    that was imported without its original."""
    deleted_at: datetime | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_its_model(cls, values: Any) -> Any:
        return of_its_model(values, "request")

    @property
    def seed(self) -> int | None:
        return self.seed_used if self.seed_used is not None else self.request.seed

    @property
    def can_be_fetched(self) -> bool:
        """Whether fal has the picture, though its download or storage failed here: fetching it again costs nothing."""
        return bool(self.state is RunState.FAILED and self.ticket and self.failure and self.failure.refetch)

    @property
    def seconds(self) -> float | None:
        """Seconds from the submit to the end of the run; None while it runs."""
        return _between(self.submitted_at, self.finished_at)

    @property
    def queue_seconds(self) -> float | None:
        return _between(self.submitted_at, self.started_at)


def _between(start: datetime | None, end: datetime | None) -> float | None:
    return max(0.0, (end - start).total_seconds()) if start and end else None


def now() -> datetime:
    return datetime.now(timezone.utc)


def new_id() -> str:
    """128 random bits as 32 hex digits."""
    return secrets.token_hex(16)
