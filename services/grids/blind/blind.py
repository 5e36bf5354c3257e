"""The blind pick: one axis of a grid is judged by pictures alone, without knowing which value made which.

A ballot is drawn once and kept whole: values added to the grid afterwards, swapped axes and repeated cells change
nothing about what was judged.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, StrictInt

from services.errors import FieldIssue, InvalidRequest
from services.grids.blind.ranking import Outcome, Ranking, rank

Mode = Literal["pairs", "four"]
Choice = StrictInt | Literal["tie", "skip"]
"""The index (from 0) of the best side. `skip`: a picture cannot be shown any more, and the round does not count."""

SIZES: dict[Mode, int] = {"pairs": 2, "four": 4}
ROUNDS_MAX = 200
"""Rounds of one ballot; a larger grid is judged by a sample. At five seconds each these are a quarter of an hour."""


class JudgedCell(NamedTuple):
    """A place in a grid: indexes on the axes X, Y and Z from 0, and the run there; None where no picture is (yet)."""

    at: tuple[int, int, int]
    run_id: str | None


class Side(BaseModel):
    """A picture of a round. `value` is the index (from 0) on the judged axis of the value that it was made with."""

    model_config = ConfigDict(frozen=True)

    run_id: str
    value: int


class Ballot(BaseModel):
    model_config = ConfigDict(frozen=True)

    id: str
    created_at: datetime
    axis: str
    """The judged axis by its name, `Steps`."""
    labels: tuple[str, ...]
    """Its values in words, `28 steps`. They are not shown before the result."""
    mode: Mode
    rounds: tuple[tuple[Side, ...], ...]


class Judging(BaseModel):
    """A ballot and the verdicts on its first rounds."""

    model_config = ConfigDict(frozen=True)

    ballot: Ballot
    verdicts: tuple[Choice, ...] = ()

    @property
    def next(self) -> int | None:
        """The number of the round to be judged, from 1; None when all are."""
        return len(self.verdicts) + 1 if len(self.verdicts) < len(self.ballot.rounds) else None

    def judge(self, number: int, choice: Choice) -> Judging:
        """A copy with a verdict on the open round, or with a changed one on an earlier round (numbers from 1).

        A client judges an earlier round again if our response to it was lost. Raises InvalidRequest.
        """
        if not 1 <= number <= min(len(self.verdicts) + 1, len(self.ballot.rounds)):
            raise _refused("round", f"Round {number} is not open: {len(self.verdicts)} are judged so far.")
        sides = len(self.ballot.rounds[number - 1])
        if isinstance(choice, int) and not 0 <= choice < sides:
            raise _refused("choice", f"Choice: {choice} is not a side of this round, which are 0 to {sides - 1}.")
        verdicts = (*self.verdicts[: number - 1], choice, *self.verdicts[number:])
        return self.model_copy(update={"verdicts": verdicts})

    def undo(self) -> Judging:
        """A copy without the last verdict, if there is one."""
        return self.model_copy(update={"verdicts": self.verdicts[:-1]})

    def ranking(self) -> Ranking:
        judged = zip(self.ballot.rounds, self.verdicts, strict=False)
        outcomes = [_outcome(sides, choice) for sides, choice in judged if choice != "skip"]
        return rank(self.ballot.labels, outcomes)


def _outcome(sides: Sequence[Side], choice: Choice) -> Outcome:
    best = sides[choice].value if isinstance(choice, int) else None
    return Outcome(tuple(side.value for side in sides), best)


def _refused(field: str, message: str) -> InvalidRequest:
    return InvalidRequest((FieldIssue(field=field, message=message),))


# -- drawing a ballot ----------------------------------------------------------------------------------------------


def draw(cells: Iterable[JudgedCell], axis: int, mode: Mode, seed: int) -> tuple[tuple[Side, ...], ...]:
    """The rounds of a ballot on `axis` (0, 1 or 2), ROUNDS_MAX at most; the same seed draws the same.

    Two pictures meet (are shown in one round) only if they differ in nothing but this axis. In `pairs` every two
    meet once. In `four` they meet four at a time until every two have met, which takes far fewer rounds. Every value is
    shown about equally early. Empty if no two pictures differ in this axis only.
    """
    groups: dict[tuple[int, ...], dict[int, str]] = defaultdict(dict)
    for at, run_id in cells:
        if run_id is not None:
            groups[at[:axis] + at[axis + 1 :]][at[axis]] = run_id
    chance = random.Random(seed)  # noqa: S311  # nosec B311: no secret
    rounds = _rounds([_Group(runs) for runs in groups.values()], SIZES[mode], chance)
    return tuple(islice(rounds, ROUNDS_MAX))


class _Group:
    """Pictures that differ in the judged axis only, as value → run id, and which of them have met in a round."""

    def __init__(self, runs: dict[int, str]) -> None:
        self.runs = runs
        self._met: dict[int, set[int]] = {value: {value} for value in runs}

    @property
    def open(self) -> bool:
        """Whether some two values have not met."""
        return any(self._lacks(value) for value in self.runs)

    def seat(self, size: int, shown: Counter[int], chance: random.Random) -> list[int]:
        """The values of the next round, in random order.

        The first is the least shown value that has not met all others; then come those that met the fewest of the
        values chosen so far, and of these the least shown ones.
        """
        order = list(self.runs)
        chance.shuffle(order)
        order.sort(key=lambda value: shown[value])
        seated = [next(value for value in order if self._lacks(value))]
        while len(seated) < min(size, len(order)):
            known = Counter(value for other in seated for value in self._met[other])
            others = (value for value in order if value not in seated)
            seated.append(min(others, key=lambda value: known[value]))
        for value in seated:
            self._met[value].update(seated)
        chance.shuffle(seated)
        return seated

    def _lacks(self, value: int) -> bool:
        return len(self._met[value]) < len(self.runs)


def _rounds(groups: list[_Group], size: int, chance: random.Random) -> Iterator[tuple[Side, ...]]:
    """One round of each group in turn, as long as some of its values have not met."""
    shown: Counter[int] = Counter()
    while groups := [group for group in groups if group.open]:
        chance.shuffle(groups)
        for group in groups:
            seated = group.seat(size, shown, chance)
            shown.update(seated)
            yield tuple(Side(run_id=group.runs[value], value=value) for value in seated)
