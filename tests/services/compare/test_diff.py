"""What differs between pictures, as text."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services import request as request_module
from services.compare import diff
from services.compare.diff import Token, compare, labels, markdown, prompt_diff, summary
from services.models.registry import PARAMETERS
from services.request import parse_request
from services.run import Picture, Run, RunState, new_id

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)


def done(
    *, took: float = 7.24, cost: float = 0.05, billed: float | None = None, engine: Any = "fal", **settings: Any
) -> Run:
    """A finished run, one setting or another changed."""
    request = parse_request({"prompt": "A red fox in the snow", "seed": 7, **settings})
    width, height = request.pixels
    return Run(
        id=new_id(),
        visitor="v",
        engine=engine,
        key_of="owner",
        request=request,
        state=RunState.DONE,
        created_at=START,
        submitted_at=START,
        started_at=START + timedelta(seconds=0.4),
        finished_at=START + timedelta(seconds=took),
        picture=Picture(
            name="p.png", thumb="p.webp", content_type="image/png", bytes=1_500_000, width=width, height=height
        ),
        billed_units=billed,
        cost_usd=cost,
    )


def row(runs: list[Run], name: str) -> diff.Row:
    return next(row for row in compare(runs).rows if row.name == name)


# -- the table -------------------------------------------------------------------------------------------------------


def test_every_parameter_has_its_row_and_what_differs_comes_first() -> None:
    table = compare([done(), done(guidance_scale=4.0)])

    settings = [row for row in table.rows if row.group == "settings"]
    assert {row.name for row in settings} == set(PARAMETERS)
    assert settings[0] == diff.Row("guidance_scale", "Guidance scale", ("3.5", "4"), True, "settings")
    assert [row.name for row in settings[1:]] == [name for name in PARAMETERS if name != "guidance_scale"]
    assert not any(row.differs for row in settings[1:])
    assert table.letters == ("A", "B")


def test_results_stand_apart() -> None:
    runs = [done(took=7.24), done(took=26.0, billed=1.0), done(engine="demo", cost=0.0)]
    table = compare(runs)

    assert [row.group for row in table.rows] == ["settings"] * len(PARAMETERS) + ["results"] * 5
    assert row(runs, "took").values == ("7.2 s", "26 s", "7.2 s")
    assert row(runs, "queue").values == ("0.4 s", "0.4 s", "0.4 s")
    assert row(runs, "cost").values == ("≈ $0.05", "$0.05", "$0 · demo")
    assert row(runs, "bytes").values == ("1.4 MB",) * 3
    assert row(runs, "true_size").values == ("1024 × 768",) * 3


def test_a_preset_and_the_same_pixels_do_not_differ() -> None:
    runs = [done(image_size="square"), done(image_size={"width": 512, "height": 512})]

    assert row(runs, "image_size") == diff.Row("image_size", "Image size", ("512 × 512",) * 2, False, "settings")


def test_switches_are_on_or_off_and_the_seed_is_the_one_used() -> None:
    runs = [done(enable_safety_checker=False), done().model_copy(update={"seed_used": 99})]

    assert row(runs, "enable_safety_checker").values == ("off", "on")
    assert row(runs, "seed").values == ("7", "99")


def test_what_is_not_known_is_a_dash() -> None:
    bare = done().model_copy(update={"picture": None, "submitted_at": None, "started_at": None})

    assert {row([bare, done()], name).values[0] for name in ("took", "queue", "bytes", "true_size")} == {"–"}


def test_a_new_parameter_appears_by_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    added = replace(PARAMETERS["num_inference_steps"], label="Passes", short="passes")
    for module in (diff, request_module):
        monkeypatch.setattr(module, "PARAMETERS", {"num_inference_steps": added})
    runs = [done(num_inference_steps=10), done()]

    assert compare(runs).rows[0].label == "Passes"
    assert labels(runs) == ("A · 10 passes", "B · 28 passes")
    assert summary(compare(runs)) == "A and B differ in passes (10, 28)."


# -- labels and the sentence -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ("A", "B")),
        ({"num_inference_steps": 10}, ("A · 28 steps", "B · 10 steps")),
        ({"guidance_scale": 5}, ("A · guidance 3.5", "B · guidance 5")),
        ({"image_size": "square"}, ("A · 1024 × 768", "B · 512 × 512")),
        ({"seed": 8}, ("A · seed 7", "B · seed 8")),
        ({"enable_prompt_expansion": False}, ("A · expansion on", "B · expansion off")),
        ({"prompt": "A blue fox in the snow"}, ("A · “red”", "B · “blue”")),
        ({"prompt": "A red fox in the snow at night"}, ("A · “the snow”", "B · “at night”")),
        (
            {"prompt": "A red and very, very much bigger fox in the snow"},
            ("A · “A red”", "B · “and very, very much bigger”"),
        ),
        ({"num_inference_steps": 10, "seed": 8}, ("A · 28 steps · seed 7", "B · 10 steps · seed 8")),
        (
            {"prompt": "none", "seed": 8, "num_inference_steps": 10, "guidance_scale": 5},
            ("A · 28 steps · guidance 3.5 · +2", "B · 10 steps · guidance 5 · +2"),
        ),
    ],
)
def test_labels_carry_what_differs(changes: dict[str, Any], expected: tuple[str, str]) -> None:
    assert labels([done(), done(**changes)]) == expected


def test_long_words_are_cut() -> None:
    first, second = labels([done(prompt="x" * 300), done(prompt="y" * 300)])

    assert first == f"A · “{'x' * 27}…”"
    assert len(second) == len(first)


def test_the_summary_names_each_difference_once() -> None:
    runs = [done(num_inference_steps=steps, prompt=prompt) for steps, prompt in ((10, "a"), (28, "b"), (50, "c"))]

    assert summary(compare(runs)) == "A, B and C differ in prompt and steps (10, 28, 50)."
    assert summary(compare([done(), done(took=9)])) == "A and B have the same settings."
    assert summary(compare([])) == summary(compare([done()])) == ""


def test_eight_pictures() -> None:
    runs = [done(num_inference_steps=steps) for steps in range(10, 18)]

    assert labels(runs)[-1] == "H · 17 steps"
    assert compare(runs).letters == tuple("ABCDEFGH")


# -- Markdown --------------------------------------------------------------------------------------------------------


def test_markdown_marks_differences_and_escapes_what_users_wrote() -> None:
    text = markdown(compare([done(prompt="a|b\n<i>*c*</i>"), done(prompt="d")]))

    lines = text.splitlines()
    assert lines[0] == "|  | A | B |"
    assert lines[1] == "| --- | --- | --- |"
    assert lines[2] == r"| ≠ Prompt | a\|b<br>\<i\>\*c\*\</i\> | d |"
    assert "| Steps | 28 | 28 |" in lines
    assert len(lines) == 2 + len(PARAMETERS) + 5


# -- prompts ---------------------------------------------------------------------------------------------------------


def tokens(first: str, other: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in prompt_diff(first, other)]


def test_words_are_compared_and_white_space_is_kept() -> None:
    assert tokens("A red  fox,\nasleep", "A blue  fox,\nasleep") == [
        ("same", "A "),
        ("removed", "red"),
        ("added", "blue"),
        ("same", "  fox,\nasleep"),
    ]


def test_neighbouring_changes_read_as_one_phrase() -> None:
    assert tokens("a big red fox", "a tiny old wolf") == [
        ("same", "a "),
        ("removed", "big red fox"),
        ("added", "tiny old wolf"),
    ]


def test_equal_prompts_are_one_piece_and_signs_are_no_part_of_words() -> None:
    assert tokens("it's a fox", "it's a fox") == [("same", "it's a fox")]
    assert tokens("a fox", "a fox!") == [("same", "a fox"), ("added", "!")]
    assert tokens("", "") == []


PROMPTS = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(["a", "fox", "red", ",", " ", "  ", "\n", "“", "é", "🦊"]), max_size=400).map("".join),
)


@given(PROMPTS, PROMPTS)
def test_the_pieces_join_to_both_prompts(first: str, other: str) -> None:
    pieces = prompt_diff(first, other)

    assert _joined(pieces, "removed") == first
    assert _joined(pieces, "added") == other
    assert all(piece.text for piece in pieces)


def _joined(pieces: tuple[Token, ...], also: str) -> str:
    return "".join(piece.text for piece in pieces if piece.kind in ("same", also))


def test_the_longest_prompts_take_no_noticeable_time() -> None:
    started = time.process_time()
    prompt_diff("very " * 2000, "very " * 1990 + "much " * 10)
    prompt_diff(" ".join(map(str, range(2000))), " ".join(map(str, range(2000, 0, -1))))

    assert time.process_time() - started < 2
