"""Grids, projects and blind picks are deleted on the page, and an Undo brings them back."""

from __future__ import annotations

import re

from browser.test_grid import Grid
from browser.test_projects import make_project, project
from playwright.sync_api import expect
from support.page import PageWith, PlaygroundPage, Visit
from support.server import AppServer


def undo(page: PlaygroundPage, said: str) -> None:
    toast = page.page.locator(".pg-toast", has_text=said)
    expect(toast).to_be_visible()
    toast.get_by_role("button", name="Undo", exact=True).click()


def test_a_grid_and_its_blind_pick_are_deleted_and_come_back(page_with: PageWith) -> None:
    page = page_with({"prompt": "A red fox"})
    grid = Grid(page)
    grid.sweep()
    grid.set("X", "Steps", "2, 4")
    grid.press_run(2)

    grid.button("Rename…").click()
    page.page.get_by_label("Name (empty: its axes)").fill("Foxes <b>by</b> steps")
    page.page.get_by_role("button", name="Rename", exact=True).click()
    expect(grid.root.locator(".pg-grid-base strong")).to_have_text("Foxes <b>by</b> steps")

    grid.button("Blind pick").click()
    blind = page.page.get_by_role("dialog", name="Blind pick")
    blind.get_by_role("button", name="Start").click()
    blind.locator(".pg-blind-view img, .pg-blind-view canvas").first.wait_for()
    page.page.keyboard.press("1")
    blind.get_by_role("button", name="Judge again").click()
    kept = blind.get_by_role("region", name="Judged before").get_by_role("listitem")
    expect(kept).to_have_count(1)
    kept.get_by_role("button", name=re.compile("^Delete")).click()
    expect(kept).to_have_count(0)
    undo(page, "The blind pick is deleted.")
    expect(kept).to_have_count(1)
    blind.get_by_role("button", name="Close").click()

    for _ in range(2):
        grid.button("Delete").click()
        expect(grid.button("Delete")).to_have_count(0)
        undo(page, "The grid “Foxes <b>by</b> steps” is deleted. Its 2 pictures stay in the history.")
        expect(grid.cells("done")).to_have_count(2)

    expect(grid.cells()).to_have_count(2)
    ids = grid.cells().evaluate_all("cells => cells.map(cell => cell.dataset.runId)")
    deleted = page.page.evaluate("""async ids => {
        const headers = { "Content-Type": "application/json" };
        const answer = await fetch("/history/delete", { method: "POST", body: JSON.stringify({ ids }), headers });
        return (await answer.json()).ids;
    }""", ids)  # fmt: skip
    assert sorted(deleted) == sorted(ids)
    assert len(ids) == 2
    expect(grid.root.get_by_text("All pictures of this grid are deleted.")).to_be_visible()
    page.button("Grids").click()
    expect(page.page.get_by_role("menuitem", name=re.compile("its pictures are deleted"))).to_be_visible()


def test_a_project_is_deleted_with_a_choice_for_its_pictures(page: PlaygroundPage) -> None:
    make_project(page, "Inbox", "Slow Travel")
    expect(project(page, "Slow Travel")).to_be_visible()
    page.make("A tram")
    for choice, left in (("Move to the Inbox", 1), ("Delete as well", 0)):
        project(page, "Slow Travel").click()
        page.page.get_by_role("menuitem", name="Delete…").click()
        dialog = page.page.get_by_role("dialog", name="Delete the project")
        expect(dialog).to_contain_text("It holds 1 picture")
        dialog.get_by_label(choice).check()
        dialog.get_by_role("button", name="Delete", exact=True).click()
        expect(project(page, "Inbox")).to_be_visible()
        expect(page.cards()).to_have_count(left)
        undo(page, "The project “Slow Travel” is deleted.")
        expect(project(page, "Slow Travel")).to_be_visible()
        expect(page.cards()).to_have_count(1)


def test_other_tabs_forget_what_is_erased(server: AppServer, visit: Visit) -> None:
    first, second = visit(server), visit(server)
    second.prompt.fill("a draft that nobody else should read")
    first.button("Key").click()
    first.button("Delete all my data").click()
    first.button("Delete everything").click()
    for tab in (second, first):
        expect(tab.prompt).to_have_value("")
    stored = second.page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }])")
    assert "nobody else" not in stored
