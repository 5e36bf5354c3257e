"""Slots: at most so many requests in flight in each lane; the others wait in the order in which they came."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager


class Slots:
    def __init__(self, limit: int) -> None:
        self._lanes: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(limit))

    @asynccontextmanager
    async def one(self, lane: str) -> AsyncIterator[None]:
        async with self._lanes[lane]:
            yield
