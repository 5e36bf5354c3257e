"""A clock that the test controls: a sleep takes a real millisecond, and a time limit expires when the test says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import anyio
import fal_client.client
import pytest

from services.run import now


class FakeClock:
    """Time passes by sleeping, and by `advance`. The event loop keeps its real clock."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.sleeps: list[float] = []
        self.asleep = asyncio.Event()
        """Set once a sleep has begun."""
        self.wakes = asyncio.Event()
        """While it is cleared, no sleep ends."""
        self.wakes.set()
        self._began = now()
        self._advanced = 0.0
        self._limits: dict[anyio.CancelScope, float] = {}

    def now(self) -> datetime:
        return self._began + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return 1000.0 + self.passed

    async def sleep(self, seconds: float) -> None:
        self.sleeps.append(seconds)
        self.passed += seconds
        self.asleep.set()
        await asyncio.sleep(0.001)
        await self.wakes.wait()

    @contextmanager
    def limit(self, seconds: float) -> Iterator[None]:
        """Raises TimeoutError once `advance` has let `seconds` pass since it was set. Sleeps do not count: those
        of other tasks make time pass too.
        """
        with anyio.CancelScope() as scope:
            self._limits[scope] = self._advanced + seconds
            try:
                yield
            finally:
                del self._limits[scope]
        if scope.cancelled_caught:
            raise TimeoutError

    def advance(self, seconds: float) -> None:
        """Let time pass at once."""
        self.passed += seconds
        self._advanced += seconds
        for scope, end in list(self._limits.items()):
            if end <= self._advanced:
                scope.cancel()

    def set_back(self, by: timedelta) -> None:
        """Set the wall clock back; the monotonic clock goes on."""
        self._began -= by

    def drive_fal_client(self, monkeypatch: pytest.MonkeyPatch) -> FakeClock:
        """Make fal's client sleep by this clock: it has no parameter for one."""
        monkeypatch.setattr(fal_client.client, "asyncio", _Led(asyncio, sleep=self.sleep))
        return self


class _Led:
    """A module with some of its names replaced."""

    def __init__(self, module: Any, **led: Any) -> None:
        self.__dict__.update(led)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)
