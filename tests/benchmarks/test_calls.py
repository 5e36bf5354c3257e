"""Twenty calls of a second at once through gradio_client, against twenty of a Gradio function that only sleeps."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from gradio_client import Client
from support.bench import ROOT, clean_environment, show
from support.server import free_port

CALLS, ROUNDS = 20, 5
STEPS = 33
"""Of 0.03 seconds each: the call of a second."""
PORT = "PORT"
HERE = Path(__file__).parent


class Served:
    def __init__(self, process: subprocess.Popen[str], url: str, folder: Path) -> None:
        self._process = process
        self.client = Client(url, download_files=folder, verbose=False)
        self.seconds: list[float] = []
        self.cpu: list[float] = []

    def round(self, name: str) -> None:
        """All calls at once; the seconds until the last has its answer, and the server's processor time a call."""
        self._cpu()
        begun = time.perf_counter()
        jobs = [
            self.client.submit(f"{name} {number}", num_inference_steps=STEPS, api_name="/generate")
            for number in range(CALLS)
        ]
        assert [job.result(timeout=60)["state"] for job in jobs] == ["done"] * CALLS
        self.seconds.append(time.perf_counter() - begun)
        self.cpu.append(self._cpu() / CALLS)

    def _cpu(self) -> float:
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        return float(json.loads(self._process.stdout.readline())["cpu"])


@contextmanager
def served(script: str, folder: Path, *arguments: str) -> Iterator[Served]:
    """`arguments`: those of the script; PORT stands for its port."""
    folder.mkdir()
    port = free_port()
    given = [str(port) if one == PORT else one for one in arguments]
    environment = clean_environment(PYTHONPATH=f"{ROOT}:{ROOT / 'tests'}", GRADIO_TEMP_DIR=str(folder / "gradio"))
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, str(HERE / script), *given], cwd=ROOT, env=environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
        )  # fmt: skip
    assert process.stdout
    try:
        assert process.stdout.readline() == "serving\n", (folder / "log.txt").read_text()
        running = Served(process, f"http://127.0.0.1:{port}", folder)
        yield running
        running.client.close()
    finally:
        process.communicate("")
    log_text = (folder / "log.txt").read_text()
    assert "Traceback" not in log_text, log_text


def test_twenty_calls_at_once(tmp_path: Path) -> None:
    with ExitStack() as stack:
        ours = stack.enter_context(
            served("load_server.py", tmp_path / "ours", str(tmp_path / "data"), PORT, "unwatched")
        )
        bare = stack.enter_context(served("sleep_server.py", tmp_path / "bare", PORT))
        for number in range(ROUNDS + 1):
            for one in (bare, ours):
                one.round(f"round {number}")
    took, sleeping = (statistics.median(one.seconds[1:]) for one in (ours, bare))  # the first round warms up
    cpu, of_gradio = (statistics.median(one.cpu[1:]) * 1000 for one in (ours, bare))
    show(
        f"{CALLS} gradio_client calls of 1 s at once, median of {ROUNDS} rounds by turns",
        ("", "ours", "Gradio alone", "ratio", "target"),
        [
            ("until the last answer", f"{took:.2f} s", f"{sleeping:.2f} s", f"{took / sleeping:.2f}", "≤ 1.15"),
            ("server's processor time a call", f"{cpu:.1f} ms", f"{of_gradio:.1f} ms", "", "≤ 12 ms"),
        ],
    )
