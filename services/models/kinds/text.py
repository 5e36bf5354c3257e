"""Texts of any length, such as the prompt."""

from __future__ import annotations

from typing import Any

from services.models.conditions import Text, Unreadable
from services.models.kind import Component, Kind, Parameter

LABEL_CHARACTERS = 28


class TextKind(Kind):
    name = "text"
    is_long = True
    rank = 1

    def fits(self, value: Any) -> bool:
        return isinstance(value, str)

    def component(self, parameter: Parameter) -> Component:
        attributes = {"autocorrect": "off", "spellcheck": True}
        options = {"lines": 4, "max_lines": 14, "placeholder": parameter.help, "autofocus": False}
        return Component("Textbox", {**options, "value": parameter.default, "html_attributes": attributes})

    def api_type(self, parameter: Parameter) -> Any:
        return str

    def allowed(self, parameter: Parameter) -> str:
        return f"1 to {parameter.longest:,} characters" if parameter.longest else "any text"

    def label(self, parameter: Parameter, value: Any) -> str:
        text = str(value)
        cut = f"{text[: LABEL_CHARACTERS - 1].rstrip()}…" if len(text) > LABEL_CHARACTERS else text
        return f"{parameter.short} “{cut}”"

    def axis_values(self, parameter: Parameter, items: list[Any]) -> list[Any]:
        return [str(item) for item in items]

    def condition(self, text: str, choices: tuple[str, ...]) -> Text:
        if not text:
            raise Unreadable("a word")
        return Text(text)

    def examples(self, parameter: Parameter) -> tuple[str, ...]:
        return ("fox",)


TEXT = TextKind()
