"""A grid's plan: cells are named by their requests, and a plan that cannot be run says why."""

from __future__ import annotations

import pytest

from services.compare.grid import MAX_CELLS, GridPlan, parse_plan, read_plan
from services.errors import InvalidRequest
from services.request import GenerationRequest

BASE = GenerationRequest(prompt="a red cat", seed=7, enable_prompt_expansion=False)
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
    ("axes", "says"),
    [
        ([], "Choose an axis"),
        ([STEPS, STEPS], "Steps stands on two axes"),
        ([STEPS] * 4, "at most"),
        (
            [("seed", "1-91"), ("guidance_scale", "1.5-10 [11]")],
            "91 × 11 = 1,001 cells are too many; 1,000",
        ),
        ([("prompt_sr", "dog, wolf")], "“dog” is not in the prompt"),
        ([("prompt_sr", "fox, wolf"), ("prompt", "a fox || a cow")], "“fox” is not in the prompt “a cow”"),
    ],
)
def test_plans_that_cannot_be_run(axes, says):
    with pytest.raises(InvalidRequest, match=says):
        parse_plan(BASE, axes)


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
