"""The Create tab's short texts about its settings. None contains a user's text: some are shown as HTML."""

from __future__ import annotations

from typing import Any

from services.intake.batch import PICTURES_MAX
from services.intake.pricing import dollars
from services.models.registry import PARAMETERS
from services.models.sizes import MEGAPIXEL
from services.playground import Estimate
from services.request import format_value


def size(width: int, height: int) -> str:
    return f"{width} × {height} · {width * height / MEGAPIXEL:.2f} MP"


def advanced(values: dict[str, Any]) -> str:
    """The heading `Advanced`, followed by the settings that are not at their defaults."""
    changed = [format_value(name, value) for name, value in values.items() if value != PARAMETERS[name].default]
    return " · ".join(["Advanced", *changed])


def generate(estimate: Estimate) -> str:
    """The button's words: how many pictures, and their price."""
    price = "$0 demo" if estimate.engine == "demo" else dollars(estimate.cost_usd)
    return f"Generate {estimate.count} · {price}"


def hint(estimate: Estimate) -> str:
    """A hint that a slightly smaller size would be cheaper; empty where it would not."""
    if estimate.cheaper is None:
        return ""
    size = f"{estimate.cheaper.width} × {estimate.cheaper.height}"
    return f"{size} would save {dollars(estimate.cheaper.saves_usd)} a picture."


def wildcards(prompts: int, images: int) -> str:
    """How many prompts and pictures wildcards such as `{red|blue}` stand for; empty for a single prompt."""
    if prompts == 1:
        return ""
    pictures = prompts * images
    times = f"{prompts:,} prompts × {images} images = {pictures:,} pictures" if images > 1 else f"{prompts:,} prompts"
    if pictures > PICTURES_MAX:
        return f"{times}: more than the {PICTURES_MAX} of one press."
    return f"{times}, each with the same seed{'s' if images > 1 else ''}."
