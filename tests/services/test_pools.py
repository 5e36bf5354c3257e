"""Work of one kind never waits for another's, and what looks blocking never runs in the event loop's own pool."""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from support.whole import whole_app

from services.library.history import History
from services.library.scope import EVERYONE
from services.pools import LATELY_SECONDS, PAUSE_SECONDS, PIECE_SECONDS, WAIT_SECONDS, Pool, Pools

pytestmark = pytest.mark.anyio
PATIENCE_SECONDS = 10


@pytest.fixture
def pools() -> Iterator[Pools]:
    pools = Pools()
    yield pools
    pools.close()


def held(pool: Pool, until: threading.Event, count: int) -> list[asyncio.Task[bool]]:
    """`count` calls that hold a pool's threads, or wait for one, until the event."""
    return [asyncio.ensure_future(pool(until.wait, PATIENCE_SECONDS)) for _ in range(count)]


class TestPools:
    @pytest.mark.parametrize("kind", [one.name for one in fields(Pools)])
    async def test_whatever_holds_one_kind_no_other_waits(self, pools, kind):
        done = threading.Event()
        holding = held(getattr(pools, kind), done, 60)
        for other in fields(pools):
            if other.name != kind:
                call = getattr(pools, other.name)(lambda: "answered")
                assert await asyncio.wait_for(call, PATIENCE_SECONDS) == "answered", other.name
        assert not [task for task in holding if task.done()]
        done.set()
        assert await asyncio.gather(*holding) == [True] * 60

    async def test_exports_are_made_two_at_a_time(self, pools):
        both, more, go_on = threading.Barrier(3), threading.Event(), threading.Event()

        def export(number: int) -> None:
            if number < 2:
                both.wait(PATIENCE_SECONDS)
            else:
                more.set()
            go_on.wait(PATIENCE_SECONDS)

        exports = [asyncio.ensure_future(pools.exports(export, number)) for number in range(6)]
        await asyncio.to_thread(both.wait, PATIENCE_SECONDS)
        await pools.reads(lambda: None)
        assert not more.is_set()
        go_on.set()
        await asyncio.gather(*exports)
        assert more.is_set()

    async def test_results_errors_and_arguments_pass(self, pools):
        def divided(number: int, *, by: int) -> float:
            return number / by

        assert await pools.reads(divided, 6, by=3) == 2
        with pytest.raises(ZeroDivisionError):
            await pools.reads(divided, 6, by=0)

    async def test_between_two_blocks_a_thread_is_free_for_others(self):
        pool, order = Pool("one", 1), list[str]()

        async def sent(name: str) -> None:
            async for block in pool.each(iter([f"{name}1", f"{name}2"])):
                order.append(block)

        await asyncio.gather(sent("a"), sent("b"))
        pool.close()
        assert order == ["a1", "b1", "a2", "b2"]

    async def test_closed_what_waits_is_dropped_and_nothing_begins(self):
        pool, begun, done = Pool("one", 1), threading.Event(), threading.Event()

        def hold() -> bool:
            begun.set()
            return done.wait(PATIENCE_SECONDS)

        holding, waiting = asyncio.ensure_future(pool(hold)), asyncio.ensure_future(pool(hold))
        await asyncio.to_thread(begun.wait, PATIENCE_SECONDS)
        pool.close()
        done.set()
        assert await holding
        with pytest.raises(asyncio.CancelledError):
            await waiting
        with pytest.raises(RuntimeError):
            await pool(hold)


