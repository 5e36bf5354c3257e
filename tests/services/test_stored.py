"""Settings that were kept: readable whatever today's rules are, and checked when they are asked for again."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import pytest
from pydantic import BaseModel, ValidationError

from services import keys
from services.errors import InvalidRequest
from services.grids.plan import GridPlan, read_plan
from services.models.flux_2_flex import Flux2FlexRequest
from services.stored import StoredRequest, check_types

KEPT: dict[str, Any] = {"prompt": "a fox", "seed": 7, "num_inference_steps": 90, "output_format": "gif", "warmth": 0.5}
"""More steps than allowed, a format that is gone and a setting that is unknown."""


class Holder(BaseModel):
    request: StoredRequest


class TestReading:
    def test_nothing_is_too_much(self):
        stored = StoredRequest(KEPT)
        assert (stored.num_inference_steps, stored.output_format, stored.others) == (90, "gif", {"warmth": 0.5})

    def test_what_was_not_written_reads_as_its_recorded_default(self):
        stored = StoredRequest({"prompt": "a fox"})
        assert {name: stored.values[name] for name in keys.BASE if name != "prompt"} == {
            name: value for name, value in keys.BASE.items() if name != "prompt"
        }

    @pytest.mark.parametrize("value", ["28", True, [28], {"steps": 28}, None, 2**63])
    def test_a_type_that_is_not_todays_reads_as_the_default_and_is_kept(self, value):
        stored = StoredRequest({"prompt": "a fox", "num_inference_steps": value})
        assert stored.num_inference_steps == 28
        assert stored.kept["num_inference_steps"] == value

    @pytest.mark.parametrize(
        ("size", "pixels", "shape"),
        [
            ("square", (512, 512), (512, 512)),
            ("panorama_9_1", None, (512, 512)),
            ({"width": 640, "height": 64}, (640, 64), (640, 64)),
            ({"width": 10_000, "height": 1}, (10_000, 1), (10_000, 250)),
        ],
    )
    def test_a_size_that_is_not_known_has_no_pixels_and_yet_a_shape(self, size, pixels, shape):
        stored = StoredRequest({"prompt": "a fox", "image_size": size})
        assert (stored.pixels, stored.shape) == (pixels, shape)

    def test_a_setting_that_never_was_is_an_error_of_the_program(self):
        with pytest.raises(AttributeError, match="no setting 'warmth'"):
            _ = StoredRequest(KEPT).warmth

    def test_as_json_it_comes_back_to_the_letter(self):
        text = Holder(request=StoredRequest(KEPT)).model_dump_json()
        assert json.loads(text) == {"request": KEPT}
        assert Holder.model_validate_json(text).request.kept == KEPT

    @pytest.mark.parametrize("value", [None, 1, "a fox", ["a fox"]])
    def test_what_is_no_object_is_no_request(self, value):
        with pytest.raises(ValidationError, match="settings are an object"):
            Holder(request=value)


class TestAsking:
    def test_what_is_allowed_is_asked_for_as_it_was(self):
        asked = Flux2FlexRequest(prompt="a fox", seed=7, guidance_scale=4)
        assert StoredRequest.of(asked).asked() == asked

    def test_what_is_no_longer_allowed_is_named_at_its_control(self):
        with pytest.raises(InvalidRequest) as caught:
            StoredRequest({name: value for name, value in KEPT.items() if name != "warmth"}).asked()
        assert [issue.field for issue in caught.value.issues] == ["num_inference_steps", "output_format"]

    def test_so_is_a_setting_that_the_model_has_no_more(self):
        with pytest.raises(InvalidRequest) as caught:
            StoredRequest({"prompt": "a fox", "warmth": 0.5}).asked()
        [issue] = caught.value.issues
        assert (issue.field, issue.message) == (
            "warmth",
            "Warmth 0.5: FLUX.2 [flex] has no such setting any more. It cannot be made like this.",
        )

    def test_but_not_where_it_said_nothing(self, monkeypatch):
        monkeypatch.setitem(keys.LATER, "warmth", 0.5)
        assert StoredRequest({"prompt": "a fox", "warmth": 0.5}).asked() == Flux2FlexRequest(prompt="a fox")

    def test_changes_are_checked_and_make_up_for_what_is_not_allowed(self):
        stored = StoredRequest({"prompt": "a fox", "num_inference_steps": 90})
        assert stored.vary(num_inference_steps=20) == Flux2FlexRequest(prompt="a fox", num_inference_steps=20)
        assert stored.but(num_inference_steps=91).num_inference_steps == 91

    def test_what_was_sent_then_is_what_is_sent(self):
        sent = StoredRequest({**KEPT, "sync_mode": False, "enable_prompt_expansion": True}).payload()
        assert sent == KEPT


class TestFromOutside:
    @pytest.mark.parametrize(
        "values",
        [
            {}, {"prompt": ""}, {"prompt": " "}, {"prompt": 1}, {"prompt": "x", "seed": 1.5},
            {"prompt": "x", "seed": "7"},
            {"prompt": "x", "guidance_scale": "4"}, {"prompt": "x", "guidance_scale": True},
            {"prompt": "x", "sync_mode": 1}, {"prompt": "x", "safety_tolerance": 2}, {"prompt": "x", "image_size": 64},
            {"prompt": "x", "image_size": {"width": 64}}, {"prompt": "x", "image_size": {"width": 64, "height": "64"}},
            {"prompt": "x", "image_size": {"width": 64, "height": -64}}, {"prompt": "x", "seed": 10**30},
        ],
    )  # fmt: skip
    def test_a_type_that_nothing_of_ours_ever_wrote_is_refused(self, values):
        with pytest.raises(ValueError, match=r"cannot be|is missing"):
            check_types(StoredRequest(values))

    def test_anything_else_is_kept(self):
        assert check_types(StoredRequest(KEPT)).kept == KEPT


class TestOfAModelThatIsNotKnownHere:
    """It was dropped, or comes from a newer program: everything is kept, and nothing can be asked of it."""

    KEPT: ClassVar = {"prompt": "a fox", "seed": 7, "image_size": "square", "hue": "#ff8000", "grain": None}

    def test_everything_is_kept_and_read(self):
        stored = StoredRequest(self.KEPT, "another")
        assert stored.values == stored.kept == self.KEPT
        assert (stored.prompt, stored.seed, stored.pixels) == ("a fox", 7, (512, 512))
        assert stored.guidance_scale is None

    def test_its_key_is_not_that_of_another_models_request(self):
        same = {"prompt": "a fox", "seed": 7}
        assert len({StoredRequest(same).key, StoredRequest(same, "another").key, StoredRequest(same, "third").key}) == 3

    def test_it_cannot_be_asked_and_says_why(self):
        with pytest.raises(InvalidRequest, match="made with another, a model that this playground does not have"):
            StoredRequest(self.KEPT, "another").asked()

    def test_a_run_and_a_plan_keep_it(self):
        plan = {"model": "another", "base": self.KEPT, "axes": [{"field": "hue", "values": ["#ff8000", "#0000ff"]}]}
        read = read_plan(plan)
        assert [cell.request.model for cell in read.cells] == ["another", "another"]
        assert read.written()["model"] == "another"
        assert read.format == 2
        assert GridPlan.model_validate_json(read.model_dump_json()) == read

    def test_a_plan_of_the_first_model_does_not_name_it(self):
        plan = read_plan({"base": {"prompt": "a fox", "seed": 7}, "axes": [{"field": "seed", "values": [1, 2]}]})
        assert "model" not in plan.written()
        assert "model" not in plan.model_dump()
        assert plan.format == 1
