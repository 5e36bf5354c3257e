from __future__ import annotations

import asyncio

from services.running.semaphore import KeySemaphores


class Line:
    """Those who want a slot, and the order in which they got one."""

    def __init__(self, limit: int) -> None:
        self.semaphores = KeySemaphores(limit)
        self.order: list[str] = []
        self.leave = asyncio.Event()

    async def _want(self, name: str, rank: int, key: str) -> None:
        async with self.semaphores.slot(key, rank):
            self.order.append(name)
            await self.leave.wait()

    async def want(self, name: str, rank: int = 0, key: str = "fal") -> asyncio.Task[None]:
        task = asyncio.create_task(self._want(name, rank, key))
        await asyncio.sleep(0)
        return task


async def test_at_most_so_many_and_in_their_order():
    line = Line(2)
    tasks = [await line.want(name) for name in "abcd"]
    assert line.order == ["a", "b"]
    line.leave.set()
    await asyncio.gather(*tasks)
    assert line.order == ["a", "b", "c", "d"]


async def test_a_key_leaves_nothing_behind():
    line = Line(1)
    tasks = [await line.want(name, key=key) for name, key in [("a", "one"), ("b", "one"), ("c", "two"), ("d", "two")]]
    tasks[3].cancel()
    assert len(line.semaphores) == 2
    line.leave.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert line.order == ["a", "c", "b"]
    assert len(line.semaphores) == 0


async def test_the_smaller_rank_goes_first():
    line = Line(1)
    tasks = [await line.want(name, rank) for name, rank in [("a", 2), ("b", 2), ("c", 1), ("d", 0)]]
    line.leave.set()
    await asyncio.gather(*tasks)
    assert line.order == ["a", "d", "c", "b"]


async def test_keys_do_not_wait_for_each_other():
    line = Line(1)
    tasks = [await line.want("a"), await line.want("b", key="demo")]
    assert line.order == ["a", "b"]
    line.leave.set()
    await asyncio.gather(*tasks)


async def test_who_is_cancelled_takes_no_slot_along():
    line = Line(1)
    first, second, third = [await line.want(name) for name in "abc"]
    second.cancel()
    line.leave.set()
    await asyncio.gather(first, third)
    assert line.order == ["a", "c"]
    # cancelled in the very moment in which the slot is handed over
    line.leave.clear()
    fourth, fifth = await line.want("d"), await line.want("e")
    line.leave.set()
    await asyncio.wait([fourth])
    fifth.cancel()
    await asyncio.gather(fifth, return_exceptions=True)
    await asyncio.wait_for(await line.want("f"), 1)
