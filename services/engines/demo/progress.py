"""A running request as its model's log tells it: a line a step, in the words of tqdm, as real models print them.

The lines follow from the clock alone, so nothing has to wake up to write them.
"""

from __future__ import annotations

import math
from datetime import datetime, timezone
from typing import TypedDict

BAR_CELLS = 10
EIGHTHS = " ▏▎▍▌▋▊▉█"


class LogEntry(TypedDict):
    """One entry of a status's `logs`, by the types of fal's JavaScript client (`RequestLog`)."""

    message: str
    level: str
    source: str
    timestamp: str


def steps_done(elapsed: float, step_seconds: float, total: int) -> int:
    """Finished steps of `total` after `elapsed` seconds of running, the last excepted: it ends with the picture."""
    if step_seconds <= 0:
        return total - 1
    return math.floor(min(elapsed / step_seconds, total - 1))


def log_entries(started: float, step_seconds: float, done: int, total: int) -> list[LogEntry]:
    """The lines of the first `done` of `total` steps. `started` is in Unix seconds."""
    return [
        LogEntry(
            message=progress_line(step, total, step_seconds),
            level="STDERR",
            source="USER",
            timestamp=datetime.fromtimestamp(started + step * step_seconds, timezone.utc).isoformat(),
        )
        for step in range(1, done + 1)
    ]


def progress_line(step: int, total: int, step_seconds: float) -> str:
    """` 61%|██████▏   | 17/28 [00:00<00:00, 33.33it/s]`"""
    gone, left = _clock(step * step_seconds), _clock((total - step) * step_seconds)
    rate = f"{1 / step_seconds:.2f}" if step_seconds > 0 else "?"
    return f"{100 * step / total:3.0f}%|{_bar(step / total)}| {step}/{total} [{gone}<{left}, {rate}it/s]"


def _bar(fraction: float) -> str:
    full, eighths = divmod(int(fraction * BAR_CELLS * 8), 8)
    return ("█" * full + (EIGHTHS[eighths] if eighths else "")).ljust(BAR_CELLS)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02d}:{rest:02d}"
