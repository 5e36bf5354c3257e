"""The exported page in a real browser, from a file and without a network."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from support.grids import axis, failed, grid

from services.models.registry import PARAMETERS
from services.sheets.html import write_page

HOSTILE = (
    '</script><script>alert(1)</script><img src="https://example.com/x.png" onerror="alert(2)"> ${alert(3)} שלום 🦊'
)


@dataclass
class Opened:
    page: Page
    faults: list[str]
    """Dialogs, requests, errors and breaches of the policy."""


@pytest.fixture
def opened(browser: Browser, tmp_path: Path) -> Iterator[Opened]:
    layout = grid(
        tmp_path,
        title=HOSTILE,
        prompt=HOSTILE,
        y=axis("Prompt", [HOSTILE, "a fox " * 400]),
        instead={(1, 0, 0): failed(HOSTILE)},
        plan={"prompt": HOSTILE},
    )
    write_page(layout, tmp_path / "grid.html")
    with browser.new_context(viewport={"width": 900, "height": 700}, offline=True) as context:
        page, faults = context.new_page(), []
        page.on("dialog", lambda dialog: (faults.append(f"dialog {dialog.message}"), dialog.dismiss()))
        page.on("pageerror", lambda error: faults.append(f"error {error}"))
        page.on("console", lambda message: faults.append(f"console {message.text}"))
        page.on("request", lambda request: faults.append(request.url) if not request.url.startswith("data:") else None)
        page.goto((tmp_path / "grid.html").as_uri())
        faults.remove((tmp_path / "grid.html").as_uri())
        yield Opened(page, faults)
        assert faults == []


def test_a_cell_opens_with_all_its_settings(opened: Opened) -> None:
    page = opened.page
    cells = page.locator("button.cell")
    expect(cells).to_have_count(6)
    expect(page.get_by_role("heading", level=1)).to_have_text(HOSTILE)

    cells.first.click()

    dialog = page.get_by_role("dialog")
    for parameter in PARAMETERS.values():
        expect(dialog.locator("dt", has_text=parameter.label).first).to_be_visible()
    expect(dialog.locator("dd").first).to_have_text(HOSTILE)
    expect(dialog.locator(".differs dt")).to_have_text(["≠ Prompt", "≠ Steps"])
    expect(dialog.locator("figure img")).to_have_js_property("naturalWidth", 256)
    dialog.locator("figure").click()
    expect(dialog.locator("figure")).to_have_class("actual")

    page.keyboard.press("ArrowRight")

    expect(dialog.locator("figure p")).to_have_text(HOSTILE)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(cells.nth(1)).to_be_focused()


def test_labels_stay_in_sight(opened: Opened) -> None:
    page = opened.page
    page.set_viewport_size({"width": 390, "height": 600})

    page.locator("button.cell").last.scroll_into_view_if_needed()

    expect(page.locator("thead th[scope=col]").last).to_be_in_viewport()
    expect(page.locator("th[scope=row]").last).to_be_in_viewport()


def test_nothing_can_be_loaded_or_run(opened: Opened) -> None:
    """The policy holds even where text were to become an element."""
    breach = """() => new Promise((done) => {
      document.addEventListener("securitypolicyviolation", (event) => done(event.effectiveDirective));
      document.body.append(Object.assign(document.createElement("script"), { textContent: "alert(4)" }));
    })"""

    assert opened.page.evaluate(breach) == "script-src-elem"
    assert any("Content Security Policy" in fault for fault in opened.faults)
    opened.faults.clear()
