"""A semaphore for each fal key limits its requests in flight; the others wait by rank, then by arrival."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class KeySemaphores:
    """A key's semaphore exists as long as somebody holds one of its slots or waits for one."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._semaphores: dict[str, _Semaphore] = {}

    @asynccontextmanager
    async def slot(self, key: str, rank: int = 0) -> AsyncIterator[None]:
        """Hold one of the key's slots. The smaller rank goes first."""
        semaphore = self._semaphores.setdefault(key, _Semaphore(self._limit))
        try:
            await semaphore.take(rank)
            try:
                yield
            finally:
                semaphore.give()
        finally:
            if semaphore.is_free:
                self._semaphores.pop(key, None)

    def __len__(self) -> int:
        return len(self._semaphores)


class _Semaphore:
    def __init__(self, limit: int) -> None:
        self._free = self._limit = limit
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = count()

    @property
    def is_free(self) -> bool:
        """Whether nobody holds a slot, and so nobody waits."""
        return self._free == self._limit

    async def take(self, rank: int) -> None:
        if self._free > 0:
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (rank, next(self._arrivals), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():  # `give` has just handed the slot to this task
                self.give()
            raise

    def give(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
