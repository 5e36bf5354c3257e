"""The demo engine's queue: takes requests, runs them on a clock of so many seconds a step, and keeps their pictures.

`services.engines.demo.asgi` gives it fal's queue protocol, so that fal's own clients work against it unchanged, in this
process or over a socket. It is no model: pictures are painted by `services.engines.demo.painting.painter`.

What it does on purpose, so that error paths can be shown and tried:
- a prompt that contains `[refuse]` is refused as fal's content check refuses one (`content_policy_violation`);
- a key that contains `invalid` is not accepted; every other key is.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
import uuid
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from services.clock import SYSTEM, Clock
from services.engines.demo.picture_cache import KEEP_SECONDS, PictureCache
from services.engines.demo.progress import LogEntry, log_entries, steps_done
from services.engines.demo.records import Outcome, Record, RecordStore
from services.models.generation_request import GenerationRequest
from services.models.kinds.integer import random_seed
from services.models.registry import steps_of
from services.stored import StoredRequest

log = logging.getLogger(__name__)

REFUSED_WORD = "[refuse]"
Paint = Callable[..., bytes]
"""`painter.paint`: keyword arguments from the request, the encoded picture back. Runs in a thread."""


@dataclass(eq=False)
class Job:
    """A request that waits or runs. Once it has ended, its record says all there is to know."""

    record: Record
    started: float | None = None
    """The clock's `monotonic()` when its turn came; None while it waits."""
    task: asyncio.Task[None] | None = None
    ended: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Snapshot:
    """One look at a request."""

    record: Record
    position: int | None
    """Requests ahead of it while it waits, 0 = next; None once it has started."""
    logs: list[LogEntry]


GUIDANCE = 3.5
"""Of a picture whose model has no such setting."""


