"""Carries out runs: journal → submit → follow → fetch → keep.

It does not depend on any page: closing a tab changes nothing, and after a restart `recover` resumes unfinished runs.
Each change is committed before the next step, so that after a crash at any point the history has each run's state.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from contextvars import Context
from typing import Any

from services import failures
from services.clock import Clock
from services.engines.registry import Engines
from services.errors import Failure, KeyNeeded, NotAccepted, RequestFailed, SubmitUnanswered, Unreachable
from services.intake.pricing import Prices
from services.library.changes import Changes
from services.library.history import History
from services.library.media import Media
from services.library.scope import EVERYONE
from services.models import registry
from services.run import AT_FAL_STATES, Run, RunState, Ticket
from services.running import repeat
from services.running.journal import Journal
from services.running.lost import LostSubmits
from services.running.semaphore import KeySemaphores

log = logging.getLogger(__name__)

SUBMIT_PATIENCE_SECONDS = 600.0
"""How long a request that fal certainly did not accept is submitted again."""
READ_PATIENCE_SECONDS = 3600.0
"""How long failing reads of a run's progress or result are repeated; fal keeps a result for about an hour."""
LONGEST_PAUSE_SECONDS = 30.0
SHRINK_AFTER_SECONDS = 1.0
KEY_NOTE = "Enter your key to fetch it."


