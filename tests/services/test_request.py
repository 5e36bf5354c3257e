from __future__ import annotations

import json
from typing import Annotated, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from services.errors import InvalidRequest
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.generation_request import parameters_of
from services.models.kind import Control
from services.models.kinds.integer import SEED_MAX, random_seed
from services.models.kinds.slider import SLIDER
from services.models.registry import PARAMETERS
from services.models.sizes import PRESET_LABELS, PRESET_PIXELS, SIDE_MAX, SIDE_MIN, ImageSize, snap_side
from services.request import caption, parse_request, parse_value

MONSTER = (
    "A high-quality 3D render of a cute fluffy monster eating a giant donut; the fur simulation is incredibly "
    "detailed, the donut glaze is sticky and reflective, bright daylight lighting, shallow depth of field."
)
REQUIRED_EXAMPLE = json.dumps({"prompt": MONSTER})
"""The endpoint's example of what is required, as published."""
FULL_EXAMPLE = f"""
{{
  "prompt": "{MONSTER}",
  "image_size": "landscape_4_3",
  "enable_prompt_expansion": true,
  "safety_tolerance": "2",
  "enable_safety_checker": true,
  "output_format": "jpeg",
  "guidance_scale": 3.5,
  "num_inference_steps": 28
}}
"""
SHORTER_EXAMPLE = f"""
{{
"prompt": "{MONSTER}",
"image_size": "landscape_4_3",
"enable_safety_checker": true,
"output_format": "jpeg",
"guidance_scale": 3.5,
"num_inference_steps": 28
}}
"""
"""The full example as a newer copy of the same page has it."""

PRESETS = "square_hd, square, portrait_4_3, portrait_16_9, landscape_4_3, landscape_16_9, or {width, height}"


def issues(**values: Any) -> list[tuple[str, str]]:
    """(field, sentence) of each fault."""
    with pytest.raises(InvalidRequest) as caught:
        parse_request({"prompt": "a fox", **values})
    return [(issue.field, issue.message) for issue in caught.value.issues]


class TestExamples:
    def test_the_published_examples_are_one_request(self):
        requests = [parse_request(json.loads(text)) for text in (REQUIRED_EXAMPLE, FULL_EXAMPLE, SHORTER_EXAMPLE)]
        assert requests[0] == requests[1] == requests[2]

    def test_the_payload_says_what_the_published_example_says(self):
        request = parse_request(json.loads(REQUIRED_EXAMPLE))
        expected = json.loads(FULL_EXAMPLE)
        del expected["enable_prompt_expansion"]  # true is the default, and newer copies of the page do not list it
        assert request.payload() == expected

    def test_the_payload_parses_to_the_request_it_came_from(self):
        request = Flux2FlexRequest(prompt="a fox", seed=7, sync_mode=True, enable_prompt_expansion=False)
        assert parse_request(request.payload()) == request


class TestPayload:
    def test_what_is_at_rest_is_left_out(self):
        body = Flux2FlexRequest(prompt="a fox").payload()
        assert body.keys().isdisjoint({"seed", "sync_mode", "enable_prompt_expansion"})
        assert body.keys() == PARAMETERS.keys() - {"seed", "sync_mode", "enable_prompt_expansion"}

    def test_what_was_chosen_is_sent(self):
        request = Flux2FlexRequest(prompt="a fox", seed=0, sync_mode=True, enable_prompt_expansion=False)
        body = request.payload()
        assert (body["seed"], body["sync_mode"], body["enable_prompt_expansion"]) == (0, True, False)

    def test_other_switches_are_sent_at_either_side(self):
        assert Flux2FlexRequest(prompt="a fox").payload()["enable_safety_checker"] is True
        assert Flux2FlexRequest(prompt="a fox", enable_safety_checker=False).payload()["enable_safety_checker"] is False

    def test_types_are_those_of_the_endpoint(self):
        request = parse_request(
            {"prompt": "a fox", "safety_tolerance": 4, "image_size": {"width": 640, "height": 480}, "guidance_scale": 4}
        )
        body = request.payload()
        assert body["safety_tolerance"] == "4"
        assert body["image_size"] == {"width": 640, "height": 480}
        assert json.loads(json.dumps(body)) == body


