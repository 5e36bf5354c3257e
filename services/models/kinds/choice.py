"""One of a few values, as segments of one control."""

from __future__ import annotations

from typing import Any, Literal

from services.models.axis_syntax import read_numbers
from services.models.conditions import Exactly, Unreadable
from services.models.kind import Component, Kind, Parameter


class ChoiceKind(Kind):
    name = "choice"

    def fits(self, value: Any) -> bool:
        return isinstance(value, str)

    def component(self, parameter: Parameter) -> Component:
        options = {"choices": list(parameter.choices), "value": parameter.default, "buttons": []}
        return Component("Radio", options, classes=("pg-segments",))

    def api_type(self, parameter: Parameter) -> Any:
        return Literal[parameter.choices]

    def axis_values(self, parameter: Parameter, items: list[Any]) -> list[Any]:
        if all(choice.isdigit() for choice in parameter.choices):  # numeric levels, for which ranges make sense
            numbers = read_numbers([str(item) for item in items], whole=True, one=lambda _: None)
            return [str(number) for number in numbers]
        return [str(item).strip().lower() for item in items]

    def condition(self, text: str, choices: tuple[str, ...]) -> Exactly:
        if text.lower() not in choices:
            raise Unreadable("one of its values")
        return Exactly(text.lower())


CHOICE = ChoiceKind()
