"""A hundred visitors with open pages, each pressing Generate every few seconds for a minute.

A visitor is what the page is, without the browser: it opens the page and gets its cookie, keeps an event stream open,
sends the Gradio event that the button fires, and fetches the small picture when the stream tells of it. A card is known
to the page when the first event of its run has come. All get the same picture of 64 × 64: what is measured is not the
painter.
"""

from __future__ import annotations

import asyncio
import json
import random
import secrets
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Any

import httpx
from benchmarks.gradio_page import Config
from support.bench import clean_environment, memory_mb, show
from support.server import ROOT, free_port

SERVER = Path(__file__).parent / "load_server.py"
VISITORS = 100
SECONDS = 60.0
WARM_UP_SECONDS = 10.0
PAUSE_SECONDS = (3.0, 7.0)
"""Between two presses of a visitor."""
PATIENCE_SECONDS = 60.0
SETTINGS = {"field_image_size": "custom", "field_width": 64, "field_height": 64}


class Visitor:
    def __init__(self, url: str, number: int) -> None:
        # A browser of its own each: its connections, its cookie. Nothing is HTTPS, so nothing is verified.
        limits = httpx.Limits(keepalive_expiry=2)  # sooner than the server closes a connection: no press meets that
        self._http = httpx.AsyncClient(
            base_url=url, timeout=PATIENCE_SECONDS, trust_env=False, verify=False, limits=limits
        )
        self._session, self._number = secrets.token_hex(6), number
        self.listening, self.heard = asyncio.Event(), asyncio.Event()
        self._fetching: list[asyncio.Task[None]] = []
        self.pressed: dict[str, float] = {}
        """When Generate was pressed, by prompt."""
        self.known: dict[str, float] = {}
        """Seconds from the press to the first event of its run, by prompt."""
        self.asked: list[str] = []
        self.ended: dict[str, str] = {}
        """By run, its end and what was said of it."""

    async def open(self, config: Config) -> None:
        page = await self._http.get("/")
        page.raise_for_status()
        assert "playground_visitor" in self._http.cookies
        await self._send(config.body("load", None, self._session))

    async def listen(self) -> None:
        async with self._http.stream("GET", "/events") as stream:
            stream.raise_for_status()
            self.listening.set()
            async for line in stream.aiter_lines():
                if line.startswith("data:"):
                    self._hear(json.loads(line[5:]))

    def _hear(self, told: dict[str, Any]) -> None:
        prompt = told.get("prompt")
        if prompt in self.pressed and prompt not in self.known:
            self.known[prompt] = time.perf_counter() - self.pressed[prompt]
        if told.get("state") in ("done", "failed", "cancelled", "unknown"):
            self.ended[told["id"]] = told["state"] if told["state"] == "done" else json.dumps(told)
            self.heard.set()
        if told.get("thumb"):
            self._fetching.append(asyncio.create_task(self._fetch(told["thumb"])))

    async def _fetch(self, thumb: str) -> None:
        (await self._http.get(thumb)).raise_for_status()

    async def press_for(self, seconds: float, config: Config, name: str) -> None:
        chance = random.Random(self._number)
        end = time.perf_counter() + seconds
        await asyncio.sleep(chance.uniform(0, PAUSE_SECONDS[1]))
        while time.perf_counter() < end:
            await self._press(config, f"a misty valley, {name} {self._number}.{len(self.pressed)}")
            await asyncio.sleep(chance.uniform(*PAUSE_SECONDS))

    async def _press(self, config: Config, prompt: str) -> None:
        self.pressed[prompt] = time.perf_counter()
        body = config.body("click", "generate", self._session, field_prompt=prompt, **SETTINGS)
        answer = await self._send(body)
        [asked] = answer["data"][0]["asked"]
        self.asked.append(asked)

    async def _send(self, body: dict[str, Any]) -> Any:
        answer = await self._http.post("/gradio_api/run/predict", json=body)
        answer.raise_for_status()
        return answer.json()

    async def history(self) -> dict[str, str]:
        """Every run of this visitor's that the server keeps: its state."""
        answer = await self._http.get("/runs?limit=200")
        return {run["id"]: run["state"] for run in answer.json()["runs"]}

    async def all_ended(self) -> None:
        while len(self.ended) < len(self.asked):
            self.heard.clear()
            await self.heard.wait()
        await asyncio.gather(*self._fetching)
        self._fetching.clear()

    async def close(self) -> None:
        await self._http.aclose()


