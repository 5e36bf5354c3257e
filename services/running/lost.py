"""Looks in fal's list of requests for submits that were never answered. Never sends them again.

A run that is found goes on as if fal's response had arrived. If it is not found, or the list cannot be read, its card
says so. A listed request may also belong to another run, sent meanwhile with the same settings, whose response has not
arrived yet.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from services.clock import Clock
from services.engines.registry import Engines
from services.errors import KeyNeeded, NotFound, RequestFailed, Unreachable
from services.library.history import History
from services.models import registry
from services.run import Run, RunState, Ticket
from services.running.journal import Journal

log = logging.getLogger(__name__)

PAUSES_SECONDS = (3.0, 10.0, 20.0, 30.0, 60.0, 180.0, 600.0)
"""Before each reading of the list. fal lists a request only when it has ended: after the queue and the generation."""
ANSWER_PAUSE_SECONDS = 0.5
"""Between checks whether the submits under way have been answered."""
CLOCKS_DIFFER = timedelta(minutes=5)
"""How far fal's clock may be behind ours."""
FOUND = "The answer was lost on its way; it was found in fal's list of requests."
NOT_FOUND = "It was looked for in fal's list of requests and is not there, so fal most likely did not accept it."
NOT_ALLOWED = "It was not looked for in fal's list of requests: this key may not read it."
NOT_REACHED = "It was not found: fal's list of requests could not be reached."


class LostSubmits:
    def __init__(
        self,
        history: History,
        engines: Engines,
        journal: Journal,
        clock: Clock,
        host: str | None,
        go_on: Callable[[Run], None],
    ) -> None:
        """`host` serves fal's list of requests; None: `look_for` does nothing. `go_on` takes a run that was found."""
        self._history, self._engines, self._journal, self._clock = history, engines, journal, clock
        self._host, self._go_on = host, go_on
        self._tasks: set[asyncio.Task[None]] = set()
        self._picking = asyncio.Lock()

    def look_for(self, run: Run) -> None:
        """Start to look for a run in the state unknown. Returns at once."""
        if self._host is None or run.engine != "fal":
            return
        task = asyncio.create_task(self._look_for(run, self._host), name=f"looking for {run.id}")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _look_for(self, run: Run, host: str) -> None:
        said = NOT_REACHED
        for pause in PAUSES_SECONDS:
            await self._clock.sleep(pause)
            try:
                gateway = self._engines.gateway(run)
                since = (run.submitted_at or run.created_at) - CLOCKS_DIFFER
                listed = await gateway.listed(host, since, registry.of(run.model).endpoint)
                # A listed request may belong to a submit still under way: wait until the history has its ticket.
                await self._answered(await self._on_their_way())
                async with self._picking:  # else two lost submits of the same settings could pick one request
                    if ticket := await self._pick(run, listed):
                        return await self._found(run, ticket)
                said = NOT_FOUND
            except Unreachable as error:
                log.info("run %s: fal's list of requests could not be read: %s", run.id, error)
            except (RequestFailed, KeyNeeded):
                return await self._say(run, NOT_ALLOWED)
        await self._say(run, said)

    async def _on_their_way(self) -> set[str]:
        return await self._history.pools.reads(self._history.submitting_ids)

    async def _answered(self, sent: set[str]) -> None:
        """Wait until none of these runs is submitting any more. It ends, because each submit has a time limit."""
        while sent & await self._on_their_way():  # polled: a row has no event
            await self._clock.sleep(ANSWER_PAUSE_SECONDS)

    async def _pick(self, run: Run, listed: list[tuple[Ticket, dict[str, Any]]]) -> Ticket | None:
        """A listed request with this run's settings that belongs to no run yet; None if there is none."""
        asked = run.request.payload()
        for ticket, sent in listed:
            if {name: sent.get(name) for name in asked} == asked and not await self._is_known(ticket.request_id):
                return ticket
        return None

    async def _is_known(self, request_id: str) -> bool:
        return await self._history.pools.reads(self._history.has_request_id, request_id)

    async def _found(self, run: Run, ticket: Ticket) -> None:
        log.info("run %s was found in fal's list of requests as %s", run.id, ticket.request_id)
        try:
            found = await self._journal.accept(run, ticket, FOUND)
        except NotFound:  # erased meanwhile
            return
        if found.ticket == ticket:  # else its answer came after all, with another id
            self._go_on(found)

    async def _say(self, run: Run, said: str) -> None:
        """Append a sentence to the failure that the run's card shows, if the run is still unknown."""
        try:
            current = await self._journal.current(run)
        except NotFound:  # erased meanwhile
            return
        if current.failure is None:
            return
        failure = current.failure.model_copy(update={"message": f"{current.failure.message} {said}"})
        await self._journal.save_from(RunState.UNKNOWN, run, failure=failure)
