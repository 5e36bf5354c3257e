"""The requests of one press: which prompts its wildcards stand for."""

from __future__ import annotations

import time

import pytest

from services.errors import InvalidRequest
from services.intake.batch import COUNTED, PICTURES_MAX, combinations, requests_of
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.generation_request import PROMPT_MAX

FEW = "{" + "|".join("abcdefghijklmnopqrstuvwxyz") + "|" + "|".join("ABCDEFGHIJKLMNOPQRSTUVWX") + "}"


def prompts(prompt: str, count: int = 1) -> list[str]:
    asked = requests_of(Flux2FlexRequest(prompt=prompt, seed=7), count, expand=True)
    return [request.prompt for request in asked]


@pytest.mark.parametrize(
    ("prompt", "stands_for"),
    [
        ("{a|a}" * 6, ["aaaaaa"]),
        ("{a|a}" * 2000, ["a" * 2000]),
        ("x" + "{|y}" * 7, ["x" + "y" * times for times in range(8)]),
        ("{a|ab}{b|bb}" + " {c|c}" * 9, [f"{ab}{' c' * 9}" for ab in ("ab", "abb", "abbb")]),
        ("{" + "|".join("ab" * 60) + "}", ["a", "b"]),
        ("{" + "|".join(["{a|b}{a|b}"] * 60) + "}", ["aa", "ab", "ba", "bb"]),
        ("{a|" * 2000 + "b" + "}" * 2000, ["a", "b"]),
        (FEW + "{!|!}" * 9, [letter + "!" * 9 for letter in FEW[1:-1:2]]),
    ],
)
def test_equal_prompts_are_one_however_many_choices_make_them(prompt: str, stands_for: list[str]) -> None:
    assert combinations(prompt) == len(stands_for)
    assert prompts(prompt) == stands_for


def test_only_prompts_that_differ_count_for_the_limit_of_a_press() -> None:
    assert len(FEW[1:-1:2]) == PICTURES_MAX
    assert len(prompts("{a|a}" * 6, 8)) == 8
    assert len(prompts("{a|b}{c|c}{d|d}{e|e}{f|f}{g|g}", 8)) == 16
    with pytest.raises(InvalidRequest, match="its choices make 100 pictures"):
        prompts(FEW + "{a|a}" * 9, 2)
    with pytest.raises(InvalidRequest, match="its choices make 51 pictures"):
        prompts(FEW.replace("}", "|!}"))
    assert combinations("{a|b}" * 2000) == COUNTED


@pytest.mark.parametrize(
    "prompt",
    [
        pytest.param("{a|a}" * 2000, id="one prompt of many choices"),
        pytest.param("{a|b}" * 2000, id="as many prompts as possible"),
        pytest.param("{|a}" * 2500, id="each choice makes one more prompt"),
        pytest.param("x" * 9800 + "{|a}" * 49, id="long prompts"),
        pytest.param("x" * 9790 + FEW + FEW, id="long prompts of few choices"),
        pytest.param(FEW + "x{a|a}" * 1600, id="many prompts and then a long one"),
        pytest.param("{" + "|".join(["{|a}" * 49] * 50) + "}", id="the same prompts in all options"),
        pytest.param("{" + "|".join(["{a|b}" * 5] * 380) + "}", id="the same few prompts in all options"),
        pytest.param("{" + "|".join(f"{number:x}" for number in range(2400)) + "}", id="many options"),
        pytest.param("{a|" * 2500 + "}" * 2500, id="choices in choices"),
        pytest.param("{|a" * 2500 + "}" * 2500, id="choices in choices, each longer"),
        pytest.param("x" * 4000 + "{|a" * 49 + "{a|" * 1400 + "}" * 1449, id="choices in choices that are the same"),
    ],
)
def test_the_longest_prompt_is_counted_while_nobody_notices(prompt: str) -> None:
    """A visitor's prompt is counted with every key, where the others' presses wait for it."""
    prompt = prompt[:PROMPT_MAX]

    def processor_seconds() -> float:
        start = time.thread_time()
        combinations(prompt)
        return time.thread_time() - start

    assert min(processor_seconds() for _ in range(3)) < 0.15  # memory may be tidied in one of them
