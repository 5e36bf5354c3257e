"""Grids: how long 36 cells take beside a script that asks fal_client for them, and what 400 cost page and server."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, expect
from support.bench import Sample, by_turns, clean_environment, direct, memory_mb, ratio, show
from support.page import PlaygroundPage
from support.server import ROOT, free_port, serve_app

SERVER = Path(__file__).parent / "grid_server.py"
CELLS, AT_ONCE = 36, 8
STEPS, SECONDS = 28, 1.0
ROUNDS = 3
SETTINGS = {"image_size": "square", "num_inference_steps": STEPS, "output_format": "jpeg"}
MANY, MOST = 400, 1000
CLICK_EVERY_MS = 250
TOKEN = {"X-Playground-Visitor": "a-visitor-of-the-benchmarks-alone"}
RUN = re.compile(r"Run \d+")

WATCH = """() => {
  const seen = window.seen = { clicks: [], tasks: [] };
  const watch = (type, into, options) => new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (type !== "event" || entry.name === "click") into.push(entry.duration);
  }).observe({ type, ...options });
  watch("event", seen.clicks, { durationThreshold: 16 });
  watch("longtask", seen.tasks, {});
}"""
FIRST_CELL = """() => new Promise((shown) => {
  const button = document.querySelector(".pg-grid-run");
  const look = (begun) => {
    const picture = document.querySelector(".pg-cell[data-state=done] img");
    if (picture?.complete && picture.naturalWidth) requestAnimationFrame(() => shown(performance.now() - begun));
    else requestAnimationFrame(() => look(begun));
  };
  look(performance.now());
  button.click();
})"""
"""Milliseconds from a press of Run to the frame that shows the first picture."""


def axes_of(cells: int) -> list[dict[str, Any]]:
    columns = 40
    return [
        {"field": "seed", "values": f"1-{cells // columns}"},
        {"field": "guidance_scale", "values": f"2-5.9 [{columns}]"},
    ]


def wanted(cells: int, **asked: Any) -> dict[str, Any]:
    request = {"prompt": "a red fox", "num_inference_steps": 2, "image_size": "square", "seed": 5}
    return {"request": request, "axes": axes_of(cells), "confirm": True, **asked}


# -- 36 cells ----------------------------------------------------------------------------------------------------------


async def made_as_grid(url: str, prompts: list[str]) -> float:
    """Seconds from asking for a grid of these prompts to hearing of its last picture, as a page hears of it."""
    request = {**SETTINGS, "prompt": prompts[0], "seed": 5}
    body = {"request": request, "axes": [{"field": "prompt", "values": prompts}], "reuse": False}
    async with (
        httpx.AsyncClient(base_url=url, timeout=120, trust_env=False, headers=TOKEN) as http,
        http.stream("GET", "/events") as stream,
    ):
        begun = time.perf_counter()
        asked = asyncio.create_task(http.post("/grids", json=body))
        done: set[str] = set()
        async for line in stream.aiter_lines():
            if line.startswith("data:") and (run := json.loads(line[5:])).get("media"):
                done.add(run["id"])
            if len(done) == len(prompts):
                seconds = time.perf_counter() - begun
                (await asked).raise_for_status()
                return seconds
    raise AssertionError("the stream ended early")


def new_prompts() -> Iterator[str]:
    return (f"a misty mountain valley, number {number}" for number in count())


def test_36_cells(tmp_path: Path) -> None:
    environment = {"PLAYGROUND_MAX_CONCURRENT": str(AT_ONCE), "PLAYGROUND_DEMO_STEP_SECONDS": str(SECONDS / STEPS)}
    with serve_app(tmp_path, **environment) as server, direct(tmp_path / "direct", SECONDS / STEPS) as alone:
        fresh = new_prompts()
        asyncio.run(made_as_grid(server.url, [*islice(fresh, AT_ONCE)]))
        alone.generate([*islice(fresh, AT_ONCE)], **SETTINGS)
        ours, theirs = by_turns(
            ROUNDS,
            lambda: asyncio.run(made_as_grid(server.url, [*islice(fresh, CELLS)])),
            lambda: alone.generate([*islice(fresh, CELLS)], limit=AT_ONCE, **SETTINGS),
        )
        assert "Traceback" not in server.log, server.log
    assert min(ours.values) >= SECONDS * (CELLS // AT_ONCE)
    show(
        f"{CELLS} cells, {AT_ONCE} at once, {SECONDS:g} s a picture, {ROUNDS} by turns: seconds to the last picture",
        ("grid", "fal_client, gather with a semaphore", "ratio", "target"),
        [(ours.told(), theirs.told(), f"{ratio(ours, theirs):.2f}", "≤ 1.08")],
    )


def test_the_first_cell_on_screen(tmp_path: Path, browser: Browser) -> None:
    step = SECONDS / STEPS
    with (
        serve_app(tmp_path, PLAYGROUND_DEMO_STEP_SECONDS=str(step)) as server,
        direct(tmp_path / "direct", step) as alone,
    ):
        fresh = new_prompts()
        first_cell(browser, server.url, next(fresh))
        alone.generate([next(fresh)], **SETTINGS)
        ours, theirs = by_turns(
            ROUNDS,
            lambda: first_cell(browser, server.url, next(fresh)),
            lambda: alone.generate([next(fresh)], **SETTINGS),
        )
    show(
        f"From a press of Run to the first of {CELLS} cells on screen, {SECONDS:g} s a picture, {ROUNDS} by turns",
        ("first cell", "fal_client, one picture", "ratio", "target"),
        [(ours.told(), theirs.told(), f"{ratio(ours, theirs):.2f}", "≤ 1.3")],
    )


def first_cell(browser: Browser, url: str, prompt: str) -> float:
    with browser.new_context() as context:
        page = PlaygroundPage(context, url).open(prompt=prompt, image_size="square")
        sweep_controls(page, "Seed", f"1-{CELLS}")
        seconds = float(page.page.evaluate(FIRST_CELL)) / 1000
        expect(page.page.locator(".pg-cell[data-state=done]")).to_have_count(CELLS)  # the next grid gets every slot
        return seconds


def sweep_controls(page: PlaygroundPage, parameter: str, values: str) -> None:
    """A grid on the controls, ready to run."""
    page.page.get_by_role("tab", name="Compare").click()
    page.page.get_by_role("button", name="Grid", exact=True).or_(page.page.get_by_role("tab", name="Grid")).click()
    page.page.get_by_role("button", name="Use the controls of Create").click()
    page.page.get_by_label("X axis").select_option(label=parameter)
    page.page.get_by_label("X values", exact=True).fill(values)
    expect(page.page.locator(".pg-grid-run")).to_have_text(RUN)


# -- many cells --------------------------------------------------------------------------------------------------------


@contextmanager
def unpainted(folder: Path) -> Iterator[tuple[str, int]]:
    """The address and the process of a server that paints nothing."""
    folder.mkdir()
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(SERVER), str(folder), str(port)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env=clean_environment(PYTHONPATH=str(ROOT), GRADIO_TEMP_DIR=str(folder / "gradio")),
    )  # fmt: skip
    assert process.stdout
    assert process.stdout.readline() == b"serving\n"
    try:
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.communicate(timeout=30)


def processor_seconds(pid: int) -> float:
    """Of a process, all its threads, since it began."""
    numbers = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(numbers[11]) + int(numbers[12])) / os.sysconf("SC_CLK_TCK")


def post(url: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(url + path, json=body, timeout=120, trust_env=False).raise_for_status()
    return dict(answer.json())


def make_some(url: str, cells: int) -> None:
    """A small grid to its end, so that nothing is imported later."""
    made = post(url, "/grids", wanted(cells, axes=[{"field": "seed", "values": f"900-{899 + cells}"}]))
    while any(run["state"] != "done" for run in made["runs"]):
        time.sleep(0.2)
        made = httpx.get(f"{url}/grids/{made['id']}", trust_env=False).json()


def test_400_cells_on_a_page(tmp_path: Path, browser: Browser) -> None:
    with unpainted(tmp_path / "many") as (url, pid), browser.new_context() as context:
        make_some(url, 8)
        page = PlaygroundPage(context, url).open()
        cells = page.page.locator("#widget-grid .pg-cell")
        grid = post(url, "/grids", wanted(MANY))
        before = processor_seconds(pid)
        page.page.goto(f"{url}/?grid={grid['id']}")
        expect(cells).to_have_count(MANY)
        page.page.evaluate(WATCH)
        browser.start_tracing(page=page.page, categories=["toplevel", "disabled-by-default-devtools.timeline"])
        begun, clicks = time.perf_counter(), 0
        while (done := page.page.locator(".pg-cell[data-state=done]").count()) < MANY:
            page.page.locator("#widget-grid .pg-cell[data-state=done] button").nth(clicks % max(done, 1)).click()
            clicks += 1
            page.page.wait_for_timeout(CLICK_EVERY_MS)
        seconds = time.perf_counter() - begun
        spent = 1000 * (processor_seconds(pid) - before) / MANY
        seen = page.page.evaluate("window.seen")
        busy = max(task_milliseconds(browser.stop_tracing()), default=0.0)
        page.assert_sound()
    answered = [*seen["clicks"], *[0] * (clicks - len(seen["clicks"]))]
    show(
        f"{MANY} cells land on an open page, in {seconds:.0f} s, with {clicks} clicks among them",
        ("", "median", "longest", "target"),
        [
            ("a click answered", Sample(tuple(answered)).told("ms", 0), f"{max(answered):.0f} ms", "< 150 ms"),
            ("long tasks", len(seen["tasks"]), f"{max(seen['tasks'], default=0):.0f} ms", "≤ 200 ms"),
            ("the longest by processor time", "", f"{busy:.0f} ms", ""),
            ("server's processor, a cell", f"{spent:.1f} ms", "", "≤ 30 ms"),
        ],
    )


def task_milliseconds(trace: bytes) -> list[float]:
    """Processor time of each task of the page's main thread: what a task takes where nothing else runs."""
    events = json.loads(trace)["traceEvents"]
    main = {
        (event["pid"], event["tid"])
        for event in events
        if event["name"] == "thread_name" and event["args"]["name"] == "CrRendererMain"
    }
    return [event["tdur"] / 1000 for event in events if "tdur" in event and (event["pid"], event["tid"]) in main]


