"""What people type for an axis: both dialects of the field's scripts, and no value that the model does not take."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.errors import InvalidRequest
from services.grids.axes import AXIS_LABELS, SEARCH_REPLACE, axis_text, check_found, parse_axis
from services.models.axis_syntax import MAX_VALUES, ItemError, join_items, split_items
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.kinds.integer import SEED_MAX
from services.models.registry import PARAMETERS

BASE = Flux2FlexRequest(prompt="a red cat on a mat", seed=7)
STEPS, GUIDANCE = "num_inference_steps", "guidance_scale"


def values(field: str, text: object) -> list[object]:
    return list(parse_axis(field, text, BASE).values)  # type: ignore[arg-type]


def refusal(field: str, text: object) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse_axis(field, text, BASE)  # type: ignore[arg-type]
    assert [issue.field for issue in caught.value.issues] == [field]
    return str(caught.value)


class TestSeparators:
    @pytest.mark.parametrize(
        ("text", "items"),
        [
            ("10, 20,30", ["10", "20", "30"]),
            ('a, "b, c", d', ["a", "b, c", "d"]),
            ('a,"b, c",d', ["a", "b, c", "d"]),
            ("10\n20\r\n30", ["10", "20", "30"]),
            ("a, b || c", ["a, b", "c"]),
            ('"a || b", c', ['"a', 'b", c']),
            ("a,, b,", ["a", "b"]),
            ('say "hi", now', ['say "hi"', "now"]),
            ("", []),
            (" , \n || ", [","]),
        ],
    )
    def test_items(self, text, items):
        assert split_items(text) == items

    def test_whole_prompts_keep_their_commas_where_lines_separate(self):
        assert values("prompt", "a fox, at dusk\na wolf, at dawn") == ["a fox, at dusk", "a wolf, at dawn"]
        assert values("prompt", "a fox, a wolf") == ["a fox", "a wolf"]

    @given(st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=12)))
    def test_joined_items_are_split_as_they_were(self, items):
        stripped = [item.strip() for item in items if item.strip() and "||" not in item]
        assert split_items(join_items(stripped)) == stripped


class TestNumbers:
    @pytest.mark.parametrize(
        ("field", "text", "found"),
        [
            (STEPS, "3-7 (+2)", [3, 5, 7]),
            (STEPS, "10-5 (-3)", [10, 7]),
            (STEPS, "10-5", [10, 9, 8, 7, 6, 5]),
            (STEPS, "10-50 [5]", [10, 20, 30, 40, 50]),
            (STEPS, "2, 4, .., 10", [2, 4, 6, 8, 10]),
            (STEPS, "2, 4, ..., 9", [2, 4, 6, 8, 9]),
            (STEPS, "10, 8, …, 4", [10, 8, 6, 4]),
            (STEPS, "5-5", [5]),
            (STEPS, "20.0, 28", [20, 28]),
            ("seed", "1-5 (+2)", [1, 3, 5]),
            ("seed", "1-10 [5]", [1, 3, 5, 7, 10]),
            ("seed", "0-4294967295 [2]", [0, SEED_MAX]),
            (GUIDANCE, "2-8 [4]", [2, 4, 6, 8]),
            (GUIDANCE, "1.5-10", [1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5, 9.5]),
            (GUIDANCE, "1.5, 1.6, .., 2", [1.5, 1.6, 1.7, 1.8, 1.9, 2.0]),
            (GUIDANCE, "2-3 (+.3)", [2, 2.3, 2.6, 2.9]),
            (GUIDANCE, [2, "3-4 (+0.5)", 5.0], [2, 3, 3.5, 4, 5]),
            ("safety_tolerance", "1-5", ["1", "2", "3", "4", "5"]),
            ("safety_tolerance", [2, "4"], ["2", "4"]),
        ],
    )
    def test_values(self, field, text, found):
        assert values(field, text) == found

    @pytest.mark.parametrize(
        ("field", "text", "says"),
        [
            (STEPS, "60", "Steps: 60 is above 50. Allowed are 2 to 50."),
            (
                STEPS,
                "10, 1, 60",
                "Steps: 1 is below 2. Allowed are 2 to 50. Steps: 60 is above 50. Allowed are 2 to 50.",
            ),
            (STEPS, "40-60 (+5)", "Steps: 55 is above 50. Allowed are 2 to 50. Steps: 60 is above 50"),
            (STEPS, "2.5", "Steps: 2.5 is not a whole number"),
            (STEPS, "10-20 (+2.5)", "Steps: +2.5 is not a whole number (in “10-20 (+2.5)”)"),
            (STEPS, "ten", "Steps: “ten” is not a number or a range such as"),
            (STEPS, "9" * 400, "is not a number"),
            (STEPS, "NaN", "is not a number"),
            (STEPS, [True], "is not a number"),
            (STEPS, [None], "is not a number"),
            (STEPS, "10-20 (-1)", "“10-20 (-1)” goes nowhere"),
            (STEPS, "10-20 (+0)", "goes nowhere"),
            (STEPS, "2, 4, .., 1", "“..” goes nowhere"),
            (STEPS, "4, 4, .., 9", "“..” goes nowhere"),
            (STEPS, "4, .., 9", "needs two values before it"),
            (STEPS, "2, 4, ..", "needs a value after it"),
            (STEPS, "2, 4, .., .., 9", "stands twice"),
            (STEPS, "10-20 [0]", "makes 0 values"),
            ("seed", "1-2000", "Seed: “1-2000” makes 2,000 values; a grid has 1,000 cells at most."),
            ("seed", "0-4294967295", "makes 4,294,967,296 values"),
            ("seed", "1-600, 1000-1500", "more than 1,000 values"),
            ("seed", "1-10 [999999999]", "makes 999,999,999 values"),
            ("seed", "-5", "Seed: -5 is below 0"),
            (GUIDANCE, "1.4", "Guidance scale: 1.4 is below 1.5"),
            ("seed", "1," * 5000, "more than 1,000 values"),
            ("seed", list(range(1001)), "1,001 values are too many"),
            (STEPS, "x" * 60_000, "60,000 characters are too many"),
            (STEPS, "", "Steps: no values. Write at least one."),
            (STEPS, [], "no values"),
            (STEPS, {"a": 1}, "values are a text or a list"),
        ],
    )
    def test_refusals_name_axis_item_and_range(self, field, text, says):
        assert says in refusal(field, text)

    def test_duplicates_are_kept_once_and_said(self):
        axis = parse_axis(STEPS, "10, 20, 10, 20.0", BASE)
        assert (axis.values, axis.duplicates) == ((10, 20), ("10", "20"))

    def test_random_seeds_are_fixed(self):
        first, second, third = values("seed", "?, -1, 5")
        assert third == 5
        assert first != second
        assert all(isinstance(seed, int) and 0 <= seed <= SEED_MAX for seed in (first, second))

    @settings(max_examples=150)
    @given(first=st.decimals(0, 12, places=1), last=st.decimals(0, 12, places=1), step=st.decimals(-3, 3, places=1))
    def test_a_range_stays_within_its_ends_and_the_models(self, first, last, step):
        low, high = PARAMETERS[GUIDANCE].minimum, PARAMETERS[GUIDANCE].maximum
        try:
            found = values(GUIDANCE, f"{first}-{last} ({step:+})")
        except InvalidRequest:
            within = low <= min(first, last) and max(first, last) <= high
            assert not within or step == 0 or (last - first) * step < 0
            return
        assert found[0] == float(first)
        assert all(min(first, last) <= Decimal(str(value)) <= max(first, last) for value in found)
        assert all(low <= value <= high for value in found)

    @settings(max_examples=100)
    @given(first=st.integers(2, 50), last=st.integers(2, 50), count=st.integers(1, 60))
    def test_never_more_values_than_asked(self, first, last, count):
        found = values(STEPS, f"{first}-{last} [{count}]")
        assert 1 <= len(found) <= count
        assert found[0] == first
        assert count == 1 or found[-1] == last

    @settings(max_examples=200)
    @given(st.text(max_size=40))
    def test_any_text_is_read_or_refused(self, text):
        for field in AXIS_LABELS:
            try:
                axis = parse_axis(field, text, BASE)
            except InvalidRequest:
                continue
            assert 1 <= len(axis.values) <= MAX_VALUES


class TestOthers:
    @pytest.mark.parametrize(
        ("field", "text", "found"),
        [
            ("enable_prompt_expansion", "true, no", [True, False]),
            ("enable_prompt_expansion", "on, off, yes", [True, False]),
            ("enable_prompt_expansion", [False, True], [False, True]),
            ("output_format", "PNG, jpeg", ["png", "jpeg"]),
            ("image_size", "square, 1280x720", ["square", {"width": 1280, "height": 720}]),
            ("image_size", "Square HD, 512 × 768", ["square_hd", {"width": 512, "height": 768}]),
            ("image_size", "square, 512x512", ["square"]),
            ("image_size", [{"width": 64, "height": 64}], [{"width": 64, "height": 64}]),
        ],
    )
    def test_values(self, field, text, found):
        assert values(field, text) == found

    @pytest.mark.parametrize(
        ("field", "text", "says"),
        [
            ("enable_prompt_expansion", "maybe", "Prompt expansion: “maybe” is not true or false"),
            ("output_format", "gif", "Output format: “gif” is not one of the choices. Allowed are jpeg, png."),
            ("safety_tolerance", "1-6", "Safety tolerance: “6” is not one of the choices"),
            ("image_size", "big", "Image size: “big” is no size"),
            ("image_size", "100x100", "Image size: Width: 100 is not a multiple of 16; 96 and 112 are."),
            ("image_size", "2560x2560", "above the limit of 4 MP"),
            ("image_size", [{"width": 1}], "Image size"),
            ("prompt", "x" * 10_001, "10,001 characters are too many"),
            ("prompt", ["", " "], "Prompt is empty"),
            ("colour", "1", "'colour' cannot be an axis"),
        ],
    )
    def test_refusals(self, field, text, says):
        assert says in refusal(field, text)


class TestSearchAndReplace:
    def test_the_first_item_is_found_and_is_the_baseline(self):
        axis = parse_axis(SEARCH_REPLACE, 'cat, dog, "a wolf, big"', BASE)
        assert axis.labels == ("cat", "dog", "a wolf, big")
        prompts = [axis.apply(BASE.model_dump(mode="json"), place)["prompt"] for place in range(3)]
        assert prompts == ["a red cat on a mat", "a red dog on a mat", "a red a wolf, big on a mat"]

    def test_pairs(self):
        axis = parse_axis(SEARCH_REPLACE, "cat=dog, red=, mat = rug", BASE)
        assert axis.labels == ("cat → dog", "red → ∅", "mat →  rug")
        assert axis.apply(BASE.model_dump(mode="json"), 1)["prompt"] == "a  cat on a mat"

    def test_an_equals_sign_in_the_prompt_is_no_pair(self):
        base = BASE.vary(prompt="the formula a=b on a wall")
        assert parse_axis(SEARCH_REPLACE, "a=b, c=d", base).labels == ("a=b", "c=d")

    @pytest.mark.parametrize(("text", "missing"), [("dog, wolf", "dog"), ("cat=dog, blue=green", "blue")])
    def test_what_is_not_in_the_prompt_is_named(self, text, missing):
        axis = parse_axis(SEARCH_REPLACE, text, BASE)
        with pytest.raises(InvalidRequest, match=f"Prompt S/R: “{missing}” is not in the prompt."):
            check_found(axis, [BASE.prompt])


FIELDS = {
    STEPS: st.integers(2, 50),
    GUIDANCE: st.integers(15, 100).map(lambda tenths: tenths / 10),
    "seed": st.integers(0, SEED_MAX),
    "enable_prompt_expansion": st.booleans(),
    "output_format": st.sampled_from(["jpeg", "png"]),
    "prompt": st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1, max_size=20),
}


@pytest.mark.parametrize("field", FIELDS)
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_formatted_is_read_back(field, data):
    given_values = [value for value in data.draw(st.lists(FIELDS[field], min_size=1, max_size=6)) if value != ""]
    try:
        axis = parse_axis(field, given_values, BASE)
        text = axis_text(axis)
    except (InvalidRequest, ItemError):
        return  # a prompt of spaces, or one that only a list can say
    again = parse_axis(field, text, BASE)
    assert [str(value).strip() for value in again.values] == [str(value).strip() for value in axis.values]
