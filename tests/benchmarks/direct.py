"""fal_client alone on a demo queue, as a script of a few lines would use it: submit, get with its default interval,
download. A process of its own; `support.bench.Direct` talks to it, a line of JSON for each order.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from pathlib import Path
from typing import Any

import fal_client
import httpx

from services.engines.demo.asgi import build_app
from services.engines.demo.queue import DemoQueue
from services.models.flux_2_flex import MODEL
from services.request import parse_request


class InProcessClient(fal_client.AsyncClient):
    """fal's client with another way to the queue than the network."""

    def __init__(self, transport: httpx.AsyncBaseTransport) -> None:
        super().__init__(key="demo")
        self._http = httpx.AsyncClient(transport=transport, headers={"Authorization": "Key demo"})

    @property
    async def _client(self) -> httpx.AsyncClient:
        return self._http


async def picture(
    client: fal_client.AsyncClient, downloads: httpx.AsyncClient, payload: dict[str, Any], turn: asyncio.Semaphore
) -> int:
    """Make one picture. Its size in bytes."""
    async with turn:
        handle = await client.submit(MODEL.endpoint, payload)
        result = await handle.get()
        answer = await downloads.get(result["images"][0]["url"])
        answer.raise_for_status()
        return len(answer.content)


async def main(folder: Path, step_seconds: float) -> None:
    queue = DemoQueue(step_seconds=step_seconds, store=folder)
    transport = httpx.ASGITransport(build_app(queue))
    client, downloads = InProcessClient(transport), httpx.AsyncClient(transport=transport)
    while line := await asyncio.to_thread(sys.stdin.readline):
        order = json.loads(line)
        payloads = [parse_request({"prompt": prompt, **order["settings"]}).payload() for prompt in order["prompts"]]
        turn = asyncio.Semaphore(order["limit"])
        start = time.perf_counter()
        sizes = await asyncio.gather(*(picture(client, downloads, payload, turn) for payload in payloads))
        print(json.dumps({"seconds": time.perf_counter() - start, "bytes": sizes}), flush=True)
    await queue.aclose()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), float(sys.argv[2])))
