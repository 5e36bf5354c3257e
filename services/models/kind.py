"""Kind: what a parameter is, as one object for the whole program. A model's parameters each have one.

A kind says how its parameters are stored, typed, shown, varied, searched and written to files. The rest of the program
asks it and never looks at its name, so that a new kind is a new subclass in `services/models/kinds/` and no other edit.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from services.issues import plain
from services.models.conditions import Condition


@dataclass(frozen=True)
class Component:
    """A control on the page as plain data: the name of a Gradio component, and its arguments but for the label."""

    type: str
    options: Mapping[str, Any] = field(default_factory=dict)
    classes: tuple[str, ...] = ()
    """CSS classes in place of the kind's own."""


class Kind(ABC):
    """Stateless: parameters of the same kind share one object."""

    name: ClassVar[str]
    """For style sheets and scripts: a control has the class `pg-<name>-field`."""
    is_long: ClassVar[bool] = False
    """Whether values are whole texts: too long for headings, tables and sentences, and one a line as an axis."""
    rank: ClassVar[int] = 0
    """Place in labels that name what differs, smallest first: chosen values, then texts, then seeds."""

    # -- what is stored ------------------------------------------------------------------------------------------------

    @abstractmethod
    def fits(self, value: Any) -> bool:
        """Whether a JSON value has this kind's type, whatever the range."""

    def compared(self, value: Any) -> Hashable:
        """Equal for values that ask for the same."""
        found: Hashable = value
        return found

    # -- the page and the API --------------------------------------------------------------------------------------

    @abstractmethod
    def component(self, parameter: Parameter) -> Component:
        """The control on the page, set to the default."""

    @abstractmethod
    def api_type(self, parameter: Parameter) -> Any:
        """Type annotation of the API's argument."""

    def allowed(self, parameter: Parameter) -> str:
        """The allowed values in words, for error messages and the API's help: `2 to 50`, `jpeg, png`."""
        return ", ".join(parameter.choices)

    # -- words -----------------------------------------------------------------------------------------------------

    def words(self, value: Any) -> str:
        """A value as people read it: `28`, `on`, `1024 × 768`."""
        return in_words(value)

    def label(self, parameter: Parameter, value: Any) -> str:
        """Value and short name, for captions and headings: `28 steps`, `guidance 3.5`."""
        return f"{parameter.short} {self.words(value)}"

    # -- an axis of a grid -----------------------------------------------------------------------------------------

    def axis_values(self, parameter: Parameter, items: list[Any]) -> list[Any]:
        """Items as they are typed → JSON values, which the model's own rules then check. Raises ItemError."""
        return [str(item).strip() for item in items]

    def axis_item(self, value: Any) -> str:
        """A value as an item that `axis_values` reads."""
        return str(value)

    # -- search ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def condition(self, text: str, choices: tuple[str, ...]) -> Condition:
        """What is typed after the field's name and a colon. `choices`: the values that a choice has and had. Raises
        Unreadable."""

    def examples(self, parameter: Parameter) -> tuple[str, ...]:
        """Texts that `condition` reads, for messages and suggestions."""
        return parameter.choices

    # -- files -----------------------------------------------------------------------------------------------------

    def from_file(self, value: Any) -> Any:
        """A value of another tool's file, as the model's rules take it: those texts may be numbers."""
        if isinstance(value, str | int | float | dict):
            return value
        return type(value).__name__  # a list or another type that no parameter accepts: refused by the rules

    def to_file(self, value: Any) -> str:
        """A value in a picture's `parameters` text."""
        return in_words(value)

    def csv_cells(self, parameter: Parameter) -> dict[str, Callable[[Any], Any]]:
        """Column heading → function that gives the cell for a value, which may be None."""
        return {parameter.key_name: lambda value: value}


@dataclass(frozen=True)
class Control:
    """In the annotation of a request's field: its kind, the step of its control, and a short name for captions."""

    kind: Kind
    short: str
    step: float | None = None


@dataclass(frozen=True)
class Parameter:
    """One field of a request, as the rest of the program sees it."""

    name: str
    label: str
    help: str
    kind: Kind
    short: str
    default: Any
    """None where the field has no default (prompt) or may stay unset (seed)."""
    required: bool
    minimum: float | None
    maximum: float | None
    longest: int | None
    """Most characters of a text."""
    step: float | None
    choices: tuple[str, ...]
    annotation: Any
    aliases: tuple[str, ...]
    """Names that it had before: stored settings are read under them too."""
    key_name: str
    """Its name in keys and exports, the oldest one: it stays when a parameter is renamed."""

    @property
    def range_text(self) -> str:
        return self.kind.allowed(self)


def in_words(value: Any) -> str:
    """A value as people read it: `on` for True, `3.5`, `28`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return plain(value) if isinstance(value, float) else str(value)