def wait_until_idle(pid: int) -> None:
    before = -1.0
    while (now := processor_seconds(pid)) - before > 0.02:
        before = now
        time.sleep(0.5)


def test_1000_cells_asked_for(tmp_path: Path) -> None:
    rows: list[tuple[str, ...]] = []

    def measure(what: str, ask: Callable[[], object], times: int = 7, target: str = "") -> None:
        wait_until_idle(pid)
        before, values = processor_seconds(pid), []
        for _ in range(times):
            begun = time.perf_counter()
            ask()
            values.append(1000 * (time.perf_counter() - begun))
        spent = 1000 * (processor_seconds(pid) - before) / times
        rows.append((what, Sample(tuple(values)).told("ms", 0), f"{spent:.0f} ms", target))

    with unpainted(tmp_path / "most") as (url, pid):
        make_some(url, 8)
        measure("looked at before they run", lambda: post(url, "/grids/preview", wanted(MOST)), target="≤ 100 ms")
        memory = memory_mb(pid)
        made: dict[str, Any] = {}
        measure("asked for", lambda: made.update(post(url, "/grids", wanted(MOST))), times=1)
        post(url, f"/grids/{made['id']}/cancel", {})
        look, again = f"{url}/grids/{made['id']}", {"grid_id": made["id"], "axes": axes_of(MOST)}
        measure("read again", lambda: httpx.get(look, timeout=120, trust_env=False).raise_for_status())
        measure("looked at as more of the same grid", lambda: post(url, "/grids/preview", again))
        size = len(httpx.get(look, timeout=120, trust_env=False).raise_for_status().content)
        grown = memory_mb(pid) - memory
    assert len(made["cells"]) == MOST
    show(f"{MOST:,} cells", ("", "until it is answered", "server's processor", "target"), rows)
    print(f"  an answer of {size / 1000:.0f} kB; the server grew by {grown:.0f} MB")
