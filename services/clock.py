"""The clock that use cases read. It is passed in, so that a test can replace it and advance time itself."""

from __future__ import annotations

import asyncio
import time
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Protocol

import anyio

from services.run import now


class Clock(Protocol):
    def now(self) -> datetime:
        """The date and time in UTC. May jump when the machine's clock is set."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment. Never jumps."""

    async def sleep(self, seconds: float) -> None: ...

    def limit(self, seconds: float) -> AbstractContextManager[object]:
        """A context manager that raises TimeoutError if its block takes longer than `seconds`."""


class SystemClock:
    """The clock of this machine."""

    def now(self) -> datetime:
        return now()

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def limit(self, seconds: float) -> AbstractContextManager[object]:
        return anyio.fail_after(seconds)  # asyncio.wait_for loses cancels before Python 3.12


SYSTEM = SystemClock()
