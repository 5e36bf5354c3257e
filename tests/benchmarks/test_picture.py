"""From the press of Generate to the picture decoded on screen, beside fal_client alone on the same queue."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser
from support.bench import Sample, by_turns, direct, ratio, show
from support.page import PlaygroundPage
from support.server import AppServer, serve_app

STEPS = 28
SETTINGS = {"image_size": "landscape_4_3", "num_inference_steps": STEPS, "output_format": "jpeg"}
PROMPTS = (
    "A paper-cut mountain valley at dusk, layered ridges in indigo and coral",
    "waves of a teal ocean with a small boat",
    "a misty forest in the morning",
    "a city skyline at night",
    "a garden of flowers, pastel",
)
PRESS = """async ([generate, stage]) => {
  const before = stage.querySelector("img")?.src;
  const appeared = new Promise((resolve) => {
    const look = () => {
      const picture = stage.querySelector("img");
      if (!picture || picture.src === before) return;
      observer.disconnect();
      resolve(picture);
    };
    const observer = new MutationObserver(look);
    observer.observe(stage, { childList: true, subtree: true, attributes: true, attributeFilter: ["src"] });
  });
  const pressed = performance.now();
  generate.click();
  const picture = await appeared;
  const placed = performance.now();
  await picture.decode();
  const decoded = performance.now();
  const at = (moment) => (performance.timeOrigin + moment) / 1000;
  return { pressed: at(pressed), placed: at(placed), decoded: at(decoded), seconds: (decoded - pressed) / 1000,
           address: new URL(picture.src).pathname, width: picture.naturalWidth, height: picture.naturalHeight };
}"""
PHASES = ("press → engine has it", "the engine at work", "engine done → kept", "kept → <img> placed", "decode")


class Pressing:
    """A visitor with a warm page."""

    def __init__(self, browser: Browser, server: AppServer) -> None:
        self._server = server
        self._page = PlaygroundPage(browser.new_context(viewport={"width": 1440, "height": 900}), server.url)
        self._page.page.set_default_timeout(60_000)
        self._page.page.goto(server.url)
        self._page.badge.wait_for()
        self._page.choose("Image size", "Landscape 4:3")
        self.phases: list[Sequence[float]] = []

    def press(self, prompt: str) -> float:
        """Seconds from the click to the decoded picture."""
        self._page.prompt.fill(prompt)
        self._page.page.wait_for_timeout(300)
        generate = self._page.generate.element_handle()
        stage = self._page.page.locator("#widget-stage").element_handle()
        seen = self._page.page.evaluate(PRESS, [generate, stage])
        assert (seen["width"], seen["height"]) == (1024, 768)
        self.phases.append(self._phases(seen))
        return float(seen["seconds"])

    def _phases(self, seen: dict[str, Any]) -> Sequence[float]:
        """Seconds of each of PHASES, by the clocks of the page, the history and the engine: one machine, one clock."""
        [run] = [run for run in self._page.get_json("/runs")["runs"] if run["media"] == seen["address"]]
        ticket = self._page.get_json(f"/runs/{run['id']}")["request_id"]
        record = json.loads((self._server.data_dir / "demo" / f"{ticket}.json").read_text(encoding="utf-8"))
        kept = datetime.fromisoformat(run["submitted_at"]).timestamp() + run["seconds"]
        ended = record["started"] + record["seconds"]
        moments = (seen["pressed"], record["started"], ended, kept, seen["placed"], seen["decoded"])
        return [later - earlier for earlier, later in pairwise(moments)]


@pytest.mark.parametrize(("seconds", "rounds", "target"), [(1, 8, 1.05), (16, 3, 1.06)])
def test_press_to_picture(browser: Browser, tmp_path: Path, seconds: int, rounds: int, target: float) -> None:
    step = seconds / STEPS
    with (
        serve_app(tmp_path, PLAYGROUND_DEMO_STEP_SECONDS=str(step)) as server,
        direct(tmp_path / "direct", step) as alone,
    ):
        visitor = Pressing(browser, server)
        prompts = {"page": iter(PROMPTS * rounds), "alone": iter(PROMPTS * rounds)}
        visitor.press(PROMPTS[0])
        alone.generate(PROMPTS[:1], **SETTINGS)
        visitor.phases.clear()
        page, client = by_turns(
            rounds,
            lambda: visitor.press(next(prompts["page"])),
            lambda: alone.generate([next(prompts["alone"])], **SETTINGS),
        )
    assert min(client.values) >= seconds
    assert min(page.values) >= seconds
    show(
        f"Press of Generate to decoded picture, {seconds} s a picture, {rounds} by turns",
        ("", "the page", "fal_client alone", "ratio", "target"),
        [("seconds", page.told(digits=3), client.told(digits=3), f"{ratio(page, client):.3f}", f"≤ {target}")],
    )
    spent = [Sample(tuple(column)) for column in zip(*visitor.phases, strict=True)]
    rows = [
        (name, Sample(tuple(1000 * value for value in sample.values)).told("ms", 0))
        for name, sample in zip(PHASES, spent, strict=True)
    ]
    show("Where the page's time goes", ("", "median"), rows)
