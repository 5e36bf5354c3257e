"""The grid of the Compare tab: from a picture one likes to a table of settings, as a user makes it."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, expect
from support.page import NewVisitor, PageWith, PlaygroundPage, Visit, expect_decoded
from support.server import AppServer


class Grid:
    """The grid as a test speaks of it."""

    def __init__(self, app: PlaygroundPage) -> None:
        self.app, self.page = app, app.page
        self.root = self.page.locator("#widget-grid")

    def sweep(self) -> Grid:
        """Press Sweep… beside the picture."""
        self.app.details.get_by_role("button", name="Sweep…").click()
        expect(self.page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
        expect(self.run).to_be_enabled()
        return self

    @property
    def run(self) -> Locator:
        """The one button that runs, pauses, goes on and retries."""
        return self.root.locator(".pg-grid-run")

    def axis(self, name: str) -> Locator:
        return self.root.get_by_role("group", name=f"Axis {name}", exact=True)

    def set(self, name: str, parameter: str, values: str) -> None:
        self.axis(name).get_by_label(f"{name} axis").select_option(label=parameter)
        self.values(name).fill(values)

    def values(self, name: str) -> Locator:
        return self.axis(name).get_by_label(f"{name} values", exact=True)

    def chips(self, name: str) -> Locator:
        return self.axis(name).locator(".pg-grid-chip")

    def cells(self, state: str | None = None) -> Locator:
        return self.root.locator(".pg-cell[data-run-id]" + (f"[data-state={state}]" if state else ""))

    def button(self, name: str) -> Locator:
        return self.root.get_by_role("button", name=name, exact=True)

    @property
    def headings(self) -> list[str]:
        return [text.strip() for text in self.root.locator("thead th").all_inner_texts()]

    def download(self, name: str, choice: re.Pattern[str] | None = None) -> bytes:
        with self.page.expect_download() as download:
            self.button(name).click()
            if choice:
                self.page.get_by_role("menuitem", name=choice).click()
        return download.value.path().read_bytes()

    def press_run(self, count: int) -> None:
        """Run, and wait until so many cells are done."""
        self.run.click()
        expect(self.cells("done")).to_have_count(count)


@pytest.fixture
def grid(page_with: PageWith) -> Grid:
    """Of a visitor with one small picture."""
    return Grid(page_with({"prompt": "A red fox"}))


def test_three_presses_from_a_picture_to_five_step_counts(grid: Grid):
    grid.sweep()
    expect(grid.root.locator(".pg-grid-base")).to_contain_text("A red fox")
    grid.button("Steps ×5").click()
    grid.press_run(5)
    assert grid.headings == [f"steps {steps}" for steps in (10, 20, 30, 40, 50)]
    expect_decoded(grid.cells().first.locator("img"))
    expect(grid.run).to_have_text(re.compile("Done *5 pictures"))
    expect(grid.run).to_be_disabled()


def test_values_are_read_while_they_are_typed(grid: Grid):
    grid.sweep()
    grid.set("X", "Steps", "10, 60")
    expect(grid.axis("X").get_by_role("alert")).to_have_text("Steps: 60 is above 50. Allowed are 2 to 50.")
    expect(grid.run).to_be_disabled()
    grid.values("X").fill("10, 20, .., 40, 10")
    expect(grid.chips("X")).to_have_text(["10", "20", "30", "40"])
    expect(grid.axis("X")).to_contain_text("given twice, kept once: 10")
    grid.set("Y", "Prompt S/R", "cat, dog")
    expect(grid.root.get_by_role("alert").filter(has_text="is not in the prompt")).to_have_text(
        "Prompt S/R: “cat” is not in the prompt."
    )
    grid.values("Y").fill("fox, <b>wolf</b>")
    expect(grid.chips("Y")).to_have_text(["fox", "<b>wolf</b>"])
    expect(grid.root.get_by_text("4 × 2 = 8 pictures")).to_be_visible()
    expect(grid.run).to_have_text(re.compile(r"Run 8 *\$0 demo"))


def test_a_value_is_added_and_axes_are_swapped_without_making_anything_twice(grid: Grid):
    grid.sweep()
    grid.set("X", "Steps", "4, 8")
    grid.set("Y", "Guidance scale", "2, 6")
    grid.press_run(4)
    ids = set(grid.cells().evaluate_all("cells => cells.map(cell => cell.dataset.runId)"))
    grid.values("X").fill("4, 8, 12")
    expect(grid.run).to_have_text(re.compile("Add 2"))
    grid.press_run(6)
    assert ids < set(grid.cells().evaluate_all("cells => cells.map(cell => cell.dataset.runId)"))
    grid.button("Swap X and Y").click()
    expect(grid.root.locator("thead th")).to_have_text(["guidance 2", "guidance 6"])
    expect(grid.cells("done")).to_have_count(6)
    assert len(grid.app.get_json("/runs")["runs"]) >= 1


def test_pictures_made_before_are_not_made_again(page_with: PageWith):
    grid = Grid(page_with({"prompt": "A red fox", "num_inference_steps": 8})).sweep()
    grid.set("X", "Steps", "4, 8")
    expect(grid.root.locator(".pg-grid-words")).to_contain_text("1 already made")
    expect(grid.run).to_have_text(re.compile("Run 1"))
    grid.root.get_by_label("Reuse pictures made before").uncheck()
    expect(grid.run).to_have_text(re.compile("Run 2"))


def test_a_grid_is_fair_unless_its_picture_was_not(page: PlaygroundPage):
    page.make("A red fox")
    grid = Grid(page).sweep()
    expect(grid.root.get_by_text("Prompt expansion is on, as in this picture")).to_be_visible()
    grid.button("Switch it off").click()
    expect(grid.root.get_by_text("prompt expansion off, for a fair comparison")).to_be_visible()
    grid.button("Change the base").click()
    grid.page.get_by_role("menuitem", name="The controls of Create").click()
    expect(grid.root.locator(".pg-grid-base")).to_contain_text("from the controls")
    grid.set("X", "Steps", "4, 8")
    expect(grid.root.get_by_text("prompt expansion off, for a fair comparison")).to_be_visible()


def test_more_than_fifty_ask_first(grid: Grid):
    grid.sweep()
    grid.set("X", "Seed", "1-51")
    expect(grid.run).to_have_text(re.compile("Run 51"))
    grid.run.click()
    dialog = grid.page.get_by_role("dialog", name="Run this grid?")
    expect(dialog).to_contain_text("Make 51 new pictures?")
    dialog.get_by_role("button", name="Not now").click()
    expect(grid.cells()).to_have_count(0)


def test_it_pauses_goes_on_and_comes_back_after_a_reload(slow_page: PlaygroundPage):
    grid = Grid(slow_page)
    slow_page.make("A slow fox", steps=2)
    slow_page.details.get_by_role("button", name="Sweep…").click()
    grid.set("X", "Seed", "1-12")
    grid.set("Y", "Steps", "2")
    expect(grid.run).to_have_text(re.compile("Run 12"))
    grid.run.click()
    expect(grid.cells()).to_have_count(12)
    expect(grid.run).to_have_text(re.compile("Pause"))
    grid.run.click()
    expect(grid.run).to_have_text(re.compile("Resume"))
    slow_page.page.reload()
    expect(grid.cells()).to_have_count(12)
    expect(grid.run).to_have_text(re.compile("Resume"))
    grid.run.click()
    expect(grid.cells("done")).to_have_count(12)


def test_the_rest_can_be_cancelled_and_made_later(slow_page: PlaygroundPage):
    grid = Grid(slow_page)
    slow_page.make("A slow owl", steps=2)
    slow_page.details.get_by_role("button", name="Sweep…").click()
    grid.set("X", "Seed", "21-32")
    expect(grid.run).to_have_text(re.compile("Run 12"))
    grid.run.click()
    grid.button("Cancel the rest").click()
    expect(grid.cells("cancelled").first).to_be_visible()
    expect(grid.run).to_have_text(re.compile(r"Retry \d+"))
    grid.run.click()
    expect(grid.cells("done")).to_have_count(12)


def test_a_cell_opens_and_several_are_compared(grid: Grid):
    grid.sweep()
    grid.set("X", "Steps", "4, 8, 12")
    grid.press_run(3)
    grid.root.get_by_role("button", name="Show steps 8").click()
    details = grid.root.get_by_role("complementary", name="Chosen picture")
    expect(details.locator("dt", has_text="steps").locator("xpath=following-sibling::dd[1]")).to_have_text("8")
    grid.page.keyboard.press("Escape")
    expect(details).to_be_hidden()
    expect(grid.root.get_by_role("button", name="Show steps 8")).to_be_focused()
    for steps in (4, 12):
        grid.root.get_by_role("button", name=f"Show steps {steps}").click(modifiers=["Shift"])
    grid.button("Compare 2").click()
    labels = grid.page.locator("#widget-viewer .pg-frame[data-run-id] .pg-frame-label")
    expect(labels).to_have_text(["A · 4 steps", "B · 12 steps"])


def test_a_link_opens_the_grid_for_who_may_see_it(
    grid: Grid, server: AppServer, new_tab: Visit, new_visitor: NewVisitor
):
    grid.sweep()
    grid.set("X", "Steps", "4, 8")
    grid.press_run(2)
    expect(grid.page).to_have_url(re.compile(r"grid=[0-9a-f]{32}"))
    address = grid.page.url
    again = Grid(new_tab(server))
    again.page.goto(address)
    expect(again.cells("done")).to_have_count(2)
    stranger = new_visitor(server)
    stranger.allow("404")
    stranger.page.goto(address)
    expect(stranger.toast).to_contain_text("There is no grid here")
    expect(Grid(stranger).cells()).to_have_count(0)


def test_z_is_told_in_tabs_or_all_at_once(grid: Grid):
    grid.sweep()
    grid.set("X", "Steps", "4, 8")
    grid.set("Y", "Guidance scale", "2, 6")
    grid.set("Z", "Output format", "jpeg, png")
    expect(grid.root.get_by_text("2 × 2 × 2 = 8 pictures")).to_be_visible()
    grid.press_run(4)  # of the tab that is seen
    grid.button("All at once").click()
    expect(grid.cells("done")).to_have_count(8)


def test_the_repeat_check_says_whether_the_seed_repeats(grid: Grid):
    grid.sweep()
    grid.set("X", "Steps", "4, 8")
    grid.press_run(2)
    grid.button("Repeat check").click()
    expect(grid.root.get_by_text("equal to the byte: the seed repeats here")).to_be_visible()


def test_it_is_judged_blind_and_taken_away_as_a_sheet(grid: Grid):
    grid.sweep()
    grid.set("X", "Steps", "4, 30")
    grid.press_run(2)
    with grid.page.expect_download() as sheet:
        grid.button("Sheet").click()
        grid.page.get_by_role("menuitem", name=re.compile("PNG.*technical")).click()
    assert re.fullmatch(r"flux-2-flex_grid_[\d-]+\.png", sheet.value.suggested_filename)
    assert sheet.value.path().read_bytes().startswith(b"\x89PNG")
    grid.button("Blind pick").click()
    dialog = grid.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Steps")


def test_a_grid_comes_back_from_its_files(grid: Grid, server: AppServer, new_visitor: NewVisitor):
    grid.sweep()
    grid.set("X", "Steps", "4, 8")
    grid.set("Y", "Prompt S/R", 'fox, "owl, asleep"')
    grid.press_run(4)
    sheet = grid.download("Sheet", re.compile("PNG.*client"))
    page = grid.download("HTML")
    archive = grid.download("ZIP")
    stranger = Grid(new_visitor(server))
    for name, data in (("sheet.png", sheet), ("page.html", page)):
        stranger.app.drop(name, data)
        expect(stranger.root.locator(".pg-grid-base")).to_contain_text("from a file")
        expect(stranger.values("X")).to_have_value("4, 8")
        expect(stranger.values("Y")).to_have_value('fox, "owl, asleep"')
        expect(stranger.run).to_have_text(re.compile("Run 4"))
    stranger.app.drop("grid.zip", archive)
    expect(stranger.cells("done")).to_have_count(4)
    expect(stranger.run).to_have_text(re.compile("Done"))
    expect_decoded(stranger.cells().first.locator("img"))


def test_a_phone_scrolls_the_table_and_not_the_page(server: AppServer, new_visitor: NewVisitor):
    page = new_visitor(server, viewport={"width": 390, "height": 844}, has_touch=True)
    page.make("A red fox")
    grid = Grid(page).sweep()
    grid.press_run(5)
    assert page.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert grid.root.locator(".pg-grid-scroll").evaluate("place => place.scrollWidth > place.clientWidth")
