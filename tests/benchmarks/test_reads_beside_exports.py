"""What a visitor waits for a read while six exports of a long history are under way, beside the same reads of an idle
server: by turns, in one run.
"""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from benchmarks.make_history import fill, runs
from support.bench import Sample, ratio, show
from support.server import serve_app

from services.library.history import History

ENTRIES = 20_000
EXPORTS = 6
ROUNDS = 2
READS = 15
SETTLE_SECONDS = 1.0
PATHS = ("/runs/{run}", "/history?limit=48", "/history?query=fox&limit=48")
CURL = shutil.which("curl")
pytestmark = pytest.mark.skipif(not CURL, reason="curl is not here")


@contextmanager
def exporting(url: str) -> Iterator[list[int]]:
    """EXPORTS downloads at any time, each begun anew when it ends. The list grows by each one's size in bytes."""
    ending, sizes = threading.Event(), list[int]()

    def export() -> None:
        while not ending.is_set():
            order = httpx.post(f"{url}/archive/exports", json={"everything": True, "kind": "zip"}, timeout=120)
            command = [str(CURL), "-sSf", "--noproxy", "*", "-o", "/dev/null", "-w", "%{size_download}",
                       f"{url}{order.raise_for_status().json()['url']}"]  # fmt: skip
            sizes.append(int(subprocess.run(command, check=True, capture_output=True, text=True).stdout))

    under_way = [threading.Thread(target=export) for _ in range(EXPORTS)]
    for one in under_way:
        one.start()
    time.sleep(SETTLE_SECONDS)
    yield sizes
    ending.set()
    for one in under_way:
        one.join()


def reads(url: str, path: str) -> tuple[float, ...]:
    """Seconds of READS requests, one after the other on one connection."""
    connection, found = HTTPConnection(urlsplit(url).netloc, timeout=120), []
    for _ in range(READS):
        begun = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        found.append(time.perf_counter() - begun)
        assert answer.status == 200
    connection.close()
    return tuple(found)


def test_six_exports_under_way(tmp_path: Path) -> None:
    history = History(tmp_path / "data")
    made = list(runs(ENTRIES))
    fill(history, iter(made))
    history.close()
    paths = [path.format(run=made[-1].id) for path in PATHS]
    idle: dict[str, tuple[float, ...]] = dict.fromkeys(paths, ())
    busy: dict[str, tuple[float, ...]] = dict.fromkeys(paths, ())
    with serve_app(tmp_path, PLAYGROUND_HISTORY="shared") as server:
        for path in paths:
            reads(server.url, path)
        for _ in range(ROUNDS):
            for path in paths:
                idle[path] += reads(server.url, path)
            with exporting(server.url) as sizes:
                for path in paths:
                    busy[path] += reads(server.url, path)
            assert len(sizes) >= EXPORTS
            assert min(sizes) > ENTRIES * 100
    rows = []
    for path, name in zip(paths, PATHS, strict=True):
        alone, beside = Sample(idle[path]), Sample(busy[path])
        worst = f"{max(beside.values) * 1000:.0f} ms"
        rows.append((name, alone.told(digits=3), beside.told(digits=3), worst, f"{ratio(beside, alone):.1f}", "≤ 2"))
    show(
        f"{EXPORTS} exports of {ENTRIES:,} entries under way, {ROUNDS} × {READS} reads by turns",
        ("read", "idle", "beside the exports", "longest", "ratio", "target"),
        rows,
    )
