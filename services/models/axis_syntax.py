"""The typed values of an axis, parsed into items and numbers, in the syntax of common X/Y/Z plot scripts.

    10, 20, 30        values, separated by commas or line breaks; a comma inside quotes does not separate
    a || b, c || d    if || occurs anywhere, it is the only separator
    1-5   1-5 (+2)    from 1 to 5, in steps of 1 or 2; `10-5 (-3)` counts down
    1-10 [5]          five values from 1 to 10, both ends included
    2, 4, .., 10      continues with the difference of the two values before the dots

Pure functions of text and numbers: a parameter's kind knows which of them it reads, its model which values are allowed.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Sequence
from decimal import Decimal

MAX_VALUES = 1000
"""Most values of an axis: as many as a grid has cells at most."""
BAR = "||"
DOTS = ("..", "...", "…")

_NUMBER = r"[+-]?(?:\d{1,20}(?:\.\d{0,12})?|\.\d{1,12})"
_SPAN = re.compile(
    rf"(?P<first>{_NUMBER})\s*[-–]\s*(?P<last>{_NUMBER})"
    rf"(?:\s*\(\s*(?P<step>{_NUMBER})\s*\)|\s*\[\s*(?P<count>\d{{1,9}})\s*\])?",
    re.ASCII,
)
_ONE = re.compile(_NUMBER, re.ASCII)


class ItemError(ValueError):
    """An item that cannot be read; the text says why, without the axis' name."""


def split_items(text: str, *, by_line: bool = False) -> list[str]:
    """The items of a text, stripped, without empty ones.

    `by_line`: if there is more than one line, each line is one item with its commas, as with whole prompts.
    """
    if BAR in text:
        return _filled(text.split(BAR))
    lines = text.splitlines()
    if by_line and len(_filled(lines)) > 1:
        return _filled(lines)
    try:
        return _filled([item for row in csv.reader(lines, skipinitialspace=True) for item in row])
    except csv.Error as error:
        raise ItemError(f"the list cannot be read ({error})") from error


def join_items(items: Sequence[str]) -> str:
    """Items as a text that `split_items` takes apart again."""
    if any(BAR in item or "\n" in item or "\r" in item for item in items):
        raise ItemError("an item holds || or a line break; give a list instead of a text")
    return ", ".join(_quoted(item) for item in items)


def _quoted(item: str) -> str:
    plain = item and not (set(item) & set(',"')) and item == item.strip()
    return item if plain else '"' + item.replace('"', '""') + '"'


def _filled(items: Sequence[str]) -> list[str]:
    return [item.strip() for item in items if item.strip()]


# -- numbers -----------------------------------------------------------------------------------------------------------


def read_numbers(items: Sequence[str], *, whole: bool, one: Callable[[str], Decimal | None]) -> list[Decimal]:
    """The numbers that items stand for, with ranges and dots expanded. Raises ItemError.

    `whole`: only whole numbers; evenly spaced values are truncated to whole ones. `one(item)` may parse an item in
    its own way (a random seed); if it returns None, the common syntax applies.
    """
    found: list[Decimal] = []
    dots: tuple[str, Decimal] | None = None
    for item in items:
        if item in DOTS:
            if len(found) < 2:
                raise ItemError(f"“{item}” needs two values before it, as in 2, 4, .., 10")
            if dots:
                raise ItemError(f"“{item}” stands twice; write a value between")
            dots = (item, found[-1] - found[-2])
            continue
        own = one(item)
        values = [own] if own is not None else _span_or_one(item, whole)
        if dots:
            found += _filled_in(found[-1], values[0], dots[1], dots[0])
            dots = None
        found += values
        if len(found) > MAX_VALUES:
            raise ItemError(f"more than {MAX_VALUES:,} values; a grid has {MAX_VALUES:,} cells at most")
    if dots:
        raise ItemError(f"“{dots[0]}” needs a value after it, as in 2, 4, .., 10")
    return found


def _span_or_one(item: str, whole: bool) -> list[Decimal]:
    if _ONE.fullmatch(item):
        return [_number(item, item, whole)]
    span = _SPAN.fullmatch(item)
    if span is None:
        raise ItemError(f"“{_short(item)}” is not a number or a range such as 1-5, 1-5 (+2) or 1-10 [5]")
    first, last = (_number(span[name], item, whole) for name in ("first", "last"))
    if span["count"] is not None:
        return _evenly(first, last, int(span["count"]), whole, item)
    step = _number(span["step"], item, whole) if span["step"] else Decimal(1 if first <= last else -1)
    return _steps(first, last, step, item)


def _number(text: str, item: str, whole: bool) -> Decimal:
    number = Decimal(text)
    if whole and number != number.to_integral_value():
        raise ItemError(f"{text} is not a whole number" + (f" (in “{_short(item)}”)" if item != text else ""))
    return number


def _steps(first: Decimal, last: Decimal, step: Decimal, item: str) -> list[Decimal]:
    """From first in steps, never past last."""
    if step == 0 or (last - first) * step < 0:
        raise ItemError(
            f"“{_short(item)}” goes nowhere: from {first:f} in steps of {step:+f} one never comes to {last:f}"
        )
    count = int((last - first) / step) + 1
    if count > MAX_VALUES:
        raise ItemError(f"“{_short(item)}” makes {count:,} values; a grid has {MAX_VALUES:,} cells at most")
    return [first + step * place for place in range(count)]


def _evenly(first: Decimal, last: Decimal, count: int, whole: bool, item: str) -> list[Decimal]:
    """`count` evenly spaced values, both ends included; `whole`: truncated, as in common X/Y/Z plot scripts."""
    if not 1 <= count <= MAX_VALUES:
        raise ItemError(f"“{_short(item)}” makes {count:,} values; 1 to {MAX_VALUES:,} can be made")
    if count == 1:
        return [first]
    spread = [first + (last - first) * place / (count - 1) for place in range(count)]
    if whole:
        return [Decimal(int(value)) for value in spread]
    return [round(value, 4).normalize() for value in spread]


def _filled_in(before: Decimal, end: Decimal, step: Decimal, dots: str) -> list[Decimal]:
    """What the dots stand for: the values after `before` that come before `end`."""
    if step == 0 or (end - before) * step <= 0:
        raise ItemError(f"“{dots}” goes nowhere: from {before:f} in steps of {step:+f} one never comes to {end:f}")
    whole_steps = int((end - before) / step)
    count = whole_steps if before + step * whole_steps != end else whole_steps - 1
    if count > MAX_VALUES:
        raise ItemError(f"“{dots}” makes {count:,} values; a grid has {MAX_VALUES:,} cells at most")
    return [before + step * place for place in range(1, count + 1)]


def _short(text: str) -> str:
    return text if len(text) <= 40 else f"{text[:40]}…"
