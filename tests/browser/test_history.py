"""The History tab: found again, looked at, selected, undone."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator

import pytest
from benchmarks.make_history import fill, runs
from playwright.sync_api import Locator, Route, expect
from support.forked import fork_app
from support.page import NewVisitor, PageWith, PlaygroundPage, Visit
from support.pictures import make_picture
from support.server import AppServer

from services.library.history import History

MANY = 2_000
THREE = ({"prompt": "A red fox at dusk"}, *[{"prompt": "A blue cat", "num_inference_steps": 40}] * 2)


@pytest.fixture(scope="module")
def long_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app on a shared history of two thousand runs; their picture files are missing."""
    folder = tmp_path_factory.mktemp("long")
    history = History(folder / "data")
    fill(history, runs(MANY))
    history.close()
    with fork_app(folder, PLAYGROUND_HISTORY="shared") as running:
        yield running
        assert "Traceback" not in running.log, running.log


class HistoryTab:
    def __init__(self, page: PlaygroundPage) -> None:
        self.all, self.page = page, page.page
        page.page.get_by_role("tab", name="History").click()
        expect(self.count).not_to_be_empty()

    @property
    def count(self) -> Locator:
        return self.page.locator(".pg-h-count")

    @property
    def box(self) -> Locator:
        return self.page.get_by_role("searchbox", name="Search history")

    @property
    def panel(self) -> Locator:
        return self.page.get_by_role("complementary", name="Chosen picture")

    def cards(self, state: str | None = None) -> Locator:
        return self.page.locator("#widget-history [data-run-id]" + (f"[data-state={state}]" if state else ""))

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def search(self, query: str) -> None:
        self.box.fill(query)

    def scroll(self, y: int) -> None:
        """In steps, as a hand does it: each brings the next page."""
        self.page.wait_for_function("y => { scrollTo(0, y); return scrollY >= y }", arg=y)


@pytest.fixture
def tab(page_with: PageWith) -> HistoryTab:
    return HistoryTab(page_with(*THREE))


@pytest.fixture
def long_tab(long_server: AppServer, visit: Visit) -> HistoryTab:
    page = visit(long_server)
    page.allow(r"404 \(Not Found\)")  # the pictures' files
    return HistoryTab(page)


def test_what_was_made_is_found_by_words_and_settings(tab: HistoryTab) -> None:
    expect(tab.count).to_have_text("3 runs")
    expect(tab.cards("done")).to_have_count(3)
    tab.search("red fo")
    expect(tab.count).to_have_text("1 of 3")
    expect(tab.cards()).to_have_count(1)
    tab.search("steps:>30")
    expect(tab.count).to_have_text("2 of 3")
    expect(tab.page.get_by_role("heading", name="Today")).to_be_visible()
    tab.search("zeppelin")
    expect(tab.page.get_by_text("Nothing matches.")).to_be_visible()
    tab.button("Clear the search").click()
    expect(tab.cards()).to_have_count(3)


def test_a_fault_is_said_at_the_box_and_the_results_stay(tab: HistoryTab) -> None:
    tab.all.allow("422")
    expect(tab.cards()).to_have_count(3)
    tab.search("steps:many")
    expect(tab.page.get_by_role("alert").get_by_text("“many” is not a number")).to_be_visible()
    expect(tab.box).to_have_attribute("aria-invalid", "true")
    expect(tab.cards()).to_have_count(3)
    tab.search("steps:40")
    expect(tab.count).to_have_text("2 of 3")
    expect(tab.box).to_have_attribute("aria-invalid", "false")


def test_a_search_on_its_way_is_not_overtaken_by_a_change(server: AppServer, new_visitor: NewVisitor) -> None:
    token = secrets.token_urlsafe(32)
    for settings in THREE:
        make_picture(server, token, **settings)
    # A profile of its own, for a clock would stay in the shared one.
    tab = HistoryTab(new_visitor(server, extra_http_headers={"X-Playground-Visitor": token}))
    tab.search("red fo")
    expect(tab.count).to_have_text("1 of 3")
    held: list[Route] = []
    search = re.compile(r"/history\?query=steps")
    tab.page.route(search, lambda route: route.continue_() if held else held.append(route))
    tab.page.clock.install()
    with tab.page.expect_request(search):
        tab.search("steps:>30")
    star = tab.cards().get_by_role("button", name="Favourite")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    tab.page.clock.run_for(2_000)  # now a look again would have been sent
    held[0].continue_()
    expect(tab.count).to_have_text("2 of 3")


def test_a_fault_is_still_said_after_a_change(tab: HistoryTab) -> None:
    tab.all.allow("422")
    tab.search("steps:many")
    fault = tab.page.get_by_role("alert").get_by_text("“many” is not a number")
    expect(fault).to_be_visible()
    star = tab.cards().first.get_by_role("button", name="Favourite")
    with tab.page.expect_response(re.compile(r"/history\?query=")):
        star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(fault).to_be_visible()
    expect(tab.cards()).to_have_count(3)


