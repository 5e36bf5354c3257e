"""A grid's plan: one frozen request, one to three axes, and the cells that follow from them. Pure.

A cell's key is made from its request, not from its place: swapped axes need no new pictures, and a value added to an
axis needs only those of the new cells. Cells with equal requests share one picture.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from services.errors import FieldIssue, InvalidRequest
from services.grids.axes import AXIS_LABELS, SEARCH_REPLACE, Axis, check_found, parse_axis
from services.grids.axis_syntax import ItemError
from services.request import GenerationRequest, parse_request, random_seed

MAX_CELLS = 1000
ASK_ABOVE = 50
"""More new pictures than this need a confirmation."""
SLOTS = ("x", "y", "z")
Typed = Sequence[tuple[str, str | Sequence[Any]]]
"""Axes as they are typed or stored in a file: (field, text or list of values)."""
_as_text = json.JSONEncoder(sort_keys=True, ensure_ascii=False).encode
Place = tuple[int, int, int]
"""Indexes from 0 on x, y and z; 0 on an axis that is not there."""


@dataclass(frozen=True)
class Cell:
    place: Place
    request: GenerationRequest
    """With the seed set."""
    key: str
    """64 hex digits, the same for equal requests."""


class GridPlan(BaseModel):
    """What a grid compares. Stored as JSON in the history, and in exported files from which it can be read again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    base: GenerationRequest
    """With the seed set: one for all cells, unless seed is an axis."""
    axes: tuple[Axis, ...]
    """x, y, z: one to three."""
    origin: str | None = None
    """The id of the run that the base was taken from; None where it was taken from the controls."""

    @property
    def title(self) -> str:
        return " × ".join(axis.label for axis in self.axes)

    @property
    def size(self) -> tuple[int, ...]:
        """How many values each axis has."""
        return tuple(len(axis.values) for axis in self.axes)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """All cells, row by row: x varies fastest, then y, then z."""
        found = []
        lengths = [*self.size, 1, 1][:3]
        start = self.base.model_dump(mode="json")
        # Search and replace works on the cell's own prompt, so an axis of prompts is applied before it.
        slots = sorted(enumerate(self.axes), key=lambda slot: slot[1].field == SEARCH_REPLACE)
        for z, y, x in product(*(range(length) for length in reversed(lengths))):
            place, settings = (x, y, z), start
            for slot, axis in slots:
                settings = axis.apply(settings, place[slot])
            request = self._request(settings)
            found.append(Cell(place, request, key_of(request)))
        return tuple(found)

    @cached_property
    def requests(self) -> dict[str, GenerationRequest]:
        """Key → request, each once, in the order of the cells."""
        return {cell.key: cell.request for cell in self.cells}

    def _request(self, settings: dict[str, Any]) -> GenerationRequest:
        """Raises InvalidRequest: search and replace can make a prompt empty or too long, though each value is valid."""
        try:
            return parse_request(settings)
        except InvalidRequest as error:
            replaced = next((axis for axis in self.axes if axis.field == SEARCH_REPLACE), None)
            if replaced is None or error.issues[0].field != "prompt":
                raise
            raise _invalid(f"{replaced.label}: {error.issues[0].message}", replaced.field) from error


def key_of(request: GenerationRequest) -> str:
    return hashlib.sha256(_as_text(request.model_dump(mode="json")).encode()).hexdigest()


def parse_axes(typed: Typed, base: GenerationRequest) -> tuple[Axis, ...]:
    """The axes of one plan, each read once. Raises InvalidRequest: `field` is the axis, or `grid`."""
    _check_fields([field for field, _ in typed])
    return tuple(parse_axis(field, values, base) for field, values in typed)


def make_plan(base: GenerationRequest, axes: Sequence[Axis], origin: str | None = None) -> GridPlan:
    """A plan of axes that were parsed before. Raises InvalidRequest: `field` is the axis, or `grid`."""
    _check_fields([axis.field for axis in axes])
    fixed = base if base.seed is not None else base.vary(seed=random_seed())
    return checked(GridPlan(base=fixed, axes=tuple(axes), origin=origin))


def parse_plan(base: GenerationRequest, typed: Typed, origin: str | None = None) -> GridPlan:
    """A plan of axes as they are typed. Raises InvalidRequest: `field` is the axis, or `grid`."""
    return make_plan(base, parse_axes(typed, base), origin)


def read_plan(data: Any) -> GridPlan:
    """A plan from untrusted data, such as a file: each value is checked again. Raises InvalidRequest."""
    try:
        axes = [(str(axis["field"]), axis["values"]) for axis in data["axes"]]
        return parse_plan(parse_request(dict(data["base"])), axes)
    except (KeyError, TypeError, ValueError, ValidationError, ItemError) as error:
        raise _invalid("This holds no plan of a grid that can be read.") from error


def checked(plan: GridPlan) -> GridPlan:
    count = prod(plan.size)
    if count > MAX_CELLS:
        sizes = " × ".join(map(str, plan.size))
        raise _invalid(f"{sizes} = {count:,} cells are too many; {MAX_CELLS:,} are allowed. Take some values away.")
    prompts = next((axis.values for axis in plan.axes if axis.field == "prompt"), (plan.base.prompt,))
    for axis in plan.axes:
        if axis.field == SEARCH_REPLACE:
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