class TestGivingWay:
    """Long work computes for a millisecond at a time, and waits while somebody reads. The clock is the test's."""

    @pytest.fixture
    def slept(self, pools, monkeypatch) -> list[float]:
        now, slept = [100.0], list[float]()

        def sleep(seconds: float) -> None:
            slept.append(seconds)
            now[0] += seconds

        monkeypatch.setattr("services.pools.time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
        self.now = now
        return slept

    def work(self, pools: Pools, pieces: int) -> list[int]:
        done = []
        for item in pools.giving_way(range(pieces)):
            self.now[0] += 1.01 * PIECE_SECONDS
            done.append(item)
        return done

    def test_alone_it_pauses_after_each_piece(self, pools, slept):
        assert self.work(pools, 5) == [0, 1, 2, 3, 4]
        assert slept == [PAUSE_SECONDS] * 5

    def test_small_items_are_no_pieces(self, pools, slept):
        assert list(pools.giving_way(range(1000))) == list(range(1000))
        assert slept == []

    @pytest.mark.parametrize("kind", ["reads", "writes", "pictures", "sums"])
    async def test_it_waits_while_somebody_reads_but_goes_on(self, pools, slept, kind):
        done = threading.Event()
        [reading] = held(getattr(pools, kind), done, 1)
        await asyncio.sleep(0)
        before = self.now[0]
        assert self.work(pools, 3) == [0, 1, 2]
        assert self.now[0] - before >= 3 * WAIT_SECONDS
        done.set()
        await reading
        slept.clear()
        self.now[0] += LATELY_SECONDS
        self.work(pools, 3)
        assert slept == [PAUSE_SECONDS] * 3

    def test_other_exports_are_not_waited_for(self, pools, slept):
        pools.exports._under_way = pools.restores._under_way = pools.transfers._under_way = 2
        self.work(pools, 2)
        assert slept == [PAUSE_SECONDS] * 2


def test_nobody_waits_for_a_connection(tmp_path: Path) -> None:
    """As many may read at once as there are threads of any kind, and then some."""
    history = History(tmp_path)
    threads = sum(getattr(history.pools, one.name).threads for one in fields(history.pools))
    with ExitStack() as connections, ThreadPoolExecutor(1) as other:
        for _ in range(2 * threads):
            connections.enter_context(history._engine.connect())
        assert other.submit(history.count, EVERYONE).result(PATIENCE_SECONDS) == 0
    history.close()


def endpoints_of(routes: list[BaseRoute]) -> Iterator[tuple[str, Callable[..., object]]]:
    """(path, function) of our own routes, those of included routers too."""
    for route in routes:
        if isinstance(route, APIRoute) and route.endpoint.__module__.startswith("ui."):
            yield route.path, route.endpoint
        elif included := getattr(route, "original_router", None):
            yield from endpoints_of(included.routes)


async def test_no_route_and_no_handler_runs_in_a_pool_that_all_share(tmp_path: Path) -> None:
    """FastAPI and Gradio run plain functions in threads of their own: a coroutine names the pool that it needs."""
    async with whole_app(tmp_path) as whole:
        endpoints = list(endpoints_of(whole.app.routes))
        [page] = [app for route in whole.app.routes if (app := getattr(route, "app", None)) and hasattr(app, "blocks")]
        handlers = [event.fn for event in page.blocks.fns.values() if event.fn is not None]
    assert len(endpoints) > 40
    assert [path for path, endpoint in endpoints if not inspect.iscoroutinefunction(endpoint)] == []
    assert len(handlers) > 10
    assert [handler.__name__ for handler in handlers if not inspect.iscoroutinefunction(handler)] == []


async def test_six_exports_that_block_hold_no_place_that_a_read_needs(tmp_path: Path, monkeypatch) -> None:
    done = threading.Event()
    async with whole_app(tmp_path, playground_history="shared") as whole:
        archive = whole.playground.archive
        monkeypatch.setattr(archive._exporter, "prepare", lambda *_args, **_more: done.wait(PATIENCE_SECONDS))
        exports = [asyncio.ensure_future(archive.export(EVERYONE, None, "zip")) for _ in range(60)]
        for path in ("/runs", "/history", "/healthz", "/projects", "/usage", "/grids"):
            answer = await asyncio.wait_for(whole.client.get(path), PATIENCE_SECONDS)
            assert answer.status_code == 200, path
        assert not [export for export in exports if export.done()]
        done.set()
        await asyncio.gather(*exports)


async def test_what_works_on_the_history_is_waited_for_when_it_closes():
    """A task that is cancelled leaves its thread at work; the file may be replaced when its server has stopped."""
    pools, went_on, ended = Pools(), threading.Event(), []

    def work() -> None:
        went_on.wait(PATIENCE_SECONDS)
        ended.append("chore")

    task = asyncio.create_task(pools.chores(work))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    threading.Timer(0.05, went_on.set).start()
    pools.close()
    assert ended == ["chore"]
