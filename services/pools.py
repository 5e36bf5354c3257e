"""Threads for work that blocks, a pool for each kind: none waits for a thread that another kind of work holds.

No module uses asyncio's own pool: it is small on a small machine, and six exports would hold all of it.
"""

from __future__ import annotations

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")
_END = object()

PIECE_SECONDS = 0.001
"""How long long work computes before it lets others go first."""
PAUSE_SECONDS = 0.0003
CLOSING_SECONDS = 2.0
LATELY_SECONDS = 0.01
"""So long after a short call its caller is taken to be still at work, on its answer or on its next call."""
WAIT_SECONDS = 0.01
"""How long at most long work waits before its next piece: it goes on, slowly, however many calls there are."""


class Pool:
    """A few threads, started when they are needed. Called with a function, it runs it in one of them."""

    def __init__(self, name: str, threads: int) -> None:
        self.threads = threads
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._under_way = 0
        self._used = 0.0  # when a call last began or ended
        self._begun: set[Future[Any]] = set()

    def was_used(self, seconds: float) -> bool:
        """Whether a call is under way, or was in the last so many seconds."""
        return self._under_way > 0 or time.monotonic() - self._used < seconds

    async def __call__(self, work: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """The result of `work(*args, **kwargs)`. Calls begin in their order; one that has begun cannot be cancelled.

        Raises RuntimeError after `close`.
        """
        call = partial(contextvars.copy_context().run, work, *args, **kwargs)
        self._under_way += 1
        try:
            future = self._executor.submit(call)
            self._begun.add(future)
            future.add_done_callback(self._begun.discard)
            return await asyncio.wrap_future(future)
        finally:
            self._under_way -= 1
            self._used = time.monotonic()

    async def each(self, items: Iterator[T]) -> AsyncIterator[T]:
        """The items of an iterator whose steps block. Between two steps the thread is free for others."""
        while (item := await self(next, items, _END)) is not _END:
            yield item  # type: ignore[misc]  # _END is never yielded

    def close(self) -> set[Future[Any]]:
        """Drop what has not begun, and return what has."""
        self._executor.shutdown(wait=False, cancel_futures=True)
        return set(self._begun)


@dataclass(frozen=True)
class Pools:
    """The pools of one history. The number of threads is how much of a kind is done at once."""

    reads: Pool = field(default_factory=lambda: Pool("read", 6))
    """Queries of the history, of some milliseconds."""
    writes: Pool = field(default_factory=lambda: Pool("write", 4))
    """Changes of the history: they wait for the commit, and for whoever writes at the moment."""
    pictures: Pool = field(default_factory=lambda: Pool("picture", 3))
    """Files of pictures: read, decoded, made smaller, compared, given their settings."""
    sums: Pool = field(default_factory=lambda: Pool("sum", 2))
    """Computing: a grid's thousand cells, a large answer packed."""
    exports: Pool = field(default_factory=lambda: Pool("export", 2))
    """Exports and contact sheets: seconds of work, and memory."""
    restores: Pool = field(default_factory=lambda: Pool("restore", 1))
    transfers: Pool = field(default_factory=lambda: Pool("transfer", 4))
    """Single blocks of files that are sent or received."""
    chores: Pool = field(default_factory=lambda: Pool("chore", 2))
    """What looks at every run or file: clearing away, erasing, making room, adding up."""

    def giving_way(self, items: Iterable[T]) -> Iterator[T]:
        """The items, for long work in a thread that computes a little with each: others do not wait for it.

        Threads of Python compute by turns, and one that waits for its turn waits for milliseconds. So the work pauses
        after each millisecond, and for as long as somebody reads, writes or looks at pictures.
        """
        begun = time.monotonic()
        for item in items:
            yield item
            if time.monotonic() - begun >= PIECE_SECONDS:
                time.sleep(PAUSE_SECONDS)
                end = time.monotonic() + WAIT_SECONDS
                while self._is_busy() and time.monotonic() < end:
                    time.sleep(PIECE_SECONDS)
                begun = time.monotonic()

    def _is_busy(self) -> bool:
        return any(pool.was_used(LATELY_SECONDS) for pool in (self.reads, self.writes, self.pictures, self.sums))

    def close(self) -> None:
        """Drop what has not begun; wait CLOSING_SECONDS at most for what works on the history's file, which must not be
        in use any more when its server has stopped. A cancelled task leaves its thread at work.
        """
        begun = {one.name: getattr(self, one.name).close() for one in fields(self)}
        wait(begun["reads"] | begun["writes"] | begun["chores"], timeout=CLOSING_SECONDS)
