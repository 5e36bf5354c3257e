"""Adds the runs that a press asks for to the history, within the owner's limits, and has them started. Once a press."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from typing import Any, TypeVar

from services.clock import Clock
from services.engines.registry import Engines
from services.errors import KeyNeeded, NotFound, PlaygroundError
from services.intake.limits import Limits
from services.intake.pricing import Prices
from services.library.changes import Changes
from services.library.history import Among, History
from services.library.presses import Outcome, Presses
from services.library.projects import Projects
from services.library.scope import EVERYONE, Scope
from services.models.generation_request import GenerationRequest
from services.press import Press
from services.run import Run, new_id
from services.settings import Settings
from services.stored import StoredRequest

T = TypeVar("T")


class Asking:
    def __init__(
        self, settings: Settings, history: History, engines: Engines, projects: Projects, prices: Prices,
        changes: Changes, clock: Clock, *, scope: Callable[[str | None], Scope], start: Callable[[Run], None],
    ) -> None:  # fmt: skip
        """`start` begins to work on a run; it returns at once."""
        self.limits = Limits(settings, history, clock)
        self.presses = Presses(history, clock)
        self._settings, self._history, self._engines, self._projects = settings, history, engines, projects
        self._prices, self._changes, self._clock = prices, changes, clock
        self._scope, self._start = scope, start
        self._counting = asyncio.Lock()

    async def ask(
        self,
        visitor: str | None,
        requests: Sequence[GenerationRequest],
        like: Run | None = None,
        *,
        press: Press | None = None,
        among: Among | None = None,
        retries: Sequence[str | None] = (),
        **fields: Any,
    ) -> list[Run]:
        """Add requests as runs, and start them. Returns those that were added: none if `press` is known already.

        `like`: the run from which the requests were made. `among` gets the runs from the last to the first. `retries`
        names the runs that the requests make again, one for each request. `fields` are set on each run.

        Raises InvalidRequest, KeyNeeded, TooMuch, BudgetExceeded, KeyReused or CannotWrite; then nothing was added.
        """
        self.limits.check_settings(requests)
        engine, key_of = self._engines.choose(visitor)
        if engine == "fal" and key_of == "owner" and self._settings.owner_key is None:
            raise KeyNeeded
        created = self._clock.now()
        project = await self._history.pools.reads(self._projects.home, visitor, self._scope(visitor), like)
        new = [
            Run(
                id=new_id(),
                visitor=visitor,
                engine=engine,
                key_of=key_of,
                request=StoredRequest.of(request),
                created_at=created,
                cost_usd=0.0 if engine == "demo" else self._prices.estimate(request),
                project_id=project,
                retry_of=again,
                **fields,
            )
            for request, again in zip(requests, retries or [None] * len(requests), strict=True)
        ]
        if press:
            among = self.presses.once(press, fields.get("grid_id"), among)
        # Check limits and insert under one lock: otherwise two concurrent requests could both pass the budget check.
        # Without limits no batch waits for another, so that batches of several visitors can share a commit.
        counted = key_of == "owner" and (self.limits.counts or (engine == "fal" and self._settings.has_budget))
        async with self._counting if counted else nullcontext():
            if counted:
                await self._history.pools.reads(self.limits.check_pace, visitor, len(new))
            if counted and engine == "fal":
                await self._history.pools.reads(self.limits.check_budgets, visitor, sum(run.cost_usd for run in new))
            # The first run of a batch is written last, so that newest-first lists show the batch in its own order.
            writing = self._history.add_soon(new[::-1], among)
            # The history writes in order: the runner's changes of a run come after its insert. If it is not inserted,
            # they find no run.
            for run in new:
                self._start(run)
            added = await asyncio.shield(asyncio.wrap_future(writing))
        self._changes.tell(visitor, added)
        return added[::-1]

    async def once(
        self, press: Press | None, ask: Callable[[], Awaitable[T]], found: Callable[[Outcome], Awaitable[T]]
    ) -> T:
        """`ask`; or, if this press was there before or comes twice at once, what `found` makes of its outcome."""
        if press is None:
            return await ask()
        if before := await self._history.pools.reads(self.presses.outcome, press):
            return await found(before)
        try:
            made = await ask()
        except PlaygroundError:
            # Perhaps only since the same press, sent twice at once, was counted before this one.
            if before := await self._history.pools.reads(self.presses.outcome, press):
                return await found(before)
            raise
        outcome = await self._history.pools.reads(self.presses.outcome, press)
        return await found(outcome) if outcome else made

    async def runs_once(self, press: Press | None, ask: Callable[[], Awaitable[list[Run]]]) -> list[Run]:
        """The runs that `ask` adds, or added at the same press before. Raises NotFound if those were deleted since."""
        return await self.once(press, ask, self._runs)

    async def _runs(self, outcome: Outcome) -> list[Run]:
        found = await self._history.pools.reads(self._history.many, outcome.run_ids, EVERYONE)
        if len(found) < len(outcome.run_ids):
            raise NotFound("picture")
        return [found[run_id] for run_id in outcome.run_ids]
