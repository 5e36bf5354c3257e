"""Files that are sent to the server: how many at once, and how slowly."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from services.clock import Clock
from services.errors import TooMuch, TooSlow

A_VISITOR = 2
"""Files of one visitor at once; of all callers without a token together."""
IN_ALL = 6
"""Files of all visitors at once. A picture whose settings are read is held in memory: at most 64 MB each."""
BLOCK = 1 << 18
"""Bytes that are handed on at a time."""
BLOCK_SECONDS = 60.0
"""In which each block has to arrive: whoever sends more slowly would keep a place from others."""


class Uploads:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way: Counter[str | None] = Counter()

    @contextmanager
    def place(self, visitor: str | None) -> Iterator[None]:
        """Hold a place for a file until all work on it is done. Raises TooMuch if there is none."""
        if self._under_way[visitor] >= A_VISITOR:
            whose = "of yours" if visitor else "of callers without a token"
            raise TooMuch(
                f"{A_VISITOR} files {whose} are on their way or being restored, the most at once. Send this one when "
                "one of them is done."
            )
        if self._under_way.total() >= IN_ALL:
            raise TooMuch(
                f"{IN_ALL} files are on their way to this server or being restored, the most at once. Try again in a "
                "minute."
            )
        self._under_way[visitor] += 1
        try:
            yield
        finally:
            self._under_way[visitor] -= 1
            if not self._under_way[visitor]:
                del self._under_way[visitor]

    async def blocks(self, parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """The parts of an upload, joined into blocks of BLOCK bytes or a little more; the last one may be smaller.

        Raises TooSlow if a block takes longer than BLOCK_SECONDS.
        """
        block = bytearray()
        more = True
        while more:
            try:
                with self._clock.limit(BLOCK_SECONDS):
                    while more and len(block) < BLOCK:
                        part = await anext(parts, None)
                        more = part is not None
                        block += part or b""
            except TimeoutError:
                raise TooSlow(len(block)) from None
            if block:
                yield bytes(block)
            block.clear()
