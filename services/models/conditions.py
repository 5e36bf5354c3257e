"""What a search asks of one field of a run. `services/library/query.py` parses them, `rules.py` turns them into SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Text:
    """Consecutive words of a prompt or of notes. With `prefix`, the last one may be only the beginning of a word."""

    words: str
    prefix: bool = False


@dataclass(frozen=True)
class Span:
    """From `low` to `high`; None is unbounded. A bound is included unless `open_low` or `open_high` is set."""

    low: float | datetime | None = None
    high: float | datetime | None = None
    open_low: bool = False
    open_high: bool = False


@dataclass(frozen=True)
class Exactly:
    """One value: a choice, on or off, a state, a name."""

    value: str | bool


@dataclass(frozen=True)
class Pixels:
    """A size in pixels, however it was asked for."""

    width: int
    height: int


Condition = Text | Span | Exactly | Pixels


class Unreadable(ValueError):
    """A text that is no value of the searched field. The message says what was expected: `a number`."""
