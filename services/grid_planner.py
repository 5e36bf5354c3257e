"""What running a plan of a grid would make, take and cost, before anything is asked for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from services.compare.axes import Axis, parse_axis
from services.compare.grid import ASK_ABOVE, GridPlan, make_plan
from services.compare.pace import FAL_AT_ONCE, FAL_SECONDS_A_STEP, Pace, pace_of
from services.engines.registry import Engines
from services.errors import ConfirmNeeded, InvalidRequest
from services.library.grids import Grid
from services.library.history import History
from services.library.scope import Scope
from services.pricing import Prices
from services.request import GenerationRequest
from services.run import Engine
from services.settings import Settings

Axes = Sequence[tuple[str, str | Sequence[Any]]]
LATELY = 60
"""Pictures from which the pace is read."""


@dataclass(frozen=True)
class AxisPreview:
    """One axis as it is typed: read, or the sentence that says why it cannot be."""

    field: str
    axis: Axis | None
    fault: str = ""


@dataclass(frozen=True)
class Preview:
    """What running a plan would make and cost."""

    plan: GridPlan | None
    axes: tuple[AxisPreview, ...]
    fault: str = ""
    """Why the whole cannot be run; axes have their own."""
    cells: int = 0
    made: int = 0
    """Cells whose picture is there already."""
    new: int = 0
    cost_usd: float = 0.0
    seconds: float = 0.0
    engine: Engine = "demo"
    asks: bool = False
    """Whether it takes a second yes."""


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
        self, visitor: str | None, base: GenerationRequest, axes: Axes, *, grid: Grid | None = None, reuse: bool = True
    ) -> Preview:
        """What would be made; with `grid`, of what it does not hold yet.

        Never raises for what is typed: faults are told, axis by axis.
        """
        read = tuple(_preview_axis(field, values, base) for field, values in axes)
        if not read or any(axis.axis is None for axis in read):
            return Preview(None, read)
        try:
            plan = make_plan(base, [(one.field, one.axis.values) for one in read if one.axis])
        except InvalidRequest as error:
            return Preview(None, read, fault=str(error))
        there = await self.there(visitor, plan, grid, reuse=reuse)
        engine, _ = self._engines.choose(visitor)
        new = [request for key, request in plan.requests.items() if key not in there]
        pace = await self.pace(visitor)
        return Preview(
            plan=plan,
            axes=read,
            cells=len(plan.requests),
            made=len(there),
            new=len(new),
            cost_usd=self._cost(engine, new),
            seconds=pace.seconds([request.num_inference_steps for request in new]),
            engine=engine,
            asks=len(new) > ASK_ABOVE,
        )

    async def there(
        self, visitor: str | None, plan: GridPlan, grid: Grid | None = None, *, reuse: bool = True
    ) -> dict[str, str]:
        """Cell key → run id, for cells that need not be asked for: the grid's own, and pictures made before."""
        requests = await asyncio.to_thread(lambda: plan.requests)  # a thousand take a while
        held = {key: run_id for key, run_id in (grid.cells if grid else {}).items() if key in requests}
        present = await asyncio.to_thread(self._history.present, held.values(), self._scope(visitor))
        there = {key: run_id for key, run_id in held.items() if run_id in present}
        if reuse:
            engine, _ = self._engines.choose(visitor)
            open_ = {request: key for key, request in requests.items() if key not in there}
            made = await asyncio.to_thread(self._history.made, self._scope(visitor), engine, open_)
            there |= {open_[request]: run_id for request, run_id in made.items()}
        return there

    async def pace(self, visitor: str | None) -> Pace:
        """How fast this visitor's key has made pictures lately."""
        engine, key_of = self._engines.choose(visitor)
        if engine == "demo":
            unseen = Pace(self._settings.playground_demo_step_seconds, self._settings.playground_max_concurrent)
        else:
            unseen = Pace(FAL_SECONDS_A_STEP, FAL_AT_ONCE)
        return pace_of(await asyncio.to_thread(self._history.lately, engine, key_of, visitor, LATELY), unseen)

    def check_asked(self, visitor: str | None, new: Sequence[GenerationRequest]) -> None:
        """Raises ConfirmNeeded where so many new pictures take a second yes."""
        engine, _ = self._engines.choose(visitor)
        if len(new) > ASK_ABOVE:
            raise ConfirmNeeded(len(new), self._cost(engine, new))

    def _cost(self, engine: Engine, requests: Sequence[GenerationRequest]) -> float:
        return 0.0 if engine == "demo" else round(sum(self._prices.estimate(request) for request in requests), 6)


def _preview_axis(field: str, values: str | Sequence[Any], base: GenerationRequest) -> AxisPreview:
    try:
        return AxisPreview(field, parse_axis(field, values, base))
    except InvalidRequest as error:
        return AxisPreview(field, None, str(error))
