"""Read the settings of a picture that any supported tool made."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from services.errors import InvalidRequest
from services.metadata import jpeg, png, webp
from services.metadata.comfyui import comfyui
from services.metadata.errors import FILE_MAX, MetadataError
from services.metadata.foreign import fooocus, invokeai, novelai, swarmui
from services.metadata.infotext import read_infotext
from services.metadata.record import COMMENT_KEY, FORMAT, RECORD_KEY, TEXT_KEY, Embedded, Record, parse_json
from services.metadata.validate import FoundSettings, Reading, validated
from services.models.generation_request import GenerationRequest
from services.request import parse_request
from services.version import PRODUCT

SETTINGS_KEYS = (RECORD_KEY, TEXT_KEY, "prompt", "invokeai_metadata", "sd-metadata", "Dream")
"""Keys that generators write settings to. If one holds a text that no reader understands, the settings are reported as
damaged, not as missing."""


def read_settings(data: bytes) -> FoundSettings:
    """The settings in the bytes of a PNG, JPEG or WebP file: ours, or those of AUTOMATIC1111, Forge, SwarmUI,
    InvokeAI, ComfyUI, Fooocus or NovelAI. Takes about a millisecond; no pixel is decoded.

    Raises MetadataError if there are none, or if the file is too large or not such a picture.
    """
    if len(data) > FILE_MAX:
        raise MetadataError("too_large")
    embedded = _embedded(data)
    texts = embedded.texts
    found = _ours(texts.get(RECORD_KEY))
    if found is None:
        reading = _foreign(texts)
        if reading is None:
            damaged = embedded.notes or any(texts.get(key, "").strip() for key in SETTINGS_KEYS)
            raise MetadataError("damaged" if damaged else "no_settings")
        found = validated(reading)
    return replace(found, notes=(*found.notes, *embedded.notes))


def _embedded(data: bytes) -> Embedded:
    if data.startswith(png.SIGNATURE):
        return png.embedded(data)
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.embedded(data)
    if webp.is_webp(data):
        return webp.embedded(data)
    raise MetadataError("not_a_picture")


def _foreign(texts: dict[str, str]) -> Reading | None:
    """Try the readers, the most specific first. ComfyUI's graph comes after `parameters`: its pictures often contain
    plain settings beside the graph.
    """
    for read in (swarmui, fooocus, invokeai, novelai):
        reading = read(texts)
        if reading:
            return reading
    text, comment = ("" if _is_object(texts.get(key)) else texts.get(key, "") for key in (TEXT_KEY, COMMENT_KEY))
    return (
        read_infotext(text, settings_needed=True)
        or read_infotext(comment, settings_needed=True)
        or comfyui(texts)
        or read_infotext(text, settings_needed=False)
    )


def _is_object(text: str | None) -> bool:
    """Whether the text is a JSON object, here one of an unknown tool."""
    return isinstance(parse_json(text), dict)


def _ours(text: str | None) -> FoundSettings | None:
    """The settings in our record; None if there is no complete record."""
    record = Record.from_json(text) if text else None
    if record is None:
        return None
    values = dict(record.request)
    notes = []
    if record.engine == "demo":
        notes.append("Made by the demo engine, which is no model.")
    if record.format > FORMAT:
        notes.append("Written by a newer version of this playground, which may know more.")
    if record.seed is not None and record.seed != values.get("seed"):
        if values.get("seed") is not None:
            notes.append(f"The seed asked for was {values['seed']}; the one used was {record.seed}.")
        values["seed"] = record.seed
    try:
        request: GenerationRequest = parse_request(values, record.model)
    except InvalidRequest:
        reading = Reading(PRODUCT, {name: _as_written(value) for name, value in values.items()}, notes=tuple(notes))
        return replace(validated(reading), record=record)
    return FoundSettings(PRODUCT, request.model_dump(mode="json"), request, notes=tuple(notes), record=record)


def _as_written(value: Any) -> Any:
    """A custom size as a (width, height) tuple, which `validated` checks by its pixels; other values unchanged."""
    if isinstance(value, dict) and value.keys() == {"width", "height"}:
        sides = (value["width"], value["height"])
        return sides if all(type(side) is int and 0 < side < 10**6 for side in sides) else value
    return value
