"""The use cases of grids: run a plan, add to it, pause, cancel, retry, check that a seed repeats.

A grid freezes one request. Its cells are ordinary runs: journaled before they are sent, followed independently of any
page, resumed at start. So a grid survives a closed tab and a killed server, and makes only what is missing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from services.clock import Clock
from services.errors import BudgetExceeded, FieldIssue, InvalidRequest, NotFound, Stopping, TooMuch
from services.grids.axes import Axis
from services.grids.grid import Grid, GridLine, grid_of, line_of, row_of
from services.grids.pace import Pace
from services.grids.plan import GridPlan, make_plan
from services.grids.planner import AxisPreview, Planner, Preview
from services.intake.asking import Asking
from services.library.changes import Changes
from services.library.deletion import Deletion
from services.library.grid_store import GridStore, NewCells
from services.library.history import Among, History
from services.library.presses import Outcome
from services.library.scope import EVERYONE, Scope
from services.models.generation_request import GenerationRequest
from services.press import Press
from services.run import Run, RunState, new_id
from services.running.runner import Runner
from services.stored import AnyRequest, StoredRequest

RETRIED = (RunState.FAILED, RunState.CANCELLED)
"""States whose runs `retry` makes again. Not UNKNOWN: fal may have accepted such a run, so the user decides on each."""


@dataclass(frozen=True)
class GridView:
    """A grid and the runs in its cells, as one visitor sees them."""

    grid: Grid
    runs: Mapping[str, Run]
    """Run id → run: those of the cells, of the repeat check and of the base, as far as this visitor can see them."""
    pace: Pace

    def run_of(self, key: str) -> Run | None:
        return self.runs.get(self.grid.cells.get(key, ""))

    @property
    def in_cells(self) -> list[Run]:
        """The runs of the plan's cells."""
        return [run for key in self.grid.plan.requests if (run := self.run_of(key))]


