"""Runs axe-core on the page: its definite violations of serious or critical impact."""

from __future__ import annotations

from functools import cache
from typing import Any

from playwright.sync_api import Page
from support.node import install

STANDARDS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice")
RUN = """
async (runOnly) => {
    const { violations } = await axe.run(document, { runOnly, resultTypes: ["violations"] });
    return violations
        .filter(({ impact }) => ["serious", "critical"].includes(impact))
        .flatMap(({ id, nodes }) => nodes.map(({ target, html, any }) =>
            ({ rule: id, target: target.flat().join(" "), html, why: any[0]?.message ?? "" })));
}
"""
DARK = "(dark) => document.body.classList.toggle('dark', dark)"
COLOURS = "color-contrast"
GRADIOS: dict[tuple[str, str], str] = {}
"""(rule, part of the selector) → why it is Gradio's own and what softens it."""


@cache
def _source() -> str:
    return (install() / "node_modules" / "axe-core" / "axe.min.js").read_text("utf-8")


def barriers(page: Page) -> list[str]:
    """The violations that are not Gradio's, one line for each element: all rules in light mode, then the rule on colour
    contrast in dark mode."""
    if not page.evaluate("'axe' in window"):
        page.evaluate(_source())
    page.emulate_media(reduced_motion="reduce")  # so that no colour is read during a transition
    page.evaluate(DARK, False)
    found = [("light", one) for one in page.evaluate(RUN, {"type": "tag", "values": list(STANDARDS)})]
    page.evaluate(DARK, True)
    found += [("dark", one) for one in page.evaluate(RUN, {"type": "rule", "values": [COLOURS]})]
    page.evaluate(DARK, False)
    return [f"{scheme}: {_told(one)}" for scheme, one in found if not _gradios(one)]


def _gradios(finding: dict[str, Any]) -> bool:
    return any(finding["rule"] == rule and part in finding["target"] for rule, part in GRADIOS)


def _told(finding: dict[str, Any]) -> str:
    return f"{finding['rule']} at {finding['target']}: {finding['why']} {finding['html'][:160]}"
