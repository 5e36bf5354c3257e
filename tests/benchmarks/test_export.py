"""Exporting pictures through the server, beside `zip -0` on the same files; and what restoring them takes."""

from __future__ import annotations

import os
import resource
import shutil
import subprocess
import time
from pathlib import Path

import httpx
import pytest
from benchmarks.make_history import fill, runs
from support.bench import by_turns, memory_mb, ratio, show
from support.server import serve_app

from services.engines.demo.painter import paint
from services.library.history import History
from services.library.media import Media

PICTURES = 1_000
MANY = 5_000
ROUNDS = 5
ZIP = shutil.which("zip")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 1,000 pictures, each a file of its own with a painted one's bytes."""
    return filled(tmp_path_factory.mktemp("export"), PICTURES, link=False)


def filled(folder: Path, pictures: int, *, link: bool) -> Path:
    data = folder / "data"
    history, media = History(data), Media(data)
    made = [run for run in runs(pictures * 2) if run.picture][:pictures]
    painted = [paint(prompt=f"fox {number}", width=1024, height=768, seed=number, num_inference_steps=28,
                     guidance_scale=3.5, output_format="png") for number in range(4)]  # fmt: skip
    ready = []
    for number, run in enumerate(made):
        assert run.picture
        original, like = media.original(run.picture.name), painted[number % len(painted)]
        if link and number >= len(painted):
            os.link(media.original(made[number % len(painted)].picture.name), original)  # type: ignore[union-attr]
        else:
            original.write_bytes(like)
        ready.append(run.model_copy(update={"picture": run.picture.model_copy(update={"bytes": len(like)})}))
    fill(history, iter(ready))
    history.close()
    return data


def download(url: str, target: Path) -> int:
    """The whole export, written to a file as a browser does it. Returns its bytes."""
    order = httpx.post(f"{url}/archive/exports", json={"everything": True}).raise_for_status().json()
    with httpx.stream("GET", f"{url}{order['url']}", timeout=60) as answer, target.open("wb") as file:
        for block in answer.iter_raw(1 << 20):
            file.write(block)
    return target.stat().st_size


@pytest.mark.skipif(ZIP is None, reason="the zip program is not here")
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
        export, plain = by_turns(ROUNDS, ours, theirs)
    size = sum(file.stat().st_size for file in (data / "media").iterdir()) / 2**20
    show(
        f"{PICTURES:,} pictures, {size:.0f} MB, {ROUNDS} times by turns",
        ("", "seconds", "MB/s", "speed beside zip -0 (target 0.6)"),
        [
            ("export over HTTP", export.told(), f"{size / export.median:.0f}", f"{1 / ratio(export, plain):.2f}"),
            ("zip -0", plain.told(), f"{size / plain.median:.0f}", "1"),
        ],
    )


def test_memory(tmp_path: Path) -> None:
    data = filled(tmp_path, MANY, link=True)
    with serve_app(tmp_path, PLAYGROUND_HISTORY="shared") as server:
        download(server.url, tmp_path / "first.zip")
        before = memory_mb(server.pid)
        size = download(server.url, tmp_path / "second.zip")
        after = memory_mb(server.pid)
    show(
        f"The server's memory around an export of {MANY:,} pictures, {size / 2**20:.0f} MB",
        ("before", "after"),
        [(f"{before:.0f} MB", f"{after:.0f} MB")],
    )
    assert (data / "incoming").is_dir()
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
