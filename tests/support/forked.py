"""The real app on a free port, as `server.serve_app` gives it, in a process that begins with all modules imported.

with fork_app(tmp_path, PLAYGROUND_DEMO_STEP_SECONDS="0.05") as server:
    httpx.get(server.url + "/healthz")

Python's and Gradio's imports are three quarters of a start. One process for all servers of a test process has imported
them, and each server is forked from it and runs `app.main`. What is about the start itself belongs to `serve_app`.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import IO

from support.server import NOT_INHERITED, ROOT, AppServer, Process

FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["support.imported_app"])


class ForkedServer(AppServer):
    def _launch(self, log: IO[bytes]) -> Process:
        _begin()
        return _Forked(FORKING.Process(target=_run, args=(self._environment, log.name), daemon=True))


class _Forked:
    """With the methods of subprocess.Popen."""

    def __init__(self, process: multiprocessing.process.BaseProcess) -> None:
        process.start()
        self._process = process
        self.pid = process.pid or 0

    def poll(self) -> int | None:
        return self._process.exitcode

    def send_signal(self, how: int, /) -> None:
        os.kill(self.pid, how)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("app", timeout or 0)
        return code


def _begin() -> None:
    """Start the process that others are forked from, where it does not run yet. It gets no variables that configure the
    app, and PYTHONPATH, for it does not get this process's sys.path."""
    ours = dict(os.environ)
    path = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    try:
        os.environ.clear()
        os.environ.update({name: value for name, value in ours.items() if not name.startswith(NOT_INHERITED)} | path)
        forkserver.ensure_running()
    finally:
        os.environ.clear()
        os.environ.update(ours)


def _run(environment: dict[str, str], log: str) -> None:
    """In the forked process: `python app.py` with this environment and its output in that file."""
    os.chdir(ROOT)
    os.environ.clear()
    os.environ.update(environment)
    with open(log, "ab") as told:
        os.dup2(told.fileno(), 1)
        os.dup2(told.fileno(), 2)
    sys.argv = ["app.py"]  # else the app reads what this process was called with
    from app import main

    sys.exit(main())


@contextmanager
def fork_app(folder: Path, **environment: str) -> Iterator[AppServer]:
    server = ForkedServer(folder, environment)
    server.start()
    try:
        yield server
    finally:
        server.stop()
