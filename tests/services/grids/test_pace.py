from __future__ import annotations

from datetime import timedelta

import pytest

from services.grids.pace import Pace, most_at_once, pace_of
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Run, RunState, now

START = now()
UNSEEN = Pace(seconds_a_step=0.5, at_once=2)


def ran(begin: float, end: float, steps: int = 10) -> Run:
    return Run(
        id="a", visitor=None, engine="fal", key_of="owner", state=RunState.DONE, created_at=START,
        request=Flux2FlexRequest(prompt="a", seed=1, num_inference_steps=steps),
        submitted_at=START, started_at=START + timedelta(seconds=begin), finished_at=START + timedelta(seconds=end),
    )  # fmt: skip


def test_nothing_seen():
    assert pace_of([], UNSEEN) == UNSEEN
    assert pace_of([ran(3, 3)], UNSEEN) == UNSEEN


def test_the_pace_is_the_median_a_step_and_the_most_at_once():
    runs = [ran(0, 5), ran(1, 6), ran(2, 7), ran(6, 31, steps=50), ran(7, 100)]
    assert pace_of(runs, UNSEEN) == Pace(0.5, 3)


def test_who_ran_one_at_a_time_has_not_shown_more():
    assert pace_of([ran(0, 5), ran(5, 10)], UNSEEN).at_once == 2


@pytest.mark.parametrize(
    ("steps", "seconds"), [([], 0), ([10], 5), ([10, 10], 5), ([10, 10, 10], 10), ([10, 50, 30, 30], 30)]
)
def test_seconds_until_all_are_there(steps, seconds):
    assert UNSEEN.seconds(steps) == seconds


def test_spans_that_only_touch_do_not_run_at_once():
    a, b, c = START, START + timedelta(seconds=1), START + timedelta(seconds=2)
    assert most_at_once([(a, b), (b, c)]) == 1
    assert most_at_once([(a, c), (b, c)]) == 2
