"""The use cases of grids: run a plan, add to it, pause, cancel, retry, check that a seed repeats.

A grid freezes one request. Its cells are runs like any other: journaled before they are sent, followed outside any
page, taken up again at start. So a grid goes on through a closed tab and a killed server, and makes only what is
missing.
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
from services.request import GenerationRequest
from services.run import Run, RunState, new_id
from services.running.runner import Runner

RETRIED = (RunState.FAILED, RunState.CANCELLED)
"""Ends after which a cell is made again at no risk; an unanswered one is the user's own choice, one by one."""

Ask = Callable[..., Awaitable[list[Run]]]
"""Playground.ask: journal requests as runs, within the budgets, and set to work on them."""


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
        base: GenerationRequest,
        axes: Sequence[AxisPreview],
        *,
        reuse: bool = True,
        grid_id: str | None = None,
    ) -> Preview:
        """What would be made; with `grid_id`, of what that grid does not hold yet. Faults are told, not raised."""
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
        plan = await asyncio.to_thread(make_plan, grid.plan.base, axes, grid.plan.origin)
        there = await self._planner.there(visitor, plan, grid, reuse=reuse)

        def write(new: list[Run], cells: Mapping[str, str]) -> Future[list[Run]]:
            return self.store.extend(grid_id, plan.model_dump_json(), {**there, **cells}, new)

        await self._ask_for(visitor, plan, there, grid_id, write, confirm)
        return await self._as_it_is(grid_id)

    async def _ask_for(
        self, visitor: str | None, plan: GridPlan, there: Mapping[str, str], grid_id: str,
        write: Callable[[list[Run], Mapping[str, str]], Future[list[Run]]], confirm: bool,
    ) -> None:  # fmt: skip
        new = {key: request for key, request in plan.requests.items() if key not in there}
        if not confirm:
            await self._planner.check_asked(visitor, list(new.values()))
        await self._ask_cells(visitor, grid_id, new, write)

    async def _ask_cells(
        self, visitor: str | None, grid_id: str, requests: Mapping[str, GenerationRequest],
        write: Callable[[list[Run], Mapping[str, str]], Future[list[Run]]],
    ) -> list[Run]:  # fmt: skip
        """Ask for the pictures of some cells; `write` gets the new runs, and which cell each is for."""

        def keep(new: list[Run]) -> Future[list[Run]]:
            cells = {key: run.id for key, run in zip(requests, new[::-1], strict=True)}
            return write(new, cells)

        return await self._ask(visitor, list(requests.values()), grid_id=grid_id, keep=keep)

    # -- while it runs ---------------------------------------------------------------------------------------------

    async def pause(self, visitor: str | None, grid_id: str) -> Grid:
        """Send no more of its pictures. What fal has taken comes."""
        return await self._set_paused(visitor, grid_id, True)

    async def resume(self, visitor: str | None, grid_id: str) -> Grid:
        grid = await self._set_paused(visitor, grid_id, False)
        waiting = await asyncio.to_thread(self._history.of_grid, grid_id, RunState.PENDING)
        await self._runner.take_again(waiting)
        return grid

    async def _set_paused(self, visitor: str | None, grid_id: str, paused: bool) -> Grid:
        await self._grid(visitor, grid_id)
        await asyncio.to_thread(self.store.pause, grid_id, paused)
        self._changes.tell(visitor)
        return await self._as_it_is(grid_id)

    async def cancel(self, visitor: str | None, grid_id: str) -> Grid:
        """Cancel what is not done: first all that was not sent, then what fal has taken, which may still come."""
        grid = await self._grid(visitor, grid_id)
        ended = {"state": RunState.CANCELLED, "cancel_asked": True, "finished_at": self._clock.now(), "note": None}
        await asyncio.to_thread(self.store.change_pending, grid_id, **ended)
        self._changes.tell(grid.visitor)
        taken = [run for run in await asyncio.to_thread(self._history.of_grid, grid_id) if not run.state.is_final]
        await asyncio.gather(*(self._runner.cancel(run) for run in taken))
        return await self._grid(visitor, grid_id)

    async def retry(self, visitor: str | None, grid_id: str) -> Grid:
        """Make all cells again that failed, were cancelled or deleted."""
        view = await self.view(visitor, grid_id)
        lost = {}
        requests = await asyncio.to_thread(lambda: view.grid.plan.requests)  # a thousand take a while
        for key, request in requests.items():
            run = view.run_of(key)
            if run and run.can_be_fetched:
                await self._runner.fetch_again(run)
            elif run is None or run.state in RETRIED:
                lost[key] = request
        if lost:
            await self._ask_cells(visitor, grid_id, lost, lambda new, cells: self.store.fill(grid_id, cells, new))
        return await self._grid(visitor, grid_id)

    async def retry_run(self, visitor: str | None, run: Run) -> list[Run]:
        """Ask once more for a run of a grid: the new one takes its place in every cell that it filled."""

        def keep(new: list[Run]) -> Future[list[Run]]:
            return self.store.replace(run.id, new)

        return await self._ask(visitor, [run.request], run, grid_id=run.grid_id, keep=keep)

    async def repeat_check(self, visitor: str | None, grid_id: str) -> Grid:
        """Make one finished cell a second time, to see whether the seed repeats here."""
        view = await self.view(visitor, grid_id)
        cells = await asyncio.to_thread(lambda: view.grid.plan.cells)
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

    async def base(self, visitor: str | None, grid_id: str) -> GenerationRequest:
        """What a grid froze. Raises NotFound."""
        return (await self._grid(visitor, grid_id)).plan.base

    async def view(self, visitor: str | None, grid_id: str) -> GridView:
        """Raises NotFound."""
        return await self._view(visitor, grid_id, self._scope(visitor))

    async def _view(self, visitor: str | None, grid_id: str, scope: Scope) -> GridView:
        grid = await asyncio.to_thread(self._read, grid_id, scope)
        ids = [*grid.cells.values(), *(grid.repeat or ()), grid.plan.origin or ""]
        found = await asyncio.to_thread(self._history.many, ids, scope)
        seen = {run_id: run for run_id, run in found.items() if run.deleted_at is None}
        return GridView(grid, seen, await self._planner.pace(visitor))

    async def newest(self, visitor: str | None, *, limit: int, before: int | None = None) -> list[GridLine]:
        found = await asyncio.to_thread(self.store.newest, self._scope(visitor), limit=limit, before=before)
        return [line_of(row) for row in found]

    async def finished(self, visitor: str | None, grid_id: str) -> GridView:
        """Wait until no cell is under way. For callers that are no page; those without a token see what they made.

        Raises Stopping."""
        scope = self._scope(visitor) if visitor else EVERYONE
        with self._changes.listen(EVERYONE) as wake:
            while True:
                wake.clear()
                if not await asyncio.to_thread(self.store.under_way, grid_id):
                    return await self._view(visitor, grid_id, scope)
                if self._changes.closed:
                    raise Stopping
                await wake.wait()

    async def _grid(self, visitor: str | None, grid_id: str) -> Grid:
        """Raises NotFound where it is not this visitor's to see."""
        return await asyncio.to_thread(self._read, grid_id, self._scope(visitor))

    async def _as_it_is(self, grid_id: str) -> Grid:
        """A grid of which it was checked already whose it is; a caller without a token has none to see."""
        return await asyncio.to_thread(self._read, grid_id, EVERYONE)

    def _read(self, grid_id: str, scope: Scope) -> Grid:
        """Blocks. Raises NotFound."""
        return grid_of(self.store.get(grid_id, scope))
