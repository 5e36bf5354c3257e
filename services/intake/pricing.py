"""Estimated prices, as the models say; for those that bill by the megapixel, sizes that would be cheaper."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.keys import DEFAULT_MODEL
from services.models import registry
from services.models.sizes import MEGAPIXEL, PRESET_PIXELS, SIDE_MIN, SIDE_STEP
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
    """The owner's price for a megapixel. Models that bill otherwise have a price of their own."""

    per_megapixel_usd: float

    def units(self, width: int, height: int) -> int:
        """Megapixels billed for a picture of `width` × `height` pixels."""
        return -(-width * height // MEGAPIXEL)

    def estimate(self, request: AnyRequest, count: int = 1) -> float:
        """US dollars for `count` pictures, as an estimate."""
        price = registry.of(request.model).price
        return self.of_units(price.units(request, *(request.pixels or PRESET_PIXELS["square"])), request.model) * count

    def of_units(self, units: float, model: str = DEFAULT_MODEL) -> float:
        """US dollars for `units` that the model billed."""
        usd = registry.of(model).price.usd
        return round(units * (self.per_megapixel_usd if usd is None else usd), 6)

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
