"""Slots: at most so many requests in flight in each lane. The others wait: by rank, and of one rank in their order."""

from __future__ import annotations

import asyncio
import heapq
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import count


class Slots:
    def __init__(self, limit: int) -> None:
        self._lanes: dict[str, _Lane] = defaultdict(lambda: _Lane(limit))

    @asynccontextmanager
    async def one(self, lane: str, rank: int = 0) -> AsyncIterator[None]:
        """A slot in the lane. The smaller rank goes first."""
        slots = self._lanes[lane]
        await slots.take(rank)
        try:
            yield
        finally:
            slots.give()


class _Lane:
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
            if turn.done() and not turn.cancelled():  # the slot was handed over just now
                self.give()
            raise

    def give(self) -> None:
        while self._waiting:
            _, _, turn = heapq.heappop(self._waiting)
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
