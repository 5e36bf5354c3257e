"""The real app as a process of its own, on a free port and with a data folder of its own.

with serve_app(tmp_path, PLAYGROUND_DEMO_STEP_SECONDS="0.05") as server:
    httpx.get(server.url + "/healthz")
    server.kill()
    server.restart()
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol

import httpx

ROOT = Path(__file__).parents[2]
START_SECONDS = 180.0
STOP_SECONDS = 15.0
NOT_INHERITED = ("FAL_", "PLAYGROUND_", "GRADIO_", "SPACE_", "SYSTEM", "HF_", "SSL_CERT_", "PYTEST_")
"""Prefixes of environment variables that configure the app: the app in a test does not get the machine's."""
DEFAULTS = {
    "GRADIO_SERVER_NAME": "127.0.0.1",
    "PLAYGROUND_DEMO_STEP_SECONDS": "0",
    "PLAYGROUND_HISTORY": "visitor",
    # The machine's proxy, if any, must not be used for the loopback.
    "NO_PROXY": "*",
    "no_proxy": "*",
}


class Process(Protocol):
    """What is used of subprocess.Popen."""

    pid: int

    def poll(self) -> int | None: ...
    def send_signal(self, how: int, /) -> None: ...
    def kill(self) -> None: ...
    def wait(self, timeout: float | None = None) -> int: ...


class AppServer:
    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """`folder` takes the app's data and its log; `environment` is laid over DEFAULTS."""
        self.data_dir = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._log_file = folder / "app.log"
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(NOT_INHERITED)}
        self._environment = {
            **inherited,
            **DEFAULTS,
            "PLAYGROUND_DATA_DIR": str(self.data_dir),
            "GRADIO_SERVER_PORT": str(self.port),
            "GRADIO_TEMP_DIR": str(folder / "gradio"),
            **environment,
        }
        self.root = ROOT
        """The tree whose app.py is started: another one for another version."""
        self._process: Process | None = None

    @property
    def log(self) -> str:
        """Everything that the app has printed, over all its restarts."""
        return self._log_file.read_text(encoding="utf-8", errors="replace") if self._log_file.exists() else ""

    @property
    def pid(self) -> int:
        """The process id of the running app."""
        assert self._process
        return self._process.pid

    def start(self) -> None:
        """Returns when the app answers. Raises RuntimeError with its log when it does not."""
        with self._log_file.open("ab") as log:
            self._process = self._launch(log)
        deadline = time.monotonic() + START_SECONDS
        # Certificates are of no use here, and reading them at each try would take the app's time.
        with httpx.Client(base_url=self.url, timeout=2, trust_env=False, verify=False) as client:
            while not _healthy(client):
                if self._process.poll() is not None or time.monotonic() > deadline:
                    self.kill()
                    raise RuntimeError(f"The app did not start:\n{self.log}")
                time.sleep(0.05)

    def _launch(self, log: IO[bytes]) -> Process:
        return subprocess.Popen(
            [sys.executable, "app.py"], cwd=self.root, env=self._environment, stdout=log, stderr=subprocess.STDOUT
        )

    def stop(self) -> None:
        """SIGTERM, as an operator stops it."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL, as a power cut stops it."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """Start again on the same port and the same data."""
        self.kill()
        self.start()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.send_signal(how)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise RuntimeError(f"The app did not stop within {STOP_SECONDS:g} s:\n{self.log}") from None
        finally:
            self._process = None


def _healthy(client: httpx.Client) -> bool:
    try:
        return client.get("/healthz").status_code == 200
    except httpx.HTTPError:
        return False


@contextmanager
def serve_app(folder: Path, **environment: str) -> Iterator[AppServer]:
    server = AppServer(folder, environment)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port that nothing listens on, below the range that systems use for outgoing connections: until a server takes
    it, no connection can, and another test process hardly will."""
    while True:
        port = random.SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
