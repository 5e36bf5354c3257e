"""A grid's plan: cells are named by their requests, and a plan that cannot be run says why."""

from __future__ import annotations

import pytest

from services.errors import InvalidRequest
from services.grids.plan import MAX_CELLS, GridPlan, make_plan, parse_axes, parse_plan, read_plan
from services.models.flux_2_flex import Flux2FlexRequest
from services.stored import StoredRequest

BASE = Flux2FlexRequest(prompt="a red cat", seed=7, enable_prompt_expansion=False)
STEPS, GUIDANCE = ("num_inference_steps", "10, 20, 30"), ("guidance_scale", [2, 4])


def test_cells_go_row_by_row():
    plan = parse_plan(BASE, [STEPS, GUIDANCE, ("enable_prompt_expansion", "off, on")])
    assert (plan.title, plan.size) == ("Steps × Guidance scale × Prompt expansion", (3, 2, 2))
    assert [cell.place for cell in plan.cells[:4]] == [(0, 0, 0), (1, 0, 0), (2, 0, 0), (0, 1, 0)]
    last = plan.cells[-1].request
    assert (last.num_inference_steps, last.guidance_scale, last.enable_prompt_expansion) == (30, 4.0, True)
    assert {cell.request.seed for cell in plan.cells} == {7}


def test_a_base_without_seed_gets_one_for_all_cells():
    plan = parse_plan(BASE.vary(seed=None), [STEPS])
    assert plan.base.seed is not None
    assert {cell.request.seed for cell in plan.cells} == {plan.base.seed}


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({}, "06ef0d99ad4670ee"),
        ({"seed": 0}, "aa63940b2dcd36f2"),
        ({"seed": 4294967295}, "dddb2b61c7808e61"),
        ({"seed": None}, "0d9ede4262505ce5"),
        ({"prompt": "  a „fuchs“ in Köln 🦊\n"}, "9689ac72a117ba33"),
        ({"prompt": 'say "hi" \\ \t\x7f\u2028'}, "4791bbf4c4d46a8a"),
        ({"image_size": "square"}, "45da56f08a319121"),
        ({"image_size": "portrait_16_9"}, "8f2c190c99e8e73f"),
        ({"image_size": {"width": 1280, "height": 720}}, "40a19aac035d01eb"),
        ({"image_size": {"width": 64, "height": 64}}, "1817c09e48dc65c2"),
        ({"num_inference_steps": 2}, "aa297dcbab8109d0"),
        ({"num_inference_steps": 50}, "213ef0234b9251fe"),
        ({"guidance_scale": 4}, "9666eb4578be33d4"),
        ({"guidance_scale": 1.5}, "713b3825ddda32b2"),
        ({"guidance_scale": 7.3}, "0835bc11027f5e5e"),
        ({"enable_prompt_expansion": False}, "aaec99b6491d3d7d"),
        ({"safety_tolerance": 5}, "d22faa2bcf97fe35"),
        ({"enable_safety_checker": False}, "6c1b684dbadf51bb"),
        ({"output_format": "png"}, "7826543b6dd8cbb6"),
        ({"sync_mode": True, "seed": 1, "guidance_scale": 10}, "3f59544716844b18"),
    ],
)
def test_keys_are_those_that_histories_hold(settings, key):
    request = Flux2FlexRequest(prompt="a red cat", seed=7).vary(**settings)
    assert StoredRequest.of(request).key[:16] == key
    [cell] = parse_plan(request, [("guidance_scale", [request.guidance_scale])]).cells
    assert settings.get("seed", 7) is None or cell.key == StoredRequest.of(request).key


def test_swapped_axes_have_the_same_cells():
    assert set(parse_plan(BASE, [STEPS, GUIDANCE]).requests) == set(parse_plan(BASE, [GUIDANCE, STEPS]).requests)


def test_an_added_value_adds_only_its_cells():
    before, after = parse_plan(BASE, [STEPS]), parse_plan(BASE, [("num_inference_steps", "10, 20, 30, 40")])
    assert set(before.requests) < set(after.requests)
    assert len(after.requests) == 4