class DemoQueue:
    def __init__(
        self,
        *,
        step_seconds: float = 0.03,
        workers: int | None = None,
        max_running: int = 20,
        store: Path | None = None,
        paint: Paint | None = None,
        clock: Clock = SYSTEM,
    ) -> None:
        """A request takes the steps that its model says × `step_seconds`, longer if painting takes longer.

        `max_running` requests have their clock running at once, the others wait in the queue. Of those running,
        `workers` are being painted at a time (default: one for each processor).
        Requests are kept in the folder `store`, where a later DemoQueue finds them again; None keeps them in memory
        only.
        """
        self._step_seconds = step_seconds
        self._workers = workers or os.cpu_count() or 1
        self._max_running = max_running
        self._paint = paint
        self._clock = clock
        self._store = RecordStore(store)
        self._cache = PictureCache(clock)
        self._jobs: dict[str, Job] = {}
        self._waiting: deque[Job] = deque()
        self._running: set[Job] = set()
        self._pool: ThreadPoolExecutor | None = None
        self._closed = False

    @property
    def step_seconds(self) -> float:
        return self._step_seconds

    def submit(self, request: GenerationRequest) -> Snapshot:
        """Accept a request. Needs a running event loop."""
        seed = random_seed() if request.seed is None else request.seed
        record = Record(id=str(uuid.uuid4()), request=StoredRequest.of(request).but(seed=seed), accepted=time.time())
        self._store.save(record)
        position = len(self._waiting)
        self._enqueue(record)
        return Snapshot(record, position, [])

    def look(self, request_id: str) -> Snapshot | None:
        """How a request is doing; None if it is unknown. One left over by an earlier server is run again."""
        job = self._jobs.get(request_id)
        if job is None:
            record = self._store.load(request_id)
            if record is None:
                return None
            if record.ended:
                total = steps_of(record.request)
                started = record.started or record.accepted
                return Snapshot(record, None, log_entries(started, self._step_seconds, record.steps, total))
            job = self._enqueue(record)
        position = self._waiting.index(job) if job in self._waiting else None
        return Snapshot(job.record, position, self._logs(job))

    def cancel(self, request_id: str) -> bool:
        """Drop a waiting request or stop a running one, at once. False if it had ended already or is unknown."""
        self.look(request_id)
        job = self._jobs.get(request_id)
        if job is None:
            return False
        self._end(job, "cancelled")
        if job.task:
            job.task.cancel()
        return True

    def forget(self, request_id: str) -> None:
        """Drop what is in memory of a request that has ended."""
        self._store.forget(request_id)
        self._cache.drop(request_id)

    async def wait(self, request_id: str, seconds: float) -> None:
        """Return when the request has ended, or after `seconds`."""
        if job := self._jobs.get(request_id):
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(job.ended.wait(), seconds)

    async def picture(self, record: Record) -> bytes:
        """The finished picture's bytes, painted again if they are no longer in memory."""
        kept = self._cache.get(record.id)
        if kept is None:
            kept = await self._painting(record.request)
            self._cache.put(record.id, kept)
        return kept

    async def aclose(self) -> None:
        """Stop all work. Unfinished requests stay in the store, for the next server to run."""
        self._closed = True
        tasks = [job.task for job in self._running if job.task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._pool:
            self._pool.shutdown(wait=False, cancel_futures=True)

    def _enqueue(self, record: Record) -> Job:
        job = self._jobs[record.id] = Job(record)
        self._waiting.append(job)
        self._start_waiting()
        return job

    def _start_waiting(self) -> None:
        while self._waiting and len(self._running) < self._max_running and not self._closed:
            job = self._waiting.popleft()
            job.started = self._clock.monotonic()
            job.record = replace(job.record, started=time.time())
            job.task = asyncio.get_running_loop().create_task(self._run(job))
            self._running.add(job)

    async def _run(self, job: Job) -> None:
        request = job.record.request
        if REFUSED_WORD in request.prompt:
            await self._clock.sleep(self._step_seconds)
            return self._end(job, "refused")
        seconds = steps_of(request) * self._step_seconds
        picture, _ = await asyncio.gather(self._painting(request), self._clock.sleep(seconds), return_exceptions=True)
        if isinstance(picture, BaseException):
            log.error("painting the demo request %s failed", job.record.id, exc_info=picture)
            return self._end(job, "failed")
        self._cache.put(job.record.id, picture)
        asyncio.get_running_loop().call_later(KEEP_SECONDS, self._cache.trim)
        return self._end(job, "done")

    def _painting(self, request: StoredRequest) -> asyncio.Future[bytes]:
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="demo-painter")
        return asyncio.get_running_loop().run_in_executor(self._pool, self._paint_request, request)

    def _paint_request(self, request: StoredRequest) -> bytes:
        paint = self._paint or _default_painter()
        width, height = request.shape
        return paint(
            prompt=request.prompt,
            width=width,
            height=height,
            seed=request.seed,
            num_inference_steps=steps_of(request),
            guidance_scale=request.guidance_scale or GUIDANCE,
            output_format=request.output_format or "jpeg",
        )

    def _end(self, job: Job, outcome: Outcome) -> None:
        seconds = self._clock.monotonic() - job.started if job.started is not None else None
        total = steps_of(job.record.request)
        steps = total if outcome == "done" else len(self._logs(job))
        job.record = replace(job.record, outcome=outcome, seconds=seconds, steps=steps)
        self._store.save(job.record)
        self._jobs.pop(job.record.id, None)
        self._running.discard(job)
        if job in self._waiting:
            self._waiting.remove(job)
        job.ended.set()
        self._start_waiting()

    def _logs(self, job: Job) -> list[LogEntry]:
        if job.started is None or job.record.started is None or REFUSED_WORD in job.record.request.prompt:
            return []
        total = steps_of(job.record.request)
        done = steps_done(self._clock.monotonic() - job.started, self._step_seconds, total)
        return log_entries(job.record.started, self._step_seconds, done, total)


def _default_painter() -> Paint:
    """Imported with the first picture: numpy and Pillow are not wanted to start the server."""
    from services.engines.demo.painting.painter import paint

    return paint