class LoadServer:
    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self._process, self.url, self.pid = process, url, process.pid

    async def figures(self) -> dict[str, float]:
        """What its probe saw since the last call."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(b"\n")
        told: dict[str, float] = json.loads(await self._process.stdout.readline())
        return told


@asynccontextmanager
async def load_server(folder: Path) -> AsyncIterator[LoadServer]:
    port = free_port()
    environment = clean_environment(PYTHONPATH=f"{ROOT}:{ROOT / 'tests'}", GRADIO_TEMP_DIR=str(folder / "gradio"))
    with (folder / "log.txt").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(SERVER), str(folder / "data"), str(port), cwd=ROOT, env=environment,
            stdin=PIPE, stdout=PIPE, stderr=log,
        )  # fmt: skip
    assert process.stdout
    try:
        assert await process.stdout.readline() == b"serving\n", (folder / "log.txt").read_text()
        yield LoadServer(process, f"http://127.0.0.1:{port}")
    finally:
        await process.communicate(b"")


async def load(folder: Path) -> None:
    async with load_server(folder) as server:
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as http:
            config = Config((await http.get("/config", timeout=PATIENCE_SECONDS)).json())
        visitors = [Visitor(server.url, number) for number in range(VISITORS)]
        await asyncio.gather(*(visitor.open(config) for visitor in visitors))
        streams = [asyncio.create_task(visitor.listen()) for visitor in visitors]
        listening = asyncio.gather(*(visitor.listening.wait() for visitor in visitors))
        await asyncio.wait_for(listening, PATIENCE_SECONDS)

        await press(visitors, WARM_UP_SECONDS, config, "warm-up")
        for visitor in visitors:
            visitor.known.clear()
            visitor.pressed.clear()
        before = memory_mb(server.pid)
        await server.figures()
        driver = time.process_time()
        memory = await press(visitors, SECONDS, config, "number", server.pid)
        figures, driver = await server.figures(), (time.process_time() - driver) / SECONDS

        histories = await asyncio.gather(*(visitor.history() for visitor in visitors))
        assert not [stream for stream in streams if stream.done()], "no stream broke off"
        for stream in streams:
            stream.cancel()
        await asyncio.gather(*streams, return_exceptions=True)
        await asyncio.gather(*(visitor.close() for visitor in visitors))
    for visitor, history in zip(visitors, histories, strict=True):
        assert set(visitor.ended.values()) == {"done"}, visitor.ended
        assert history == dict.fromkeys(visitor.asked, "done"), "each press is one run, and it was made"
        assert visitor.known.keys() == visitor.pressed.keys()
    log = (folder / "log.txt").read_text()
    assert "Traceback" not in log, log
    tell(visitors, figures, [before, *memory], driver)


async def press(
    visitors: list[Visitor], seconds: float, config: Config, name: str, pid: int | None = None
) -> list[float]:
    """All press for so long and hear of the end of every run. The server's memory every second, in MB."""
    memory: list[float] = []

    async def weigh() -> None:
        while pid:
            await asyncio.sleep(1)
            memory.append(memory_mb(pid))

    weighing = asyncio.create_task(weigh())
    await asyncio.gather(*(visitor.press_for(seconds, config, name) for visitor in visitors))
    await asyncio.wait_for(asyncio.gather(*(visitor.all_ended() for visitor in visitors)), PATIENCE_SECONDS)
    weighing.cancel()
    return memory


def tell(visitors: list[Visitor], figures: dict[str, float], memory: list[float], driver: float) -> None:
    known = sorted(seconds * 1000 for visitor in visitors for seconds in visitor.known.values())
    at = {share: known[int(len(known) * share / 100)] for share in (50, 95, 99)}
    grown = memory[-1] - memory[0]
    show(
        f"{VISITORS} visitors, {len(known)} presses in {SECONDS:g} s, every run made and none lost",
        ("", "", "target"),
        [
            ("press → card, p95", f"{at[95]:.0f} ms (p50 {at[50]:.0f}, p99 {at[99]:.0f}, {known[-1]:.0f})", "≤ 300 ms"),
            ("memory", f"{grown:+.0f} MB ({memory[0]:.0f} to {memory[-1]:.0f}, {max(memory):.0f})", "≤ +60 MB"),
            ("worst stall of the event loop", f"{figures['late'] * 1000:.0f} ms", "≤ 100 ms"),
            ("… of which it computed", f"{figures['computed'] * 1000:.0f} ms", ""),
            ("longest it computed at a stretch", f"{figures['longest_work'] * 1000:.0f} ms", ""),
            ("stalls over 100 ms, p99 of all", f"{figures['stalls']}, {figures['p99'] * 1000:.0f} ms", "0"),
            ("cores used: server, driver", f"{figures['cores']:.2f}, {driver:.2f}", "2"),
            ("the server's processor time a press", f"{figures['cpu'] / len(known) * 1000:.0f} ms", ""),
        ],
    )


def test_a_hundred_visitors(tmp_path: Path) -> None:
    asyncio.run(load(tmp_path))
