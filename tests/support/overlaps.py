"""Words that are drawn over a control, or that their control is too small for: what a glance at a picture would see."""

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
"""A picture with controls on it, and a box with its own help inside."""


def overlaps(page: Page) -> list[str]:
    """One line for each fault of what is shown, once it stands still: a turning arrow reaches out of its button."""
    page.wait_for_function(AT_REST)
    found: list[str] = page.evaluate(SCRIPT, ON_PURPOSE)
    return found
