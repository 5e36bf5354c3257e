"""Twenty visitors press Generate at once, beside one script that asks fal_client for twenty pictures at once.

A press is what the page does, without the browser: each visitor has opened the page (its Gradio session is there) and
an event stream, sends the Gradio event that the button fires (its number and its inputs are read from Gradio's own
`/config`), hears of its picture by the stream and fetches the original. gradio_client's `/generate` would go through
Gradio's queue, which the button does not.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from pathlib import Path
from typing import Any

import httpx
from benchmarks.gradio_page import Config
from support.bench import Sample, by_turns, direct, ratio, show
from support.server import serve_app

VISITORS = 20
STEPS = 28
SECONDS = 1.0
ROUNDS = 5
SETTINGS = {"image_size": "landscape_4_3", "num_inference_steps": STEPS, "output_format": "jpeg"}
PROMPTS = [f"a misty mountain valley, number {number}" for number in range(VISITORS)]


class Visitors:
    def __init__(self, url: str) -> None:
        self._url, self._config = url, Config(httpx.get(f"{url}/config", trust_env=False).json())

    def press_all(self, prompts: list[str]) -> float:
        """Seconds from the first press to the last picture fetched; a visitor for each prompt."""
        return asyncio.run(self._press_all(prompts))

    async def _press_all(self, prompts: list[str]) -> float:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
        async with httpx.AsyncClient(base_url=self._url, timeout=60, limits=limits, trust_env=False) as http:
            visitors = [Visitor(http, self._config, prompt) for prompt in prompts]
            await asyncio.gather(*(visitor.open() for visitor in visitors))
            listening = [asyncio.create_task(visitor.listen()) for visitor in visitors]
            await asyncio.gather(*(visitor.ready.wait() for visitor in visitors))
            begun = time.perf_counter()
            await asyncio.gather(*(visitor.press() for visitor in visitors))
            await asyncio.gather(*listening)
            seconds = time.perf_counter() - begun
        assert all(visitor.picture and len(visitor.picture) > 1000 for visitor in visitors)
        return seconds


class Visitor:
    def __init__(self, http: httpx.AsyncClient, config: Config, prompt: str) -> None:
        self._http, self._config, self._prompt = http, config, prompt
        self._session = secrets.token_hex(6)
        self._headers = {"X-Playground-Visitor": secrets.token_urlsafe(32)}
        self.ready = asyncio.Event()
        self.picture: bytes | None = None

    async def open(self) -> None:
        await self._send(self._config.body("load", None, self._session))

    async def press(self) -> None:
        size = SETTINGS["image_size"]
        body = self._config.body("click", "generate", self._session, field_prompt=self._prompt, field_image_size=size)
        await self._send(body)

    async def _send(self, body: dict[str, Any]) -> None:
        answer = await self._http.post("/gradio_api/run/predict", json=body, headers=self._headers)
        answer.raise_for_status()

    async def listen(self) -> None:
        """Until the picture is there, and fetched."""
        async with self._http.stream("GET", "/events", headers=self._headers) as stream:
            self.ready.set()
            async for line in stream.aiter_lines():
                if line.startswith("data:") and (media := json.loads(line[5:]).get("media")):
                    answer = await self._http.get(media)
                    answer.raise_for_status()
                    self.picture = answer.content
                    return


def test_twenty_at_once(tmp_path: Path) -> None:
    step = SECONDS / STEPS
    environment = {"PLAYGROUND_MAX_CONCURRENT": str(VISITORS), "PLAYGROUND_DEMO_STEP_SECONDS": str(step)}
    with serve_app(tmp_path, **environment) as server, direct(tmp_path / "direct", step) as alone:
        visitors = Visitors(server.url)
        visitors.press_all(PROMPTS)
        alone.generate(PROMPTS, **SETTINGS)
        one = Sample((alone.generate(PROMPTS[:1], **SETTINGS),))
        ours, theirs = by_turns(
            ROUNDS, lambda: visitors.press_all(PROMPTS), lambda: alone.generate(PROMPTS, **SETTINGS)
        )
        assert "Traceback" not in server.log, server.log
    assert min(ours.values) >= SECONDS
    show(
        f"{VISITORS} at once, {SECONDS:g} s a picture, {ROUNDS} by turns: seconds to the last picture",
        ("", f"{VISITORS} visitors", "fal_client, gather", "ratio", "target"),
        [("seconds", ours.told(), theirs.told(), f"{ratio(ours, theirs):.2f}", "≤ 1.3")],
    )
    print(f"  fal_client alone, one picture: {one.told()}")
