"""Finds text that is drawn over a control, and controls that are too small for their text."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page

SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
AT_REST = """
() => document.getAnimations().every(
    (moving) => moving.playState !== "running" || moving.effect.getComputedTiming().iterations === Infinity,
)
"""
ON_PURPOSE = ".pg-card-open, .pg-h-input"
"""Controls that are not checked: a picture with controls on it, and a box with its own help inside."""


def overlaps(page: Page) -> list[str]:
    """One line for each visible fault. Waits for animations to end: a turning arrow reaches out of its button."""
    page.wait_for_function(AT_REST)
    found: list[str] = page.evaluate(SCRIPT, ON_PURPOSE)
    return found
