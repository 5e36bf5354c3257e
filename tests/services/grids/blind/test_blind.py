"""Ballots: who meets whom, how early, and in what order; and the verdicts on them."""

from __future__ import annotations

from collections import Counter
from itertools import combinations, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.errors import InvalidRequest
from services.grids.blind.blind import ROUNDS_MAX, Ballot, JudgedCell, Judging, Mode, Side, draw
from services.run import now

CREATED = now()
LABELS = ("10 steps", "28 steps", "50 steps")


def grid(*sizes: int) -> list[JudgedCell]:
    x, y, z = (*sizes, 1, 1)[:3]
    return [JudgedCell(at, "/".join(map(str, at))) for at in product(range(x), range(y), range(z))]


def at(side: Side) -> tuple[int, ...]:
    return tuple(map(int, side.run_id.split("/")))


def pairs(rounds: tuple[tuple[Side, ...], ...]) -> Counter[frozenset[str]]:
    return Counter(frozenset((one.run_id, other.run_id)) for sides in rounds for one, other in combinations(sides, 2))


def judging(*verdicts: int | str, values: int = 3) -> Judging:
    ballot = Ballot(
        id="b", created_at=CREATED, axis="Steps", labels=LABELS, mode="pairs", rounds=draw(grid(values), 0, "pairs", 1)
    )
    found = Judging(ballot=ballot)
    for number, choice in enumerate(verdicts, start=1):
        found = found.judge(number, choice)  # type: ignore[arg-type]
    return found


# -- who meets whom --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("mode", ["pairs", "four"])
def test_only_pictures_that_are_equal_in_all_else_meet(axis: int, mode: Mode) -> None:
    for sides in draw(grid(4, 3, 5), axis, mode, seed=1):
        places = [at(side) for side in sides]
        assert len({place[:axis] + place[axis + 1 :] for place in places}) == 1
        assert [place[axis] for place in places] == [side.value for side in sides]
        assert len(set(places)) == len(places)


def test_each_two_meet_once() -> None:
    met = pairs(draw(grid(5, 4), 0, "pairs", seed=1))

    assert len(met) == 10 * 4
    assert set(met.values()) == {1}


@given(cells=st.sets(st.tuples(*[st.integers(0, 4)] * 3), max_size=40), seed=st.integers(0, 2**64 - 1))
def test_each_two_meet_once_in_grids_with_holes(cells: set[tuple[int, int, int]], seed: int) -> None:
    there = [JudgedCell(place, "/".join(map(str, place))) for place in cells]
    found = {mode: pairs(draw(there, 1, mode, seed)) for mode in ("pairs", "four")}

    expected = {
        frozenset((one.run_id, other.run_id)) for one, other in combinations(there, 2) if one.at[::2] == other.at[::2]
    }
    assert found["pairs"] == dict.fromkeys(expected, 1)
    assert found["four"].keys() == expected


@pytest.mark.parametrize(("values", "rounds"), [(2, 1), (3, 1), (4, 1), (5, 3), (6, 3), (8, 6)])
def test_fours_cover_all_pairs_in_few_rounds(values: int, rounds: int) -> None:
    """As few as a covering design needs (La Jolla Covering Repository, C(v, 4, 2))."""
    found = draw(grid(values), 0, "four", seed=1)

    assert len(found) == rounds
    assert {len(sides) for sides in found} == {min(values, 4)}


