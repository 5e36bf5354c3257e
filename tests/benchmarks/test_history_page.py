"""The History tab in a browser, with 10, 10,000 and 100,000 runs: until the first cards are there, what a page load
sends, and what browsing 10,000 runs leaves in the server's memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from benchmarks.make_history import fill, give_pictures, runs
from playwright.sync_api import Browser
from support.bench import by_turns, memory_mb, ratio, show
from support.page import PlaygroundPage
from support.server import AppServer, serve_app

from services.library.history import History

SIZES = (10, 10_000, 100_000)
ROUNDS = 9
BROWSED = 10_000
PAGE = 60
FILES = ("/assets/", "/ui-assets/", "/static/", "/theme.css", "/thumbs/", "/media/", "/favicon")
"""What a page load sends besides data: scripts, styles, fonts and pictures."""
FIRST_CARDS = """() => new Promise((shown) => {
  const tab = [...document.querySelectorAll("[role=tab]")].find((tab) => tab.textContent.trim() === "History");
  const begun = performance.now();
  const look = () => {
    const picture = document.querySelector("#widget-history [data-run-id] img");
    if (picture?.complete && picture.naturalWidth) shown(performance.now() - begun);
    else requestAnimationFrame(look);
  };
  tab.click();
  look();
})"""
"""Milliseconds from a click on the tab to the frame that shows the first card with its picture."""


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[int, AppServer]]:
    """The app on a shared history of each size; the files of the longest are missing but for its newest."""
    with ExitStack() as stack:
        found = {}
        for size in SIZES:
            folder = tmp_path_factory.mktemp(f"runs-{size}")
            history = History(folder / "data")
            fill(history, runs(size))
            history.close()
            give_pictures(folder / "data", (run for place, run in enumerate(runs(size)) if place >= size - BROWSED))
            found[size] = stack.enter_context(serve_app(folder, PLAYGROUND_HISTORY="shared"))
        yield found


def first_cards(browser: Browser, server: AppServer) -> float:
    """Milliseconds, once the tab's scripts are there: they come by themselves a moment after the page."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = PlaygroundPage(context, server.url).open()
        page.page.wait_for_timeout(3500)
        return float(page.page.evaluate(FIRST_CARDS))


def kilobytes_of_data(browser: Browser, server: AppServer) -> float:
    """What a page load and the History tab send over the wire, without files."""
    with browser.new_context(viewport={"width": 1440, "height": 900}) as context:
        page = PlaygroundPage(context, server.url)
        wire = context.new_cdp_session(page.page)
        addresses: dict[str, str] = {}
        sent = [0.0]

        def received(event: dict[str, Any]) -> None:
            if not urlsplit(addresses.get(event["requestId"], "")).path.startswith(FILES):
                sent[0] += event["encodedDataLength"]

        wire.on("Network.requestWillBeSent", lambda told: addresses.update({told["requestId"]: told["request"]["url"]}))
        wire.on("Network.dataReceived", received)
        wire.send("Network.enable")
        page.open()
        page.page.evaluate(FIRST_CARDS)
        page.page.wait_for_timeout(1000)
        return sent[0] / 1024


def browse(server: AppServer, count: int) -> None:
    """Page by page to the end, as the tab asks for them, with every picture."""
    with httpx.Client(base_url=server.url, trust_env=False, timeout=60) as http:
        after, seen = None, 0
        while seen < count:
            query = {"limit": PAGE, **({"after": after} if after is not None else {})}
            found = http.get("/history", params=query).raise_for_status().json()
            for run in found["runs"]:
                if run.get("thumb"):
                    http.get(run["thumb"]).raise_for_status()
            if not found["runs"]:
                break
            after, seen = found["runs"][-1]["seq"], seen + len(found["runs"])
    assert seen >= count * 0.9, seen


def test_the_history_tab(servers: dict[int, AppServer], browser: Browser) -> None:
    for server in servers.values():
        first_cards(browser, server)
    samples = by_turns(ROUNDS, *(lambda server=server: first_cards(browser, server) for server in servers.values()))
    data = [kilobytes_of_data(browser, server) for server in servers.values()]
    show(
        f"From a click on History to the first cards, {ROUNDS} by turns; what a page load and the tab send",
        ("runs", "first cards", "beside 10 runs (target 1.2)", "data over the wire (target 60 KB)"),
        [
            (f"{size:,}", sample.told("ms", 0), f"{ratio(sample, samples[0]):.2f}", f"{kilobytes:.0f} KB")
            for size, sample, kilobytes in zip(servers, samples, data, strict=True)
        ],
    )


def test_memory_after_browsing(servers: dict[int, AppServer]) -> None:
    server = servers[BROWSED]
    browse(server, PAGE * 3)
    before = memory_mb(server.pid)
    browse(server, BROWSED)
    after = memory_mb(server.pid)
    show(
        f"The server's memory around browsing {BROWSED:,} runs with their pictures",
        ("before", "after", "grown (target +50 MB)"),
        [(f"{before:.0f} MB", f"{after:.0f} MB", f"{after - before:+.0f} MB")],
    )