class TestPrompt:
    @pytest.mark.parametrize(
        "prompt",
        [
            "<script>alert(1)</script>",
            "${alert(1)} `id` $(id) {{7*7}} %s",
            "🦊👩‍👩‍👧 👍🏽",
            "שלום \u202eabc\u202c مرحبا",
            "  spaces kept \t and\nlines\r\n  ",
            "\"quotes\" 'and' \\backslashes\\",
            "\u2028\u2029\ufeff\x01\x7f",
            "x",
            "x" * 10_000,
        ],
    )
    def test_every_character_is_kept(self, prompt):
        request = parse_request({"prompt": prompt})
        assert request.prompt == prompt
        assert json.loads(json.dumps(request.payload()))["prompt"] == prompt

    @pytest.mark.parametrize(
        ("prompt", "sentence"),
        [
            ("", "Prompt is empty. Describe the picture you want."),
            (" \n\t\u2003", "Prompt is empty. Describe the picture you want."),
            ("x" * 10_001, "Prompt: 10,001 characters are too many; at most 10,000 are allowed."),
            ("a\x00b", "Prompt contains a NUL character (U+0000). Remove it."),
            ("half \ud83e", "Prompt contains half a character (a lone surrogate). Remove it."),
        ],
    )
    def test_what_cannot_be_sent_is_said(self, prompt, sentence):
        assert issues(prompt=prompt) == [("prompt", sentence)]

    @pytest.mark.parametrize("prompt", [None, 7, ["a fox"], {"text": "a fox"}, True])
    def test_what_is_no_text_is_refused(self, prompt):
        ((field, sentence),) = issues(prompt=prompt)
        assert field == "prompt"
        assert sentence.startswith("Prompt: ")

    def test_missing(self):
        with pytest.raises(InvalidRequest, match=r"^Prompt is missing\.$"):
            parse_request({})


class TestRanges:
    @pytest.mark.parametrize(
        ("field", "value", "sentence"),
        [
            ("num_inference_steps", 1, "Steps: 1 is below 2. Allowed are 2 to 50."),
            ("num_inference_steps", 51, "Steps: 51 is above 50. Allowed are 2 to 50."),
            ("num_inference_steps", 2.5, "Steps: 2.5 is not a whole number. Allowed are 2 to 50."),
            ("num_inference_steps", "many", "Steps: “many” is not a number. Allowed are 2 to 50."),
            ("num_inference_steps", True, "Steps: True is not a number. Allowed are 2 to 50."),
            ("guidance_scale", 1.4, "Guidance scale: 1.4 is below 1.5. Allowed are 1.5 to 10."),
            ("guidance_scale", 10.1, "Guidance scale: 10.1 is above 10. Allowed are 1.5 to 10."),
            ("guidance_scale", float("nan"), "Guidance scale: nan is not a number. Allowed are 1.5 to 10."),
            ("guidance_scale", float("inf"), "Guidance scale: inf is not a number. Allowed are 1.5 to 10."),
            ("guidance_scale", "high", "Guidance scale: “high” is not a number. Allowed are 1.5 to 10."),
            ("seed", -1, "Seed: -1 is below 0. Allowed are 0 to 4294967295."),
            ("seed", 2**32, "Seed: 4294967296 is above 4294967295. Allowed are 0 to 4294967295."),
            ("seed", 1.5, "Seed: 1.5 is not a whole number. Allowed are 0 to 4294967295."),
            ("seed", "text", "Seed: “text” is not a number. Allowed are 0 to 4294967295."),
            ("image_size", "huge", f"Image size: “huge” is not one of the choices. Allowed are {PRESETS}."),
            ("image_size", None, f"Image size: “None” is not one of the choices. Allowed are {PRESETS}."),
            ("safety_tolerance", "6", "Safety tolerance: “6” is not one of the choices. Allowed are 1, 2, 3, 4, 5."),
            ("safety_tolerance", 0, "Safety tolerance: “0” is not one of the choices. Allowed are 1, 2, 3, 4, 5."),
            ("output_format", "webp", "Output format: “webp” is not one of the choices. Allowed are jpeg, png."),
            ("output_format", "JPEG", "Output format: “JPEG” is not one of the choices. Allowed are jpeg, png."),
            (
                "enable_prompt_expansion",
                "maybe",
                "Prompt expansion: “maybe” is not one of the choices. Allowed are true, false.",
            ),
            ("sync_mode", 2, "Keep out of fal's history: 2 is not one of the choices. Allowed are true, false."),
        ],
    )
    def test_a_fault_names_its_field_and_the_range(self, field, value, sentence):
        assert issues(**{field: value}) == [(field, sentence)]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("num_inference_steps", 2),
            ("num_inference_steps", 50),
            ("guidance_scale", 1.5),
            ("guidance_scale", 10),
            ("seed", 0),
            ("seed", SEED_MAX),
            ("seed", None),
            *(("image_size", preset) for preset in PRESET_PIXELS),
            *(("safety_tolerance", level) for level in "12345"),
            ("output_format", "png"),
        ],
    )
    def test_the_edges_are_inside(self, field, value):
        assert getattr(parse_request({"prompt": "a fox", field: value}), field) == value

    @pytest.mark.parametrize("name", [name for name, parameter in PARAMETERS.items() if parameter.minimum is not None])
    def test_one_past_each_edge_is_outside(self, name):
        parameter = PARAMETERS[name]
        step = parameter.step or 1
        for outside in (parameter.minimum - step, parameter.maximum + step):
            ((field, _),) = issues(**{name: outside})
            assert field == name

    def test_every_fault_is_named_at_once(self):
        found = issues(prompt="", num_inference_steps=1, guidance_scale=99, image_size={"width": 1, "height": 2})
        assert [field for field, _ in found] == ["prompt", "width", "height", "num_inference_steps", "guidance_scale"]

    def test_an_unknown_parameter_is_named(self):
        ((field, sentence),) = issues(steps=28)
        assert field == "steps"
        assert sentence.startswith("There is no parameter called “steps”. Known are: prompt, image_size, seed, ")

    def test_a_long_value_is_cut_in_the_sentence(self):
        ((_, sentence),) = issues(output_format="x" * 5000)
        assert len(sentence) < 120


