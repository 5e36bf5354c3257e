"""The `parameters` text in AUTOMATIC1111's format: written from a run, and read from any tool.

    <prompt, any number of lines>
    Negative prompt: <any number of lines; we write none>
    Steps: 28, CFG scale: 3.5, Seed: 42, Size: 1024x768, Model: FLUX.2 [flex], …

The last line is taken as settings if it has at least three pairs. A key has at least two characters. A value with a
comma, a colon, a newline or a double quote is quoted as JSON.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from services.metadata.record import parse_json
from services.metadata.validate import Reading
from services.models import registry
from services.models.registry import PARAMETERS
from services.run import Run
from services.version import PRODUCT

FIELD_KEYS = {"num_inference_steps": "Steps", "guidance_scale": "CFG scale", "seed": "Seed", "image_size": "Size"}
"""AUTOMATIC1111's keys for our parameters. The other parameters are written with their capitalized short names."""
KEYS = FIELD_KEYS | {
    name: parameter.short.capitalize()
    for name, parameter in PARAMETERS.items()
    if name not in FIELD_KEYS and name != "prompt"
}
DISTILLED = "Distilled CFG Scale"
"""Forge's key for FLUX's guidance; Forge's `CFG scale` means something else."""
PAIRS_MIN, PAIRS_MAX = 3, 1_000

_PAIR = re.compile(r'\s*(\w[\w \-/]{1,80}):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
_SIZE = re.compile(r"(\d{1,6}) ?[x×] ?(\d{1,6})")
_LORA = re.compile(r"<(?:lora|lyco|hypernet):[^<>]{1,200}>")


def infotext(run: Run) -> str:
    """The text for a run: the prompt as typed, and the settings as the last line."""
    values = run.request.values | {"seed": run.seed}
    pairs = {
        key: PARAMETERS[name].kind.to_file(values[name]) for name, key in KEYS.items() if values.get(name) is not None
    }
    pairs |= {"Model": registry.name_of(run.model), "Version": PRODUCT}
    return f"{run.request.prompt}\n{', '.join(f'{key}: {quoted(value)}' for key, value in pairs.items())}"


def quoted(value: str) -> str:
    return json.dumps(value, ensure_ascii=False) if any(char in value for char in ',:\n"') else value


def read_infotext(text: str, *, settings_needed: bool) -> Reading | None:
    """Parse a text in this format. Without a line of settings, it is taken as a prompt only; with `settings_needed`,
    for places where other programs write other texts, the result is then None.
    """
    parts = _parts(text)
    if not parts.pairs and (settings_needed or not text.strip()):
        return None
    source = _source(parts.pairs)
    if source == PRODUCT:
        return _ours(text, parts)
    keys = FIELD_KEYS | ({"guidance_scale": DISTILLED} if DISTILLED in parts.pairs else {})
    values: dict[str, Any] = {name: parts.pairs[key] for name, key in keys.items() if key in parts.pairs}
    pairs = {key: value for key, value in parts.pairs.items() if key not in keys.values() and value}
    if "image_size" in values:
        values["image_size"] = _size(str(values["image_size"]))
    if parts.prompt:
        values["prompt"] = parts.prompt
    others = {"Negative prompt": parts.negative, **pairs} if parts.negative else pairs
    if others.get("Model") == registry.DEFAULT.name:
        del others["Model"]
    return Reading(source, values, others, notes_on(parts.prompt))


def notes_on(prompt: str) -> tuple[str, ...]:
    """Notes on syntax in a prompt for another model that this model reads as plain words."""
    if _LORA.search(prompt):
        lora, model = _LORA.findall(prompt)[0], registry.DEFAULT.name
        return (f"The prompt names LoRAs, as in “{lora}”. {model} reads that as words.",)
    return ()


@dataclass(frozen=True)
class _Parts:
    prompt: str
    negative: str
    pairs: dict[str, str]


def _parts(text: str) -> _Parts:
    """Split a text. Prompt and negative prompt are stripped as AUTOMATIC1111 strips them; `pairs`: key → value."""
    body, _, last = text.strip().rpartition("\n")
    pairs = _pairs(last)
    if len(pairs) < PAIRS_MIN:
        body, pairs = text, {}
    lines = [line.strip() for line in body.strip().split("\n")]
    mark = "Negative prompt:"
    start = next((place for place, line in enumerate(lines) if line.startswith(mark)), len(lines))
    negative = "\n".join(lines[start:]).removeprefix(mark).strip()
    return _Parts("\n".join(lines[:start]).strip(), negative, pairs)


def _pairs(line: str) -> dict[str, str]:
    """Key → value. Reads from left to right, so that hostile lines take linear time at most."""
    found: dict[str, str] = {}
    at = 0
    while at < len(line) and len(found) < PAIRS_MAX:
        pair = _PAIR.match(line, at)
        if pair:
            found[pair[1]] = _unquoted(pair[2].strip())
            at = pair.end()
        else:
            comma = line.find(",", at)
            at = comma + 1 if comma >= 0 else len(line)
    return found


def _unquoted(value: str) -> str:
    plain = parse_json(value) if value.startswith('"') and value.endswith('"') else None
    return plain if isinstance(plain, str) else value


def _source(pairs: dict[str, str]) -> str:
    version = pairs.get("Version", "")
    if version == PRODUCT:
        return PRODUCT
    if re.match(r"f\d|neo", version) or DISTILLED in pairs:
        return "Forge"
    return next((tool for tool in ("Fooocus", "ComfyUI") if version.startswith(tool)), "AUTOMATIC1111")


def _size(text: str) -> tuple[int, int] | str:
    found = _SIZE.fullmatch(text.strip())
    return (int(found[1]), int(found[2])) if found else text


def _ours(text: str, parts: _Parts) -> Reading:
    """A text that we wrote and whose record is missing. The prompt is everything before the last line, not stripped."""
    values: dict[str, Any] = {name: parts.pairs[key] for name, key in KEYS.items() if key in parts.pairs}
    values["prompt"] = text.rstrip("\n").rpartition("\n")[0]
    if "image_size" in values:
        values["image_size"] = _size(values["image_size"])
    known = {*KEYS.values(), "Model", "Version"}
    others = {key: value for key, value in parts.pairs.items() if key not in known}
    return Reading(PRODUCT, values, others, notes=("Read from the picture's text: its complete record is gone.",))
