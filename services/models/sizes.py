"""Sizes of pictures as fal's FLUX.2 models take them: presets by name, or a width and a height in pixels.

Facts: the endpoints' published schemas; custom sizes as the models accept them: multiples of 16 from 64 to 2560 a side,
at most 4 megapixels (1 MP = 2**20 pixels).
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

MEGAPIXEL = 2**20
SIDE_STEP = 16
SIDE_MIN, SIDE_MAX = 64, 2560
MAX_PIXELS = 4 * MEGAPIXEL

ImageSizePreset = Literal["square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"]

PRESET_PIXELS: dict[str, tuple[int, int]] = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
"""Preset id → (width, height) in pixels. One that fal drops stays here: stored requests name it."""

PRESET_LABELS: dict[str, str] = {
    "square_hd": "Square HD",
    "square": "Square",
    "portrait_4_3": "Portrait 4:3",
    "portrait_16_9": "Portrait 16:9",
    "landscape_4_3": "Landscape 4:3",
    "landscape_16_9": "Landscape 16:9",
}


class ImageSize(BaseModel):
    """A custom size in pixels. The model refuses sides that are not multiples of 16."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=512, title="Width", ge=SIDE_MIN, le=SIDE_MAX)
    height: int = Field(default=512, title="Height", ge=SIDE_MIN, le=SIDE_MAX)

    @model_validator(mode="after")
    def _fits_the_model(self) -> ImageSize:
        for name, side in (("Width", self.width), ("Height", self.height)):
            if side % SIDE_STEP:
                low = side - side % SIDE_STEP
                raise PydanticCustomError(
                    name.lower(),
                    "{name}: {side} is not a multiple of 16; {low} and {high} are.",
                    {"name": name, "side": side, "low": low, "high": low + SIDE_STEP},
                )
        if self.width * self.height > MAX_PIXELS:
            raise PydanticCustomError(
                "megapixels",
                "Image size: {width} × {height} is {mp} MP, above the limit of 4 MP. Make a side smaller.",
                {
                    "width": self.width,
                    "height": self.height,
                    "mp": f"{self.width * self.height / MEGAPIXEL:.2f}",
                },
            )
        return self


def snap_side(value: float) -> int:
    """The nearest allowed side length in pixels, a multiple of 16 from 64 to 2560; the larger one in a tie."""
    return max(SIDE_MIN, min(SIDE_MAX, int(value / SIDE_STEP + 0.5) * SIDE_STEP))


def pixels_of(size: Any) -> tuple[int, int] | None:
    """(width, height) of a size as JSON has it; None for a preset that is not known here."""
    return (size["width"], size["height"]) if isinstance(size, dict) else PRESET_PIXELS.get(size)