class TestCustomSize:
    @pytest.mark.parametrize(
        ("size", "field", "sentence"),
        [
            ((0, 64), "width", "Width: 0 is below 64. Allowed are 64 to 2560."),
            ((-1, 64), "width", "Width: -1 is below 64. Allowed are 64 to 2560."),
            ((63, 64), "width", "Width: 63 is below 64. Allowed are 64 to 2560."),
            ((64, 2561), "height", "Height: 2561 is above 2560. Allowed are 64 to 2560."),
            ((65.5, 64), "width", "Width: 65.5 is not a whole number. Allowed are 64 to 2560."),
            (("wide", 64), "width", "Width: “wide” is not a number. Allowed are 64 to 2560."),
            ((float("nan"), 64), "width", "Width: nan is not a number. Allowed are 64 to 2560."),
            ((72, 64), "width", "Width: 72 is not a multiple of 16; 64 and 80 are."),
            ((64, 100), "height", "Height: 100 is not a multiple of 16; 96 and 112 are."),
            (
                (2560, 1680),
                "image_size",
                "Image size: 2560 × 1680 is 4.10 MP, above the limit of 4 MP. Make a side smaller.",
            ),
        ],
    )
    def test_a_fault_names_the_side(self, size, field, sentence):
        width, height = size
        assert issues(image_size={"width": width, "height": height}) == [(field, sentence)]

    def test_both_sides_can_be_at_fault(self):
        assert [field for field, _ in issues(image_size={"width": 0, "height": -1})] == ["width", "height"]

    @pytest.mark.parametrize("size", [(64, 64), (2560, 64), (64, 2560), (2048, 2048), (2560, 1632)])
    def test_the_edges_are_inside(self, size):
        width, height = size
        request = parse_request({"prompt": "a fox", "image_size": {"width": width, "height": height}})
        assert request.pixels == size

    def test_a_third_side_is_refused(self):
        assert [field for field, _ in issues(image_size={"width": 64, "height": 64, "depth": 64})] == ["image_size"]

    @settings(derandomize=True, deadline=None)
    @given(st.floats(min_value=-1e6, max_value=1e6))
    def test_snapping_lands_on_an_allowed_side(self, value):
        side = snap_side(value)
        assert ImageSize(width=side, height=64).width == side
        assert abs(side - value) <= 8 or side in (SIDE_MIN, SIDE_MAX)

    def test_every_preset_has_a_label_and_whole_sides(self):
        assert PRESET_PIXELS.keys() == PRESET_LABELS.keys() == set(PARAMETERS["image_size"].choices)
        for width, height in PRESET_PIXELS.values():
            assert ImageSize(width=width, height=height)


