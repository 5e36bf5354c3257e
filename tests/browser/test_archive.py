"""What leaves the page and comes back: exports, restores, originals that were removed, and what was spent."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from support.forked import fork_app
from support.page import NewVisitor, PlaygroundPage
from support.projects import Shelf, lines_of, parts_of
from support.server import AppServer


def history(page: PlaygroundPage) -> Locator:
    page.page.get_by_role("tab", name="History").click()
    expect(page.page.locator(".pg-h-count")).not_to_be_empty()
    return page.page.locator("#widget-history [data-run-id]")


def exported(page: PlaygroundPage, choice: str) -> Path:
    page.button("Export…").click()
    with page.page.expect_download() as download:
        page.page.get_by_role("menuitem", name=choice).click()
    return download.value.path()


@pytest.fixture
def notice(page: PlaygroundPage) -> Locator:
    return page.page.locator(".pg-notice")


def test_export_wipe_restore_is_the_same(new_visitor: NewVisitor, tmp_path: Path) -> None:
    with fork_app(tmp_path) as server:
        page = new_visitor(server)
        page.make("A red fox, =1+1", images=2)
        page.make("A blue cat")
        cards = history(page)
        cards.first.hover()
        cards.first.get_by_role("button", name="Favourite").click()
        expect(cards.first).to_have_attribute("data-favourite", "true")
        before = exported(page, "Everything: ZIP with the pictures").read_bytes()
        page.page.goto("about:blank")
        page.allow("ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_CONNECTION_REFUSED")
        server.stop()
        shutil.rmtree(server.data_dir)
        server.start()
        page.open()
        cards = history(page)
        expect(page.page.get_by_text("Nothing here yet.")).to_be_visible()
        page.drop("export.zip", before)
        notice = page.page.locator(".pg-notice")
        expect(notice).to_contain_text("3 restored.")
        expect(cards).to_have_count(3)
        expect(cards.first).to_contain_text("A blue cat")
        expect(cards.first).to_have_attribute("data-favourite", "true")
        picture = cards.first.get_by_role("img")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
        notice.get_by_role("button", name="Close").click()
        page.drop("export.zip", before)
        expect(notice).to_contain_text("0 restored, 3 were here already.")
        expect(cards).to_have_count(3)
        after = exported(page, "Everything: ZIP with the pictures").read_bytes()
    first, second = parts_of(before), parts_of(after)
    assert lines_of(second["history.jsonl"]) == lines_of(first["history.jsonl"])
    assert {name: data for name, data in second.items() if name.startswith("media/")} == {
        name: data for name, data in first.items() if name.startswith("media/")
    }
    assert len([name for name in first if name.startswith("media/")]) == 3


def test_of_the_selection_and_of_what_matches(page: PlaygroundPage) -> None:
    page.make("A red fox")
    page.make("A blue cat", images=2)
    cards = history(page)
    page.page.get_by_role("searchbox", name="Search history").fill("cat")
    expect(cards).to_have_count(2)
    found = lines_of(exported(page, "2 that match: JSONL, every field").read_bytes())
    assert [line["request"]["prompt"] for line in found] == ["A blue cat"] * 2
    page.page.get_by_role("checkbox", name=re.compile("^Select picture")).first.check()
    page.button("Export selected").click()
    with page.page.expect_download() as download:
        page.page.get_by_role("menuitem", name="CSV for spreadsheets").press("Enter")
    assert download.value.suggested_filename.endswith(".csv")
    assert download.value.path().read_bytes().count(b"\r\n") == 2
    expect(page.toast.filter(has_text="The download of 1 run begins.")).to_be_visible()


def test_what_matches_is_of_the_project_that_is_shown(page: PlaygroundPage) -> None:
    page.make("A cat in the inbox")
    page.button("Project: Inbox").click()
    page.page.get_by_role("menuitem", name="New project…").click()
    page.page.get_by_label("Name", exact=True).fill("Cats")
    page.button("Make it").click()
    expect(page.button("Project: Cats")).to_be_visible()
    page.make("A dog of the project")
    page.make("A cat of the project")
    cards = history(page)
    page.page.get_by_role("searchbox", name="Search history").fill("cat")
    expect(cards).to_have_count(1)
    found = lines_of(exported(page, "1 that match: JSONL, every field").read_bytes())
    assert [line["request"]["prompt"] for line in found] == ["A cat of the project"]


def test_a_refusal_is_said_and_changes_nothing(page: PlaygroundPage, notice: Locator) -> None:
    page.make("A red fox")
    page.drop("holiday.zip", b"PK\x03\x04 half of it")
    expect(notice).to_contain_text("The end of the ZIP is missing")
    expect(notice).to_contain_text("Nothing was restored.")
    expect(page.cards("done")).to_have_count(1)
    notice.get_by_role("button", name="Close").click()
    expect(notice).to_be_hidden()


def test_a_picture_that_is_dropped_gives_back_its_settings_as_before(page: PlaygroundPage, tmp_path: Path) -> None:
    page.make("A red fox", steps=12)
    with page.page.expect_download() as download:
        page.details.get_by_role("button", name="Download").click()
    page.prompt.fill("something else")
    page.drop("picture.jpg", download.value.path().read_bytes())
    expect(page.prompt).to_have_value("A red fox")
    expect(page.steps).to_have_value("12")


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[AppServer]:
    """A shared history of three pictures where there is room for less than two."""
    shelf = Shelf(tmp_path / "data")
    for number in range(3):
        shelf.add(f"An old picture {number}")
    size = sum(len(data) for data in shelf.files().values())
    shelf.close()
    limit = str(size * 0.6 / 2**30)
    with fork_app(tmp_path, PLAYGROUND_HISTORY="shared", PLAYGROUND_MEDIA_LIMIT_GB=limit) as running:
        yield running
        assert "originals of the oldest pictures were removed" in running.log


def test_originals_are_never_removed_silently(crowded: AppServer, new_visitor: NewVisitor) -> None:
    page = new_visitor(crowded, storage_state={"cookies": [], "origins": [{
        "origin": crowded.url,
        "localStorage": [{"name": "playground-removed-seen", "value": "2026-01-01T00:00:00Z"}],
    }]})  # fmt: skip
    notice = page.page.locator(".pg-notice")
    expect(notice).to_contain_text("originals of 2 pictures were removed")
    cards = history(page)
    expect(cards).to_have_count(3)
    expect(cards.first).not_to_contain_text("original removed")
    expect(cards.last).to_contain_text("original removed")
    cards.last.get_by_role("button", name=re.compile("^Show picture")).click()
    panel = page.page.get_by_role("complementary", name="Chosen picture")
    expect(panel).to_contain_text("The original was removed to save space")
    expect(panel.get_by_role("button", name="Download")).to_have_count(0)
    picture = panel.get_by_role("img")
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    notice.get_by_role("button", name="Close").click()
    page.reload()
    expect(notice).to_have_count(0)


def test_spend_and_storage_open_from_the_header(page: PlaygroundPage) -> None:
    page.make("A red fox", images=2)
    page.page.get_by_role("button", name=re.compile("2 pictures$")).click()
    dialog = page.page.get_by_role("dialog", name="Spend and storage")
    expect(dialog).to_contain_text("2 pictures, as they were made")
    expect(dialog.get_by_role("row", name=re.compile("^Demo engine 2"))).to_be_visible()
    expect(dialog.get_by_role("row", name=re.compile("^Inbox 2"))).to_be_visible()
    days = dialog.get_by_role("table", name="By day, the last 30 days")
    expect(days.get_by_role("row")).to_have_count(2)
    page.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
