"""How long a grid takes, from what the same key has shown lately: how many pictures ran at once, and how quickly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

from services.run import Run

FAL_SECONDS_A_STEP = 16 / 28
"""Before anything was seen: a picture of 28 steps takes about 16 s at fal, and a new account runs 2 at once."""
FAL_AT_ONCE = 2


@dataclass(frozen=True)
class Pace:
    seconds_a_step: float
    """Of one picture, from its start to the file in place."""
    at_once: int

    def seconds(self, steps: Sequence[int]) -> float:
        """Seconds until pictures of these numbers of steps are there."""
        if not steps:
            return 0.0
        each = self.seconds_a_step * sum(steps) / len(steps)
        return each * math.ceil(len(steps) / self.at_once)


def pace_of(runs: Sequence[Run], unseen: Pace) -> Pace:
    """The pace that finished runs of one key show; `unseen` where there are none, and for what they cannot show."""
    times = [(run.started_at or run.submitted_at, run.finished_at, run) for run in runs]
    spans = [(start, end, run) for start, end, run in times if start and end and end > start]
    if not spans:
        return unseen
    a_step = median((end - start).total_seconds() / run.request.num_inference_steps for start, end, run in spans)
    # Who never asked for more than one at a time has not shown what runs at once.
    return Pace(a_step, max(most_at_once([(start, end) for start, end, _ in spans]), unseen.at_once))


def most_at_once(spans: Sequence[tuple[datetime, datetime]]) -> int:
    """The largest number of spans that share a moment."""
    edges = sorted([(start, 1) for start, _ in spans] + [(end, -1) for _, end in spans], key=lambda edge: edge)
    running = most = 0
    for _, change in edges:
        running += change
        most = max(most, running)
    return most
