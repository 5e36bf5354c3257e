"""Check the settings in a file by our own rules: the usable values, and a sentence for each that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from services.errors import InvalidRequest
from services.metadata.record import Record
from services.models.generation_request import GenerationRequest
from services.models.registry import DEFAULT, PARAMETERS
from services.models.sizes import snap_side
from services.request import parse_value

OTHERS_MAX = 40
"""At most this many sentences about settings that do not exist here: a workflow can have thousands."""
SHOWN_MAX = 80
"""At most this many characters of a value from a file in a sentence."""

_NOT_SETTINGS = ("version", "hash", "scheme", "app_id", "metadata")
"""Keys that contain one of these words are the tool's data about itself, not settings."""
_MODELS = ("model", "base_model", "model_weights")
_NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?", re.ASCII)


@dataclass(frozen=True)
class Reading:
    """The settings in one tool's text, before they are checked.

    `values`: GenerationRequest name → value as written; `image_size` as (width, height) in pixels if it could be
    parsed. `others`: settings that this model does not have, under the tool's own names.
    """

    source: str
    values: dict[str, Any]
    others: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class FoundSettings:
    """The settings of a picture. No value is snapped or clamped: values that are not allowed are listed in `unused`."""

    source: str
    """The tool that wrote them."""
    values: dict[str, Any]
    """GenerationRequest name → valid value, as in its JSON."""
    request: GenerationRequest | None = None
    """The whole request with the seed that was used, if the file contains our complete and valid record."""
    unused: tuple[str, ...] = ()
    """A sentence for each setting in the file that cannot be used, with the reason."""
    notes: tuple[str, ...] = ()
    record: Record | None = None
    """Our record, if the file contains it."""


def validated(reading: Reading) -> FoundSettings:
    values: dict[str, Any] = {}
    unused: list[str] = []
    for name in PARAMETERS:
        if reading.values.get(name) is None:
            continue
        try:
            values[name] = _checked(name, reading.values[name])
        except InvalidRequest as error:
            unused.append(_refusal(name, reading.values[name], error))
    others = [
        _no_such(name, value)
        for name, value in [*reading.values.items(), *reading.others.items()]
        if name not in PARAMETERS and not any(word in name.lower() for word in _NOT_SETTINGS)
    ]
    if len(others) > OTHERS_MAX:
        others[OTHERS_MAX:] = [f"{len(others) - OTHERS_MAX} more settings. {DEFAULT.name} has none of them."]
    sentences = tuple(_sound(sentence) for sentence in [*unused, *others])
    return FoundSettings(reading.source, values, unused=sentences, notes=tuple(map(_sound, reading.notes)))


def _checked(name: str, value: Any) -> Any:
    """The value as in the request's JSON, validated by the request's rules. Raises InvalidRequest."""
    return parse_value(name, PARAMETERS[name].kind.from_file(value))


def _refusal(name: str, value: Any, error: InvalidRequest) -> str:
    if not isinstance(value, tuple):
        return str(error)
    width, height = value
    near = snap_side(width), snap_side(height)
    try:
        _checked(name, near)
    except InvalidRequest:
        return f"Size {width}x{height}: {error}"
    return f"Size {width}x{height}: {error} The nearest allowed is {near[0]}x{near[1]}."


def _no_such(name: str, value: Any) -> str:
    if name.lower() in _MODELS:
        return f"{shown(name)}: {shown(value)}. The model here is {DEFAULT.name}."
    return f"{shown(name)}: {shown(value)}. {DEFAULT.name} has no such setting."


def shown(value: Any) -> str:
    """A value from a file as one short line."""
    if isinstance(value, list | dict):
        return "1 item" if len(value) == 1 else f"{len(value)} items"
    text = " ".join(str(value).split())
    return f"{text[:SHOWN_MAX]}…" if len(text) > SHOWN_MAX else text


def _sound(sentence: str) -> str:
    """The sentence without lone surrogates, which cannot be encoded in a reply."""
    return sentence.encode("utf-8", "replace").decode()
