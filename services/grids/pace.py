"""How long a grid takes, estimated from the key's latest runs: how many ran at once, and how long they took."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from services.models.registry import steps_of
from services.run import Run

FAL_AT_ONCE = 2
"""Assumed without earlier runs: a new account runs 2 at once."""


@dataclass(frozen=True)
class Pace:
    seconds_a_step: float
    """Of one picture, from its start until its file is stored."""
    at_once: int

    def seconds(self, steps: Sequence[int]) -> float:
        """Seconds until pictures of these numbers of steps are finished."""
        if not steps:
            return 0.0
        each = self.seconds_a_step * sum(steps) / len(steps)
        return each * math.ceil(len(steps) / self.at_once)


def pace_of(runs: Sequence[Run], unseen: Pace) -> Pace:
    """The pace of finished runs of one key, with at least `unseen.at_once`; `unseen` itself if there are none."""
    times = [(run.started_at or run.submitted_at, run.finished_at, run) for run in runs]
    spans = [(start, end, run) for start, end, run in times if start and end and end > start]
    if not spans:
        return unseen
    a_step = median((end - start).total_seconds() / steps_of(run.request) for start, end, run in spans)
    # Runs requested one by one do not show how many could run at once: assume no fewer than `unseen`.
    return Pace(a_step, max(most_at_once([(start, end) for start, end, _ in spans]), unseen.at_once))


def most_at_once(spans: Sequence[tuple[datetime, datetime]]) -> int:
    """The largest number of spans that overlap at one moment."""
    edges = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans], key=lambda edge: edge)
    running = most = 0
    for _, change in edges:
        running += change
        most = max(most, running)
    return most
