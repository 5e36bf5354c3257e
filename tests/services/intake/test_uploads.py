from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack

import pytest
from support.clock import FakeClock

from services.errors import TooMuch, TooSlow
from services.intake.uploads import A_VISITOR, BLOCK, BLOCK_SECONDS, IN_ALL, Uploads

pytestmark = pytest.mark.anyio


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def uploads(clock: FakeClock) -> Uploads:
    return Uploads(clock)


class TestPlaces:
    @pytest.mark.parametrize("visitor", ["ann", None])
    def test_a_visitor_has_a_few_and_gets_them_back(self, uploads, visitor):
        with ExitStack() as held:
            for _ in range(A_VISITOR):
                held.enter_context(uploads.place(visitor))
            with pytest.raises(
                TooMuch, match=f"^{A_VISITOR} files of (yours|callers without a token) are on their way"
            ):
                held.enter_context(uploads.place(visitor))
            held.enter_context(uploads.place("bob"))
        with uploads.place(visitor):
            pass
        assert not uploads._under_way

    def test_all_together_have_more(self, uploads):
        with ExitStack() as held:
            for number in range(IN_ALL):
                held.enter_context(uploads.place(f"visitor {number}"))
            with pytest.raises(TooMuch, match=f"^{IN_ALL} files are on their way to this server"):
                held.enter_context(uploads.place("ann"))
        with uploads.place("ann"):
            pass

    def test_a_failed_one_leaves_its_place(self, uploads):
        with pytest.raises(ZeroDivisionError), uploads.place("ann"):
            raise ZeroDivisionError
        assert not uploads._under_way


async def sent(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


class TestBlocks:
    @pytest.mark.parametrize(
        ("sizes", "blocks"),
        [
            ([], []),
            ([0], []),
            ([5, 6], [11]),
            ([BLOCK], [BLOCK]),
            ([BLOCK - 1, 2, 3], [BLOCK + 1, 3]),
            ([3 * BLOCK, 1], [3 * BLOCK, 1]),
        ],
    )
    async def test_parts_are_joined(self, uploads, sizes, blocks):
        assert [len(block) async for block in uploads.blocks(sent(*map(bytes, sizes)))] == blocks

    async def test_nothing_is_lost_or_turned_round(self, uploads):
        data = bytes(range(256)) * 4096
        parts = [data[start : start + 1000] for start in range(0, len(data), 1000)]
        assert b"".join([block async for block in uploads.blocks(sent(*parts))]) == data

    async def test_one_that_stops_is_given_up(self, uploads, clock):
        stopped = asyncio.Event()

        async def stalling() -> AsyncIterator[bytes]:
            yield b"x"
            stopped.set()
            await asyncio.Event().wait()

        receiving = asyncio.ensure_future(anext(uploads.blocks(stalling())))
        await stopped.wait()
        clock.advance(BLOCK_SECONDS)
        with pytest.raises(TooSlow) as caught:
            await receiving
        assert caught.value.received == 1
