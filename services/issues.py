"""Error messages for settings that break a rule: each names the control, the value and what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from services.errors import FieldIssue

Allowed = Mapping[str, tuple[str, str]]
"""Field name, or `width`/`height` of a custom size → (label, the allowed values in words)."""


def issues_of(error: ValidationError, allowed: Allowed) -> tuple[FieldIssue, ...]:
    """The first issue of each field at fault, in the order of Pydantic's errors."""
    found: dict[str, FieldIssue] = {}
    for detail in error.errors(include_url=False):
        path = [str(part) for part in detail["loc"]]
        issue = _issue(path, detail, allowed)
        found.setdefault(issue.field, issue)
    return tuple(found.values())


def _issue(path: list[str], detail: Any, allowed: Allowed) -> FieldIssue:
    kind, value, context = detail["type"], detail["input"], detail.get("ctx", {})
    if not path:  # a name that no field can have, such as half a character
        return FieldIssue(field="request", message=f"The settings cannot be read: {detail['msg']}.")
    field = path[-1] if path[0] == "image_size" and path[-1] in allowed else path[0]
    if kind in ("width", "height", "megapixels"):
        return FieldIssue(field="image_size" if kind == "megapixels" else kind, message=detail["msg"])
    names = [name for name in allowed if name not in ("width", "height")]
    if path[0] not in names:
        message = f"There is no parameter called {_shown(path[0])}. Known are: {', '.join(names)}."
        return FieldIssue(field=path[0], message=message)
    label, values = allowed[field]
    if kind == "extra_forbidden" and path[0] == "image_size":
        message = f"Image size: there is no {_shown(path[-1])}; give width and height."
        return FieldIssue(field="image_size", message=message)
    if kind == "missing":
        return FieldIssue(field=field, message=f"{label} is missing.")
    if kind in ("empty", "nul", "surrogate"):
        return FieldIssue(field=field, message=detail["msg"])
    return FieldIssue(field=field, message=f"{label}: {_fault(kind, value, context, values)}")


def _fault(kind: str, value: Any, context: dict[str, Any], allowed: str) -> str:
    if kind == "greater_than_equal":
        return f"{_shown(value)} is below {context['ge']:g}. Allowed are {allowed}."
    if kind == "less_than_equal":
        return f"{_shown(value)} is above {plain(context['le'])}. Allowed are {allowed}."
    if kind == "string_too_long":
        return f"{len(value):,} characters are too many; at most {context['max_length']:,} are allowed."
    if kind == "string_type":
        return f"{_shown(value)} is no text. Allowed are {allowed}."
    if kind in ("int_from_float", "int_parsing") and isinstance(value, float):
        return f"{_shown(value)} is not a whole number. Allowed are {allowed}."
    if kind.startswith(("int_", "float_", "not_a_number", "finite")):
        return f"{_shown(value)} is not a number. Allowed are {allowed}."
    return f"{_shown(value)} is not one of the choices. Allowed are {allowed}."


def plain(number: float) -> str:
    """3.0 as `3`, 3.5 as `3.5`."""
    return str(int(number)) if number == int(number) else str(number)


def _shown(value: Any) -> str:
    """A value as a short piece of text for a message; long ones are cut."""
    if isinstance(value, float) and value == value and abs(value) != float("inf"):
        return plain(value)
    if isinstance(value, int | float):
        return str(value)
    text = str(value)
    return f"“{text[:40]}…”" if len(text) > 40 else f"“{text}”"