def test_cells_that_come_out_alike_share_one_key():
    plan = parse_plan(BASE, [("prompt_sr", "red, blue"), ("prompt_sr", "red=green, cat=dog")])
    assert len(plan.cells) == 4
    assert {request.prompt for request in plan.requests.values()} == {
        "a green cat",
        "a red dog",
        "a blue cat",
        "a blue dog",
    }


def test_whole_prompts_come_before_search_and_replace():
    plan = parse_plan(BASE, [("prompt_sr", "fox, wolf"), ("prompt", "a fox || an old fox")])
    assert [request.prompt for request in plan.requests.values()] == ["a fox", "a wolf", "an old fox", "an old wolf"]


@pytest.mark.parametrize(
    ("axes", "field", "says"),
    [
        ([], "grid", "Choose an axis"),
        ([STEPS, STEPS], "num_inference_steps", "Steps stands on two axes"),
        ([STEPS] * 4, "grid", "at most"),
        (
            [("seed", "1-91"), ("guidance_scale", "1.5-10 [11]")],
            "grid",
            "91 × 11 = 1,001 cells are too many; 1,000",
        ),
        ([STEPS, ("prompt_sr", "dog, wolf")], "prompt_sr", "“dog” is not in the prompt"),
        ([("prompt_sr", "fox, wolf"), ("prompt", "a fox || a cow")], "prompt_sr", "“fox” is not in the prompt “a cow”"),
        ([STEPS, ("colour", "red")], "colour", "'colour' cannot be an axis"),
        ([STEPS, ("guidance_scale", "20")], "guidance_scale", "Guidance scale: 20 is above 10"),
    ],
)
def test_plans_that_cannot_be_run(axes, field, says):
    with pytest.raises(InvalidRequest, match=says) as caught:
        parse_plan(BASE, axes)
    assert [issue.field for issue in caught.value.issues] == [field]


@pytest.mark.parametrize(
    ("pair", "says"),
    [
        ("a red cat=", "Prompt S/R: Prompt is empty. Describe the picture you want."),
        ("cat=" + "x" * 9_995, "Prompt S/R: Prompt: 10,001 characters are too many; at most 10,000 are allowed."),
    ],
)
def test_what_search_and_replace_leaves_of_a_prompt_is_checked(pair, says):
    plan = parse_plan(BASE, [STEPS, ("prompt_sr", f"cat=dog, {pair}")])
    with pytest.raises(InvalidRequest) as caught:
        plan.asked(plan.requests)
    assert [(issue.field, issue.message) for issue in caught.value.issues] == [("prompt_sr", says)]


def test_a_plan_of_parsed_axes_takes_them_as_they_are():
    axes = parse_axes([STEPS, ("prompt_sr", "cat, dog")], BASE)
    plan = make_plan(BASE, axes)
    assert all(kept is axis for kept, axis in zip(plan.axes, axes, strict=True))


def test_a_thousand_cells_are_allowed():
    assert len(parse_plan(BASE, [("seed", f"1-{MAX_CELLS}")]).cells) == MAX_CELLS


def test_a_plan_comes_back_from_its_json():
    plan = parse_plan(BASE, [STEPS, ("image_size", "square, 640x512"), ("prompt_sr", "cat, dog")], origin="f" * 32)
    assert GridPlan.model_validate_json(plan.model_dump_json()) == plan
    again = read_plan(plan.model_dump(mode="json"))
    assert (again.requests, again.origin) == (plan.requests, None)


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"base": {"prompt": "a"}}, {"base": {}, "axes": []},
     {"base": {"prompt": "a"}, "axes": [{"field": "seed"}]},
     {"base": {"prompt": "a"}, "axes": [{"field": "seed", "values": ["x"]}]}, {"base": 1, "axes": 2}],
)  # fmt: skip
def test_a_plan_from_outside_is_checked(data):
    with pytest.raises(InvalidRequest):
        read_plan(data)
