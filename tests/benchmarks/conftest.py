"""Benchmarks print ratios of two things measured by turns in one run. They fail when work was not done, never for being
slow. Run them one file at a time on a quiet machine: `pytest tests/benchmarks/test_picture.py -m benchmark -s`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright
from support.chromium import launch_options

HERE = Path(__file__).parent
ONLY_LOOPBACK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
"""Requests to other hosts fail at once, so that no measurement includes a wait for the network."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and leave them out where `-m` does not name their mark."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    for item in ours:
        item.add_marker(pytest.mark.benchmark)
    if "benchmark" not in config.option.markexpr:
        items[:] = [item for item in items if not item.path.is_relative_to(HERE)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    options = launch_options(whole=True)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(**{**options, "args": [*options["args"], ONLY_LOOPBACK]})
        yield running
        running.close()
