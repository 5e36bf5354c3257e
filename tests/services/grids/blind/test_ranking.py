"""Wins, intervals, Bradley–Terry strengths and what is said of them; against figures of the literature."""

from __future__ import annotations

import math

import numpy as np
import pytest

from services.grids.blind.ranking import Outcome, Ranking, rank, strengths, wilson

STEPS = ["10 steps", "28 steps", "40 steps", "50 steps"]
TEN, TWENTY_EIGHT, FORTY, FIFTY = range(4)

# Agresti, Categorical Data Analysis (2nd ed. 2002), tables 10.10 and 10.11: the seven teams of the American League's
# Eastern Division in 1987, 13 games for each two; a row's wins against each column, and the fitted log strengths
# beside Baltimore's. R's BradleyTerry2 reproduces the same figures in its tests.
TEAMS = ["Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore"]
GAMES = np.array(
    [
        [0, 7, 9, 7, 7, 9, 11],
        [6, 0, 7, 5, 11, 9, 9],
        [4, 6, 0, 7, 7, 8, 12],
        [6, 8, 6, 0, 6, 7, 10],
        [6, 2, 6, 7, 0, 7, 12],
        [4, 4, 5, 6, 6, 0, 6],
        [2, 4, 1, 3, 1, 7, 0],
    ],
    dtype=float,
)
LOG_STRENGTHS = [1.58, 1.44, 1.29, 1.25, 1.11, 0.68, 0.0]


def wins(best: int, *others: int, times: int = 1) -> list[Outcome]:
    return [Outcome((best, other), best) for other in others] * times


def places(ranking: Ranking) -> dict[str, str]:
    return {standing.label: standing.place for standing in ranking.standings}


# -- figures of the literature ---------------------------------------------------------------------------------------


def test_strengths_of_the_american_league_in_1987() -> None:
    found = np.log(strengths(GAMES, prior=0))

    assert [round(value - found[-1], 2) for value in found] == LOG_STRENGTHS


