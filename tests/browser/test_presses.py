"""Presses of buttons that make pictures: how often each counts, and what is shown meanwhile."""

from __future__ import annotations

from playwright.sync_api import Request, Route, expect
from support.page import PlaygroundPage


def test_a_second_click_on_generate_is_the_same_press_and_each_has_a_key(page: PlaygroundPage) -> None:
    keys: list[str | None] = []

    def note(request: Request) -> None:
        if request.method == "POST" and request.headers.get("idempotency-key"):
            keys.append(request.headers["idempotency-key"])

    page.page.on("request", note)
    page.prompt.fill("A cat on a mat")
    page.choose("Image size", "Square")
    page.generate.dblclick()
    expect(page.cards("done")).to_have_count(1)
    page.page.wait_for_timeout(400)
    page.generate.click()
    expect(page.cards("done")).to_have_count(2)
    assert len(set(keys)) == 2


def test_a_button_is_held_until_its_answer_and_a_press_is_not_lost_with_the_network(page: PlaygroundPage) -> None:
    page.make()
    sent: list[Route] = []

    def away_at_first(route: Route) -> None:
        sent.append(route)
        if len(sent) == 1:
            route.abort("connectionreset")

    page.page.route("**/new-seeds", away_at_first)
    page.allow("ERR_CONNECTION_RESET")
    more = page.details.get_by_role("button", name="New seeds")
    more.focus()
    more.press("Enter")
    expect(more).to_have_attribute("aria-busy", "true")
    expect(more).to_be_disabled()
    more.dispatch_event("click")
    expect(page.toast.filter(has_text="Your press is kept")).to_be_visible()
    page.page.wait_for_timeout(800)
    assert len({route.request.headers["idempotency-key"] for route in sent}) == 1
    assert len(sent) == 2
    sent[1].continue_()
    expect(more).to_be_enabled()
    expect(more).to_be_focused()
    expect(page.cards("done")).to_have_count(5)