class Grids:
    def __init__(
        self, history: History, planner: Planner, runner: Runner, changes: Changes,
        clock: Clock, asking: Asking, scope: Callable[[str | None], Scope],
    ) -> None:  # fmt: skip
        self.store, self._deletion = GridStore(history), Deletion(history)
        self._history, self._planner, self._runner, self._changes = history, planner, runner, changes
        self._asking, self._scope, self._clock = asking, scope, clock

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

    async def make(
        self, visitor: str | None, plan: GridPlan, *,
        reuse: bool = True, confirm: bool = False, press: Press | None = None,
    ) -> Grid:  # fmt: skip
        """Start a grid. Returns at once; the same `press` again, here and below, requests nothing and returns the same
        grid. Raises ConfirmNeeded, InvalidRequest, KeyNeeded, BudgetExceeded or KeyReused."""

        async def ask() -> Grid:
            there = await self._planner.there(visitor, plan, reuse=reuse)
            new = await self._new(visitor, plan, there, confirm)
            grid = Grid(new_id(), visitor, plan, self._clock.now(), paused=False, repeat=None, cells=there)
            among = self.store.add(row_of(grid), _cells_of(new))
            await self._asking.ask(visitor, [*new.values()], press=press, among=among, grid_id=grid.id)
            return grid

        grid = await self._asking.once(press, ask, self._found)
        return await self._as_it_is(grid.id)

    async def extend(
        self, visitor: str | None, grid_id: str, axes: Sequence[Axis], *,
        reuse: bool = True, confirm: bool = False, press: Press | None = None,
    ) -> Grid:  # fmt: skip
        """Give a grid other axes: values added, or axes swapped. Only cells that it does not hold are made."""

        async def ask() -> Grid:
            grid = await self._grid(visitor, grid_id)
            plan = await self._history.pools.sums(make_plan, grid.plan.base, axes, grid.plan.origin)
            plan = plan.named(grid.plan.name)
            there = await self._planner.there(visitor, plan, grid, reuse=reuse)
            new = await self._new(visitor, plan, there, confirm)
            written = plan.model_dump_json()
            among = self.store.fill(grid_id, grid.cells, _cells_of(new), plan=written, there=there)
            await self._asking.ask(visitor, [*new.values()], press=press, among=among, grid_id=grid_id)
            return grid

        await self._asking.once(press, ask, self._found)
        return await self._as_it_is(grid_id)

    async def _new(
        self, visitor: str | None, plan: GridPlan, there: Mapping[str, str], confirm: bool
    ) -> Mapping[str, GenerationRequest]:
        """Cell key → request, for the cells of a plan that are not `there`. Raises ConfirmNeeded or InvalidRequest."""
        # in a thread: a thousand cells take a while
        new = await self._history.pools.sums(plan.asked, [key for key in plan.requests if key not in there])
        if not confirm:
            await self._planner.check_asked(visitor, list(new.values()))
        return new

    async def _found(self, outcome: Outcome) -> Grid:
        return await self._as_it_is(outcome.grid_id or "")

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

    async def rename(self, visitor: str | None, grid_id: str, name: str) -> Grid:
        """ "" calls it by its axes again. Raises InvalidRequest if the name is too long."""
        plan = (await self._grid(visitor, grid_id)).plan.named(name)
        await self._history.pools.writes(self.store.replan, grid_id, plan.model_dump_json())
        return await self._grid(visitor, grid_id)

    async def delete(self, visitor: str | None, grid_id: str) -> int:
        """Hide a grid; `restore` shows it again until it is purged. What it is still making is cancelled; its pictures
        stay, each by itself. Returns how many those are.
        """
        with suppress(NotFound):  # deleted already, or not this visitor's: then the deletion raises
            await self.cancel_runs(await self._grid(visitor, grid_id))
        scope, moment = self._scope(visitor), self._clock.now()
        left = await self._history.pools.writes(self._deletion.delete_grid, scope, grid_id, moment)
        self._changes.tell(visitor)
        return left

    async def restore(self, visitor: str | None, grid_id: str) -> Grid:
        await self._history.pools.writes(self._deletion.restore_grid, self._scope(visitor), grid_id)
        self._changes.tell(visitor)
        return await self._grid(visitor, grid_id)

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

    async def retry(self, visitor: str | None, grid_id: str, *, press: Press | None = None) -> Grid:
        """Make all cells again whose run failed, was cancelled or deleted; what fal has finished is only fetched.

        Each cell is made once, however often and from wherever this is called at once.
        """

        async def ask() -> Grid:
            view = await self.view(visitor, grid_id)
            try:
                await self._retry(visitor, view, press)
            except (TooMuch, BudgetExceeded):
                # Called twice at once: perhaps only the other call was within the limits.
                if await self._lost(await self.view(visitor, grid_id)):
                    raise
            return view.grid

        await self._asking.once(press, ask, self._found)
        return await self._grid(visitor, grid_id)

    async def _retry(self, visitor: str | None, view: GridView, press: Press | None) -> None:
        for run in {run.id: run for run in view.in_cells if run.can_be_fetched}.values():
            await self._runner.fetch_again(run)
        lost = await self._lost(view)
        if lost:
            grid = view.grid
            again = await self._history.pools.sums(grid.plan.asked, lost)
            among = self.store.fill(grid.id, grid.cells, _cells_of(again))
            retries = [grid.cells.get(key) for key in again]
            await self._asking.ask(
                visitor, [*again.values()], press=press, among=among, retries=retries, grid_id=grid.id
            )

    async def _lost(self, view: GridView) -> list[str]:
        """The keys of the cells that have to be made again."""
        keys = await self._history.pools.sums(lambda: view.grid.plan.requests)  # to compute a thousand takes a while
        runs = ((key, view.run_of(key)) for key in keys)
        return [key for key, run in runs if run is None or (run.state in RETRIED and not run.can_be_fetched)]

    def in_place_of(self, run: Run) -> Among | None:
        """How one new run takes the place of a grid's run in every cell that it filled. None: it was made by none."""
        return self.store.replace(run.id) if run.grid_id else None

    async def repeat_check(self, visitor: str | None, grid_id: str, *, press: Press | None = None) -> Grid:
        """Make one finished cell again, to see whether a seed gives the same picture twice. Raises InvalidRequest."""

        async def ask() -> Grid:
            view = await self.view(visitor, grid_id)
            cells = await self._history.pools.sums(lambda: view.grid.plan.cells)
            first = next((run for cell in cells if (run := view.run_of(cell.key)) and run.picture), None)
            if first is None:
                message = "No picture of this grid is finished yet. Wait for one, then check whether it repeats."
                raise InvalidRequest((FieldIssue(field="grid", message=message),))
            await self._asking.ask(
                visitor,
                [first.request.vary(seed=first.seed)],
                first,
                press=press,
                among=self.store.check(grid_id, first.id),
                grid_id=grid_id,
                repeat_of=first.id,
            )
            return view.grid

        await self._asking.once(press, ask, self._found)
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


def _cells_of(requests: Mapping[str, GenerationRequest]) -> NewCells:
    """Which of the new runs belongs into which cell: they come in the reversed order of their requests."""

    def cells(new: list[Run]) -> dict[str, str]:
        return {key: run.id for key, run in zip(requests, new[::-1], strict=True)}

    return cells
