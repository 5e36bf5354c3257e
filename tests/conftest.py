from __future__ import annotations

import gc
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from support.forked import fork_app
from support.server import AppServer
from support.stores import STORES

from services.library.media_store import Store

# No deadline for an example: on a busy machine it may be slow.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")

MOST_PROCESSES = 4


def pytest_collection_finish() -> None:
    """What is imported now stays: the collector need not look through it again. It would take a tenth of the time."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app with the demo engine at full speed, for all tests of this process: each asks as a visitor of its own."""
    with fork_app(tmp_path_factory.mktemp("app")) as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.fixture(params=list(STORES))
def new_store(request: pytest.FixtureRequest) -> Callable[[Path], Store]:
    """Makes a store for pictures. A test that uses it runs twice: with files in that folder, and in memory."""
    return STORES[request.param]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """A process for each core, MOST_PROCESSES at most, where all tests run; 0, pytest's own process, for a selection of
    them and for benchmarks."""
    whole = not config.option.keyword and config.args == config.getini("testpaths")
    return min(MOST_PROCESSES, os.cpu_count() or 1) if whole and "benchmark" not in _asked(config) else 0


def _asked(config: pytest.Config) -> str:
    """The command line's `-m` expression; empty for that of pytest.ini, which leaves the benchmarks out."""
    return "" if config.option.markexpr == "not benchmark" else config.option.markexpr
