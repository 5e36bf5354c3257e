"""What the Create tab says of its settings, in a few words. All of it is plain: no text of a user's is in it."""

from __future__ import annotations

from typing import Any

from services.intake.batch import PICTURES_MAX
from services.intake.pricing import dollars
from services.playground import Estimate
from services.request import MEGAPIXEL, PARAMETERS, format_value


def size(width: int, height: int) -> str:
    return f"{width} × {height} · {width * height / MEGAPIXEL:.2f} MP"


def advanced(values: dict[str, Any]) -> str:
    """`Advanced`, and in short words what is not at its default."""
    changed = [format_value(name, value) for name, value in values.items() if value != PARAMETERS[name].default]
    return " · ".join(["Advanced", *changed])


def generate(estimate: Estimate) -> str:
    """The button's words: how many pictures, and their price."""
    price = "$0 demo" if estimate.engine == "demo" else dollars(estimate.cost_usd)
    return f"Generate {estimate.count} · {price}"


def hint(estimate: Estimate) -> str:
    """That a slightly smaller size would be cheaper, where it would."""
    if estimate.cheaper is None:
        return ""
    size = f"{estimate.cheaper.width} × {estimate.cheaper.height}"
    return f"{size} would save {dollars(estimate.cheaper.saves_usd)} a picture."


def wildcards(prompts: int, images: int) -> str:
    """What `{red|blue}` in the prompt comes to; nothing where it stands for one prompt."""
    if prompts == 1:
        return ""
    pictures = prompts * images
    times = f"{prompts:,} prompts × {images} images = {pictures:,} pictures" if images > 1 else f"{prompts:,} prompts"
    if pictures > PICTURES_MAX:
        return f"{times}: more than the {PICTURES_MAX} of one press."
    return f"{times}, each with the same seed{'s' if images > 1 else ''}."
