"""Settings that other tools store as JSON: SwarmUI, Fooocus, NovelAI, and InvokeAI in its three generations.

Each reader takes a file's texts (key → text) and returns None if its tool did not write them.
"""

from __future__ import annotations

import re
from typing import Any

from services.metadata.infotext import notes_on
from services.metadata.record import COMMENT_KEY, TEXT_KEY, parse_json
from services.metadata.validate import Reading

Texts = dict[str, str]

_DREAM = re.compile(r'^"(.*)"((?:\s.*)?)$', re.DOTALL)
_SWITCH = re.compile(r"\s-{1,2}([A-Za-z_]{1,40})\s+([^\s]{1,100})")
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def swarmui(texts: Texts) -> Reading | None:
    """`sui_image_params` in `parameters` or UserComment. FLUX's guidance is a separate field from the CFG scale."""
    data = _object(texts.get(TEXT_KEY)) or _object(texts.get(COMMENT_KEY))
    found = data.get("sui_image_params")
    if not isinstance(found, dict):
        return None
    names = {"prompt": "prompt", "num_inference_steps": "steps", "seed": "seed"}
    guidance = "fluxguidancescale" if found.get("fluxguidancescale") is not None else "cfgscale"
    return _reading(
        "SwarmUI", found, {**names, "guidance_scale": guidance}, _pair(found.get("width"), found.get("height"))
    )


def fooocus(texts: Texts) -> Reading | None:
    """Fooocus's own scheme: JSON in `parameters` or UserComment, with the size as text: `(768, 1280)`."""
    found = _object(texts.get(TEXT_KEY)) or _object(texts.get(COMMENT_KEY))
    if found.get("metadata_scheme") != "fooocus" and not {"base_model", "performance"} <= found.keys():
        return None
    names = {"prompt": "prompt", "num_inference_steps": "steps", "guidance_scale": "guidance_scale", "seed": "seed"}
    sides = re.fullmatch(r"\((\d{1,6}), ?(\d{1,6})\)", str(found.pop("resolution", ""))[:40])
    size = (int(sides[1]), int(sides[2])) if sides else None
    # The prompt after Fooocus's styles and expansion. Only the typed prompt is used.
    extras = {key: found.pop(key, None) for key in ("full_prompt", "full_negative_prompt", "prompt_expansion")}
    reading = _reading("Fooocus", found, names, size)
    if not any(extras.values()):
        return reading
    note = "Fooocus added words of its styles to the prompt; the prompt is the one that was typed."
    return Reading(reading.source, reading.values, reading.others, (*reading.notes, note))


def invokeai(texts: Texts) -> Reading | None:
    """`invokeai_metadata` (version 3 and later), `sd-metadata` (2), `Dream` (1)."""
    found = _object(texts.get("invokeai_metadata"))
    if found:
        names = {"prompt": "positive_prompt", "num_inference_steps": "steps", "seed": "seed"}
        guidance = "guidance" if found.get("guidance") is not None else "cfg_scale"
        size = _pair(found.get("width"), found.get("height"))
        return _reading("InvokeAI", found, {**names, "guidance_scale": guidance}, size)
    image = _object(texts.get("sd-metadata")).get("image")
    if isinstance(image, dict):
        prompts = image.pop("prompt", None)
        parts = prompts if isinstance(prompts, list) else [prompts]
        spoken = [part.get("prompt") if isinstance(part, dict) else part for part in parts]
        return _old_invokeai(" ".join(part for part in spoken if isinstance(part, str)), image)
    return _dream(texts.get("Dream", ""))


def novelai(texts: Texts) -> Reading | None:
    """NovelAI: the prompt in `Description`, the rest as JSON in `Comment`, in newer versions with the prompt."""
    found = _object(texts.get("Comment"))
    if texts.get("Software") != "NovelAI" or not found:
        return None
    found.setdefault("prompt", texts.get("Description"))
    found["negative prompt"] = found.pop("uc", None)
    names = {"prompt": "prompt", "num_inference_steps": "steps", "guidance_scale": "scale", "seed": "seed"}
    return _reading("NovelAI", found, names, _pair(found.get("width"), found.get("height")))


def _dream(command: str) -> Reading | None:
    """InvokeAI 1's command line: `"prompt" -s 50 -S 298 -W 512 -H 768 -C 5 -A k_lms`."""
    found = _DREAM.match(command)
    if not found:
        return None
    switches = {"s": "steps", "S": "seed", "W": "width", "H": "height", "C": "cfg_scale", "A": "sampler"}
    values = {switches.get(switch, switch): value for switch, value in _SWITCH.findall(found[2])}
    return _old_invokeai(found[1], values)


def _old_invokeai(prompt: str, found: dict[str, Any]) -> Reading:
    """A Reading of InvokeAI 1 or 2, where words in [brackets] of the prompt are the negative prompt."""
    negative = ", ".join(words for words in _BRACKETS.findall(prompt) if words.strip())
    plain = _BRACKETS.sub("", prompt).strip() if negative else prompt
    data = {**found, "prompt": plain, "negative prompt": negative}
    names = {"prompt": "prompt", "num_inference_steps": "steps", "guidance_scale": "cfg_scale", "seed": "seed"}
    return _reading("InvokeAI", data, names, _pair(found.get("width"), found.get("height")))


def _reading(source: str, data: dict[str, Any], names: dict[str, str], size: tuple[int, int] | None) -> Reading:
    """`names`: GenerationRequest name → the tool's key. All other keys with a value are reported as unused."""
    values = {ours: data.get(theirs) for ours, theirs in names.items()} | {"image_size": size}
    used = {*names.values(), *(("width", "height") if size else ())}
    others = {
        key: value.get("model_name") or value.get("name") or value if isinstance(value, dict) else value
        for key, value in data.items()
        if key not in used
    }
    prompt = values.get("prompt")
    return Reading(
        source,
        values,
        {key: value for key, value in others.items() if value not in (None, "", [], {}, False, "None")},
        notes_on(prompt) if isinstance(prompt, str) else (),
    )


def _object(text: str | None) -> dict[str, Any]:
    found = parse_json(text)
    return found if isinstance(found, dict) else {}


def _pair(width: object, height: object) -> tuple[int, int] | None:
    """(width, height) in pixels from integers or strings of digits; None if either is something else."""
    sides = [str(side) for side in (width, height) if isinstance(side, int | str) and not isinstance(side, bool)]
    if len(sides) != 2 or not all(side.isascii() and side.isdigit() and len(side) < 7 for side in sides):
        return None
    return int(sides[0]), int(sides[1])
