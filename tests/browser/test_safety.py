"""What the page does with a visitor's own data, and with pictures whose files are gone."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from support.page import NewVisitor, PlaygroundPage
from support.server import AppServer


def test_everything_of_ones_own_is_deleted_after_a_second_press(page: PlaygroundPage) -> None:
    page.make("A secret garden", images=2)
    [first, *_] = page.get_json("/runs")["runs"]
    page.button("Key").click()
    page.button("Delete all my data").click()
    page.button("Keep everything").click()
    page.button("Delete all my data").click()
    page.button("Delete everything").click()

    expect(page.cards()).to_have_count(0)
    page.wait_until_ready()
    assert page.get_json("/runs")["runs"] == []
    assert page.page.request.get(page.url + first["media"]).status == 404


def test_a_picture_whose_file_is_gone_says_so(page: PlaygroundPage, server: AppServer, new_visitor: NewVisitor) -> None:
    page.make()
    [run] = page.get_json("/runs")["runs"]
    for folder, name in (("media", run["media"]), ("thumbs", run["thumb"])):
        page.page.request.get(f"{server.url}{name}")  # a thumbnail is made when it is asked for
        (server.data_dir / folder / name.split("/")[-1]).unlink()

    # The browser keeps pictures for good: another one has to fetch them.
    token = next(cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "playground_visitor")
    other = new_visitor(server, extra_http_headers={"X-Playground-Visitor": token})
    for tab in (page, other):  # the first may draw it anew when the second makes another
        tab.allow("status of 404")

    expect(other.page.locator(".pg-gone").first).to_contain_text(re.compile("no longer in the data folder"))
    other.make("Another one")