class TestOneValue:
    ANY = ("a fox", "", "x" * 10_001, "a\x00b", "half \ud83e", "square", "png", "2", "on", 0, 1, 28, 2.0, 2.5, 10, 99,
           -1, SEED_MAX, SEED_MAX + 1, 10**30, float("nan"), float("inf"), True, False, None, [], {}, {"width": 640},
           {"width": 100, "height": 64}, {"width": 1, "height": None}, {"width": 2560, "height": 2560},
           {"width": 64, "height": 64, "depth": 1})  # fmt: skip

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_a_value_by_itself_is_taken_or_refused_as_in_a_whole_request(self, name):
        whole = Flux2FlexRequest(prompt="a fox")
        for value in self.ANY:
            alone: object
            try:
                alone = parse_value(name, value)
            except InvalidRequest as error:
                alone = error.issues
            try:
                expected: object = whole.vary(**{name: value}).model_dump(mode="json")[name]
            except InvalidRequest as error:
                expected = error.issues
            assert (type(alone), alone) == (type(expected), expected)


class TestFrozen:
    def test_nothing_can_be_set(self):
        request = Flux2FlexRequest(prompt="a fox", image_size=ImageSize(width=64, height=64))
        with pytest.raises(ValidationError):
            request.seed = 3
        with pytest.raises(ValidationError):
            request.image_size.width = 128
        assert hash(request) == hash(request.model_copy())

    def test_vary_makes_another_one(self):
        request = Flux2FlexRequest(prompt="a fox")
        assert request.vary(seed=3, guidance_scale=4.0) == Flux2FlexRequest(prompt="a fox", seed=3, guidance_scale=4.0)
        assert request.seed is None

    def test_vary_validates(self):
        with pytest.raises(InvalidRequest, match="Steps: 51 is above 50"):
            Flux2FlexRequest(prompt="a fox").vary(num_inference_steps=51)
        with pytest.raises(InvalidRequest, match="There is no parameter"):
            Flux2FlexRequest(prompt="a fox").vary(steps=5)

    def test_parsing_leaves_the_callers_values_alone(self):
        values = {"prompt": "a fox", "image_size": {"width": 64, "height": 64}}
        before = json.dumps(values)
        parse_request(values).payload()["image_size"]["width"] = 1
        assert json.dumps(values) == before


class TestOneSourceOfTruth:
    def test_a_new_parameter_is_one_edit(self):
        """A field on the model is all that controls, payload, messages and captions need."""

        class Longer(Flux2FlexRequest):
            sharpness: Annotated[float, Control(SLIDER, "sharp", step=0.5)] = Field(
                default=1.0, title="Sharpness", description="How crisp.", ge=0, le=4
            )

        parameter = parameters_of(Longer)["sharpness"]
        assert (parameter.label, parameter.kind, parameter.short) == ("Sharpness", SLIDER, "sharp")
        assert (parameter.minimum, parameter.maximum, parameter.step, parameter.default) == (0, 4, 0.5, 1.0)
        assert parameter.range_text == "0 to 4"
        assert Longer(prompt="a fox", sharpness=2).payload()["sharpness"] == 2

    def test_every_parameter_can_be_met_by_a_person(self):
        assert list(PARAMETERS) == list(Flux2FlexRequest.model_fields)
        for parameter in PARAMETERS.values():
            assert parameter.label
            assert parameter.help.endswith(".")
            assert parameter.range_text
        assert len({parameter.label for parameter in PARAMETERS.values()}) == len(PARAMETERS)

    def test_the_caption_tells_what_is_not_as_usual(self):
        assert caption(Flux2FlexRequest(prompt="a fox")) == "28 steps · guidance 3.5 · 1024 × 768"
        changed = Flux2FlexRequest(
            prompt="a fox", enable_prompt_expansion=False, output_format="png", safety_tolerance="5", guidance_scale=4
        )
        assert caption(changed) == "28 steps · guidance 4 · 1024 × 768 · expansion off · safety 5 · format png"

    def test_random_seeds_are_in_range_and_differ(self):
        seeds = {random_seed() for _ in range(100)}
        assert len(seeds) > 95
        assert all(0 <= seed <= SEED_MAX for seed in seeds)
