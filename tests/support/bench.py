"""What the benchmarks share: A and B by turns in one run, medians with their spread, and a table that shows both.

Absolute times belong to the machine that ran them; the ratios are what to compare.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from support.server import NOT_INHERITED, ROOT

DIRECT = Path(__file__).parents[1] / "benchmarks" / "direct.py"
START_SECONDS = 60.0


@dataclass(frozen=True)
class Sample:
    """Measurements of one thing, in the order in which they were made."""

    values: tuple[float, ...]

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    def told(self, unit: str = "s", digits: int = 2) -> str:
        """`1.05 s (1.03 to 1.09)`: the median, the smallest and the largest."""
        spread = f" ({min(self.values):.{digits}f} to {max(self.values):.{digits}f})" if len(self.values) > 1 else ""
        return f"{self.median:.{digits}f} {unit}{spread}"


def by_turns(rounds: int, *measures: Callable[[], float]) -> list[Sample]:
    """Each measure once a round, in alternating order, so that the machine's noise affects all of them alike."""
    found: list[list[float]] = [[] for _ in measures]
    for number in range(rounds):
        order = range(len(measures)) if number % 2 == 0 else reversed(range(len(measures)))
        for index in order:
            found[index].append(measures[index]())
    return [Sample(tuple(values)) for values in found]


def ratio(ours: Sample, theirs: Sample) -> float:
    return ours.median / theirs.median


def show(title: str, heads: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Print a table, each column as wide as its widest cell."""
    lines = [list(heads), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    print(f"\n\n{title}")
    for line in lines:
        print("  " + "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


# -- processes ---------------------------------------------------------------------------------------------------------


def clean_environment(**changes: str) -> dict[str, str]:
    """This environment without the variables that configure the app, Gradio or fal's client, and with `changes`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
    return {**inherited, "NO_PROXY": "*", "no_proxy": "*", "GRADIO_ANALYTICS_ENABLED": "False", **changes}


@dataclass(frozen=True)
class Started:
    """A server process that has answered."""

    pid: int
    seconds: float
    """From starting the process to its first answer of 200."""


@contextmanager
def started(
    command: Sequence[str], port: int, path: str, environment: Mapping[str, str], folder: Path = ROOT
) -> Iterator[Started]:
    """Start a server in `folder` and wait until `path` answers 200. Its output is shown when it does not."""
    log = Path(environment["GRADIO_TEMP_DIR"]).with_suffix(".log")
    begun = time.perf_counter()
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        while not _answers(port, path):
            if process.poll() is not None or time.perf_counter() - begun > START_SECONDS:
                raise RuntimeError(f"{' '.join(command)} did not start:\n{log.read_text(errors='replace')}")
            time.sleep(0.005)
        yield Started(process.pid, time.perf_counter() - begun)
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def memory_mb(pid: int) -> float:
    """Resident memory of a process and of those that it has started, in MB."""
    total = 0.0
    for process in (pid, *_children(pid)):
        status = Path(f"/proc/{process}/status").read_text()
        total += next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmRSS:"))
    return total


def _children(pid: int) -> list[int]:
    found = []
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in file.read_text().split():
            found += [int(child), *_children(int(child))]
    return found


class Direct:
    """fal_client alone on a demo queue of its own, in a process of its own: what the playground is measured against."""

    def __init__(self, folder: Path, step_seconds: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(DIRECT), str(folder), str(step_seconds)],
            cwd=ROOT,
            env=clean_environment(PYTHONPATH=str(ROOT)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def generate(self, prompts: Sequence[str], *, limit: int | None = None, **settings: Any) -> float:
        """Ask for a picture for each prompt, `limit` (else all) at once. Seconds until the last was downloaded."""
        answer = self._ask({"prompts": list(prompts), "settings": settings, "limit": limit or len(prompts)})
        assert len(answer["bytes"]) == len(prompts)
        assert min(answer["bytes"]) > 1000, "a picture has more bytes than that"
        return float(answer["seconds"])

    def close(self) -> None:
        self._process.communicate(timeout=15)

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, "the process of fal_client alone has ended"
        return json.loads(line)


@contextmanager
def direct(folder: Path, step_seconds: float) -> Iterator[Direct]:
    running = Direct(folder, step_seconds)
    try:
        yield running
    finally:
        running.close()