@pytest.mark.parametrize(
    ("won", "rounds", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_intervals_are_newcombes(won: int, rounds: int, low: float, high: float) -> None:
    """Newcombe 1998, Statistics in Medicine 17, 857–872, table I, method 3 (Wilson's score without correction)."""
    assert wilson(won / rounds, rounds) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


# -- strengths -------------------------------------------------------------------------------------------------------


def test_what_won_everything_is_strongest_and_finite() -> None:
    found = strengths(np.array([[0, 3, 3], [0, 0, 2], [0, 1, 0]], dtype=float))

    assert found[0] > found[1] > found[2] > 0
    assert found.sum() == pytest.approx(1)
    assert found[0] / found[1] < 100


def test_values_that_never_met_are_ranked_by_what_they_did() -> None:
    """0 beats 1 often and 2 beats 3 seldom: nothing but the prior ties the two pairs together."""
    games = np.zeros((4, 4))
    games[0, 1], games[2, 3], games[3, 2] = 6, 3, 2

    assert list(np.argsort(-strengths(games))) == [0, 2, 3, 1]


def test_a_win_over_the_strong_counts_for_more() -> None:
    """2 and 3 both won one of two; 2 against the strongest, 3 against the weakest."""
    ranking = rank(STEPS, [*wins(0, 1, times=8), *wins(2, 0), *wins(0, 2), *wins(3, 1), *wins(1, 3)])

    strength = {standing.value: standing.strength or 0 for standing in ranking.standings}
    assert strength[2] > strength[3]


# -- counting --------------------------------------------------------------------------------------------------------


def test_ties_are_half_a_win_each() -> None:
    ranking = rank(STEPS[:2], [*wins(0, 1), Outcome((1, 0), None)])

    assert [(standing.label, standing.score) for standing in ranking.standings] == [
        ("10 steps", "1.5 of 2"),
        ("28 steps", "0.5 of 2"),
    ]


def test_the_best_of_four_wins_three_times_in_one_look() -> None:
    first, *others = rank(STEPS, [Outcome((3, 1, 0, 2), 1)]).standings

    assert (first.label, first.score) == ("28 steps", "3 of 3")
    assert [standing.score for standing in others] == ["0 of 1"] * 3
    assert (first.low, first.high) == wilson(1.0, 1)


def test_a_tie_of_four_is_three_halves() -> None:
    assert [standing.score for standing in rank(STEPS, [Outcome((0, 1, 2, 3), None)]).standings] == ["1.5 of 3"] * 4


# -- what is said ----------------------------------------------------------------------------------------------------


def test_one_is_preferred_and_two_are_undecided() -> None:
    outcomes = [*wins(1, 0, times=4), *wins(1, 2, times=3), *wins(2, 1), *wins(1, 3, times=2), *wins(3, 1, times=2)]
    outcomes += [*wins(2, 0, times=4), *wins(3, 0, times=4), *wins(2, 3, times=2), *wins(3, 2, times=2)]
    ranking = rank(STEPS, outcomes)

    assert ranking.sentence == "28 steps is preferred (9 of 12); 50 steps and 40 steps are undecided."
    assert places(ranking) == {
        "28 steps": "preferred", "50 steps": "undecided", "40 steps": "undecided", "10 steps": "behind",
    }  # fmt: skip


def test_undecided_is_where_intervals_overlap() -> None:
    """With three wins of three the intervals still overlap, with four they do not."""
    few, more = rank(STEPS[:2], wins(1, 0, times=3)), rank(STEPS[:2], wins(1, 0, times=4))

    assert few.standings[1].high > few.standings[0].low
    assert few.sentence == "Undecided: 28 steps leads (3 of 3), but too narrowly to be sure."
    assert more.standings[1].high < more.standings[0].low
    assert more.sentence == "28 steps is preferred (4 of 4)."


@pytest.mark.parametrize(
    ("outcomes", "sentence"),
    [
        ([], "Nothing is judged yet."),
        ([*wins(0, 1), *wins(1, 0)], "Undecided: 10 steps and 28 steps are level (1 of 2)."),
        (
            [*wins(0, 2, times=5), *wins(1, 2, times=5), *wins(0, 1), *wins(1, 0)],
            "10 steps and 28 steps are preferred (6 of 7).",
        ),
    ],
)
def test_sentences(outcomes: list[Outcome], sentence: str) -> None:
    assert rank(STEPS, outcomes).sentence == sentence


def test_those_who_are_level_share_a_place() -> None:
    ranking = rank(STEPS, [*wins(0, 2, times=5), *wins(1, 2, times=5), *wins(0, 1), *wins(1, 0)])

    assert list(places(ranking).values()) == ["preferred", "preferred", "behind", "not judged"]
    assert list(places(rank(STEPS[:2], [Outcome((1, 0), None)])).values()) == ["leads", "leads"]


def test_of_many_values_a_few_are_named() -> None:
    labels = [f"seed {value}" for value in range(9)]
    ties = [Outcome((one, other), None) for one in range(9) for other in range(one)]

    assert rank(labels, ties).sentence == "Undecided: seed 0, seed 1, seed 2 and 6 others are level (4 of 8)."


def test_what_was_never_shown_is_not_judged() -> None:
    ranking = rank(STEPS, wins(FIFTY, TWENTY_EIGHT))

    assert places(ranking) == {
        "50 steps": "leads", "28 steps": "undecided", "10 steps": "not judged", "40 steps": "not judged",
    }  # fmt: skip
    unseen = ranking.standings[-1]
    assert (unseen.of, unseen.strength, unseen.low, unseen.high) == (0, None, 0.0, 1.0)


def test_strengths_sum_to_one_and_follow_the_order() -> None:
    found = [standing.strength or 0 for standing in rank(TEAMS, _played()).standings]

    assert math.isclose(sum(found), 1)
    assert found == sorted(found, reverse=True)
    assert [standing.label for standing in rank(TEAMS, _played()).standings] == TEAMS


def _played() -> list[Outcome]:
    return [
        outcome
        for one in range(len(TEAMS))
        for other in range(len(TEAMS))
        for outcome in wins(one, other, times=int(GAMES[one, other]))
    ]
