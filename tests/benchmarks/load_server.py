"""The whole app with a probe in its event loop: how late the loop comes to what is due. Its demo engine takes its time
and paints nothing, as in grid_server.py.

    load_server.py FOLDER PORT [unwatched]

Unwatched, only its processor time is measured: the probe takes some itself.

Prints a line when it serves. Each line of its input is answered with the figures since the last one, as JSON; it ends
with its input.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import sys
import time
from pathlib import Path

import uvicorn
from benchmarks.grid_server import paint_nothing

from services.playground import Playground
from services.settings import Settings
from ui.web.quick_start import import_gradio_quickly
from ui.web.stopping import Server, Streams

PAUSE_SECONDS = 0.005
STALL_SECONDS = 0.1
SETTINGS = {"playground_history": "visitor", "playground_max_concurrent": 100, "playground_demo_step_seconds": 0.03}


class Announcing(Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("serving", flush=True)


class Probe:
    """Asks to be woken every few milliseconds, and keeps by how much it was too late."""

    def __init__(self) -> None:
        self._late: list[tuple[float, float]] = []
        self._begun, self._cpu = time.monotonic(), time.process_time()

    async def watch(self) -> None:
        while True:
            due, cpu = time.monotonic() + PAUSE_SECONDS, time.thread_time()
            await asyncio.sleep(PAUSE_SECONDS)
            self._late.append((time.monotonic() - due, time.thread_time() - cpu))

    def figures(self) -> dict[str, float]:
        """Seconds late at worst, and what the loop's thread itself computed meanwhile: the rest it waited for a core
        or for another thread. The worst of what it computed without a pause stands for a machine with a core free."""
        now, cpu = time.monotonic(), time.process_time()
        late, computed = max(self._late, default=(0.0, 0.0))
        told = {
            "late": late,
            "computed": computed,
            "longest_work": max((computed for _, computed in self._late), default=0.0),
            "stalls": sum(late > STALL_SECONDS for late, _ in self._late),
            "p99": sorted(late for late, _ in self._late)[int(len(self._late) * 0.99)] if self._late else 0.0,
            "cpu": cpu - self._cpu,
            "cores": (cpu - self._cpu) / (now - self._begun),
            "files": len(os.listdir("/proc/self/fd")),
            "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        }
        self._late.clear()
        self._begun, self._cpu = now, cpu
        return told


async def main(folder: Path, port: int, *, watched: bool = True) -> None:
    import_gradio_quickly()
    from ui.web.server import build_server

    paint_nothing(64)
    playground = Playground(Settings(playground_data_dir=folder, **SETTINGS))
    streams = Streams(build_server(playground))
    config = uvicorn.Config(
        streams,
        "127.0.0.1", port, log_level="warning", ws="none", timeout_graceful_shutdown=1,
    )  # fmt: skip
    server, probe = Announcing(config, playground, streams), Probe()
    serving = asyncio.create_task(server.serve())
    watching = asyncio.create_task(probe.watch()) if watched else None
    while await asyncio.to_thread(sys.stdin.readline):
        print(json.dumps(probe.figures()), flush=True)
    if watching:
        watching.cancel()
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2]), watched=sys.argv[3:] != ["unwatched"]))
