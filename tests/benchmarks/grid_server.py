"""The whole app whose demo engine paints nothing: every picture is one that was painted before it began.

    grid_server.py FOLDER PORT

What the process computes is then the playground's own work. Prints a line when it serves; ends with its input.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import uvicorn

from services.engines.demo import queue
from services.engines.demo.painting.painter import paint
from services.playground import Playground
from services.settings import Settings
from ui.web.quick_start import import_gradio_quickly


class Announcing(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("serving", flush=True)


def paint_nothing(side: int = 512) -> None:
    picture = paint(
        prompt="a red fox", width=side, height=side, seed=1, num_inference_steps=28, guidance_scale=3.5,
        output_format="jpeg",
    )  # fmt: skip
    queue._default_painter = lambda: lambda **_: picture


async def main(folder: Path, port: int) -> None:
    import_gradio_quickly()
    from ui.web.server import build_server

    paint_nothing()
    settings = Settings(playground_data_dir=folder, playground_history="shared", playground_demo_step_seconds=0)
    config = uvicorn.Config(
        build_server(Playground(settings)), "127.0.0.1", port, log_level="warning", ws="none",
        timeout_graceful_shutdown=1,
    )  # fmt: skip
    server = Announcing(config)
    serving = asyncio.create_task(server.serve())
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), int(sys.argv[2])))
