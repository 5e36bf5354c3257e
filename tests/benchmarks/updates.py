"""The server's processor time for changes of many runs, as a process of its own.

    updates.py FOLDER PORT RUNS CHANGES

Prints a line when it serves, waits for a line, commits CHANGES changes of progress to each of RUNS runs, and prints the
milliseconds of processor time that went by meanwhile. With no event stream open this is the cost of the commits alone.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from pathlib import Path

import uvicorn

from services.models.flux_2_flex import Flux2FlexRequest
from services.playground import Playground
from services.run import Run, RunState, new_id, now
from services.settings import Settings
from ui.web.quick_start import import_gradio_quickly


class Announcing(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("serving", flush=True)


async def main(folder: Path, port: int, runs: int, changes: int) -> None:
    import_gradio_quickly()
    from ui.web.server import build_server

    playground = Playground(Settings(playground_data_dir=folder, playground_history="shared"))
    app = build_server(playground)
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="warning", ws="none", timeout_graceful_shutdown=1)
    server = Announcing(config)
    serving = asyncio.create_task(server.serve())
    await asyncio.to_thread(sys.stdin.readline)
    request = Flux2FlexRequest(prompt="A paper-cut mountain valley at dusk, layered ridges in indigo", seed=1)
    new = [
        Run(id=new_id(), visitor=None, engine="demo", key_of="owner", request=request, created_at=now())
        for _ in range(runs)
    ]
    await asyncio.to_thread(playground.history.add, new)
    for run in new:
        await asyncio.to_thread(playground.history.change, run.id, state=RunState.RUNNING, progress=0.0)
    playground.changes.tell(None)
    await asyncio.sleep(0.5)
    begun = time.process_time()
    for number in range(1, changes + 1):
        for run in new:
            await asyncio.to_thread(playground.history.change, run.id, progress=number / (changes + 1))
            playground.changes.tell(None)
    await asyncio.sleep(0.3)
    print(1000 * (time.process_time() - begun), flush=True)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    arguments = [int(argument) for argument in sys.argv[2:]]
    asyncio.run(main(Path(sys.argv[1]), *arguments))
