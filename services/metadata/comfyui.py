"""ComfyUI: the graph of nodes that it stores as JSON in `prompt`.

Node id → {"class_type", "inputs": {name: literal or [node id, output index]}}. The graph does not mark which text is
the prompt or which number the seed: they are found by walking back from the node that saves the picture to the sampler,
and from the sampler's inputs to the literals behind them. Custom nodes are read too if they use the usual input names.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from services.metadata.infotext import notes_on
from services.metadata.record import parse_json
from services.metadata.validate import Reading

NODES_MAX = 5_000
"""Nodes visited in one walk."""

Inputs = dict[str, Any]

_SEEDS = ("seed", "noise_seed", "value")
_STEPS = ("steps", "value")
_SCALES = ("cfg", "value")
_TEXTS = ("text", "t5xxl", "text_g", "prompt", "clip_l", "text_l", "string", "value")
_NOT_TO_TEXT = frozenset(
    {"clip", "model", "vae", "image", "pixels", "mask", "samples", "latent_image", "latent", "negative", "control_net"}
    | {"style_model", "clip_vision", "clip_vision_output"}
)


def comfyui(texts: dict[str, str]) -> Reading | None:
    """The settings of the picture's first sampling pass; None if there is no graph with a sampler."""
    graph = _graph(texts.get("prompt"))
    samplers = [node for node in _from_the_end(graph) if _is_sampler(graph[node])] if graph else []
    if not samplers:
        return None
    chosen = next((node for node in reversed(samplers) if _starts_empty(graph, node)), samplers[-1])
    inputs = graph[chosen]
    positive, joined = _prompts(graph, inputs)
    values = {
        "prompt": positive or None,
        "image_size": _size(graph, inputs),
        "seed": _number(graph, inputs, ("seed", "noise_seed", "noise"), _SEEDS),
        "num_inference_steps": _number(graph, inputs, ("steps", "sigmas"), _STEPS),
        "guidance_scale": _guidance(graph, inputs),
    }
    others = {key: inputs[key] for key in ("sampler_name", "scheduler") if isinstance(inputs.get(key), str)}
    negative = _words(graph, inputs, "negative") if inputs.get("negative") != inputs.get("positive") else []
    if any(negative):
        others["negative prompt"] = ", ".join(negative)
    notes = [*joined, *notes_on(positive)]
    if len(samplers) > 1:
        notes.append(f"The workflow samples {len(samplers)} times; the settings are those of its first pass.")
    denoise = inputs.get("denoise")
    if isinstance(denoise, int | float) and denoise < 1:
        notes.append(f"The picture was made from another one (denoise {denoise:g}), which is not in the file.")
    return Reading("ComfyUI", values, others, tuple(notes))


def _graph(text: str | None) -> dict[str, Inputs]:
    """Node id → inputs, with the `class_type` among them. Entries that are not nodes are left out."""
    found = parse_json(text)
    nodes = found.items() if isinstance(found, dict) else ()
    return {
        key: {**node["inputs"], "class_type": node.get("class_type")}
        for key, node in nodes
        if isinstance(node, dict) and isinstance(node.get("inputs"), dict)
    }


def _from_the_end(graph: dict[str, Inputs]) -> list[str]:
    """Ids of the nodes that lead to a saved picture, nearest to it first; of all nodes if none saves a picture."""
    ends = [key for key, inputs in graph.items() if str(inputs["class_type"]).startswith(("SaveImage", "Save"))]
    ends = ends or [key for key, inputs in graph.items() if "images" in inputs]
    return list(_walk(graph, ends or list(graph)))


def _walk(graph: dict[str, Inputs], starts: list[str], ignored: frozenset[str] = frozenset()) -> Iterator[str]:
    """Breadth-first from `starts` towards the inputs; each node once; inputs named in `ignored` are not followed."""
    queue, seen = deque(starts), set(starts)
    while queue and len(seen) < NODES_MAX:
        key = queue.popleft()
        if key not in graph:
            continue
        yield key
        for name, value in graph[key].items():
            target = _target(value)
            if target is not None and target not in seen and name not in ignored:
                seen.add(target)
                queue.append(target)


def _target(value: object) -> str | None:
    """The node id of a link [node id, output index]; None for any other value."""
    return (
        str(value[0])[:100] if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int) else None
    )


def _is_sampler(inputs: Inputs) -> bool:
    keys = inputs.keys()
    return {"noise", "guider", "sigmas"} <= keys or (
        {"positive", "latent_image"} <= keys and not keys.isdisjoint(("seed", "noise_seed"))
    )


def _starts_empty(graph: dict[str, Inputs], sampler: str) -> bool:
    start = _target(graph[sampler].get("latent_image"))
    return "Empty" in str(graph.get(start or "", {}).get("class_type"))


def _literals(graph: dict[str, Inputs], inputs: Inputs, name: str, keys: tuple[str, ...]) -> Iterator[Any]:
    """The input's value if it is a literal, else the literals under `keys` in the nodes behind it, nearest first."""
    if _target(inputs.get(name)) is None:
        if name in inputs:
            yield inputs[name]
        return
    for node in _walk(graph, [str(_target(inputs[name]))], _NOT_TO_TEXT):
        yield from (graph[node][key] for key in keys if key in graph[node] and _target(graph[node][key]) is None)


def _number(
    graph: dict[str, Inputs], inputs: Inputs, names: tuple[str, ...], keys: tuple[str, ...]
) -> int | float | None:
    for name in names:
        for value in _literals(graph, inputs, name, keys):
            if isinstance(value, int | float) and not isinstance(value, bool):
                return value
    return None


def _guidance(graph: dict[str, Inputs], inputs: Inputs) -> int | float | None:
    """FLUX's guidance from a node between prompt and sampler; without one, the sampler's or guider's CFG scale."""
    flux = _number(graph, inputs, ("positive", "guider"), ("guidance",))
    return flux if flux is not None else _number(graph, inputs, ("cfg", "guider"), _SCALES)


def _prompts(graph: dict[str, Inputs], inputs: Inputs) -> tuple[str, list[str]]:
    words = _words(graph, inputs, "positive" if "positive" in inputs else "guider")
    notes = [f"The workflow has {len(words)} prompts; they are joined in one."] if len(words) > 1 else []
    return ", ".join(words), notes


def _words(graph: dict[str, Inputs], inputs: Inputs, name: str) -> list[str]:
    """The distinct texts behind an input, one from each node: some nodes hold the same text for two encoders."""
    start = _target(inputs.get(name))
    found: list[str] = []
    for node in _walk(graph, [start] if start else [], _NOT_TO_TEXT):
        texts = (graph[node].get(key) for key in _TEXTS)
        text = next((text.strip() for text in texts if isinstance(text, str) and text.strip()), None)
        if text and text not in found:
            found.append(text)
    return found


def _size(graph: dict[str, Inputs], inputs: Inputs) -> tuple[int, int] | None:
    """(width, height) of the empty latent image that the sampler starts from, as the graph states it."""
    start = _target(inputs.get("latent_image"))
    for node in _walk(graph, [start] if start else []):
        found = [_number(graph, graph[node], (side,), (side, "value")) for side in ("width", "height")]
        sides = [int(side) for side in found if side is not None and 0 < side < 10**6]
        if len(sides) == 2:
            return sides[0], sides[1]
    return None
