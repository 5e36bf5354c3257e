"""The painter in processes of its own: in a thread of the server, each would wait for the other's hold on Python.

Twenty pictures at once take a third longer that way, and pages are answered later while they are painted.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import IO, Any

log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[3]
MOST = 2
"""Processes, each of 55 MB. They are started with the pictures that need them, and stay."""
NICENESS = 10
"""Serving comes before painting, where the system knows such ranks."""
LENGTH_BYTES = 8


class PaintersApart:
    """Called as `painter.paint` is. Thread-safe; a call blocks until its picture is painted."""

    def __init__(self) -> None:
        self._turn = threading.BoundedSemaphore(MOST)
        self._idle: list[_Painter] = []

    def __call__(self, **settings: Any) -> bytes:
        with self._turn, contextlib.ExitStack() as ended:
            try:
                painter = self._free()
                ended.callback(painter.close)
                picture = painter.paint(settings)
            except (OSError, EOFError) as error:
                # The system ended it for its memory, or lets none be started. The next picture tries anew.
                log.warning("a picture is painted in the server's own process: the painter's has ended (%r)", error)
                return _paint(settings)
            ended.pop_all()
            self._idle.append(painter)
            return picture

    def _free(self) -> _Painter:
        try:
            return self._idle.pop()
        except IndexError:
            return _Painter()

    def close(self) -> None:
        """End the processes. A later call starts new ones."""
        with contextlib.suppress(IndexError):
            while True:
                self._idle.pop().close()


class _Painter:
    """One process: settings as a line of JSON go in, the picture's length and its bytes come out."""

    def __init__(self) -> None:
        command = [sys.executable, "-c", f"from {__name__} import serve; serve()"]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe)  # noqa: S603  # nosec B603: our own

    def paint(self, settings: dict[str, Any]) -> bytes:
        """Raises OSError or EOFError where the process has ended."""
        stdin, stdout = self._pipes()
        stdin.write(json.dumps(settings).encode() + b"\n")
        stdin.flush()
        length = int.from_bytes(_read(stdout, LENGTH_BYTES), "big")
        return _read(stdout, length)

    def close(self) -> None:
        """It reads the end of its orders, and ends."""
        for pipe in self._pipes():
            with contextlib.suppress(OSError):
                pipe.close()
        self._process.wait()

    def _pipes(self) -> tuple[IO[bytes], IO[bytes]]:
        assert self._process.stdin  # noqa: S101  # nosec B101: tells the type checker
        assert self._process.stdout  # noqa: S101  # nosec B101: tells the type checker
        return self._process.stdin, self._process.stdout


def _read(pipe: IO[bytes], length: int) -> bytes:
    data = pipe.read(length)
    if len(data) < length:
        raise EOFError("no whole picture came")
    return data


def serve() -> None:
    """The process: paint what comes in until nothing comes any more. So it never outlives its server."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C goes to the server
    if hasattr(os, "nice"):
        with contextlib.suppress(OSError):
            os.nice(NICENESS)
    out = sys.stdout.buffer
    for line in sys.stdin.buffer:
        picture = _paint(json.loads(line))
        try:
            out.write(len(picture).to_bytes(LENGTH_BYTES, "big") + picture)
            out.flush()
        except BrokenPipeError:
            os._exit(0)  # the server ended meanwhile; Python's own end would complain about what is left to write


def _paint(settings: dict[str, Any]) -> bytes:
    from services.engines.demo.painting.painter import paint

    return paint(**settings)
