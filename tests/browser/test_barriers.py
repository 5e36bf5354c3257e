"""axe-core on every tab, in light and in dark: no serious barrier that is ours; fingers reach what they press."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from support.axe import barriers
from support.page import NewVisitor, PlaygroundPage, Visit
from support.server import AppServer

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
FINGER = 40
"""CSS pixels that a main action is high, at least."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def go(page: PlaygroundPage, tab: str, view: str = "") -> None:
    page.page.get_by_role("tab", name=tab, exact=True).click()
    if view:
        page.group("Compare view").get_by_role("button", name=view, exact=True).click()


def sweep(page: PlaygroundPage) -> None:
    """A small grid of the chosen picture, done."""
    go(page, "Create")
    page.details.get_by_role("button", name="Sweep…").click()
    page.page.get_by_label("X values", exact=True).fill("2, 3")
    page.page.get_by_role("button", name=re.compile("^Run 2")).click()
    expect(page.page.get_by_role("button", name=re.compile("^Done"))).to_be_visible()


def compare_two(page: PlaygroundPage) -> None:
    go(page, "Create")
    for letter, card in zip("AB", page.cards("done").all(), strict=False):
        card.get_by_role("button", name=re.compile("^Show picture")).focus()
        page.page.keyboard.press(letter)
    go(page, "Compare", "Viewer")
    expect(page.group("Mode")).to_be_visible()
    expect(page.page.locator(".pg-viewer-percent")).to_have_text(re.compile("%"))  # it is drawn


def test_there_are_no_barriers_of_ours(page: PlaygroundPage) -> None:
    found: dict[str, list[str]] = {}

    def look(state: str) -> None:
        if lines := barriers(page.page):
            found[state] = lines

    look("Create, empty")
    go(page, "Compare")
    look("Viewer, empty")
    go(page, "Compare", "Grid")
    look("Grid, empty")
    go(page, "Create")
    page.choose("Image size", "Custom")
    page.open_advanced()
    page.make("A fox", images=2)
    look("Create, full")
    compare_two(page)
    look("Viewer")
    sweep(page)
    look("Grid")
    go(page, "History")
    expect(page.page.locator("#widget-history [data-run-id]").first).to_be_visible()
    look("History, cards")
    page.button("Table").click()
    look("History, table")
    page.page.keyboard.press("?")
    look("Keys")
    page.page.keyboard.press("Escape")
    page.button("Key").click()
    look("Key")

    assert found == {}


def test_on_a_phone_every_tab_fits_and_main_actions_suit_a_finger(server: AppServer, new_visitor: NewVisitor) -> None:
    page = new_visitor(server, **PHONE)
    page.make("A fox", images=2)
    small: dict[str, float] = {}

    def look(*names: str) -> None:
        assert page.page.evaluate(OVERFLOW) <= 0
        for name in names:
            box = (
                page.page.get_by_role("button", name=re.compile(f"^{name}"))
                .locator("visible=true")
                .first.bounding_box()
            )
            assert box is not None, name
            assert box["x"] >= 0, name
            assert box["x"] + box["width"] <= PHONE["viewport"]["width"], name  # type: ignore[index]
            if box["height"] < FINGER:
                small[name] = box["height"]

    look("Generate", "Key", "Project", "Sweep", "Nearby", "New seeds", "Reuse all", "Download", "Delete")
    go(page, "Compare")
    look(re.escape("+ Add picture"))
    sweep(page)
    look("Grids", "Change", "Sheet", "Copy link")
    go(page, "History")
    page.page.locator("#widget-history [data-run-id] .pg-card-open").first.tap()
    look("Close", "Copy code")

    assert small == {}


def test_nothing_moves_for_those_who_asked_for_less(server: AppServer, new_tab: Visit) -> None:
    page = new_tab(server)
    page.page.emulate_media(reduced_motion="reduce")
    page.open().make("A fox")
    assert page.page.evaluate("document.getAnimations().length") == 0
    assert page.generate.evaluate("(button) => getComputedStyle(button).transitionDuration") == "0s"
