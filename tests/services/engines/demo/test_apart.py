"""Pictures painted in processes of their own: the same bytes, few processes, and none is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from support.patience import PATIENCE_SECONDS
from support.server import ROOT

from services.engines.demo.apart import MOST, PaintersApart
from services.engines.demo.painting.painter import paint

SERVER = """
import time
from services.engines.demo.apart import PaintersApart
paint = PaintersApart()
settings = dict(prompt="a fox", seed=1, num_inference_steps=4, guidance_scale=3.5, output_format="png")
def picture(side):
    paint(width=side, height=side, **settings)
picture(64)
print("painted", flush=True)
if PAINTING:
    picture(2048)
time.sleep(60)
"""


def settings(**changes: Any) -> dict[str, Any]:
    usual = {"prompt": "a fox", "width": 96, "height": 64, "seed": 7, "num_inference_steps": 8, "guidance_scale": 3.5}
    return {**usual, "output_format": "png", **changes}


def children(pid: int) -> list[int]:
    return [int(child) for file in Path(f"/proc/{pid}/task").glob("*/children") for child in file.read_text().split()]


def alive(pid: int) -> bool:
    """Neither gone nor a zombie that nobody has asked about."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def painters() -> Iterator[PaintersApart]:
    before = set(children(os.getpid()))
    made = PaintersApart()
    yield made
    made.close()
    assert set(children(os.getpid())) <= before, "a process is left"


@pytest.mark.parametrize("changes", [{}, {"prompt": 'a "Fuchs" 🦊\n${x} \\ \x00 مرحبا'}, {"output_format": "jpeg"}])
def test_the_same_bytes_as_in_this_process(painters, changes):
    assert painters(**settings(**changes)) == paint(**settings(**changes))


def test_many_at_once_share_a_few_processes(painters):
    before = len(children(os.getpid()))
    with ThreadPoolExecutor(8) as pool:
        pictures = list(pool.map(lambda seed: painters(**settings(seed=seed)), range(16)))
    assert pictures == [paint(**settings(seed=seed)) for seed in range(16)]
    assert 0 < len(children(os.getpid())) - before <= MOST


def test_a_picture_comes_although_its_process_was_ended(painters, caplog):
    before = set(children(os.getpid()))
    painters(**settings())
    [first] = set(children(os.getpid())) - before
    os.kill(first, signal.SIGKILL)
    assert painters(**settings(seed=8)) == paint(**settings(seed=8))
    assert "painted in the server's own process" in caplog.text
    assert painters(**settings(seed=9)) == paint(**settings(seed=9))
    [second] = set(children(os.getpid())) - before
    assert second != first


def test_what_the_painter_cannot_paint_is_its_error(painters, capfd):
    with pytest.raises(TypeError):
        painters(**settings(colour="red"))
    assert painters(**settings()) == paint(**settings())


def test_ctrl_c_is_left_to_the_server(painters):
    before = set(children(os.getpid()))
    painters(**settings())
    [process] = set(children(os.getpid())) - before
    os.kill(process, signal.SIGINT)
    time.sleep(0.1)
    painters(**settings())
    assert children(os.getpid()).count(process) == 1


@pytest.mark.parametrize("while_painting", [False, True])
def test_no_process_outlives_a_killed_server(while_painting, tmp_path):
    script, told = SERVER.replace("PAINTING", str(while_painting)), tmp_path / "stderr.txt"
    command = [sys.executable, "-c", script]
    with told.open("w") as stderr, subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True
    ) as server:  # fmt: skip
        assert server.stdout
        assert server.stdout.readline() == "painted\n"
        [process] = children(server.pid)
        time.sleep(0.2 if while_painting else 0)
        server.kill()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while alive(process):
        assert time.monotonic() < deadline, "the painter goes on"
        time.sleep(0.02)
    assert told.read_text() == ""
