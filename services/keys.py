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

FLOATS = tuple(name for name, value in BASE.items() if isinstance(value, float))

LATER: dict[str, Any] = {}
"""Settings that came after version 1: name → the value that a request from before it stands for, which is the default
on the day it came. Entries are added, never edited."""

_as_text = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode


def written(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as keys and exports write them: all of BASE, and of others those that say something.

    `values`: setting → JSON value, under the names of BASE and LATER.
    """
    settings = {**BASE, **values}
    for name in settings.keys() - BASE.keys():
        if _says_nothing(name, settings[name]):
            del settings[name]
    for name in FLOATS:
        if type(settings[name]) is int:  # JSON from elsewhere need not tell 3 from 3.0, and the key's text does
            settings[name] = float(settings[name])
    return settings


def key_of(values: Mapping[str, Any]) -> str:
    """The key: the same for equal settings, whatever version of the program wrote them."""
    return hashlib.sha256(_as_text(written(values)).encode()).hexdigest()


def is_base(settings: Mapping[str, Any]) -> bool:
    """Whether a program that knows BASE only can read these settings, as `written` returns them, and lose nothing."""
    return settings.keys() == BASE.keys()


def recorded(name: str) -> Any:
    """What a setting stands for where it was not written; None where nothing is recorded."""
    return BASE.get(name, LATER.get(name))


def _says_nothing(name: str, value: Any) -> bool:
    return name in LATER and value == LATER[name] and isinstance(value, bool) == isinstance(LATER[name], bool)