def test_the_help_lists_the_fields_and_an_example_can_be_pressed(tab: HistoryTab) -> None:
    tab.button("Search help").click()
    help_ = tab.page.get_by_role("dialog", name="How to search")
    expect(help_.get_by_role("rowheader", name="guidance")).to_be_visible()
    help_.get_by_role("button", name="engine:demo").click()
    expect(tab.box).to_have_value("engine:demo")
    expect(tab.count).to_have_text("3 of 3")


def test_filters_write_their_terms_into_the_box(tab: HistoryTab) -> None:
    tab.search("cat")
    tab.button("Demo").click()
    expect(tab.box).to_have_value("cat engine:demo")
    expect(tab.button("Demo")).to_have_attribute("aria-pressed", "true")
    tab.button("fal").click()
    expect(tab.box).to_have_value("cat engine:fal")
    expect(tab.count).to_have_text("0 of 3")
    tab.button("fal").click()
    expect(tab.count).to_have_text("2 of 3")


def test_orders(tab: HistoryTab) -> None:
    tab.page.get_by_label("Sort").select_option("Most steps")
    expect(tab.page.get_by_role("heading", name="40 steps")).to_be_visible()
    tab.page.get_by_label("Sort").select_option("Oldest first")
    expect(tab.cards().first).to_contain_text("A red fox")


def test_details_and_reuse(tab: HistoryTab) -> None:
    tab.search("fox")
    expect(tab.cards()).to_have_count(1)
    tab.cards().get_by_role("button", name=re.compile("^Show picture")).click()
    expect(tab.panel).to_contain_text("A red fox at dusk")
    expect(tab.panel.locator("dt").get_by_text("steps", exact=True)).to_be_visible()
    expect(tab.panel.get_by_role("img")).to_be_visible()
    tab.panel.get_by_role("button", name="Reuse all").click()
    expect(tab.all.prompt).to_be_visible()
    expect(tab.all.prompt).to_have_value("A red fox at dusk")
    expect(tab.all.steps).to_have_value("28")


def test_keys_move_open_and_close(tab: HistoryTab) -> None:
    tab.cards().first.get_by_role("button", name=re.compile("^Show picture")).press("Enter")
    expect(tab.panel).to_contain_text("A blue cat")
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("ArrowRight")
    expect(tab.panel).to_contain_text("A red fox")
    tab.page.keyboard.press("Escape")
    expect(tab.panel).to_be_hidden()
    expect(tab.cards().nth(2).get_by_role("button", name=re.compile("^Show picture"))).to_be_focused()


def test_delete_has_an_undo(tab: HistoryTab) -> None:
    tab.cards().first.get_by_role("button", name=re.compile("^Show picture")).click()
    tab.panel.get_by_role("button", name="Delete").click()
    expect(tab.count).to_have_text("2 runs")
    expect(tab.panel).to_be_hidden()
    tab.button("Undo").click()
    expect(tab.count).to_have_text("3 runs")


def test_many_are_selected_made_favourites_and_deleted_with_one_undo(tab: HistoryTab) -> None:
    boxes = tab.page.get_by_role("checkbox", name=re.compile("^Select picture"))
    boxes.first.check()
    boxes.nth(2).click(modifiers=["Shift"])
    expect(tab.page.get_by_text("3 selected")).to_be_visible()
    tab.button("Favourite selected").click()
    expect(tab.page.get_by_text("3 pictures added to the favourites.")).to_be_visible()
    tab.button("Favourites").click()
    expect(tab.count).to_have_text("3 of 3")
    tab.cards().first.click(modifiers=["Control"])
    tab.button("Select all 3 that match").click()
    tab.button("Delete selected").click()
    expect(tab.count).to_have_text("0 of 0")
    tab.all.toast.filter(has_text="deleted").get_by_role("button", name="Undo").click()
    expect(tab.count).to_have_text("3 of 3")


def test_new_pictures_appear_by_themselves(tab: HistoryTab) -> None:
    tab.cards().first.get_by_role("button", name=re.compile("^Show picture")).click()
    tab.panel.get_by_role("button", name="New seeds").click()
    expect(tab.count).to_have_text("7 runs")
    expect(tab.cards("done")).to_have_count(7)
    expect(tab.panel).to_contain_text("A blue cat")


def test_what_was_made_meanwhile_is_there_when_one_comes_back(tab: HistoryTab) -> None:
    tab.page.get_by_role("tab", name="Create").click()
    tab.all.make("A green heron")
    tab.page.get_by_role("tab", name="History").click()
    expect(tab.cards().first).to_contain_text("A green heron")
    expect(tab.count).to_have_text("4 runs")


