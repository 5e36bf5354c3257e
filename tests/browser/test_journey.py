"""A picture's way when things get in it: more presses, cancel, reloads, closed tabs, other visitors, a crash."""

from __future__ import annotations

import re

from playwright.sync_api import APIResponse, Route, expect
from support.page import NewVisitor, PlaygroundPage, Visit, expect_decoded
from support.server import AppServer

SHORT, LONG = 5, 25
"""Steps: a second, and five seconds on the slow server."""


def test_neither_another_press_nor_a_reload_in_the_middle_loses_anything(slow_page: PlaygroundPage) -> None:
    slow_page.ask("First press", images=4, steps=LONG)
    expect(slow_page.cards()).to_have_count(4)
    slow_page.ask("Second press", images=2, steps=SHORT)
    expect(slow_page.cards()).to_have_count(6)
    expect(slow_page.live_cards).not_to_have_count(0)

    slow_page.reload()

    expect(slow_page.cards()).to_have_count(6)
    expect(slow_page.cards("done")).to_have_count(6)
    assert slow_page.prompts_of(slow_page.run_ids()) == ["Second press"] * 2 + ["First press"] * 4
    for picture in slow_page.cards().get_by_role("img").all():
        expect_decoded(picture)


def test_a_running_card_shows_its_progress_can_be_cancelled_and_retried_after_all(slow_page: PlaygroundPage) -> None:
    slow_page.ask("Changed my mind", steps=LONG)
    expect(slow_page.cards("running")).to_have_count(1)
    expect(slow_page.cards("running")).to_contain_text(re.compile(r"running \d+ %"))
    expect(slow_page.cards("running").get_by_role("progressbar")).to_have_attribute("aria-valuenow", re.compile(r"\d"))

    slow_page.cards().get_by_role("button", name="Cancel").click()
    expect(slow_page.cards("cancelled")).to_contain_text("Cancelled")
    expect(slow_page.cards("cancelled").get_by_role("img")).to_have_count(0)

    slow_page.cards("cancelled").get_by_role("button", name="Retry").click()
    expect(slow_page.cards("done")).to_have_count(1)
    assert slow_page.prompts_of(slow_page.run_ids()) == ["Changed my mind"] * 2


def test_pictures_arrive_while_the_page_is_closed(slow_server: AppServer, visit: Visit) -> None:
    slow_page = visit(slow_server)
    slow_page.ask(images=2, steps=SHORT)
    expect(slow_page.cards()).to_have_count(2)
    slow_page.page.close()

    again = visit(slow_server)
    expect(again.cards()).to_have_count(2)
    expect(again.cards("done")).to_have_count(2)


def test_two_tabs_show_the_same(slow_server: AppServer, visit: Visit) -> None:
    first, second = visit(slow_server), visit(slow_server)
    first.page.bring_to_front()
    first.ask(images=2, steps=SHORT)
    expect(second.cards("done")).to_have_count(2)
    expect(first.cards("done")).to_have_count(2)

    first.page.close()
    second.make(steps=SHORT)
    expect(second.cards("done")).to_have_count(3)


def test_another_visitor_sees_none_of_it(
    slow_page: PlaygroundPage, slow_server: AppServer, new_visitor: NewVisitor
) -> None:
    other = new_visitor(slow_server)
    slow_page.make("Private", steps=SHORT)
    [run] = slow_page.run_ids()

    expect(other.cards()).to_have_count(0)
    other.reload()
    expect(other.page.get_by_text("Write a prompt and press Generate.")).to_be_visible()
    expect(other.cards()).to_have_count(0)
    assert other.page.request.get(f"{slow_server.url}/runs/{run}").status == 404
    assert other.page.request.post(f"{slow_server.url}/runs/{run}/delete", data={}).status == 404


def test_a_crash_in_the_middle_loses_nothing_and_the_page_comes_back_by_itself(
    slow_page: PlaygroundPage, slow_server: AppServer
) -> None:
    slow_page.allow("ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY|Failed to fetch|Connection errored|network")
    slow_page.ask("Survives", images=4, steps=LONG)
    # All accepted: one caught between sending and the answer would rightly end as unanswered.
    expect(slow_page.cards("running")).to_have_count(4)

    slow_server.kill()
    expect(slow_page.page.get_by_text("Reconnecting…")).to_be_visible()
    slow_server.start()

    expect(slow_page.cards("done")).to_have_count(4, timeout=60_000)
    expect(slow_page.page.get_by_text("Reconnecting…")).to_have_count(0)
    slow_page.make("After the crash", steps=SHORT)
    expect(slow_page.cards("done")).to_have_count(5)


def test_an_answer_that_was_overtaken_by_an_event_changes_nothing(page: PlaygroundPage) -> None:
    page.make("A fox")
    page.make("A heron")
    late: list[tuple[Route, APIResponse]] = []
    pages = "**/runs?visit=*"
    page.page.route(pages, lambda route: late.append((route, route.fetch())))
    with page.page.expect_request(pages):  # as after a change in another tab
        page.page.evaluate("new BroadcastChannel('playground-events-2').postMessage({ projects: true })")
    page.details.get_by_role("button", name="Delete").click()
    expect(page.cards()).to_have_count(1)

    [(route, read_before)] = late
    with page.page.expect_response(pages):
        route.fulfill(response=read_before)
    page.page.wait_for_timeout(300)
    expect(page.cards()).to_have_count(1)
    page.button("Undo").click()
    expect(page.cards()).to_have_count(2)
