"""Projects, stacks, tags and notes, and running again, as a visitor meets them on the page."""

from __future__ import annotations

import re
import sqlite3

import pytest
from browser.test_history import HistoryTab
from playwright.sync_api import Locator, expect
from support.page import PageWith, PlaygroundPage
from support.server import AppServer

from services.grids.plan import parse_plan
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import new_id

LISTEN = "document.addEventListener('playground-open-grid', ({ detail }) => (window.openedGrid = detail.grid))"
STAR = """id => fetch(`/runs/${id}/favourite`, {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ on: true }) })"""


def project(page: PlaygroundPage, name: str) -> Locator:
    """The header's button while that project is chosen."""
    return page.page.get_by_role("button", name=f"Project: {name}", exact=True)


def choose(page: PlaygroundPage, now: str, name: str) -> None:
    project(page, now).click()
    page.page.get_by_role("menuitemradio", name=name, exact=True).click()
    expect(project(page, name)).to_be_visible()


def make_project(page: PlaygroundPage, now: str, name: str) -> None:
    project(page, now).click()
    page.page.get_by_role("menuitem", name="New project…").click()
    page.page.get_by_label("Name", exact=True).fill(name)
    page.button("Make it").click()


def into_a_grid(server: AppServer, ids: list[str]) -> str:
    """As if a grid had asked for these runs. Returns its id."""
    grid = new_id()
    axes = [("num_inference_steps", "2, 3"), ("guidance_scale", "2, 3")]
    plan = parse_plan(Flux2FlexRequest(prompt="a fox", seed=7), axes).model_dump_json()
    connection = sqlite3.connect(server.data_dir / "history.sqlite3", timeout=30)
    with connection:
        who = connection.execute("SELECT visitor FROM runs WHERE id = ?", ids[:1]).fetchone()[0]
        row = (grid, who, plan, "2026-01-01", False)
        connection.execute("INSERT INTO grids (id, visitor, plan, created_at, paused) VALUES (?, ?, ?, ?, ?)", row)
        connection.executemany("UPDATE runs SET grid_id = ? WHERE id = ?", [(grid, run) for run in ids])
    connection.close()
    return grid


def test_a_project_is_made_filled_renamed_and_left(page: PlaygroundPage) -> None:
    page.make("A fox in the inbox")
    nasty = "Slow <i>Travel</i> ${1}"
    make_project(page, "Inbox", nasty)
    expect(project(page, nasty)).to_be_visible()
    expect(page.cards()).to_have_count(0)
    page.make("A tram in the rain")
    page.reload()
    expect(project(page, nasty)).to_be_visible()
    expect(page.cards()).to_have_count(1)
    project(page, nasty).click()
    page.page.get_by_role("menuitem", name="Rename…").click()
    page.page.get_by_label("Name", exact=True).fill("inbox")
    page.allow("422")
    page.button("Rename").click()
    expect(page.page.get_by_role("alert").get_by_text("“inbox” is there already.")).to_be_visible()
    page.page.get_by_label("Name", exact=True).fill("Trams")
    page.button("Rename").click()
    choose(page, "Trams", "All projects")
    expect(page.cards()).to_have_count(2)
    choose(page, "All projects", "Inbox")
    expect(page.cards()).to_have_count(1)
    tab = HistoryTab(page)
    expect(tab.count).to_have_text("1 run in Inbox")
    tab.search("project:trams")
    expect(tab.cards()).to_contain_text("A tram in the rain")


def test_pictures_are_moved_to_a_new_project_and_back(page_with: PageWith) -> None:
    page = page_with(*[{"prompt": "A blue cat"}] * 3)
    tab = HistoryTab(page)
    boxes = tab.page.get_by_role("checkbox", name=re.compile("^Select picture"))
    boxes.first.check()
    boxes.nth(1).check()
    tab.button("Move selected to a project").click()
    tab.page.get_by_role("menuitem", name="New project…").click()
    tab.page.get_by_label("Name", exact=True).fill("Cats")
    tab.button("Make it").click()
    expect(tab.count).to_have_text("1 run in Inbox")
    choose(page, "Inbox", "Cats")
    expect(tab.count).to_have_text("2 runs in Cats")
    tab.all.toast.filter(has_text="2 pictures moved to “Cats”").get_by_role("button", name="Undo").click()
    expect(tab.page.get_by_text("Nothing in “Cats” yet.")).to_be_visible()
    tab.button("Look in all projects").click()
    expect(tab.count).to_have_text("3 runs in all projects")


@pytest.fixture
def with_grid(server: AppServer, page_with: PageWith) -> tuple[PlaygroundPage, str]:
    """A single picture, and four older ones of a grid; the grid's id."""
    page = page_with(*[{"prompt": "A lighthouse in fog"}] * 4, {"prompt": "A red fox at dusk"})
    grid = into_a_grid(server, page.run_ids()[1:])
    page.reload()
    return page, grid


def stack(page: PlaygroundPage, place: str) -> Locator:
    return page.page.locator(f"#widget-{place}").get_by_role("button", name="Open grid Steps × Guidance, 4 pictures")


