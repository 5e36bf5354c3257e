"""The use cases of grids: run a plan, add to it, pause, cancel, retry, check that a seed repeats.

A grid freezes one request. Its cells are ordinary runs: journaled before they are sent, followed independently of any
page, resumed at start. So a grid survives a closed tab and a killed server, and makes only what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from services.clock import Clock
from services.errors import FieldIssue, InvalidRequest, Stopping
from services.grids.axes import Axis
from services.grids.grid import Grid, GridLine, grid_of, line_of, row_of
from services.grids.pace import Pace
from services.grids.plan import GridPlan, make_plan
from services.grids.planner import AxisPreview, Planner, Preview
from services.library.changes import Changes
from services.library.grid_store import GridStore
from services.library.history import History
from services.library.scope import EVERYONE, Scope
from services.models.generation_request import GenerationRequest
from services.run import Run, RunState, new_id
from services.running.runner import Runner
from services.stored import AnyRequest, StoredRequest

RETRIED = (RunState.FAILED, RunState.CANCELLED)
"""States whose runs `retry` makes again. Not UNKNOWN: fal may have accepted such a run, so the user decides on each."""

Ask = Callable[..., Awaitable[list[Run]]]
"""Playground._ask: journal requests as runs, within the budgets, and start them."""


@dataclass(frozen=True)
class GridView:
    """A grid and the runs in its cells, as one visitor sees them."""

    grid: Grid
    runs: Mapping[str, Run]
    """Run id → run: those of the cells, of the repeat check and of the base, as far as this visitor can see them."""
    pace: Pace

    def run_of(self, key: str) -> Run | None:
        return self.runs.get(self.grid.cells.get(key, ""))


class Grids:
    def __init__(
        self, history: History, planner: Planner, runner: Runner, changes: Changes,
        clock: Clock, *, ask: Ask, scope: Callable[[str | None], Scope],
    ) -> None:  # fmt: skip
        self.store = GridStore(history)
        self._history, self._planner, self._runner, self._changes = history, planner, runner, changes
        self._ask, self._scope, self._clock = ask, scope, clock

    # -- before it runs --------------------------------------------------------------------------------------------

    async def preview(
        self,
        visitor: str | None,
        base: AnyRequest,
        axes: Sequence[AxisPreview],
        *,
        reuse: bool = True,
        grid_id: str | None = None,
    ) -> Preview:
        """What running the plan would make; with `grid_id`, without the cells that this grid holds already.

        Faults in typed axes are returned, not raised. Raises NotFound.
        """
        grid = await self._grid(visitor, grid_id) if grid_id else None
        return await self._planner.preview(visitor, base, axes, grid=grid, reuse=reuse)

    # -- running ---------------------------------------------------------------------------------------------------

    async def make(self, visitor: str | None, plan: GridPlan, *, reuse: bool = True, confirm: bool = False) -> Grid:
        """Start a grid. Returns at once. Raises ConfirmNeeded, InvalidRequest, KeyNeeded or BudgetExceeded."""
        there = await self._planner.there(visitor, plan, reuse=reuse)
        grid_id = new_id()

        def write(new: list[Run], cells: Mapping[str, str]) -> Future[list[Run]]:
            moment = self._clock.now()
            grid = Grid(grid_id, visitor, plan, moment, paused=False, repeat=None, cells={**there, **cells})
            return self.store.add(row_of(grid), new)

        await self._ask_for(visitor, plan, there, grid_id, write, confirm)
        return await self._as_it_is(grid_id)

    async def extend(
        self, visitor: str | None, grid_id: str, axes: Sequence[Axis], *, reuse: bool = True, confirm: bool = False
    ) -> Grid:
        """Give a grid other axes: values added, or axes swapped. Only cells that it does not hold are made."""
        grid = await self._grid(visitor, grid_id)
        plan = await self._history.pools.sums(make_plan, grid.plan.base, axes, grid.plan.origin)
        there = await self._planner.there(visitor, plan, grid, reuse=reuse)

        def write(new: list[Run], cells: Mapping[str, str]) -> Future[list[Run]]:
            return self.store.extend(grid_id, plan.model_dump_json(), {**there, **cells}, new)

        await self._ask_for(visitor, plan, there, grid_id, write, confirm)
        return await self._as_it_is(grid_id)

    async def _ask_for(
        self, visitor: str | None, plan: GridPlan, there: Mapping[str, str], grid_id: str,
        write: Callable[[list[Run], Mapping[str, str]], Future[list[Run]]], confirm: bool,
    ) -> None:  # fmt: skip
        # in a thread: a thousand cells take a while
        new = await self._history.pools.sums(plan.asked, [key for key in plan.requests if key not in there])
        if not confirm:
            await self._planner.check_asked(visitor, list(new.values()))
        await self._ask_cells(visitor, grid_id, new, write)

    async def _ask_cells(
        self, visitor: str | None, grid_id: str, requests: Mapping[str, GenerationRequest],
        write: Callable[[list[Run], Mapping[str, str]], Future[list[Run]]],
    ) -> list[Run]:  # fmt: skip
        """Request the pictures of some cells. `write` gets the new runs, and cell key → run id."""

        def keep(new: list[Run]) -> Future[list[Run]]:
            cells = {key: run.id for key, run in zip(requests, new[::-1], strict=True)}
            return write(new, cells)

        return await self._ask(visitor, list(requests.values()), grid_id=grid_id, keep=keep)

    # -- while it runs ---------------------------------------------------------------------------------------------

    async def pause(self, visitor: str | None, grid_id: str) -> Grid:
        """Send no more of the grid's runs. Those that fal has accepted are still finished."""
        return await self._set_paused(visitor, grid_id, True)

    async def resume(self, visitor: str | None, grid_id: str) -> Grid:
        grid = await self._set_paused(visitor, grid_id, False)
        waiting = await self._history.pools.reads(self._history.of_grid, grid_id, RunState.PENDING)
        await self._runner.take_again(waiting)
        return grid

    async def _set_paused(self, visitor: str | None, grid_id: str, paused: bool) -> Grid:
        await self._grid(visitor, grid_id)
        await self._history.pools.writes(self.store.pause, grid_id, paused)
        self._changes.tell(visitor)
        return await self._as_it_is(grid_id)

    async def cancel(self, visitor: str | None, grid_id: str) -> Grid:
        """Cancel unfinished runs: first all that were not sent, then those fal accepted, which it may still finish."""
        await self.cancel_runs(await self._grid(visitor, grid_id))
        return await self._grid(visitor, grid_id)

    async def cancel_runs(self, grid: Grid, *, begun_too: bool = True) -> None:
        """`cancel` for a caller who made the grid; without `begun_too`, only of what fal has not begun."""
        ended = {"state": RunState.CANCELLED, "cancel_asked": True, "finished_at": self._clock.now(), "note": None}
        await self._history.pools.writes(self.store.change_pending, grid.id, **ended)
        self._changes.tell(grid.visitor)
        found = await self._history.pools.reads(self._history.of_grid, grid.id)
        cancel = self._runner.cancel if begun_too else self._runner.cancel_unbegun
        await asyncio.gather(*(cancel(run) for run in found if not run.state.is_final))

    async def retry(self, visitor: str | None, grid_id: str) -> Grid:
        """Make all cells again whose run failed, was cancelled or deleted; what fal has finished is only fetched."""
        view = await self.view(visitor, grid_id)
        lost = []
        plan = view.grid.plan
        for key in await self._history.pools.sums(lambda: plan.requests):  # to compute a thousand takes a while
            run = view.run_of(key)
            if run and run.can_be_fetched:
                await self._runner.fetch_again(run)
            elif run is None or run.state in RETRIED:
                lost.append(key)
        if lost:
            again = await self._history.pools.sums(plan.asked, lost)
            await self._ask_cells(visitor, grid_id, again, lambda new, cells: self.store.fill(grid_id, cells, new))
        return await self._grid(visitor, grid_id)

    async def retry_run(self, visitor: str | None, run: Run) -> list[Run]:
        """Request a grid's run once more: the new run replaces it in every cell that it filled."""

        def keep(new: list[Run]) -> Future[list[Run]]:
            return self.store.replace(run.id, new)

        return await self._ask(visitor, [run.request.asked()], run, grid_id=run.grid_id, keep=keep)

    async def repeat_check(self, visitor: str | None, grid_id: str) -> Grid:
        """Make one finished cell again, to see whether a seed gives the same picture twice. Raises InvalidRequest."""
        view = await self.view(visitor, grid_id)
        cells = await self._history.pools.sums(lambda: view.grid.plan.cells)
        first = next((run for cell in cells if (run := view.run_of(cell.key)) and run.picture), None)
        if first is None:
            message = "No picture of this grid is finished yet. Wait for one, then check whether it repeats."
            raise InvalidRequest((FieldIssue(field="grid", message=message),))

        def keep(new: list[Run]) -> Future[list[Run]]:
            return self.store.check(grid_id, (first.id, new[0].id), new)

        again = [first.request.vary(seed=first.seed)]
        await self._ask(visitor, again, first, grid_id=grid_id, repeat_of=first.id, keep=keep)
        return await self._grid(visitor, grid_id)

    # -- looking at it ---------------------------------------------------------------------------------------------

    async def base(self, visitor: str | None, grid_id: str) -> StoredRequest:
        """The request that a grid froze. Raises NotFound."""
        return (await self._grid(visitor, grid_id)).plan.base

    async def view(self, visitor: str | None, grid_id: str) -> GridView:
        """Raises NotFound."""
        return await self._view(visitor, grid_id, self._scope(visitor))

    async def _view(self, visitor: str | None, grid_id: str, scope: Scope) -> GridView:
        grid = await self._history.pools.reads(self._read, grid_id, scope)
        ids = [*grid.cells.values(), *(grid.repeat or ()), grid.plan.origin or ""]
        found = await self._history.pools.reads(self._history.many, ids, scope)
        seen = {run_id: run for run_id, run in found.items() if run.deleted_at is None}
        return GridView(grid, seen, await self._planner.pace(visitor))

    async def newest(self, visitor: str | None, *, limit: int, before: int | None = None) -> list[GridLine]:
        found = await self._history.pools.reads(self.store.newest, self._scope(visitor), limit=limit, before=before)
        return [line_of(row) for row in found]

    async def finished(self, visitor: str | None, grid_id: str) -> GridView:
        """Wait until no run of the grid is under way. For callers of the API; `visitor` None (no token) sees any grid.

        Raises NotFound, or Stopping when the server stops."""
        scope = self._scope(visitor) if visitor else EVERYONE
        with self._changes.wait_for(grid_id) as wake:
            while True:
                wake.clear()
                if not await self._history.pools.reads(self.store.under_way, grid_id):
                    return await self._view(visitor, grid_id, scope)
                if self._changes.closed:
                    raise Stopping
                await wake.wait()

    async def _grid(self, visitor: str | None, grid_id: str) -> Grid:
        """Raises NotFound if this visitor may not see it."""
        return await self._history.pools.reads(self._read, grid_id, self._scope(visitor))

    async def _as_it_is(self, grid_id: str) -> Grid:
        """A grid, read without a check of the visitor.

        The caller has checked it, or has made the grid for visitor None, in whose scope no grid is.
        """
        return await self._history.pools.reads(self._read, grid_id, EVERYONE)

    def _read(self, grid_id: str, scope: Scope) -> Grid:
        """Blocks. Raises NotFound."""
        return grid_of(self.store.get(grid_id, scope))
