"""Sizes of pictures: a preset, or width and height. A preset and a custom size of the same pixels are the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable
from typing import Any

from services.models.axis_syntax import ItemError
from services.models.conditions import Pixels, Unreadable
from services.models.kind import Component, Kind, Parameter
from services.models.sizes import PRESET_LABELS, PRESET_PIXELS, pixels_of

CUSTOM = "custom"
"""The choice of the control that shows width and height."""
_SIZE = re.compile(r"(\d{1,5})\s*[x×*]\s*(\d{1,5})", re.ASCII | re.IGNORECASE)
_PRESETS = {label.lower(): preset for preset, label in PRESET_LABELS.items()} | {name: name for name in PRESET_PIXELS}


class SizeKind(Kind):
    name = "size"

    def fits(self, value: Any) -> bool:
        sides = isinstance(value, dict) and value.keys() == {"width", "height"}
        whole = sides and all(type(side) is int and 0 < side < 2**20 for side in value.values())
        return isinstance(value, str) or whole

    def compared(self, value: Any) -> Hashable:
        return pixels_of(value) or value

    def component(self, parameter: Parameter) -> Component:
        choices = [(PRESET_LABELS[preset], preset) for preset in parameter.choices] + [("Custom", CUSTOM)]
        return Component("Radio", {"choices": choices, "value": parameter.default, "buttons": []})

    def api_type(self, parameter: Parameter) -> Any:
        return str | dict

    def allowed(self, parameter: Parameter) -> str:
        return ", ".join(parameter.choices) + ", or {width, height}"

    def words(self, value: Any) -> str:
        """In pixels: `1024 × 768`. A preset that is not known here keeps its name."""
        pixels = pixels_of(value)
        return f"{pixels[0]} × {pixels[1]}" if pixels else str(value)

    def label(self, parameter: Parameter, value: Any) -> str:
        return self.words(value)

    def axis_values(self, parameter: Parameter, items: list[Any]) -> list[Any]:
        return [_size(item) for item in items]

    def axis_item(self, value: Any) -> str:
        return f"{value['width']}x{value['height']}" if isinstance(value, dict) else str(value)

    def condition(self, text: str, choices: tuple[str, ...]) -> Pixels:
        """A preset stands for its pixels: it also finds runs with the same custom size."""
        if sides := _SIZE.fullmatch(text):
            return Pixels(int(sides[1]), int(sides[2]))
        if text.lower() not in PRESET_PIXELS:
            raise Unreadable("a size")
        return Pixels(*PRESET_PIXELS[text.lower()])

    def examples(self, parameter: Parameter) -> tuple[str, ...]:
        return "1024x768", "square_hd"

    def from_file(self, value: Any) -> Any:
        """(width, height) in pixels → the preset of these pixels, or a custom size."""
        if not isinstance(value, tuple):
            return super().from_file(value)
        preset = next((preset for preset, pixels in PRESET_PIXELS.items() if pixels == value), None)
        return preset or {"width": value[0], "height": value[1]}

    def to_file(self, value: Any) -> str:
        pixels = pixels_of(value)
        return f"{pixels[0]}x{pixels[1]}" if pixels else str(value)

    def csv_cells(self, parameter: Parameter) -> dict[str, Callable[[Any], Any]]:
        """Two columns, in pixels; empty for a preset that is not known here."""
        return {
            "width": lambda value: pixels[0] if (pixels := pixels_of(value)) else None,
            "height": lambda value: pixels[1] if (pixels := pixels_of(value)) else None,
        }


SIZE = SizeKind()


def _size(item: Any) -> Any:
    if isinstance(item, dict):
        return {"width": item.get("width"), "height": item.get("height")}
    text = str(item).strip()
    if preset := _PRESETS.get(text.lower()):
        return preset
    sides = _SIZE.fullmatch(text)
    if sides is None:
        raise ItemError(f"“{text[:40]}” is no size. Write {', '.join(PRESET_PIXELS)}, or a size such as 1280x720")
    return {"width": int(sides[1]), "height": int(sides[2])}
