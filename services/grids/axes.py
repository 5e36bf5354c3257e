"""Axes of a grid: which parameter takes which values, read from what people type and checked by the model's own rules.

Any parameter of a model can be an axis, and so can search and replace in the prompt (`prompt_sr`). Its items are
texts, of which the first is the text to find and the baseline (`cat, dog, wolf`), or pairs (`cat=dog, red=blue`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict

from services.errors import FieldIssue, InvalidRequest
from services.models.axis_syntax import MAX_VALUES, ItemError, join_items, split_items
from services.models.generation_request import PROMPT_MAX
from services.models.kind import Parameter
from services.models.registry import NAMES, PARAMETERS
from services.request import parse_value, short_name, value_text
from services.stored import AnyRequest

SEARCH_REPLACE = "prompt_sr"
AXIS_LABELS = {name: parameter.label for name, parameter in PARAMETERS.items()} | {SEARCH_REPLACE: "Prompt S/R"}
"""What can be an axis, by name, and what it is called."""
MAX_CHARACTERS = 50_000
"""Most characters in the text of an axis' values; whole prompts may be long."""
ISSUES_SHOWN = 3


class Axis(BaseModel):
    """One axis. `values` are plain JSON: numbers, booleans, texts, `{"width", "height"}`, or `{"find", "replace"}`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    field: Annotated[str, AfterValidator(lambda name: NAMES.get(name, name))]
    """A parameter's name, or SEARCH_REPLACE. One that the model has no more can still be read."""
    values: tuple[Any, ...]
    duplicates: tuple[str, ...] = ()
    """Values that were given twice and are kept once, as words."""

    @property
    def label(self) -> str:
        return AXIS_LABELS.get(self.field, self.field)

    @property
    def short(self) -> str:
        """What stands before a value in a heading: `steps`; nothing where the value speaks for itself."""
        if self.field in (SEARCH_REPLACE, "prompt"):
            return ""
        return short_name(self.field)

    @property
    def key_name(self) -> str:
        """Its field's name in exports, which never changes."""
        return PARAMETERS[self.field].key_name if self.field in PARAMETERS else self.field

    def value_label(self, place: int) -> str:
        return value_words(self.field, self.values[place])

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(self.value_label(place) for place in range(len(self.values)))

    def apply(self, settings: dict[str, Any], place: int) -> dict[str, Any]:
        """Settings with this axis' value at `place` (from 0) put in."""
        value = self.values[place]
        if self.field == SEARCH_REPLACE:
            return {**settings, "prompt": self._replaced(settings["prompt"], **value)}
        return {**settings, self.field: value}

    def _replaced(self, prompt: str, find: str, replace: str, baseline: bool = False) -> str:
        """Raises InvalidRequest, before the text is made, where it would be long beyond anything that can be asked."""
        length = len(prompt) + prompt.count(find) * (len(replace) - len(find))
        if length > 2 * PROMPT_MAX:
            many = f"{length:,} characters are too many; at most {PROMPT_MAX:,} are allowed."
            raise _invalid(self.field, f"{self.label}: {AXIS_LABELS['prompt']}: {many}")
        return prompt.replace(find, replace)


def parse_axis(field: str, values: str | Sequence[Any], base: AnyRequest) -> Axis:
    """Parse an axis: a text in the syntax of axis_syntax.py, or a list in which a text is one item of that syntax.

    Raises InvalidRequest that names axis and item.
    """
    if field not in AXIS_LABELS:
        raise _invalid(field, f"{field!r} cannot be an axis. Axes are {', '.join(AXIS_LABELS)}.")
    label = AXIS_LABELS[field]
    if not _is_whole(values):
        raise _invalid(field, f"{label}: half a character (a lone surrogate) stands in it. Write whole characters.")
    try:
        found = _values(field, _items(field, values), base)
    except ItemError as error:
        raise _invalid(field, f"{label}: {error}.") from error
    if not found:
        raise _invalid(field, f"{label}: no values. Write at least one.")
    kept, duplicates = _once(field, found)
    return Axis(field=field, values=kept, duplicates=duplicates)


def _is_whole(values: Any) -> bool:
    """Whether all texts in it can be kept: a lone surrogate cannot."""
    if isinstance(values, str):
        return values.isascii() or not any("\ud800" <= character <= "\udfff" for character in values)
    if isinstance(values, list | tuple):
        return all(map(_is_whole, values))
    return not isinstance(values, dict) or all(_is_whole([name, value]) for name, value in values.items())


def read_axis(data: Any) -> Axis:
    """An axis that a program of this kind wrote, from untrusted data: its values are read by their types. Raises
    ItemError or ValueError."""
    axis = Axis.model_validate(data)
    if not 1 <= len(axis.values) <= MAX_VALUES:
        raise ItemError(f"an axis has 1 to {MAX_VALUES:,} values")
    if not all(_is_stored(axis.field, value) for value in axis.values):
        raise ItemError(f"{axis.label} holds what is no value of it")
    return axis


