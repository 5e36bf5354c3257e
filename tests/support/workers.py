"""Worker processes (`worker.py`) on one data folder, which tests kill, and what they have committed."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from support.patience import PATIENCE_SECONDS
from support.tls import TlsServer

ROOT = Path(__file__).parents[2]
WORKER = ROOT / "tests" / "support" / "worker.py"


class Workers:
    """Used with `with`: what still runs at its end is killed."""

    def __init__(self, address: TlsServer, folder: Path, *, at_once: int = 8) -> None:
        """`address` is that of the stand-in for fal; `folder` takes the data folder `data` and the log."""
        self.data, self.log_file = folder / "data", folder / "log.txt"
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("FAL_", "PLAYGROUND_"))},
            **address.environ("owner:secret"),
            "PYTHONPATH": str(ROOT),
            "PLAYGROUND_DATA_DIR": str(self.data),
            "PLAYGROUND_MAX_CONCURRENT": str(at_once),
        }
        self._started: list[subprocess.Popen[bytes]] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._started:
            process.kill()
            process.wait()

    def start(self, *arguments: str, **environ: str) -> subprocess.Popen[bytes]:
        """Ask for that many pictures, after what the history holds unfinished."""
        command = [sys.executable, str(WORKER), *arguments]
        with self.log_file.open("ab") as log:
            process = subprocess.Popen(command, env={**self._environ, **environ}, stdout=log, stderr=log)
        self._started.append(process)
        return process

    def run(self, *arguments: str, **environ: str) -> None:
        """`start`, and wait until nothing is unfinished."""
        assert self.start(*arguments, **environ).wait(PATIENCE_SECONDS) == 0, self.log

    @property
    def log(self) -> str:
        return self.log_file.read_text() if self.log_file.exists() else ""


def wait_until(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, "the server ended by itself"
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


def stored_states(folder: Path) -> list[str]:
    """What is committed, read as another process reads it."""
    try:
        connection = sqlite3.connect(f"file:{folder}/history.sqlite3?mode=ro", uri=True)
        try:
            return [state for (state,) in connection.execute("SELECT state FROM runs")]
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return []