def test_a_stack_of_the_gallery_opens_in_place_or_in_compare(with_grid: tuple[PlaygroundPage, str]) -> None:
    page, grid = with_grid
    expect(page.cards()).to_have_count(1)
    expect(stack(page, "gallery").locator("img")).to_have_count(4)
    stack(page, "gallery").click()
    inside = page.page.get_by_role("listitem", name="Grid Steps × Guidance")
    expect(inside.locator("[data-run-id]")).to_have_count(4)
    expect(page.cards()).to_have_count(5)
    inside.get_by_role("button", name=re.compile("^Show picture")).first.click()
    expect(page.details).to_contain_text("A lighthouse in fog")
    page.details.get_by_role("button", name="Delete").click()
    expect(inside).to_contain_text("3 pictures")
    page.button("Undo").click()
    expect(inside).to_contain_text("4 pictures")
    page.page.evaluate(LISTEN)
    inside.get_by_role("button", name="Open in Compare").click()
    expect(page.page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    assert page.page.evaluate("window.openedGrid") == grid
    page.page.get_by_role("tab", name="Create").click()
    page.button("Close grid").click()
    expect(page.cards()).to_have_count(1)


def test_a_hit_inside_a_grid_shows_its_stack(with_grid: tuple[PlaygroundPage, str]) -> None:
    page, _ = with_grid
    tab = HistoryTab(page)
    expect(tab.cards()).to_have_count(1)
    expect(tab.count).to_have_text("5 runs")
    stack(page, "history").click()
    expect(tab.cards()).to_have_count(5)
    tab.cards().nth(2).get_by_role("button", name=re.compile("^Show picture")).click()
    expect(tab.panel).to_contain_text("A lighthouse in fog")
    tab.panel.get_by_label("Add a tag").fill("keeper")
    tab.panel.get_by_label("Add a tag").press("Enter")
    expect(tab.panel.get_by_role("listitem")).to_contain_text("keeper")
    tab.button("Close grid").click()
    expect(tab.cards()).to_have_count(1)
    tab.search("lighthouse tag:keep")
    expect(tab.count).to_have_text("0 of 5")
    tab.search("lighthouse tag:keeper")
    expect(tab.page.get_by_role("button", name="Open grid Steps × Guidance, 1 of 4 pictures")).to_be_visible()
    tab.page.get_by_role("checkbox", name="Select all of grid Steps × Guidance").check()
    expect(tab.page.get_by_text("1 selected")).to_be_visible()
    tab.search("")
    expect(tab.count).to_have_text("5 runs")
    tab.page.get_by_role("checkbox", name="Select all of grid Steps × Guidance").check()
    expect(tab.page.get_by_text("4 selected")).to_be_visible()
    tab.button("Compare selected").click()
    expect(tab.page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")


def test_notes_and_tags_are_written_kept_and_found(page_with: PageWith) -> None:
    page = page_with(*[{"prompt": "A blue cat"}] * 2)
    nasty = '<img src=x onerror="alert(1)"> for the client'
    page.details.get_by_label("Notes").fill(nasty)
    page.details.get_by_label("Add a tag").fill("Blue sky")
    page.details.get_by_label("Add a tag").press("Enter")
    expect(page.details.get_by_role("listitem")).to_contain_text("Blue sky")
    tab = HistoryTab(page)
    tab.button("#Blue sky").click()
    expect(tab.box).to_have_value('tag:"Blue sky"')
    expect(tab.count).to_have_text("1 of 2")
    tab.search('notes:"FOR THE client"')
    expect(tab.count).to_have_text("1 of 2")
    tab.button("Table").click()
    expect(tab.cards()).to_contain_text(nasty)
    expect(tab.cards()).to_contain_text("#Blue sky")
    tab.search("")
    boxes = tab.page.get_by_role("checkbox", name=re.compile("^Select picture"))
    expect(boxes).to_have_count(2)
    boxes.first.check()
    boxes.nth(1).check()
    tab.button("Tag selected").click()
    tab.page.get_by_label("Tags, with commas between them").fill("poster, blue sky")
    tab.button("Add").click()
    tab.search("tag:poster")
    expect(tab.count).to_have_text("2 of 2")
    tab.all.toast.filter(has_text="2 pictures tagged poster, blue sky").get_by_role("button", name="Undo").click()
    expect(tab.count).to_have_text("0 of 2")
    tab.search('tag:"blue sky"')
    expect(tab.count).to_have_text("1 of 2")


def test_what_is_being_written_survives_what_happens_meanwhile(page_with: PageWith) -> None:
    page = page_with({"prompt": "A blue cat"})
    tab = HistoryTab(page)
    tab.cards().get_by_role("button", name=re.compile("^Show picture")).click()
    notes = tab.panel.get_by_label("Notes")
    notes.fill("half a sen")
    tab.page.evaluate(STAR, page.run_ids()[0])
    expect(tab.panel.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")
    expect(notes).to_have_value("half a sen")
    expect(notes).to_be_focused()
    notes.press("Escape")
    expect(notes).to_have_value("")


def test_run_again_says_that_the_same_came_out(page_with: PageWith) -> None:
    page = page_with({"prompt": "A blue cat"})
    page.details.get_by_role("button", name="Run again").click()
    expect(page.cards("done")).to_have_count(2)
    assert len(set(page.seeds())) == 1
    expect(page.cards().first).to_contain_text("Again: equal to the byte.")
    expect(page.details).to_contain_text("Run again: equal to the byte.")
