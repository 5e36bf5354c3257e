"""Wildcards: what a prompt stands for."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.wildcards import literal, read
from services.models.generation_request import PROMPT_MAX


@pytest.mark.parametrize(
    ("prompt", "stands_for"),
    [
        ("a fox", ["a fox"]),
        ("{red|blue|green} fox", ["red fox", "blue fox", "green fox"]),
        ("{red|blue} {fox|owl}", ["red fox", "red owl", "blue fox", "blue owl"]),
        ("a { red | blue } fox", ["a red fox", "a blue fox"]),
        ("a {|tiny }fox", ["a fox", "a tinyfox"]),
        ("{a {red|blue} fox|an owl}", ["a red fox", "a blue fox", "an owl"]),
        ("{red|red} fox", ["red fox"]),
        ('{"a": "{red|blue} fox", "b": {}}', ['{"a": "red fox", "b": {}}', '{"a": "blue fox", "b": {}}']),
        (r"\{red|blue\} fox", ["{red|blue} fox"]),
        (r"{a\|b|c\}} fox", ["a|b fox", "c} fox"]),
        ("{red} fox", ["{red} fox"]),
        ("a | b } c", ["a | b } c"]),
        ("{red|blue fox", ["{red|blue fox"]),
        ("{red|{big|small} fox", ["{red|big fox", "{red|small fox"]),
        ("back\\slash \\\\ stays", ["back\\slash \\\\ stays"]),
    ],
)  # fmt: skip
def test_a_prompt_stands_for(prompt: str, stands_for: list[str]) -> None:
    assert read(prompt).prompts() == stands_for


def test_combinations_are_counted_without_being_written_out() -> None:
    assert read("{a|b}" * 300).count == 2**300
    assert read("{|a" * 3000 + "}" * 3000).count == 3001
    assert read("{" * 5000 + "}" * 5000).count == 1


@pytest.mark.parametrize("piece", ["{", "{a|", "{a {", "{a|b} {", "a|", "}"])
def test_the_longest_prompt_is_read_while_nobody_notices(piece: str) -> None:
    """A visitor's prompt is read where the others' presses wait for it."""
    prompt = (piece * PROMPT_MAX)[:PROMPT_MAX]

    def processor_seconds() -> float:
        start = time.thread_time()
        read(prompt)
        return time.thread_time() - start

    assert min(processor_seconds() for _ in range(3)) < 0.1  # memory may be tidied in one of them


PIECES = st.lists(st.sampled_from(["{", "|", "}", "\\", "fox", " "]), max_size=14).map("".join)


@settings(max_examples=300, deadline=None)
@given(PIECES)
def test_a_literal_stands_for_the_prompt_alone(prompt: str) -> None:
    assert read(literal(prompt)).prompts() == [prompt]
