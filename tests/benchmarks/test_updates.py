"""What a change of progress costs: bytes to each page that watches, and the server's processor time."""

from __future__ import annotations

import asyncio
import json
import re
import statistics
import sys
from itertools import count
from pathlib import Path
from subprocess import PIPE

import httpx
from support.bench import by_turns, clean_environment, ratio, show
from support.server import ROOT, free_port

UPDATES = Path(__file__).parent / "updates.py"
RUNS, CHANGES, ROUNDS = 36, 4, 3
CHANGE = {"id", "seq", "progress"}


class Stream:
    """An open event stream; `text` is what came so far."""

    def __init__(self, url: str) -> None:
        self._url, self.text, self.open = url, "", asyncio.Event()

    async def read(self) -> None:
        async with (
            httpx.AsyncClient(timeout=60, trust_env=False) as http,
            http.stream("GET", f"{self._url}/events") as answer,
        ):
            self.open.set()
            async for part in answer.aiter_text():
                self.text += part

    def changes(self) -> list[str]:
        """The events that tell a change of progress and nothing else, as they came."""
        blocks = re.findall(r".+?\r?\n\r?\n", self.text, re.DOTALL)
        return [block for block in blocks if "data:" in block and data(block).keys() == CHANGE]


def data(block: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(next(line for line in block.splitlines() if line.startswith("data:"))[5:])
    return found


async def changes(folder: Path, streams: int) -> tuple[float, list[str]]:
    """The server's processor time in ms for all changes, and the events that the streams got."""
    port = free_port()
    environment = clean_environment(PYTHONPATH=str(ROOT), GRADIO_TEMP_DIR=str(folder / "gradio"))
    command = [sys.executable, str(UPDATES), *map(str, (folder, port, RUNS, CHANGES))]
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=environment, stdin=PIPE, stdout=PIPE)
    assert process.stdin
    assert process.stdout
    assert await process.stdout.readline() == b"serving\n"
    listening = [Stream(f"http://127.0.0.1:{port}") for _ in range(streams)]
    tasks = [asyncio.create_task(stream.read()) for stream in listening]
    await asyncio.gather(*(stream.open.wait() for stream in listening))
    process.stdin.write(b"go\n")
    spent = float(await process.stdout.readline())
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await process.communicate()
    for stream in listening:
        assert len(stream.changes()) >= RUNS, "every run's progress was told"
    return spent, [block for stream in listening for block in stream.changes()]


def test_updates(tmp_path: Path) -> None:
    seen: list[str] = []
    numbers = count()

    def measured(streams: int) -> float:
        spent, blocks = asyncio.run(changes(tmp_path / str(next(numbers)), streams))
        seen.extend(blocks)
        return spent

    none, one, eight = by_turns(ROUNDS, lambda: measured(0), lambda: measured(1), lambda: measured(8))
    show(
        f"{RUNS} runs, {CHANGES} changes of progress each, {ROUNDS} by turns: the server's processor time",
        ("event streams", "", "beside no stream"),
        [
            ("none: the commits alone", none.told("ms", 0), ""),
            ("1", one.told("ms", 0), f"{ratio(one, none):.2f}"),
            ("8", eight.told("ms", 0), f"{ratio(eight, none):.2f}"),
        ],
    )
    size = statistics.median(len(block.encode()) for block in seen)
    print(f"  one change of progress on the wire: {size:.0f} bytes, such as {seen[0]!r}")
