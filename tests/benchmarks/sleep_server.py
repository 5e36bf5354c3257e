"""A Gradio app whose one function sleeps for a second: what a call costs in Gradio itself.

    sleep_server.py PORT

Prints a line when it serves. Each line of its input is answered with the processor time since the last one, as
load_server.py does; it ends with its input.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time

import gradio as gr
import uvicorn
from fastapi import FastAPI


class Announcing(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("serving", flush=True)


async def generate(prompt: str, num_inference_steps: int = 0) -> dict:  # type: ignore[type-arg]
    """It takes what the benchmark sends."""
    await asyncio.sleep(1)
    return {"state": "done", "prompt": prompt, "num_inference_steps": num_inference_steps}


async def main(port: int) -> None:
    with gr.Blocks(analytics_enabled=False) as page:
        gr.api(generate, api_name="generate", concurrency_limit=None)
    app = gr.mount_gradio_app(FastAPI(), page, path="/")
    config = uvicorn.Config(app, "127.0.0.1", port, log_level="warning", ws="none", timeout_graceful_shutdown=1)
    server = Announcing(config)
    serving, cpu = asyncio.create_task(server.serve()), time.process_time()
    while await asyncio.to_thread(sys.stdin.readline):
        cpu, before = time.process_time(), cpu
        print(json.dumps({"cpu": cpu - before}), flush=True)
    server.should_exit = True
    await serving


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
