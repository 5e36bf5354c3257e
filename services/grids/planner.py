"""How many pictures running a grid's plan would make, how long it would take and what it would cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from services.engines.registry import Engines
from services.errors import ConfirmNeeded, FieldIssue, InvalidRequest
from services.grids.axes import Axis, parse_axis
from services.grids.grid import Grid
from services.grids.pace import FAL_AT_ONCE, Pace, pace_of
from services.grids.plan import ASK_ABOVE, GridPlan, Typed, make_plan
from services.intake.pricing import Prices
from services.keys import DEFAULT_MODEL
from services.library.history import History
from services.library.scope import Scope
from services.models import registry
from services.models.generation_request import GenerationRequest
from services.models.registry import steps_of
from services.run import Engine, KeyOf
from services.settings import Settings
from services.stored import AnyRequest

LATELY = 60
"""Number of latest pictures from which the pace is measured."""


@dataclass(frozen=True)
class AxisPreview:
    """One typed axis: parsed, or with the sentence that says why it cannot be, or be run with the others."""

    field: str
    axis: Axis | None
    fault: str = ""


@dataclass(frozen=True)
class Preview:
    """What running a plan would make and cost."""

    plan: GridPlan | None
    axes: tuple[AxisPreview, ...]
    issues: tuple[FieldIssue, ...] = ()
    """Why axes that could be parsed cannot be run together: `field` is the axis at fault, or `grid`."""
    cells: int = 0
    made: int = 0
    """Cells that have a picture already."""
    new: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    engine: Engine = "demo"
    asks: bool = False
    """Whether the user has to confirm it."""

    @property
    def fault(self) -> str:
        return " ".join(issue.message for issue in self.issues)


def preview_axes(typed: Typed, base: AnyRequest) -> tuple[AxisPreview, ...]:
    """Typed axes, each parsed once. Takes some 10 ms for a thousand values: call it in a thread."""
    return tuple(_preview_axis(field, values, base) for field, values in typed)


def _preview_axis(field: str, values: str | Sequence[object], base: AnyRequest) -> AxisPreview:
    try:
        return AxisPreview(field, parse_axis(field, values, base))
    except InvalidRequest as error:
        return AxisPreview(field, None, str(error))


class Planner:
    def __init__(
        self,
        history: History,
        engines: Engines,
        prices: Prices,
        settings: Settings,
        scope: Callable[[str | None], Scope],
    ) -> None:
        self._history, self._engines, self._prices = history, engines, prices
        self._settings, self._scope = settings, scope

    async def preview(
        self,
        visitor: str | None,
        base: AnyRequest,
        axes: Sequence[AxisPreview],
        *,
        grid: Grid | None = None,
        reuse: bool = True,
    ) -> Preview:
        """What running the plan would make. Not made again: cells of `grid`; with `reuse`, any earlier picture.

        Faults in typed axes are returned, not raised.
        """
        read = [one.axis for one in axes if one.axis]
        if not read or len(read) < len(axes):
            return Preview(None, tuple(axes))
        try:
            plan = await self._history.pools.sums(_with_cells, base, read)
        except InvalidRequest as error:
            return _at_fault(axes, error)
        engine, key_of = self._engines.choose(visitor)
        scope = self._scope(visitor)

        def count() -> Preview:
            there = self._there(plan, grid, scope, engine if reuse else None)
            new = [*plan.asked(key for key in plan.requests if key not in there).values()]
            return Preview(
                plan=plan,
                axes=tuple(axes),
                cells=len(plan.requests),
                made=len(there),
                new=len(new),
                cost_usd=self._cost(engine, new),
                seconds=self._pace(visitor, engine, key_of, base.model).seconds([steps_of(request) for request in new]),
                engine=engine,
                asks=len(new) > ASK_ABOVE,
            )

        try:
            return await self._history.pools.reads(count)
        except InvalidRequest as error:
            return _at_fault(axes, error)

    async def there(
        self, visitor: str | None, plan: GridPlan, grid: Grid | None = None, *, reuse: bool = True
    ) -> dict[str, str]:
        """Cell key → run id, for cells that need no new run: the grid's own, and with `reuse` any earlier picture."""
        engine, _ = self._engines.choose(visitor)
        return await self._history.pools.reads(self._there, plan, grid, self._scope(visitor), engine if reuse else None)

    def _there(self, plan: GridPlan, grid: Grid | None, scope: Scope, engine: Engine | None) -> dict[str, str]:
        """`engine`: earlier pictures of this engine from outside the grid are reused; None: none are."""
        requests = plan.requests
        held = {key: run_id for key, run_id in (grid.cells if grid else {}).items() if key in requests}
        present = self._history.present(held.values(), scope) if held else set()
        there = {key: run_id for key, run_id in held.items() if run_id in present}
        if engine is not None:
            there |= self._history.made(scope, engine, [key for key in requests if key not in there])
        return there

    async def pace(self, visitor: str | None) -> Pace:
        """How fast this visitor's key has made pictures lately."""
        return await self._history.pools.reads(self._pace, visitor, *self._engines.choose(visitor))

    def _pace(self, visitor: str | None, engine: Engine, key_of: KeyOf, model: str = DEFAULT_MODEL) -> Pace:
        if engine == "demo":
            unseen = Pace(self._settings.playground_demo_step_seconds, self._settings.playground_max_concurrent)
        else:
            unseen = Pace(registry.of(model).seconds_a_step, FAL_AT_ONCE)
        return pace_of(self._history.lately(engine, key_of, visitor, LATELY), unseen)

    async def check_asked(self, visitor: str | None, new: Sequence[GenerationRequest]) -> None:
        """Raises ConfirmNeeded if there are more than ASK_ABOVE new pictures."""
        engine, _ = self._engines.choose(visitor)
        if len(new) > ASK_ABOVE:
            raise ConfirmNeeded(len(new), await self._history.pools.sums(self._cost, engine, new))

    def _cost(self, engine: Engine, requests: Sequence[GenerationRequest]) -> float:
        return 0.0 if engine == "demo" else round(sum(self._prices.estimate(request) for request in requests), 6)


def _at_fault(axes: Sequence[AxisPreview], error: InvalidRequest) -> Preview:
    """Of axes that can be read and not be run together: the fault at the axis that has it, where it is one axis's."""
    places = {"width": "image_size", "height": "image_size"}
    faults: dict[str, str] = {}
    left: list[FieldIssue] = []
    for issue in error.issues:
        field = places.get(issue.field, issue.field)
        if any(axis.field == field for axis in axes):
            faults.setdefault(field, issue.message)
        left.append(issue.model_copy(update={"field": field}))
    shown = tuple(replace(axis, fault=faults.get(axis.field, "")) for axis in axes)
    return Preview(None, shown, tuple(left))


def _with_cells(base: AnyRequest, axes: Sequence[Axis]) -> GridPlan:
    """A plan whose cells are computed. Raises InvalidRequest, also if the request of a single cell is invalid."""
    plan = make_plan(base, axes)
    _ = plan.requests
    return plan
