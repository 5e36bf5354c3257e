"""Exporting pictures through the server, beside `zip -0` on the same files; and what restoring them takes."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from benchmarks.make_history import fill, runs
from support.bench import by_turns, memory_mb, ratio, show
from support.server import serve_app

from services.engines.demo.painting.painter import paint
from services.library.history import History
from services.library.media import open_media

PICTURES = 1_000
MANY = 5_000
ROUNDS = 5
ZIP, CURL = shutil.which("zip"), shutil.which("curl")
pytestmark = pytest.mark.skipif(not (ZIP and CURL), reason="zip or curl is not here")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 1,000 pictures, each a file of its own with a painted one's bytes."""
    return filled(tmp_path_factory.mktemp("export"), PICTURES, link=False)


def filled(folder: Path, pictures: int, *, link: bool) -> Path:
    data = folder / "data"
    history = History(data)
    open_media(data)
    made = [run for run in runs(pictures * 2) if run.picture][:pictures]
    painted = [paint(prompt=f"fox {number}", width=512, height=512, seed=number, num_inference_steps=28,
                     guidance_scale=3.5, output_format="jpeg") for number in range(4)]  # fmt: skip
    ready = []
    for number, run in enumerate(made):
        assert run.picture
        original, like = data / "media" / run.picture.name, painted[number % len(painted)]
        if link and number >= len(painted):
            os.link(data / "media" / made[number % len(painted)].picture.name, original)  # type: ignore[union-attr]
        else:
            original.write_bytes(like)
        facts = {"bytes": len(like), "width": 512, "height": 512}
        ready.append(run.model_copy(update={"picture": run.picture.model_copy(update=facts)}))
    fill(history, iter(ready))
    history.close()
    return data


def download(url: str, target: Path) -> int:
    """The whole export, written to a file by a program that costs as little as a browser's part. Returns its bytes."""
    order = httpx.post(f"{url}/archive/exports", json={"everything": True}, timeout=60).raise_for_status().json()
    subprocess.run(["curl", "-sSf", "--noproxy", "*", "-o", str(target), f"{url}{order['url']}"], check=True)
    return target.stat().st_size


def cpu_seconds(pid: int) -> float:
    """That a process has used, in user and system mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_beside_zip(data: Path, tmp_path: Path) -> None:
    with serve_app(data.parent, PLAYGROUND_HISTORY="shared") as server:

        def ours() -> float:
            target = tmp_path / "ours.zip"
            begun = time.perf_counter()
            size = download(server.url, target)
            seconds = time.perf_counter() - begun
            assert size > sum(file.stat().st_size for file in (data / "media").iterdir())
            target.unlink()
            return seconds

        def theirs() -> float:
            target = tmp_path / "theirs.zip"
            begun = time.perf_counter()
            subprocess.run([str(ZIP), "-0", "-q", "-r", str(target), "media"], cwd=data, check=True)
            seconds = time.perf_counter() - begun
            target.unlink()
            return seconds

        ours(), theirs()  # both find the files in memory
        before = cpu_seconds(server.pid)
        export, plain = by_turns(ROUNDS, ours, theirs)
        busy = (cpu_seconds(server.pid) - before) / ROUNDS
    size = sum(file.stat().st_size for file in (data / "media").iterdir()) / 2**20
    show(
        f"{PICTURES:,} pictures, {size:.0f} MB, {ROUNDS} times by turns",
        ("", "seconds", "MB/s", "speed beside zip -0 (target 0.6)", "of the processor"),
        [
            (
                "export over HTTP",
                export.told(),
                f"{size / export.median:.0f}",
                f"{1 / ratio(export, plain):.2f}",
                f"{busy:.2f} s",
            ),
            ("zip -0", plain.told(), f"{size / plain.median:.0f}", "1", ""),
        ],
    )


def test_memory(tmp_path: Path) -> None:
    filled(tmp_path, MANY, link=True)
    with serve_app(tmp_path, PLAYGROUND_HISTORY="shared") as server:
        httpx.get(f"{server.url}/history", timeout=60)
        before = memory_mb(server.pid)
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")  # what it held at most is measured from here on
        size = download(server.url, tmp_path / "export.zip")
        most = most_memory_mb(server.pid)
        begun = time.perf_counter()
        with (tmp_path / "export.zip").open("rb") as file:
            answer = httpx.post(f"{server.url}/archive/imports", content=file, timeout=600)
        again = time.perf_counter() - begun
    assert '"restored": 0' in answer.text, answer.text[-500:]
    show(
        f"The server around an export of {MANY:,} pictures, {size / 2**20:.0f} MB",
        ("memory before", "at most", "dropped on the same page again"),
        [(f"{before:.0f} MB", f"{most:.0f} MB", f"{again:.1f} s")],
    )


def test_restoring(data: Path, tmp_path: Path) -> None:
    with serve_app(data.parent, PLAYGROUND_HISTORY="shared") as server:
        download(server.url, tmp_path / "export.zip")
    with serve_app(tmp_path, PLAYGROUND_HISTORY="shared") as server:
        httpx.get(f"{server.url}/history", timeout=60)
        before = memory_mb(server.pid)
        Path(f"/proc/{server.pid}/clear_refs").write_text("5")
        begun = time.perf_counter()
        with (tmp_path / "export.zip").open("rb") as file:
            answer = httpx.post(f"{server.url}/archive/imports", content=file, timeout=600)
        seconds = time.perf_counter() - begun
        most = most_memory_mb(server.pid)
    assert f'"restored": {PICTURES}, "here": 0, "originals": {PICTURES}' in answer.text, answer.text[-500:]
    show(
        f"Restoring {PICTURES:,} pictures on an empty page",
        ("seconds", "a picture", "memory before", "at most"),
        [(f"{seconds:.1f}", f"{1000 * seconds / PICTURES:.0f} ms", f"{before:.0f} MB", f"{most:.0f} MB")],
    )


def most_memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM:"))
