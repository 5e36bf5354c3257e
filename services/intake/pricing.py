"""Estimated prices. fal bills each megapixel begun; 1 MP = 2**20 pixels (fal's pricing page)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.request import MEGAPIXEL, PRESET_PIXELS, SIDE_MIN, SIDE_STEP
from services.stored import AnyRequest

WORTH_A_HINT = 0.85
"""A cheaper size is offered only if it keeps at least this share of the pixels."""


@dataclass(frozen=True)
class Cheaper:
    """A slightly smaller size that is billed one megapixel less."""

    width: int
    height: int
    saves_usd: float


@dataclass(frozen=True)
class Prices:
    per_megapixel_usd: float

    def units(self, width: int, height: int) -> int:
        """Megapixels billed for a picture of `width` × `height` pixels, rounded up."""
        return -(-width * height // MEGAPIXEL)

    def estimate(self, request: AnyRequest, count: int = 1) -> float:
        """US dollars for `count` pictures, as an estimate."""
        return self.of_units(self.units(*(request.pixels or PRESET_PIXELS["square"]))) * count

    def of_units(self, units: float) -> float:
        """US dollars for `units` billed megapixels."""
        return round(units * self.per_megapixel_usd, 6)

    def cheaper(self, width: int, height: int) -> Cheaper | None:
        """A slightly smaller size of nearly the same shape that costs one megapixel less; None if there is none."""
        units = self.units(width, height)
        target = (units - 1) * MEGAPIXEL
        if units < 2 or self.per_megapixel_usd == 0 or target < WORTH_A_HINT * width * height:
            return None
        scale = math.sqrt(target / (width * height))
        around = range(-4, 5)
        near = int(width * scale) // SIDE_STEP * SIDE_STEP
        sizes = [
            (side, min(height, target // side // SIDE_STEP * SIDE_STEP))
            for side in (near + step * SIDE_STEP for step in around)
            if SIDE_MIN <= side <= width and target // side >= SIDE_MIN
        ]
        if not sizes:
            return None
        shape = math.log(width / height)
        best = max(sizes, key=lambda size: size[0] * size[1] * (1 - abs(math.log(size[0] / size[1]) - shape)))
        return Cheaper(*best, self.of_units(units - self.units(*best)))


def dollars(usd: float) -> str:
    """`≈ $0.20`; sums below $0.01 with up to four decimals."""
    return f"≈ ${usd:.2f}" if usd >= 0.01 or usd == 0 else f"≈ ${usd:.4f}".rstrip("0")
