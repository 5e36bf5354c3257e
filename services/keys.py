"""The key of a request: what it asks for, as 64 hex digits. Cells of grids, and finished pictures, are found by it.

This is a contract with histories and exports that exist. A key that changes makes finished pictures of old grids look
deleted, and asks fal for them anew: treat any edit here as a migration. `tests/services/test_keys.py` compares recorded
keys.

Version 1 is the SHA-256 of a JSON object of BASE's settings, sorted by name. A setting that was not written counts with
its value in BASE, so that a setting which the model no longer has leaves the keys as they are. A setting that came
later stands in the object only where it differs from the value recorded for it in LATER, so that pictures from before
it keep their keys.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1

BASE: dict[str, Any] = {
    "prompt": None,
    "image_size": "landscape_4_3",
    "seed": None,
    "num_inference_steps": 28,
    "guidance_scale": 3.5,
    "enable_prompt_expansion": True,
    "safety_tolerance": "2",
    "enable_safety_checker": True,
    "output_format": "jpeg",
    "sync_mode": False,
}
"""Settings of version 1, with the defaults of its day. Never edited: today's defaults are those of the model."""

VALUES: dict[str, tuple[str, ...]] = {
    "safety_tolerance": ("1", "2", "3", "4", "5"),
    "output_format": ("jpeg", "png"),
}
"""Values of the choices that pictures were ever made with, so that they can be searched for. Entries are added only."""

LATER: dict[str, Any] = {}
"""Settings that came after version 1: name → the value that a request from before it stands for, which is the default
on the day it came. Entries are added, never edited."""

_as_text = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


@dataclass(frozen=True)
class Recorded:
    """A model's part of the contract."""

    model: str
    """Its id, which never changes: runs, plans, lines and keys name it."""
    base: Mapping[str, Any]
    """Setting → what it stands for where it is not written; they always count."""
    later: Mapping[str, Any] = field(default_factory=dict)
    """The same for settings that came later: they count where they differ from it."""
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Values that choices ever had."""

    def __contains__(self, name: str) -> bool:
        return name in self.base or name in self.later

    def of(self, name: str) -> Any:
        """What a setting stands for where it is not written; None where nothing is recorded."""
        return self.base.get(name, self.later.get(name))

    def says_nothing(self, name: str, value: Any) -> bool:
        recorded = self.later.get(name, _MISSING)
        return bool(recorded == value and isinstance(value, bool) == isinstance(recorded, bool))


_MISSING = object()
DEFAULT_MODEL = "flux-2-flex"
"""The model of whatever names none. Its keys do not name it either."""
FLUX_2_FLEX = Recorded(DEFAULT_MODEL, BASE, LATER, VALUES)


def written(values: Mapping[str, Any], recorded: Recorded = FLUX_2_FLEX) -> dict[str, Any]:
    """Settings as keys and exports write them: all of the base, and of others those that say something.

    `values`: setting → JSON value, under the names that are recorded.
    """
    settings = {**recorded.base, **values}
    for name in settings.keys() - recorded.base.keys():
        if recorded.says_nothing(name, settings[name]):
            del settings[name]
    for name, value in recorded.base.items():
        if isinstance(value, float) and type(settings[name]) is int:
            settings[name] = float(settings[name])  # JSON from elsewhere need not tell 3 from 3.0; the key's text does
    return settings


def key_of(values: Mapping[str, Any], recorded: Recorded = FLUX_2_FLEX) -> str:
    """The key: the same for equal settings, whatever version of the program wrote them."""
    settings = written(values, recorded)
    if recorded.model != DEFAULT_MODEL:
        settings = {"model": recorded.model, "settings": settings}
    return hashlib.sha256(_as_text(settings).encode()).hexdigest()


def is_base(settings: Mapping[str, Any]) -> bool:
    """Whether a program that knows BASE only can read these settings, as `written` returns them, and lose nothing."""
    return settings.keys() == BASE.keys()
