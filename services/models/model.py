"""Model: a hosted model as one value. What the program knows about a model, it asks this."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from services.keys import Recorded
from services.models.generation_request import GenerationRequest, parameters_of
from services.models.kind import Parameter
from services.models.sizes import MEGAPIXEL


@dataclass(frozen=True)
class Made:
    """What a result names: the address of the picture, and the seed, as fal wrote it."""

    url: str
    seed: Any


def first_image(body: Any) -> Made:
    """Of a result in the form `{"images": [{"url": …}], "seed": …}`. Raises LookupError or TypeError for another."""
    return Made(str(body["images"][0]["url"]), body.get("seed"))


class HasSettings(Protocol):
    """A request of any model: one to be asked for, or one that was stored. Settings are attributes too."""

    @property
    def model(self) -> str: ...

    @property
    def values(self) -> dict[str, Any]: ...


def megapixels_begun(_request: HasSettings, width: int, height: int) -> int:
    """fal bills each megapixel begun; 1 MP = 2**20 pixels (fal's pricing page)."""
    return -(-width * height // MEGAPIXEL)


@dataclass(frozen=True)
class Price:
    units: Callable[[HasSettings, int, int], int] = megapixels_begun
    """Billed units of a picture: of its request, width and height in pixels."""
    usd: float | None = None
    """US dollars for one unit; None: what the owner's setting says for a megapixel."""


STEPS = 28
"""Of a picture, where a model does not say."""


@dataclass(frozen=True)
class Model:
    name: str
    """As people call it."""
    endpoint: str
    """At fal."""
    request: type[GenerationRequest]
    captioned: tuple[str, ...]
    """Settings that captions always name; of the others, those that are not at their defaults."""
    price: Price = Price()
    steps: Callable[[Any], int] = lambda _request: STEPS
    """How many steps a request takes: the measure of its time, at fal and in the demo engine."""
    seconds_a_step: float = 16 / 28
    """At fal, assumed until pictures were made."""
    result: Callable[[Any], Made] = first_image
    """Reads fal's result, decoded JSON. Raises LookupError or TypeError where it names no picture."""

    @property
    def by_megapixel(self) -> bool:
        """Whether a slightly smaller picture may be cheaper."""
        return self.price.units is megapixels_begun

    @property
    def recorded(self) -> Recorded:
        return self.request.recorded

    @property
    def id(self) -> str:
        return self.recorded.model

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """Name → Parameter, in the order in which they are shown."""
        return parameters_of(self.request)

    @cached_property
    def names(self) -> Mapping[str, str]:
        """Each name that a parameter has or had → the one it has today."""
        return {
            name: parameter.name
            for parameter in self.parameters.values()
            for name in (parameter.name, *parameter.aliases)
        }

    def payload(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The request body for fal."""
        return self.request.payload_of(values)