class Runner:
    def __init__(
        self,
        history: History,
        media: Media,
        engines: Engines,
        changes: Changes,
        prices: Prices,
        max_concurrent: int,
        clock: Clock,
        fal_api_host: str | None = None,
    ) -> None:
        self._history = history
        self._journal = Journal(history, changes, clock)
        self._media = media
        self._engines = engines
        self._prices = prices
        self._clock = clock
        self._in_flight = KeySemaphores(max_concurrent)
        self._fetching = KeySemaphores(max_concurrent)
        self._lost = LostSubmits(history, engines, self._journal, clock, fal_api_host, self.take)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sending: set[str] = set()
        self._stopping = False

    async def recover(self) -> None:
        """Resume unfinished runs at start: pending are sent, submitting become unknown, others are followed.

        In a history that begins from a copy, `History.begin` has ended those that are not followed.
        """
        if copied := self._history.copied:
            for run in (await self._history.pools.reads(self._history.many, copied.unanswered, EVERYONE)).values():
                self._lost.look_for(run)
        for run in await self._history.pools.reads(self._history.unfinished):
            if run.state is RunState.SUBMITTING:
                await self._end_unknown(run, failures.stopped_while_submitting())
            else:
                self.take(run)

    def take(self, run: Run) -> None:
        """Start to work on a run of the history, from the state it is in. Returns at once."""
        if run.id in self._tasks or self._stopping:
            return
        # An empty context: the caller's would keep the whole HTTP request in memory until the task ends.
        task = Context().run(asyncio.create_task, self._work(run), name=f"run {run.id}")
        self._tasks[run.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(run.id, None))

    @property
    def under_way(self) -> list[str]:
        """The ids of the runs that are being worked on."""
        return list(self._tasks)

    async def take_again(self, runs: list[Run]) -> None:
        """Work on runs that waited for a key or for their grid to be resumed.

        `take` ignores a run that still has a task: one that is just ending gets 0.5 s to end.
        """
        if ending := [self._tasks[run.id] for run in runs if run.id in self._tasks]:
            await asyncio.wait(ending, timeout=0.5)
        for run in runs:
            self.take(run)

    async def fetch_again(self, run: Run) -> Run:
        """Follow a run again that fal accepted, but that failed before its picture was fetched. Nothing is changed if
        it is no longer failed."""
        fresh = {"state": RunState.SUBMITTED, "failure": None, "finished_at": None, "note": None}
        again = await self._journal.save_from(RunState.FAILED, run, **fresh)
        if again is None:  # another press was first
            return await self._journal.current(run)
        await self.take_again([again])
        return again

    async def cancel(self, run: Run) -> Run:
        """Cancel a run: at once if it was not sent, else by asking fal, which may still finish it.

        The run's task is never interrupted for this: it may be sending the request, and then only fal can cancel it.
        """
        asked = {"cancel_asked": True, "finished_at": self._clock.now(), "note": None}
        if cancelled := await self._journal.save_from(RunState.PENDING, run, state=RunState.CANCELLED, **asked):
            return cancelled
        run = await self._journal.save(run, cancel_asked=True)
        if run.state in AT_FAL_STATES and run.ticket:
            await self._cancel_at_fal(run, run.ticket)
        return run

    async def cancel_unbegun(self, run: Run) -> Run:
        """`cancel`, but only what fal has not begun: a picture that it works on is paid for and goes on, as does a
        request that is being sent just now."""
        run = await self._journal.current(run)
        if run.state is RunState.PENDING or (run.state in AT_FAL_STATES and not await self._has_begun(run)):
            return await self.cancel(run)
        return run

    async def _has_begun(self, run: Run) -> bool:
        """Whether fal works on a run that it has accepted, or has ended it; True where it does not say."""
        if run.state is RunState.RUNNING or run.ticket is None:
            return True
        try:
            return await self._engines.gateway(run).has_begun(run.ticket)
        except (Unreachable, RequestFailed, KeyNeeded) as error:
            log.info("run %s was not cancelled: %s", run.id, error)
            return True

    async def stop(self) -> None:
        """Stop all work: the next start resumes it from the history.

        Submits under way get 2.5 s to be answered, because an unanswered one must not be sent again.
        """
        self._stopping = self._journal.stopping = True
        await self._lost.stop()
        sending = [task for run_id, task in self._tasks.items() if run_id in self._sending]
        if sending:
            await asyncio.wait(sending, timeout=2.5)
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=1)

    async def _work(self, run: Run) -> None:
        """Carry out a run, and save how it ended."""
        try:
            done = await self._to_the_picture(run)
        except KeyNeeded:
            await self._journal.save(run, note=KEY_NOTE)
        except SubmitUnanswered as error:
            await self._end_unknown(run, error.failure)
        except (RequestFailed, NotAccepted, Unreachable) as error:
            await self._fail(run, error.failure)
        except OSError as error:
            await self._fail_here(run, failures.cannot_keep(error))
        except Exception:
            log.exception("run %s stopped on an error of this program", run.id)
            await self._fail_here(run, failures.our_fault())
        else:
            if done:
                await self._shrink(done)

    async def _to_the_picture(self, run: Run) -> Run | None:
        """Submit, follow, fetch; None if the run must not be sent (now).

        The slot in flight is released when a slot to fetch is held: so the next run is at fal while a picture is
        fetched, but no further ones are sent while pictures cannot be fetched.
        """
        key = self._engines.key_name(run)
        async with AsyncExitStack() as fetching:
            async with self._in_flight.slot(key, _rank(run)):
                accepted = run if run.ticket else await self._submit(run)
                if accepted is None or self._stopping:
                    return None
                if accepted.cancel_asked and accepted.ticket:  # while fal was not known to have it
                    await self._cancel_at_fal(accepted, accepted.ticket)
                ended = await self._patiently(self._follow, accepted)
                await fetching.enter_async_context(self._fetching.slot(key))
            return await self._patiently(self._fetch, ended)

    async def _submit(self, run: Run) -> Run | None:
        """Send the request once; again, with growing pauses, only if fal certainly did not accept it.

        None if it must not be sent (now): the run was cancelled, or its grid is paused.
        """
        gateway = self._engines.gateway(run)
        start, attempt = self._clock.monotonic(), 0
        while sending := await self._journal.begin(run):
            self._sending.add(run.id)
            try:
                ticket = await gateway.submit(sending.request)
                return await self._journal.accept(run, ticket)
            except NotAccepted as error:
                attempt += 1
                jitter = random.uniform(0.7, 1.0)  # noqa: S311  # nosec B311: no secret
                pause = error.retry_after or min(LONGEST_PAUSE_SECONDS, 0.5 * 2**attempt) * jitter
                if self._clock.monotonic() - start + pause > SUBMIT_PATIENCE_SECONDS:
                    raise
                # Not accepted: back to pending, so that after a crash during the pause the run is known to be unsent.
                unsent = {"state": RunState.PENDING, "note": error.waiting_for, "submitted_at": None}
                waiting = await self._journal.save_from(RunState.SUBMITTING, run, **unsent)
                if waiting is None:
                    return None
            finally:
                self._sending.discard(run.id)
            if waiting.cancel_asked:
                await self.cancel(waiting)
            else:
                await self._clock.sleep(pause)
        return None

    async def _patiently(self, read: Callable[[Run], Awaitable[Run]], run: Run) -> Run:
        """Call `read` (follow or fetch), and repeat it while fal cannot be reached: reading costs nothing."""
        start, attempt = self._clock.monotonic(), 0
        while True:
            try:
                return await read(run)
            except Unreachable as error:
                attempt += 1
                if self._clock.monotonic() - start > READ_PATIENCE_SECONDS:
                    raise
                log.warning("run %s: %s", run.id, error)
                run = await self._journal.save(run, note="fal cannot be reached just now; trying again")
                await self._clock.sleep(min(LONGEST_PAUSE_SECONDS, 0.5 * 2**attempt))

    async def _follow(self, run: Run) -> Run:
        """Save the run's progress until fal has ended it."""
        ticket = run.ticket
        assert ticket, "only a run that fal accepted is followed"  # noqa: S101  # nosec B101: tells the type checker
        gateway = self._engines.gateway(run)
        async for seen in gateway.follow(ticket):
            news: dict[str, Any] = {
                "state": seen.state,
                "queue_position": seen.position,
                "progress": seen.fraction,
            }
            if seen.state is RunState.RUNNING and run.started_at is None:
                news["started_at"] = self._clock.now()
            run = await self._journal.save_news(run, {**news, "note": None})
        return run

    async def _fetch(self, run: Run) -> Run:
        """Download the picture that fal has made, store it, and save the run as done."""
        ticket = run.ticket
        assert ticket, "only a run that fal accepted is fetched"  # noqa: S101  # nosec B101: tells the type checker
        gateway = self._engines.gateway(run)
        result = await gateway.result(ticket, registry.of(run.model).result)
        data = await gateway.download(result.url)
        picture = await self._history.pools.pictures(self._media.keep_original, data, run.request)
        run = await self._journal.current(run)
        note: str | None = None
        if run.cancel_asked:
            note = "It was finished before the cancel reached fal, so it was kept."
        elif run.repeat_of:
            note = await self._history.pools.pictures(
                repeat.note_of, self._history, self._media, run.repeat_of, picture
            )
        cost = {} if result.billed_units is None else {"cost_usd": self._cost(run, result.billed_units)}
        return await self._journal.save(
            run,
            state=RunState.DONE,
            picture=picture,
            seed_used=result.seed,
            billed_units=result.billed_units,
            finished_at=self._clock.now(),
            progress=None,
            queue_position=None,
            failure=None,
            note=note,
            **cost,
        )

    async def _shrink(self, done: Run) -> None:
        """Make the thumbnail, unless a page has asked for it. Delayed: pictures that users wait for come first."""
        await self._clock.sleep(SHRINK_AFTER_SECONDS)
        if done.picture:
            try:
                await self._history.pools.pictures(self._media.shrunk, done.picture)
            except Exception:  # the run is done, and a missing thumbnail must not change that
                log.exception("run %s: no thumbnail could be made", done.id)

    def _cost(self, run: Run, units: float) -> float:
        return 0.0 if run.engine == "demo" else self._prices.of_units(units, run.model)

    async def _cancel_at_fal(self, run: Run, ticket: Ticket) -> None:
        try:
            await self._engines.gateway(run).cancel(ticket)
        except (Unreachable, KeyNeeded) as error:
            log.warning("run %s could not be cancelled: %s", run.id, error)
            await self._journal.save(run, note="The cancel did not reach fal; it goes on.")

    async def _fail_here(self, run: Run, failure: Failure) -> None:
        """End a run on an error of this program. If it was submitting it becomes unknown, for fal may have it."""
        if self._stopping:
            return  # the stop caused the error: the next start resumes the run from its state in the history
        if not await self._end_unknown(run, failures.broke_off_while_submitting()):
            await self._fail(run, failure)

    async def _end_unknown(self, run: Run, failure: Failure) -> bool:
        """End a run that was sent and not answered, and look for it at fal. False if it is not submitting any more."""
        lost = {"failure": failure, "note": None, "finished_at": self._clock.now()}
        unknown = await self._journal.save_from(RunState.SUBMITTING, run, state=RunState.UNKNOWN, **lost)
        if unknown:
            self._lost.look_for(unknown)
        return unknown is not None

    async def _fail(self, run: Run, failure: Failure) -> None:
        """End a run without a picture: cancelled if that was asked for and may have caused `failure`, else failed."""
        current = await self._journal.current(run)
        cancelled = current.cancel_asked and failure.code not in ("content_policy", "no_media", "validation")
        await self._journal.save(
            run,
            state=RunState.CANCELLED if cancelled else RunState.FAILED,
            failure=None if cancelled else failure,
            finished_at=self._clock.now(),
            progress=None,
            queue_position=None,
            note=None,
        )


def _rank(run: Run) -> int:
    """Rank for a slot, smallest first: runs that fal has accepted, then single pictures, then those of grids."""
    return 0 if run.ticket else 1 if run.grid_id is None else 2