def _is_stored(field: str, value: Any) -> bool:
    if field == SEARCH_REPLACE:
        names = value.keys() - {"baseline"} if isinstance(value, dict) else ()
        return names == {"find", "replace"} and all(isinstance(value[name], str) for name in names) and value["find"]
    if field in PARAMETERS:
        return PARAMETERS[field].kind.fits(value)
    return isinstance(value, str | int | float | dict)


def value_words(field: str, value: Any) -> str:
    """A value as headings show it: `28`, `1024 × 768`, `on`, `cat → dog`."""
    if field == SEARCH_REPLACE:
        return value["replace"] if value.get("baseline") else f"{value['find']} → {value['replace'] or '∅'}"
    return value_text(field, value)


def axis_text(axis: Axis) -> str:
    """The axis as text that `parse_axis` reads back. Raises ItemError if only a list can express it."""
    if axis.field == SEARCH_REPLACE:
        if axis.values[0].get("baseline"):
            return join_items([value["replace"] for value in axis.values])
        return join_items([f"{value['find']}={value['replace']}" for value in axis.values])
    kind = PARAMETERS[axis.field].kind if axis.field in PARAMETERS else None
    return join_items([kind.axis_item(value) if kind else str(value) for value in axis.values])


def editable(axis: Axis) -> str:
    """The axis as text for an input field; one value a line if only a list can express it."""
    try:
        return axis_text(axis)
    except ItemError:
        return "\n".join(axis.labels)


def _invalid(field: str, message: str) -> InvalidRequest:
    return InvalidRequest((FieldIssue(field=field, message=message),))


def _items(field: str, values: str | Sequence[Any]) -> list[Any]:
    if isinstance(values, str):
        if len(values) > MAX_CHARACTERS:
            raise ItemError(f"{len(values):,} characters are too many; {MAX_CHARACTERS:,} are allowed")
        return split_items(values, by_line=field in PARAMETERS and PARAMETERS[field].kind.is_long)
    if not isinstance(values, list | tuple):
        raise ItemError("values are a text or a list")
    if len(values) > MAX_VALUES:
        raise ItemError(f"{len(values):,} values are too many; a grid has {MAX_VALUES:,} cells at most")
    return list(values)


def _values(field: str, items: list[Any], base: AnyRequest) -> list[Any]:
    if field == SEARCH_REPLACE:
        return _replacements(items, base.prompt)
    parameter = PARAMETERS[field]
    return _checked(parameter, parameter.kind.axis_values(parameter, items), base.model)


# -- items → values ----------------------------------------------------------------------------------------------------


def _replacements(items: list[Any], prompt: str) -> list[Any]:
    if items and all(isinstance(item, dict) for item in items):  # as a plan stores them
        pairs = [{**item, "find": str(item.get("find", "")), "replace": str(item.get("replace", ""))} for item in items]
        baseline = all(item.get("baseline") is True for item in items)
    else:
        texts = [str(item) for item in items]
        baseline = not all("=" in text.lstrip("=") for text in texts) or (bool(texts) and texts[0] in prompt)
        split = [(texts[0], text) if baseline else tuple(text.split("=", 1)) for text in texts]
        pairs = [{"find": find if baseline else find.strip(), "replace": new} for find, new in split]
    for pair in pairs:
        if not pair["find"]:
            raise ItemError("an item has no text to find")
    return [
        {"find": pair["find"], "replace": pair["replace"], **({"baseline": True} if baseline else {})} for pair in pairs
    ]


def check_found(axis: Axis, prompts: Sequence[str]) -> None:
    """Raise InvalidRequest if a text to find is missing in one of the prompts that the grid starts from."""
    for value in axis.values:
        for prompt in prompts:
            if value["find"] not in prompt:
                where = "the prompt" if len(prompts) == 1 else f"the prompt “{prompt[:60]}”"
                raise _invalid(axis.field, f"{axis.label}: “{value['find'][:60]}” is not in {where}.")


# -- rules -------------------------------------------------------------------------------------------------------------


def _checked(parameter: Parameter, values: list[Any], model: str) -> list[Any]:
    """The values as requests for the model hold them. Raises InvalidRequest with the first ISSUES_SHOWN faults."""
    found, issues = [], []
    for value in values:
        try:
            found.append(parse_value(parameter.name, value, model))
        except InvalidRequest as error:
            said = str(error)
            issues.append(said if said.startswith(parameter.label) else f"{parameter.label}: {said}")
    if issues:
        different = list(dict.fromkeys(issues))
        more = f" And {len(different) - ISSUES_SHOWN} more." if len(different) > ISSUES_SHOWN else ""
        raise _invalid(parameter.name, " ".join(different[:ISSUES_SHOWN]) + more)
    return found


def _once(field: str, values: list[Any]) -> tuple[tuple[Any, ...], tuple[str, ...]]:
    """(values without repetitions, the repeated ones in words)."""
    kept: dict[str, Any] = {}
    twice: dict[str, None] = {}
    for value in values:
        same = value_words(field, value) if field == SEARCH_REPLACE else repr(PARAMETERS[field].kind.compared(value))
        if same in kept:
            twice[value_words(field, value)] = None
        kept.setdefault(same, value)
    return tuple(kept.values()), tuple(twice)
