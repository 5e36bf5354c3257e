"""Numbers in a range, whole or not, on a slider."""

from __future__ import annotations

from typing import Any

from services.models.kind import Component, Parameter
from services.models.kinds.numbers import NumberKind


class SliderKind(NumberKind):
    name = "slider"

    def fits(self, value: Any) -> bool:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63

    def component(self, parameter: Parameter) -> Component:
        low, high = parameter.minimum or 0, parameter.maximum or 0
        options = {"minimum": low, "maximum": high, "value": parameter.default, "step": parameter.step, "buttons": []}
        return Component("Slider", options)

    def label(self, parameter: Parameter, value: Any) -> str:
        """Whole numbers count something: `28 steps`, but `guidance 3.5`."""
        counts = parameter.step is not None and parameter.step % 1 == 0
        return f"{self.words(value)} {parameter.short}" if counts else super().label(parameter, value)

    def examples(self, parameter: Parameter) -> tuple[str, ...]:
        middle, low, high = (f"{number or 0:g}" for number in (parameter.default, parameter.minimum, parameter.maximum))
        return f">{middle}", f"{low}-{middle}", high


SLIDER = SliderKind()
