"""On or off."""

from __future__ import annotations

from typing import Any

from services.models.axis_syntax import ItemError
from services.models.conditions import Exactly, Unreadable
from services.models.kind import Component, Kind, Parameter

WORDS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class SwitchKind(Kind):
    name = "switch"

    def fits(self, value: Any) -> bool:
        return isinstance(value, bool)

    def component(self, parameter: Parameter) -> Component:
        return Component("Checkbox", {"value": parameter.default})

    def api_type(self, parameter: Parameter) -> Any:
        return bool

    def allowed(self, parameter: Parameter) -> str:
        return "true, false"

    def axis_values(self, parameter: Parameter, items: list[Any]) -> list[Any]:
        found = [item if isinstance(item, bool) else WORDS.get(str(item).strip().lower()) for item in items]
        for item, value in zip(items, found, strict=True):
            if value is None:
                raise ItemError(f"“{item}” is not true or false (yes and no, on and off are understood too)")
        return found

    def axis_item(self, value: Any) -> str:
        return str(value).lower()

    def condition(self, text: str, choices: tuple[str, ...]) -> Exactly:
        said = WORDS.get(text.lower())
        if said is None:
            raise Unreadable("on or off")
        return Exactly(said)

    def examples(self, parameter: Parameter) -> tuple[str, ...]:
        return "on", "off"


SWITCH = SwitchKind()
