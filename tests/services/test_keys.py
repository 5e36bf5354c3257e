"""The keys of requests. Recorded ones stand in tests/test_kept_0004.py too: treat any edit of a key as a migration."""

from __future__ import annotations

import hashlib
import json

import pytest

from services import keys
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.kinds.choice import CHOICE
from services.models.registry import PARAMETERS
from services.stored import StoredRequest

SETTINGS = Flux2FlexRequest(prompt="a red fox", seed=7).values


def test_the_key_is_the_hash_of_the_ten_settings_of_version_1():
    text = (
        '{"enable_prompt_expansion": true, "enable_safety_checker": true, "guidance_scale": 3.5, '
        '"image_size": "landscape_4_3", "num_inference_steps": 28, "output_format": "jpeg", "prompt": "a red fox", '
        '"safety_tolerance": "2", "seed": 7, "sync_mode": false}'
    )
    assert keys.key_of(SETTINGS) == hashlib.sha256(text.encode()).hexdigest()
    assert keys.key_of(SETTINGS) == "4e5016033a614b638e4f0c4390704b8fedf85c4c3b3781b20d9b94308e2e7e22"


def test_recorded_settings_never_change():
    assert keys.VERSION == 1
    assert json.dumps(keys.BASE) == (
        '{"prompt": null, "image_size": "landscape_4_3", "seed": null, "num_inference_steps": 28, '
        '"guidance_scale": 3.5, "enable_prompt_expansion": true, "safety_tolerance": "2", '
        '"enable_safety_checker": true, "output_format": "jpeg", "sync_mode": false}'
    )


def test_every_parameter_is_recorded():
    """A new one that is not: record in keys.LATER what pictures from before it stand for."""
    assert [name for name, one in PARAMETERS.items() if one.key_name not in {**keys.BASE, **keys.LATER}] == []


def test_every_value_of_a_choice_is_recorded():
    """So that pictures made with it are found when it is gone."""
    for parameter in PARAMETERS.values():
        if parameter.kind is CHOICE:
            assert set(parameter.choices) <= set(keys.VALUES[parameter.key_name]), parameter.name


@pytest.mark.parametrize("name", [name for name in keys.BASE if name != "prompt"])
def test_what_was_not_written_is_its_recorded_default(name):
    rest = {key: value for key, value in SETTINGS.items() if key != name}
    assert keys.key_of(rest) == keys.key_of({**rest, name: keys.BASE[name]})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("prompt", "a red foX"), ("image_size", "square"), ("image_size", {"width": 1024, "height": 768}), ("seed", 8),
        ("num_inference_steps", 29), ("guidance_scale", 3.6), ("enable_prompt_expansion", False),
        ("safety_tolerance", "3"), ("enable_safety_checker", False), ("output_format", "png"), ("sync_mode", True),
    ],
)  # fmt: skip
def test_every_setting_counts(name, value):
    assert keys.key_of({**SETTINGS, name: value}) != keys.key_of(SETTINGS)


def test_order_and_the_way_a_number_is_written_do_not_count():
    assert keys.key_of(dict(reversed(SETTINGS.items()))) == keys.key_of(SETTINGS)
    assert keys.key_of({**SETTINGS, "guidance_scale": 3}) == keys.key_of({**SETTINGS, "guidance_scale": 3.0})
    size = {"height": 64, "width": 128}
    turned = {"width": 128, "height": 64}
    assert keys.key_of({**SETTINGS, "image_size": size}) == keys.key_of({**SETTINGS, "image_size": turned})


class TestSettingsThatCameLater:
    @pytest.fixture(autouse=True)
    def later(self, monkeypatch):
        monkeypatch.setitem(keys.LATER, "sharpness", 1)
        monkeypatch.setitem(keys.LATER, "tiled", False)

    def test_at_their_recorded_value_they_leave_the_key_as_it_was(self):
        assert keys.key_of({**SETTINGS, "sharpness": 1, "tiled": False}) == keys.key_of(SETTINGS)
        assert keys.is_base(keys.written({**SETTINGS, "sharpness": 1}))

    @pytest.mark.parametrize(("name", "value"), [("sharpness", 2), ("sharpness", True), ("tiled", True), ("tiled", 0)])
    def test_at_another_they_change_it(self, name, value):
        assert keys.key_of({**SETTINGS, name: value}) != keys.key_of(SETTINGS)
        assert not keys.is_base(keys.written({**SETTINGS, name: value}))

    def test_what_nobody_recorded_always_counts(self):
        assert keys.key_of({**SETTINGS, "colour": None}) != keys.key_of(SETTINGS)


def test_equal_requests_have_one_key():
    asked = Flux2FlexRequest(prompt="a red fox", seed=7, guidance_scale=3)
    assert StoredRequest.of(asked) == asked
    assert StoredRequest.of(asked).key == StoredRequest({"prompt": "a red fox", "seed": 7, "guidance_scale": 3}).key
