"""The page's keys, and what is told to someone who looks elsewhere."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, expect
from support.page import PageWith, PlaygroundPage

HIDE = "Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })"
NOTIFICATIONS = """
() => {
    window.told = [];
    window.Notification = class {
        static permission = "default";
        static async requestPermission() { return (Notification.permission = "granted"); }
        constructor(title, { body }) { window.told.push(body); }
    };
}
"""


def search_box(page: PlaygroundPage) -> Locator:
    return page.page.get_by_label("Search history", exact=True)


def press(page: PlaygroundPage, *keys: str) -> None:
    for key in keys:
        page.page.keyboard.press(key)


def test_keys_work_on_the_chosen_picture_and_on_the_one_with_the_focus(page_with: PageWith) -> None:
    page = page_with({"prompt": "A cat", "num_inference_steps": 5}, {"prompt": "A dog", "num_inference_steps": 7})
    newest, older = page.card(page.run_ids()[0]), page.card(page.run_ids()[1])
    page.page.evaluate("document.activeElement.blur()")

    star = newest.get_by_role("button", name="Favourite")
    star.press("Enter")
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(star).to_be_focused()
    press(page, "f")
    expect(star).to_have_attribute("aria-pressed", "false")
    page.page.evaluate("document.activeElement.blur()")
    press(page, "f", "a")
    expect(newest.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")
    expect(newest.get_by_role("button", name="A", exact=True)).to_have_attribute("aria-pressed", "true")
    older.get_by_role("button", name=re.compile("^Show picture")).focus()
    press(page, "b", "r")
    expect(older.get_by_role("button", name="B", exact=True)).to_have_attribute("aria-pressed", "true")
    expect(page.prompt).to_have_value("A cat")
    expect(page.steps).to_have_value("5")

    press(page, "/")
    expect(search_box(page)).to_be_focused()
    press(page, "/", "f", "?")
    expect(search_box(page)).to_have_value("/f?")


def test_keys_are_not_taken_from_fields_dialogs_and_the_browser(page_with: PageWith) -> None:
    page = page_with({"prompt": "A cat"})
    star = page.cards().get_by_role("button", name="Favourite")

    page.prompt.fill("")
    page.prompt.press_sequentially("/abfr?")
    expect(page.prompt).to_have_value("/abfr?")
    page.page.evaluate("document.activeElement.blur()")
    press(page, "Control+b", "Alt+f", "Shift+?")
    dialog = page.page.get_by_role("dialog", name="Keys")
    expect(dialog).to_contain_text("Search the history")
    press(page, "f", "/")
    expect(dialog).to_be_visible()
    press(page, "Escape")
    expect(dialog).to_have_count(0)
    expect(star).to_have_attribute("aria-pressed", "false")
    expect(page.prompt).to_have_value("/abfr?")
    expect(page.page.get_by_role("tab", name="Create")).to_have_attribute("aria-selected", "true")


def test_escape_closes_the_details_of_the_history_wherever_the_focus_is(page_with: PageWith) -> None:
    page = page_with({"prompt": "A cat"})
    press(page, "Tab")
    page.page.get_by_role("tab", name="History").click()
    page.page.locator("#widget-history .pg-card-open").click()
    details = page.page.get_by_role("complementary", name="Chosen picture")
    expect(details).to_be_visible()
    page.page.evaluate("document.activeElement.blur()")
    press(page, "f")
    expect(details.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")
    press(page, "Escape")
    expect(details).to_be_hidden()


def test_the_title_and_a_live_region_tell_of_pictures(slow_page: PlaygroundPage) -> None:
    tab = slow_page.page
    slow_page.ask("Under way", images=2, steps=6)
    expect(tab).to_have_title("(2) FLUX.2 [flex] Playground")
    tab.evaluate(HIDE)
    expect(slow_page.cards("done")).to_have_count(2)
    expect(tab.locator("#pg-finished")).to_have_text(re.compile(r"^\d pictures? finished"))
    expect(tab).to_have_title("✓ FLUX.2 [flex] Playground")
    tab.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    expect(tab).to_have_title("FLUX.2 [flex] Playground")


def test_a_notification_comes_only_where_it_was_switched_on_and_the_batch_was_long(page: PlaygroundPage) -> None:
    tab = page.page
    tab.evaluate(NOTIFICATIONS)
    tab.evaluate(HIDE)
    page.make("Eight unasked", images=8)
    expect(tab).to_have_title("✓ FLUX.2 [flex] Playground")
    assert tab.evaluate("[Notification.permission, window.told]") == ["default", []]

    page.button("Keys and notices").click()
    tab.get_by_role("switch", name="Tell me when a long batch is done").check()
    page.button("Close").click()
    page.make("One", images=1)
    page.make("Eight more", images=8)
    tab.wait_for_function("window.told.length > 0")
    assert tab.evaluate("window.told") == ["8 pictures finished."]
