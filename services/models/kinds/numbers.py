"""What sliders and number fields have in common: axes with ranges, searches with bounds, numbers in tools' files."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

from services.issues import plain
from services.models.axis_syntax import ItemError, read_numbers
from services.models.conditions import Span, Unreadable
from services.models.kind import Kind, Parameter

NUMBER = r"\$?((?:\d+\.?\d*|\.\d+))"
BOUND = re.compile(rf"(>=|<=|>|<|=|)\s*{NUMBER}", re.ASCII)
RANGE = re.compile(rf"{NUMBER}\s*(?:-|–|\.\.)\s*{NUMBER}", re.ASCII)
_IN_FILE = re.compile(r"-?\d{1,40}(\.\d{1,40})?", re.ASCII)


class NumberKind(Kind):
    def allowed(self, parameter: Parameter) -> str:
        low, high = parameter.minimum, parameter.maximum
        if low is None or high is None:
            return "any number"
        return f"{low:g} to {plain(high)}"

    def is_whole(self, parameter: Parameter) -> bool:
        return isinstance(parameter.default, int)

    def api_type(self, parameter: Parameter) -> Any:
        return int if self.is_whole(parameter) else float

    def axis_values(self, parameter: Parameter, items: list[Any]) -> list[Any]:
        whole = self.is_whole(parameter)
        texts = [_item_text(item) for item in items]
        numbers = read_numbers(texts, whole=whole, one=self.drawn)
        return [int(number) if whole else float(number) for number in numbers]

    def drawn(self, item: str) -> Decimal | None:
        """The number that an item stands for which is none itself; None where it stands for none."""
        return None

    def axis_item(self, value: Any) -> str:
        return plain(value) if isinstance(value, float) else str(value)

    def condition(self, text: str, choices: tuple[str, ...]) -> Span:
        return span_of(text)

    def from_file(self, value: Any) -> Any:
        """The number that a text is, so that messages show it without quotes."""
        if not isinstance(value, str):
            return super().from_file(value)
        text = value.strip()
        if not _IN_FILE.fullmatch(text):
            return text
        return float(text) if "." in text else int(text)


def span_of(text: str) -> Span:
    """`>30`, `3-5`, `0.05`. Raises Unreadable."""
    if both := RANGE.fullmatch(text):
        low, high = sorted(map(float, both.groups()))
        return Span(low, high)
    if not (one := BOUND.fullmatch(text)):
        raise Unreadable("a number")
    bound, value = one[1], float(one[2])
    if bound.startswith(">"):
        return Span(low=value, open_low=bound == ">")
    if bound.startswith("<"):
        return Span(high=value, open_high=bound == "<")
    return Span(value, value)


def _item_text(item: Any) -> str:
    """An item as text: a list may also hold numbers. Raises ItemError for anything else."""
    if isinstance(item, bool) or not isinstance(item, int | float | str):
        raise ItemError(f"“{item}” is not a number")
    text = str(item).strip()
    return text.removesuffix(".0") if isinstance(item, float) else text
