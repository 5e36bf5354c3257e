"""The runner owns the work under way: journal → submit → follow → fetch → keep.

It lives outside any page: closing a tab changes nothing, and after a restart `recover` takes up what was unfinished.
Each change is committed before anything else happens, so a crash at any point leaves a run that says what it is.
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
from services.run import AT_FAL_STATES, Run, RunState, Ticket
from services.running import repeat
from services.running.journal import Journal
from services.running.lost import LostSubmits
from services.running.semaphore import KeySemaphores

log = logging.getLogger(__name__)

SUBMIT_PATIENCE_SECONDS = 600.0
"""How long a request that fal certainly did not take is offered again."""
READ_PATIENCE_SECONDS = 3600.0
"""How long a picture is followed through failing calls; fal keeps a result for about an hour."""
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
        self._lost = LostSubmits(history, engines, changes, clock, fal_api_host, self.take)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._sending: set[str] = set()
        self._stopping = False

    async def recover(self) -> None:
        """Take up what a stopped server left: pending is sent, submitting becomes unknown, the rest is followed."""
        for run in await asyncio.to_thread(self._history.unfinished):
            if run.state is RunState.SUBMITTING:
                self._lost.look_for(await self._unknown(run, failures.stopped_while_submitting()))
            else:
                self.take(run)

    def take(self, run: Run) -> None:
        """Work on a run that is in the history, from wherever it stands. Returns at once."""
        if run.id in self._tasks or self._stopping:
            return
        # In the context of who asked it would keep their whole request in memory for as long as it runs.
        task = Context().run(asyncio.create_task, self._work(run), name=f"run {run.id}")
        self._tasks[run.id] = task
        task.add_done_callback(lambda _: self._tasks.pop(run.id, None))

    async def take_again(self, runs: list[Run]) -> None:
        """Work on runs whose key has come; one that is just putting itself down to wait for it is waited for."""
        if ending := [self._tasks[run.id] for run in runs if run.id in self._tasks]:
            await asyncio.wait(ending, timeout=0.5)
        for run in runs:
            self.take(run)

    async def fetch_again(self, run: Run) -> Run:
        """Follow an accepted run once more that failed on its way here."""
        again = await self._journal.save(run, state=RunState.SUBMITTED, failure=None, finished_at=None, note=None)
        self.take(again)
        return again

    async def cancel(self, run: Run) -> Run:
        """Stop a run: at once where it was not sent, else by asking fal, which may still finish it.

        A task is never interrupted for this: it may be sending just now, and then fal has to be asked.
        """
        asked = {"cancel_asked": True, "finished_at": self._clock.now(), "note": None}
        if cancelled := await self._journal.save_from(RunState.PENDING, run, state=RunState.CANCELLED, **asked):
            return cancelled
        run = await self._journal.save(run, cancel_asked=True)
        if run.state in AT_FAL_STATES and run.ticket:
            await self._cancel_at_fal(run, run.ticket)
        return run

    async def stop(self) -> None:
        """Stop working, keeping what is known: everything goes on at the next start.

        Submits on their way get a moment to be answered, for an unanswered one cannot be repeated.
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
        """One run to its end, whatever the end is."""
        try:
            done = await self._to_the_picture(run)
        except KeyNeeded:
            await self._journal.save(run, note=KEY_NOTE)
        except SubmitUnanswered as error:
            self._lost.look_for(await self._unknown(run, error.failure))
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
        """Send, follow, fetch; None where it is not sent (now). While a picture is fetched the next request is at fal
        already; no further ones are, where pictures cannot be fetched."""
        key = self._engines.key_name(run)
        async with AsyncExitStack() as fetching:
            async with self._in_flight.slot(key, _rank(run)):
                accepted = run if run.ticket else await self._submit(run)
                if accepted is None or self._stopping:
                    return None
                ended = await self._patiently(self._follow, accepted)
                await fetching.enter_async_context(self._fetching.slot(key))
            return await self._patiently(self._fetch, ended)

    async def _submit(self, run: Run) -> Run | None:
        """Send it once; where fal certainly did not take it, offer it again with growing pauses.

        None where it is not to be sent (now): it was cancelled, or its grid is paused.
        """
        gateway = self._engines.gateway(run)
        start, attempt = self._clock.monotonic(), 0
        while sending := await self._journal.begin(run):
            self._sending.add(run.id)
            try:
                ticket = await gateway.submit(sending.request)
                accepted = await self._journal.save(run, state=RunState.SUBMITTED, ticket=ticket)
            except NotAccepted as error:
                attempt += 1
                jitter = random.uniform(0.7, 1.0)  # noqa: S311  # nosec B311: no secret
                pause = error.retry_after or min(LONGEST_PAUSE_SECONDS, 0.5 * 2**attempt) * jitter
                if self._clock.monotonic() - start + pause > SUBMIT_PATIENCE_SECONDS:
                    raise
                # Not taken: say so in the history, so that a crash while waiting leaves no doubt.
                waiting = await self._journal.save(
                    run, state=RunState.PENDING, note=error.waiting_for, submitted_at=None
                )
            else:
                if accepted.cancel_asked:  # pressed while the request was on its way
                    await self._cancel_at_fal(accepted, ticket)
                return accepted
            finally:
                self._sending.discard(run.id)
            if waiting.cancel_asked:
                await self.cancel(waiting)
            else:
                await self._clock.sleep(pause)
        return None

    async def _patiently(self, read: Callable[[Run], Awaitable[Run]], run: Run) -> Run:
        """Follow or fetch; calls that fail for a while are repeated, for reading costs nothing."""
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
        """Until fal has ended it."""
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
        """The picture that fal has made: downloaded, kept, and told."""
        ticket = run.ticket
        assert ticket, "only a run that fal accepted is fetched"  # noqa: S101  # nosec B101: tells the type checker
        gateway = self._engines.gateway(run)
        result = await gateway.result(ticket)
        data = await gateway.download(result.url)
        picture = await asyncio.to_thread(self._media.keep_original, data, run.request)
        run = await self._journal.current(run)
        note: str | None = None
        if run.cancel_asked:
            note = "It was finished before the cancel reached fal, so it was kept."
        elif run.repeat_of:
            note = await asyncio.to_thread(repeat.note_of, self._history, self._media, run.repeat_of, picture)
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
        """The thumbnail, where no page has asked for it: a picture that is waited for comes before it."""
        await self._clock.sleep(SHRINK_AFTER_SECONDS)
        if done.picture:
            try:
                await asyncio.to_thread(self._media.shrunk, done.picture)
            except Exception:  # the picture is there: nothing here may change that
                log.exception("run %s: no thumbnail could be made", done.id)

    def _cost(self, run: Run, units: float) -> float:
        return 0.0 if run.engine == "demo" else self._prices.of_units(units)

    async def _cancel_at_fal(self, run: Run, ticket: Ticket) -> None:
        try:
            await self._engines.gateway(run).cancel(ticket)
        except (Unreachable, KeyNeeded) as error:
            log.warning("run %s could not be cancelled: %s", run.id, error)
            await self._journal.save(run, note="The cancel did not reach fal; it goes on.")

    async def _fail_here(self, run: Run, failure: Failure) -> None:
        """The end by an error of this program. While a request was on its way, it leaves open whether fal took it."""
        if self._stopping:
            return  # the stop broke it: the next start goes on from what the history says
        lost = {"failure": failures.broke_off_while_submitting(), "note": None, "finished_at": self._clock.now()}
        if unknown := await self._journal.save_from(RunState.SUBMITTING, run, state=RunState.UNKNOWN, **lost):
            self._lost.look_for(unknown)
        else:
            await self._fail(run, failure)

    async def _unknown(self, run: Run, failure: Failure) -> Run:
        """Sent, and no answer came."""
        return await self._journal.save(
            run, state=RunState.UNKNOWN, failure=failure, note=None, finished_at=self._clock.now()
        )

    async def _fail(self, run: Run, failure: Failure) -> None:
        """The end without a picture. What was cancelled on request is no failure."""
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
    """Who goes first: what fal is working on already, then single pictures, then those of grids."""
    return 0 if run.ticket else 1 if run.grid_id is None else 2