def test_the_table_shows_every_setting(tab: HistoryTab) -> None:
    tab.button("Table").click()
    table = tab.page.get_by_role("table", name="Results")
    for name in ("steps", "guidance", "unlisted", "took", "cost"):
        expect(table.get_by_role("columnheader", name=name, exact=True)).to_be_visible()
    row = table.get_by_role("row").filter(has_text="A red fox")
    expect(row.get_by_role("cell", name="1024 × 768").or_(row.get_by_role("cell", name="512 × 512"))).to_be_visible()
    row.get_by_text("A red fox").click()
    expect(tab.panel).to_contain_text("A red fox")


def test_a_prompt_is_text_whatever_it_holds(page: PlaygroundPage) -> None:
    nasty = '<img src=x onerror="document.title=1"> ${alert(1)} fox'
    page.make(nasty)
    tab = HistoryTab(page)
    tab.search('"<img src=x" -cat')
    expect(tab.cards()).to_contain_text(nasty)
    tab.button("Table").click()
    expect(tab.cards()).to_contain_text(nasty)


def test_an_empty_history_says_what_will_stand_here(page: PlaygroundPage) -> None:
    tab = HistoryTab(page)
    expect(tab.page.get_by_text("Nothing here yet.")).to_be_visible()
    expect(tab.count).to_have_text("0 runs")


def test_two_thousand_are_scrolled_with_few_in_the_document(long_tab: HistoryTab) -> None:
    tab = long_tab
    expect(tab.count).to_have_text(f"{MANY:,} runs")
    tab.scroll(15_000)
    expect(tab.cards().first).to_be_attached()
    assert tab.cards().count() < 200
    at = tab.page.evaluate("scrollY")
    tab.page.get_by_role("tab", name="Create").click()
    expect(tab.all.prompt).to_be_visible()
    assert tab.page.evaluate("scrollY") < 2000
    tab.page.get_by_role("tab", name="History").click()
    tab.page.wait_for_function("y => scrollY === y", arg=at)


def test_where_the_rest_cannot_be_loaded_it_is_said_and_loaded_when_asked(long_tab: HistoryTab) -> None:
    tab, cut = long_tab, True
    tab.all.allow("Failed to load resource")
    tab.page.route("**/history?*after=*", lambda route: route.abort() if cut else route.continue_())
    tab.search("is:done")
    end = tab.page.get_by_role("status").filter(has_text="The list goes on")
    tab.page.evaluate("scrollTo(0, document.body.scrollHeight)")
    expect(end).to_contain_text("The list goes on, but the rest could not be loaded. The playground's server cannot")
    loaded = tab.page.evaluate("document.body.scrollHeight")
    end.get_by_role("button", name="Retry").click()
    expect(end).to_be_visible()

    cut = False
    end.get_by_role("button", name="Retry").click()
    expect(end).to_be_hidden()
    tab.scroll(2 * loaded)


def test_opening_details_leaves_the_card_where_it_is(long_tab: HistoryTab) -> None:
    tab = long_tab
    tab.scroll(4_000)
    seen = "[...document.querySelectorAll('.pg-h-card')].find((card) => card.getBoundingClientRect().top > 200)"
    run = tab.page.wait_for_function(f"{seen}?.dataset.runId").json_value()
    card = tab.page.locator(f"#widget-history [data-run-id='{run}']")
    before = card.bounding_box()
    card.get_by_role("button", name=re.compile("^Show picture")).click(position={"x": 40, "y": 90})
    expect(tab.panel).to_be_visible()
    after = card.bounding_box()
    assert before
    assert after
    assert abs(before["y"] - after["y"]) <= 2


def test_selecting_all_that_match_reaches_what_was_never_loaded(long_tab: HistoryTab) -> None:
    tab = long_tab
    tab.search("is:failed")
    expect(tab.count).to_have_text(re.compile(r"^\d+ of 2,000$"))
    failed = int((tab.count.text_content() or "").split()[0])
    tab.page.get_by_role("checkbox", name=re.compile("^Select picture")).first.check()
    tab.button(f"Select all {failed} that match").click()
    tab.button("Delete selected").click()
    expect(tab.count).to_have_text(f"0 of {MANY - failed:,}")
    tab.button("Undo").click()
    expect(tab.count).to_have_text(f"{failed} of 2,000")


def test_on_a_phone_the_details_cover_the_page(server: AppServer, new_visitor: NewVisitor) -> None:
    page = new_visitor(server, viewport={"width": 390, "height": 844}, has_touch=True)
    page.make("A fox on the phone")
    tab = HistoryTab(page)
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 390
    tab.cards().get_by_role("button", name=re.compile("^Show picture")).click()
    expect(tab.panel).to_be_in_viewport(ratio=1)
    tab.button("Close details").click()
    expect(tab.cards()).to_have_count(1)
