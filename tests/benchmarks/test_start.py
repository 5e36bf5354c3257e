"""From `python app.py` to a page that can be used, beside three lines of Gradio: time, memory, and what travels."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser
from support.bench import Sample, Started, by_turns, clean_environment, memory_mb, ratio, show, started
from support.page import PlaygroundPage
from support.server import ROOT, free_port

STARTS = 5
PAGES = 7
SETTLED_SECONDS = 2.0
THREE_LINES = """import gradio as gr
demo = gr.Interface(lambda x: x, "textbox", "textbox")
demo.launch(server_port={port})
"""
USABLE = """(() => {
  const shown = (button) => button.checkVisibility() && button.getBoundingClientRect().width > 0 && !button.disabled;
  const look = () => {
    const buttons = [...document.querySelectorAll("button")];
    const found = buttons.some((button) => button.textContent.trim().startsWith("NAME") && shown(button));
    if (found) window.usableAfter = performance.now();
    else requestAnimationFrame(look);
  };
  look();
})()"""


@contextmanager
def playground(folder: Path, data: str) -> Iterator[tuple[Started, str]]:
    """`app.py` on the data folder `data`, and its address."""
    port = free_port()
    environment = clean_environment(
        GRADIO_SERVER_PORT=str(port),
        GRADIO_TEMP_DIR=str(folder / f"gradio-{port}"),
        PLAYGROUND_DATA_DIR=str(folder / data),
        PLAYGROUND_DEMO_STEP_SECONDS="0",
    )
    with started([sys.executable, "app.py"], port, "/healthz", environment, ROOT) as server:
        yield server, f"http://127.0.0.1:{port}"


@contextmanager
def three_lines(folder: Path) -> Iterator[tuple[Started, str]]:
    port = free_port()
    script = folder / "three_lines.py"
    script.write_text(THREE_LINES.format(port=port), encoding="utf-8")
    environment = clean_environment(GRADIO_TEMP_DIR=str(folder / f"gradio-{port}"))
    with started([sys.executable, script.name], port, "/", environment, folder) as server:
        yield server, f"http://127.0.0.1:{port}"


def test_start(tmp_path: Path) -> None:
    memory: dict[str, list[float]] = {"ours": [], "theirs": [], "first": []}

    def measured(name: str, run: Callable[[], Any]) -> float:
        with run() as (server, _):
            memory[name].append(memory_mb(server.pid))
            return float(server.seconds)

    numbers = iter(range(1000))
    with playground(tmp_path, "kept"):  # makes the history that later starts find
        pass
    with three_lines(tmp_path):
        pass
    ours, theirs, first = by_turns(
        STARTS,
        lambda: measured("ours", lambda: playground(tmp_path, "kept")),
        lambda: measured("theirs", lambda: three_lines(tmp_path)),
        lambda: measured("first", lambda: playground(tmp_path, f"new-{next(numbers)}")),
    )
    mine, gradio = Sample(tuple(memory["ours"])), Sample(tuple(memory["theirs"]))
    show(
        f"Start, {STARTS} by turns",
        ("", "app.py", "three lines of Gradio", "ratio", "target"),
        [
            ("to the first answer", ours.told(), theirs.told(), f"{ratio(ours, theirs):.2f}", "≤ 1.1"),
            ("the same, with an empty data folder", first.told(), "", f"{ratio(first, theirs):.2f}", ""),
            ("memory then", mine.told("MB", 0), gradio.told("MB", 0), f"{ratio(mine, gradio):.2f}", "≤ 1.25"),
        ],
    )


@dataclass(frozen=True)
class Load:
    """One page load in a browser profile of its own."""

    usable_seconds: float
    requests: int
    kilobytes: float
    """As they came over the wire, compressed."""
    other_hosts: tuple[str, ...]


def load(browser: Browser, url: str, button: str) -> Load:
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    page = context.new_page()
    asked: list[str] = []
    received: list[float] = []
    page.on("request", lambda request: asked.append(request.url))
    wire = context.new_cdp_session(page)
    wire.on("Network.dataReceived", lambda event: received.append(event["encodedDataLength"]))
    wire.send("Network.enable")
    page.add_init_script(USABLE.replace("NAME", button))
    page.goto(url)
    page.wait_for_function("window.usableAfter")
    usable = page.evaluate("window.usableAfter") / 1000
    page.wait_for_timeout(1000 * SETTLED_SECONDS)
    context.close()
    hosts = tuple(sorted({urlsplit(address).netloc for address in asked if _leaves(address, url)}))
    return Load(usable, len(asked), sum(received) / 1024, hosts)


def _leaves(address: str, url: str) -> bool:
    parts = urlsplit(address)
    return parts.scheme not in ("data", "blob") and parts.netloc != urlsplit(url).netloc


def test_page(browser: Browser, tmp_path: Path) -> None:
    loads: dict[str, list[Load]] = {"Generate": [], "Submit": []}

    def measured(url: str, button: str) -> float:
        loads[button].append(load(browser, url, button))
        return loads[button][-1].usable_seconds

    with ExitStack() as stack:
        server, ours_url = stack.enter_context(playground(tmp_path, "data"))
        simple, theirs_url = stack.enter_context(three_lines(tmp_path))
        memory = [("after start", memory_mb(server.pid), memory_mb(simple.pid))]
        measured(ours_url, "Generate")
        measured(theirs_url, "Submit")
        memory.append(("after a page load", memory_mb(server.pid), memory_mb(simple.pid)))
        for seen in loads.values():
            seen.clear()
        ours, theirs = by_turns(PAGES, lambda: measured(ours_url, "Generate"), lambda: measured(theirs_url, "Submit"))
        make_a_picture(browser, ours_url)
        memory.append((f"after {PAGES + 2} page loads and a picture", memory_mb(server.pid), memory_mb(simple.pid)))
    mine, gradio = loads["Generate"][-1], loads["Submit"][-1]
    assert not mine.other_hosts, "the page asked another host"
    show(
        f"The page, {PAGES} by turns, each in an empty browser profile",
        ("", "the playground", "three lines of Gradio", "ratio", "target"),
        [
            ("button usable", ours.told(), theirs.told(), f"{ratio(ours, theirs):.2f}", "≤ 1.2"),
            ("requests", mine.requests, gradio.requests, f"{mine.requests / gradio.requests:.2f}", ""),
            (
                "KB over the wire",
                f"{mine.kilobytes:.0f}",
                f"{gradio.kilobytes:.0f}",
                f"{mine.kilobytes / gradio.kilobytes:.2f}",
                "",
            ),
            ("other hosts asked", len(mine.other_hosts), len(gradio.other_hosts), "", "0"),
            *((f"MB {when}", f"{a:.0f}", f"{b:.0f}", f"{a / b:.2f}", "") for when, a, b in memory),
        ],
    )


def make_a_picture(browser: Browser, url: str) -> None:
    page = PlaygroundPage(browser.new_context(), url)
    page.page.goto(url)
    page.badge.wait_for()
    page.prompt.fill("a misty mountain valley")
    page.generate.click()
    page.stage_picture.wait_for()
    time.sleep(0.5)