@pytest.mark.parametrize("sizes", [(4, 4), (5, 4), (7, 3), (8, 10), (12, 1)])
@pytest.mark.parametrize("mode", ["pairs", "four"])
def test_every_value_is_seen_about_equally_early(sizes: tuple[int, ...], mode: Mode) -> None:
    """Wherever someone stops in the first half; the last rounds are for those who have not met."""
    shown = Counter(dict.fromkeys(range(sizes[0]), 0))
    rounds = draw(grid(*sizes), 0, mode, seed=1)
    for sides in rounds[: len(rounds) // 2 + 1]:
        shown.update(side.value for side in sides)
        assert max(shown.values()) - min(shown.values()) <= 3


def test_very_many_are_judged_by_a_sample_in_which_all_values_are_seen() -> None:
    rounds = draw(grid(10, 100), 0, "pairs", seed=1)

    assert len(rounds) == ROUNDS_MAX
    assert set(Counter(side.value for sides in rounds for side in sides).values()) == {2 * ROUNDS_MAX // 10}


def test_cells_without_a_picture_are_left_out() -> None:
    cells = [JudgedCell(cell.at, None if cell.at[0] == 1 else cell.run_id) for cell in grid(3, 2)]

    assert {side.value for sides in draw(cells, 0, "pairs", seed=1) for side in sides} == {0, 2}
    assert draw([cell for cell in cells if cell.at[0] == 1], 0, "pairs", seed=1) == ()
    assert draw(grid(1, 5), 0, "pairs", seed=1) == ()


def test_sides_and_order_follow_from_the_seed_alone() -> None:
    one, again, other = (draw(grid(6, 4), 0, "pairs", seed) for seed in (1, 1, 2))

    assert one == again
    assert set(pairs(one)) == set(pairs(other))
    assert [set(sides) for sides in one] != [set(sides) for sides in other]
    first_is_lower = sum(sides[0].value < sides[1].value for sides in one)
    assert 0.25 < first_is_lower / len(one) < 0.75


def test_who_was_shown_least_comes_in_on_either_side() -> None:
    """Of three values the second round brings in the third: its side must not be known."""
    drawn = [draw(grid(3), 0, "pairs", seed)[:2] for seed in range(200)]
    newcomer_is_left = sum(second[0] not in first for first, second in drawn)

    assert 70 < newcomer_is_left < 130


# -- verdicts --------------------------------------------------------------------------------------------------------


def test_rounds_are_judged_in_turn_and_undone() -> None:
    found = judging()
    assert found.next == 1
    found = judging(0, "tie")
    assert (found.next, found.verdicts) == (3, (0, "tie"))
    assert found.undo().verdicts == (0,)
    assert found.undo().undo().undo().verdicts == ()
    assert judging(0, "tie", 1).next is None


def test_a_verdict_that_is_sent_twice_counts_once() -> None:
    assert judging(0, 1).judge(2, 1) == judging(0, 1)
    assert judging(0, 1).judge(2, "tie").verdicts == (0, "tie")


@pytest.mark.parametrize(
    ("number", "choice", "message"),
    [
        (3, 0, "Round 3 is not open: 1 are judged so far."),
        (0, 0, "Round 0 is not open: 1 are judged so far."),
        (2, 2, "Choice: 2 is not a side of this round, which are 0 to 1."),
        (2, -1, "Choice: -1 is not a side of this round, which are 0 to 1."),
    ],
)
def test_what_is_refused(number: int, choice: int, message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        judging(0).judge(number, choice)


def test_nothing_is_judged_after_the_last_round() -> None:
    with pytest.raises(InvalidRequest, match="Round 4 is not open"):
        judging(0, 0, 0).judge(4, 0)


def test_the_ranking_knows_which_value_was_on_which_side() -> None:
    """Whoever always picks the higher value prefers the highest, wherever it stood."""
    rounds = draw(grid(3, 4), 0, "pairs", seed=3)
    found = Judging(ballot=judging().ballot.model_copy(update={"rounds": rounds}))
    for number, (left, right) in enumerate(rounds, start=1):
        found = found.judge(number, 0 if left.value > right.value else 1)

    assert [standing.label for standing in found.ranking().standings] == ["50 steps", "28 steps", "10 steps"]
    assert found.ranking().sentence == "50 steps is preferred (8 of 8); 28 steps is undecided."


def test_a_skipped_round_counts_for_nothing() -> None:
    assert judging("skip").ranking().sentence == "Nothing is judged yet."
    assert judging("skip", 0).ranking().standings[0].of == 1


def test_a_judging_is_kept_as_json() -> None:
    found = judging(0, "tie", "skip")

    assert Judging.model_validate_json(found.model_dump_json()) == found
