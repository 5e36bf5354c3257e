"""From judged rounds to a ranking: wins with their intervals, Bradley–Terry strengths, and what is still undecided.

Pure functions. Values are known by their index on the judged axis.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import NormalDist
from typing import Literal

import numpy as np

Z = NormalDist().inv_cdf(0.975)
"""Half the width of a 95 % interval, in standard deviations."""
PRIOR = 0.5
"""Prior: as many wins and as many losses of each value against an imagined one of strength 1."""
SETTLED = 1e-10
"""The iteration has converged when no strength changes by a larger share."""
ITERATIONS_MAX = 10_000
LISTED_MAX = 4
"""Values that a sentence names one by one."""

Place = Literal["preferred", "leads", "undecided", "behind", "not judged"]


@dataclass(frozen=True)
class Outcome:
    """One judged round: the values shown, and the one that was best; None where it was a tie."""

    shown: tuple[int, ...]
    best: int | None


@dataclass(frozen=True)
class Standing:
    """How one value stands. The best of a round has won against each of the others shown; a tie is half a win each."""

    value: int
    label: str
    wins: float
    of: int
    """Comparisons with another value."""
    low: float
    high: float
    """95 % interval of the share of wins, 0 to 1."""
    strength: float | None
    """Bradley–Terry: a beats b with the chance a / (a + b). They sum to 1. None where it was never shown."""
    place: Place
    """Compared with the strongest value: behind if its interval lies below that one's, else undecided. The strongest is
    preferred if any value is behind, else it leads."""

    @property
    def score(self) -> str:
        """`9 of 12`, `7.5 of 12`."""
        return f"{self.wins:g} of {self.of}"


@dataclass(frozen=True)
class Ranking:
    standings: tuple[Standing, ...]
    """The strongest first; values that were never shown last."""
    sentence: str


def rank(labels: Sequence[str], outcomes: Sequence[Outcome]) -> Ranking:
    """Rank every value of `labels`, including those never shown."""
    wins = _wins(len(labels), outcomes)
    won, lost = wins.sum(axis=1).tolist(), wins.sum(axis=0).tolist()
    rounds = [sum(value in outcome.shown for outcome in outcomes) for value in range(len(labels))]
    shown = [value for value, count in enumerate(rounds) if count]
    strength = dict(zip(shown, strengths(wins[np.ix_(shown, shown)]).tolist(), strict=True))
    order = sorted(shown, key=lambda value: (-round(strength[value], 9), value))
    interval = {value: wilson(won[value] / (won[value] + lost[value]), rounds[value]) for value in shown}
    behind = {value for value in shown if interval[value][1] < interval[order[0]][0]}

    def place(value: int) -> Place:
        if value in behind:
            return "behind"
        if (won[value], round(strength[value], 9)) != (won[order[0]], round(strength[order[0]], 9)):
            return "undecided"
        return "preferred" if behind else "leads"

    def standing(value: int) -> Standing:
        of = round(won[value] + lost[value])
        return Standing(
            value, labels[value], won[value], of, *interval[value], strength=strength[value], place=place(value)
        )

    found = [standing(value) for value in order]
    unseen = [
        Standing(value, label, 0.0, 0, 0.0, 1.0, strength=None, place="not judged")
        for value, label in enumerate(labels)
        if not rounds[value]
    ]
    return Ranking((*found, *unseen), _sentence(found))


def _wins(values: int, outcomes: Sequence[Outcome]) -> np.ndarray:
    """`[a, b]` is how often a won against b."""
    wins = np.zeros((values, values))
    for outcome in outcomes:
        if outcome.best is None:
            for one, other in combinations(outcome.shown, 2):
                wins[one, other] += 0.5
                wins[other, one] += 0.5
        else:
            for other in outcome.shown:
                wins[outcome.best, other] += other != outcome.best
    return wins


def wilson(share: float, rounds: int) -> tuple[float, float]:
    """The 95 % score interval (Wilson 1927) of a share of wins, 0 to 1.

    A round counts once, however many pictures it shows: the three wins of a best of four are one judgement.
    """
    middle = (share + Z**2 / (2 * rounds)) / (1 + Z**2 / rounds)
    reach = Z * math.sqrt(share * (1 - share) / rounds + Z**2 / (4 * rounds**2)) / (1 + Z**2 / rounds)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def strengths(wins: np.ndarray, prior: float = PRIOR) -> np.ndarray:
    """Bradley–Terry strengths that sum to 1, by the MM algorithm (Hunter 2004, Annals of Statistics 32, 384–406).

    `wins[a, b]` is how often a won against b. The prior keeps the strength of a value finite that won or lost
    every round, and makes values comparable that never met; with 0 this is maximum likelihood, which does neither.
    """
    games = wins + wins.T
    won = wins.sum(axis=1) + prior
    found = np.ones(len(wins))
    for _ in range(ITERATIONS_MAX):
        before = found
        expected = (games / (found[:, None] + found)).sum(axis=1) + 2 * prior / (found + 1)
        found = won / expected
        if np.all(np.abs(found - before) <= SETTLED * before):
            break
    return found / found.sum()


# -- in words ------------------------------------------------------------------------------------------------------


def _sentence(standings: Sequence[Standing]) -> str:
    """`28 steps is preferred (9 of 12); 40 steps and 50 steps are undecided.`"""
    if not standings:
        return "Nothing is judged yet."
    first = standings[0]
    best = [each for each in standings if each.place == first.place]
    if first.place == "leads" and len(best) > 1:
        return f"Undecided: {_listed(best)} are level ({first.score})."
    if first.place == "leads":
        return f"Undecided: {first.label} leads ({first.score}), but too narrowly to be sure."
    rest = [each for each in standings if each.place == "undecided"]
    undecided = f"; {_listed(rest)} {_are(rest)} undecided" if rest else ""
    return f"{_listed(best)} {_are(best)} preferred ({first.score}){undecided}."


def _are(standings: Sequence[Standing]) -> str:
    return "is" if len(standings) == 1 else "are"


def _listed(standings: Sequence[Standing]) -> str:
    names = [each.label for each in standings]
    if len(names) > LISTED_MAX:
        names[LISTED_MAX - 1 :] = [f"{len(names) - LISTED_MAX + 1} others"]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
