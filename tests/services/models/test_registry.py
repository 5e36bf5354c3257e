"""The models together: which one a request is for, and what holds for all of them."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import pytest
from pydantic import Field

from services.errors import InvalidRequest
from services.keys import Recorded
from services.models import registry
from services.models.flux_2_flex import MODEL, Flux2FlexRequest
from services.models.generation_request import GenerationRequest
from services.models.kind import Control
from services.models.kinds.slider import SLIDER
from services.models.kinds.switch import SWITCH
from services.models.model import Model
from services.models.registry import MODELS, PARAMETERS, model_for
from services.request import parse_request


class OtherRequest(GenerationRequest):
    recorded: ClassVar[Recorded] = Recorded("other", {"prompt": None, "seed": None, "grain": 0.0})

    num_inference_steps: Annotated[int, Control(SLIDER, "steps", step=1)] = Field(default=28, title="Steps", ge=1, le=8)
    grain: Annotated[float, Control(SLIDER, "grain", step=0.1)] = Field(default=0.0, title="Grain", ge=0, le=1)
    tiled: Annotated[bool, Control(SWITCH, "tiled")] = Field(default=False, title="Tiled")


OTHER = Model(name="Other", endpoint="fal-ai/other", request=OtherRequest, captioned=())


@pytest.fixture
def two_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MODELS", (MODEL, OTHER))
    monkeypatch.setattr(registry, "BY_ID", {model.id: model for model in (MODEL, OTHER)})
    for name, parameter in OTHER.parameters.items():
        if name not in PARAMETERS:
            monkeypatch.setitem(PARAMETERS, name, parameter)


@pytest.mark.usefixtures("two_models")
class TestWhichModelARequestIsFor:
    @pytest.mark.parametrize(
        ("values", "model"),
        [
            ({"prompt": "a fox"}, "flux-2-flex"),
            ({"prompt": "a fox", "grain": 0.5}, "other"),
            ({"prompt": "a fox", "grain": 0}, "flux-2-flex"),
            ({"prompt": "a fox", "tiled": True, "num_inference_steps": 4}, "other"),
            ({"prompt": "a fox", "tiled": False, "guidance_scale": 5}, "flux-2-flex"),
            ({"prompt": "a fox", "nonsense": 1}, "flux-2-flex"),
            ({}, "flux-2-flex"),
        ],
    )
    def test_it_is_the_first_that_has_all_settings(self, values: dict[str, Any], model: str) -> None:
        assert model_for(values).id == model

    def test_one_that_is_asked_for_stays_where_it_has_them_all(self) -> None:
        assert model_for({"prompt": "a fox", "num_inference_steps": 4}, like="other").id == "other"
        assert model_for({"prompt": "a fox", "guidance_scale": 5}, like="other").id == "flux-2-flex"

    def test_settings_of_others_at_their_defaults_are_left_out(self) -> None:
        asked = parse_request({"prompt": "a fox", "grain": 0.5, "guidance_scale": 3.5, "output_format": "jpeg"})
        assert isinstance(asked, OtherRequest)
        assert asked.values.keys() == OTHER.parameters.keys()
        assert isinstance(parse_request({"prompt": "a fox", "grain": 0.0, "tiled": False}), Flux2FlexRequest)

    def test_settings_of_two_models_are_named(self) -> None:
        with pytest.raises(InvalidRequest) as raised:
            parse_request({"prompt": "a fox", "grain": 0.5, "guidance_scale": 5})
        assert [issue.field for issue in raised.value.issues] == ["grain"]
        assert "Grain is a setting of Other, and the others are those of FLUX.2 [flex]." in str(raised.value)

    def test_each_checks_by_its_own_ranges(self) -> None:
        with pytest.raises(InvalidRequest, match="Steps: 20 is above 8"):
            parse_request({"prompt": "a fox", "grain": 0.5, "num_inference_steps": 20})


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.id)
class TestEveryModel:
    def test_a_name_means_the_same_kind_of_thing_in_all(self, model: Model) -> None:
        for name, parameter in model.parameters.items():
            assert (parameter.kind, parameter.short) == (PARAMETERS[name].kind, PARAMETERS[name].short)

    def test_its_settings_are_recorded(self, model: Model) -> None:
        """So that keys of its pictures stay when a default changes."""
        assert [name for name, one in model.parameters.items() if one.key_name not in model.recorded] == []

    def test_no_setting_is_called_as_requests_call_their_model(self, model: Model) -> None:
        assert not {"model", "values", "kept", "key", "others", "pixels"} & model.names.keys()

    def test_captions_name_settings_that_it_has(self, model: Model) -> None:
        assert set(model.captioned) <= model.parameters.keys()


def test_ids_differ() -> None:
    assert len(registry.BY_ID) == len(MODELS)
    assert registry.DEFAULT is MODELS[0]
