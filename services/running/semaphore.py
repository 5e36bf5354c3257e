"""A semaphore for each fal key limits its requests in flight; the others wait by rank, then by arrival."""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class KeySemaphores:
    def __init__(self, limit: int) -> None:
        self._semaphores: dict[str, _Semaphore] = defaultdict(lambda: _Semaphore(limit))

    @asynccontextmanager
    async def slot(self, key: str, rank: int = 0) -> AsyncIterator[None]:
        """Hold one of the key's slots. The smaller rank goes first."""
        semaphore = self._semaphores[key]
        await semaphore.take(rank)
        try:
            yield
        finally:
            semaphore.give()


class _Semaphore:
    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._arrivals = count()

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
