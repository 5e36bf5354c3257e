"""A grid's plan: one frozen request, one to three axes, and the cells that follow from them. Pure.

A cell's key is made from its request, not from its place: swapped axes need no new pictures, and a value added to an
axis needs only those of the new cells. Cells with equal requests share one picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

from pydantic import (
    BaseModel,
    ConfigDict,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
    model_validator,
)

from services import keys
from services.errors import FieldIssue, InvalidRequest
from services.grids.axes import AXIS_LABELS, SEARCH_REPLACE, Axis, check_found, parse_axis, read_axis
from services.keys import DEFAULT_MODEL
from services.models import registry
from services.models.axis_syntax import ItemError
from services.models.generation_request import GenerationRequest
from services.models.kinds.integer import random_seed
from services.stored import AnyRequest, StoredRequest, check_types, model_id, of_its_model

MAX_CELLS = 1000
ASK_ABOVE = 50
"""More new pictures than this need a confirmation."""
NAME_MAX = 100
"""Characters of a grid's name."""
SLOTS = ("x", "y", "z")
Typed = Sequence[tuple[str, str | Sequence[Any]]]
"""Axes as they are typed or stored in a file: (field, text or list of values)."""
Place = tuple[int, int, int]
"""Indexes from 0 on x, y and z; 0 on an axis that is not there."""


@dataclass(frozen=True)
class Cell:
    place: Place
    request: StoredRequest
    """With the seed set."""
    key: str
    """64 hex digits, the same for equal requests."""


class GridPlan(BaseModel):
    """What a grid compares. Stored as JSON in the history, and in exported files from which it can be read again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = DEFAULT_MODEL
    """The base's model."""
    base: StoredRequest
    """With the seed set: one for all cells, unless seed is an axis."""
    axes: tuple[Axis, ...]
    """x, y, z: one to three."""
    origin: str | None = None
    """The id of the run that the base was taken from; None where it was taken from the controls."""
    name: str = ""
    """What its owner calls it; empty where it is called by its axes."""

    @model_validator(mode="before")
    @classmethod
    def _of_its_model(cls, values: Any) -> Any:
        return of_its_model(values, "base")

    @model_serializer(mode="wrap")
    def _without_default_model(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As the first version of the program wrote plans, where it can read them."""
        return self._named(write(self))

    @property
    def title(self) -> str:
        return self.name or " × ".join(axis.label for axis in self.axes)

    def named(self, name: str) -> GridPlan:
        """The same plan under another name; "" is none. Raises InvalidRequest if the name is too long."""
        name = " ".join(name.split())
        if len(name) > NAME_MAX:
            raise _invalid(f"The name has {len(name)} characters. Allowed are {NAME_MAX}.", "name")
        return self.model_copy(update={"name": name})

    @property
    def size(self) -> tuple[int, ...]:
        """How many values each axis has."""
        return tuple(len(axis.values) for axis in self.axes)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, row by row: x varies fastest, then y, then z."""
        found = []
        lengths = [*self.size, 1, 1][:3]
        base, start = self.base, dict(self.base.kept)
        changes_model = not {axis.field for axis in self.axes} <= {SEARCH_REPLACE, *base.values}
        # Search and replace works on the cell's own prompt, so an axis of prompts is applied before it.
        slots = sorted(enumerate(self.axes), key=lambda slot: slot[1].field == SEARCH_REPLACE)
        for z, y, x in product(*(range(length) for length in reversed(lengths))):
            place, settings = (x, y, z), start
            for slot, axis in slots:
                settings = axis.apply(settings, place[slot])
            model = registry.model_for(settings, base.model).id if changes_model else base.model
            request = StoredRequest(settings, model)
            found.append(Cell(place, request, request.key))
        return tuple(found)

    @cached_property
    def requests(self) -> dict[str, StoredRequest]:
        """Key → request, each once, in the order of the cells."""
        return {cell.key: cell.request for cell in self.cells}

    def asked(self, keys: Iterable[str]) -> dict[str, GenerationRequest]:
        """Key → request, to be asked for now. Raises InvalidRequest: a plan may be older than today's ranges, and
        search and replace can make a prompt empty or too long though each of its values is valid."""
        return {key: self._asked(self.requests[key]) for key in keys}

    def _asked(self, request: StoredRequest) -> GenerationRequest:
        try:
            return request.asked()
        except InvalidRequest as error:
            replaced = next((axis for axis in self.axes if axis.field == SEARCH_REPLACE), None)
            if replaced is None or error.issues[0].field != "prompt":
                raise
            raise _invalid(f"{replaced.label}: {error.issues[0].message}", replaced.field) from error

    def written(self) -> dict[str, Any]:
        """JSON for exports, under names that never change."""
        axes = [{**axis.model_dump(mode="json"), "field": axis.key_name} for axis in self.axes]
        return self._named({"model": self.model, "base": self.base.written(), "axes": axes, "origin": self.origin,
                            "name": self.name})  # fmt: skip

    @staticmethod
    def _named(written: dict[str, Any]) -> dict[str, Any]:
        """A plan in JSON, without the model where it is the one of plans that name none, and without an empty name."""
        usual = (("model", DEFAULT_MODEL), ("name", ""))
        return {name: value for name, value in written.items() if (name, value) not in usual}

    @property
    def format(self) -> int:
        """Of `written`: 1 where a program that knows the settings of keys.BASE only can read it, else 2."""
        known = all(axis.field == SEARCH_REPLACE or axis.key_name in keys.BASE for axis in self.axes)
        return 1 if known and self.base.is_first else 2


def parse_axes(typed: Typed, base: AnyRequest) -> tuple[Axis, ...]:
    """The axes of one plan, each read once. Raises InvalidRequest: `field` is the axis, or `grid`."""
    _check_fields([field for field, _ in typed])
    return tuple(parse_axis(field, values, base) for field, values in typed)


def make_plan(base: AnyRequest, axes: Sequence[Axis], origin: str | None = None) -> GridPlan:
    """A plan of axes that were parsed before. Raises InvalidRequest: `field` is the axis, or `grid`."""
    _check_fields([axis.field for axis in axes])
    fixed = StoredRequest.read(base)
    fixed = fixed if fixed.seed is not None else fixed.but(seed=random_seed())
    return checked(GridPlan(base=fixed, axes=tuple(axes), origin=origin))


def parse_plan(base: AnyRequest, typed: Typed, origin: str | None = None) -> GridPlan:
    """A plan of axes as they are typed. Raises InvalidRequest: `field` is the axis, or `grid`."""
    return make_plan(base, parse_axes(typed, base), origin)


def read_plan(data: Any) -> GridPlan:
    """A plan that a program of this kind wrote, from untrusted data such as a file: read by its types, as what is kept
    is. Whether its cells can be asked for today is not looked at. Raises InvalidRequest."""
    try:
        base = check_types(StoredRequest.read(data["base"], model_id(data.get("model", DEFAULT_MODEL))))
        axes = [read_axis(axis) for axis in data["axes"]]
        _check_fields([axis.field for axis in axes])
        plan = checked(GridPlan(base=base, axes=tuple(axes)), replaced=False).named(str(data.get("name", "")))
        _ = plan.cells
        return plan
    except (KeyError, TypeError, ValueError, ValidationError, ItemError) as error:
        raise _invalid("This holds no plan of a grid that can be read.") from error


def checked(plan: GridPlan, *, replaced: bool = True) -> GridPlan:
    """The plan, where it has not too many cells and, with `replaced`, its prompts hold what is to be replaced. Raises
    InvalidRequest."""
    count = prod(plan.size)
    if count > MAX_CELLS:
        sizes = " × ".join(map(str, plan.size))
        raise _invalid(f"{sizes} = {count:,} cells are too many; {MAX_CELLS:,} are allowed. Take some values away.")
    prompts = next((axis.values for axis in plan.axes if axis.field == "prompt"), (plan.base.prompt,))
    for axis in plan.axes:
        if axis.field == SEARCH_REPLACE and replaced:
            check_found(axis, prompts)
    return plan


def _check_fields(fields: Sequence[str]) -> None:
    if not fields:
        raise _invalid("Choose an axis and write its values.")
    if len(fields) > len(SLOTS):
        raise _invalid(f"A grid has {len(SLOTS)} axes at most, not {len(fields)}.")
    for place, field in enumerate(fields):
        if field != SEARCH_REPLACE and field in fields[:place]:
            label = AXIS_LABELS.get(field, field)
            raise _invalid(f"{label} stands on two axes. Choose another parameter for one of them.", field)


def _invalid(message: str, field: str = "grid") -> InvalidRequest:
    return InvalidRequest((FieldIssue(field=field, message=message),))
