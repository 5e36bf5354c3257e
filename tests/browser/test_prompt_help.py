"""Help with the prompt: wildcards, Undo for what replaces it, and a draft that outlives a reload."""

from __future__ import annotations

import re

from playwright.sync_api import expect
from support.page import PlaygroundPage


def test_wildcards_make_a_picture_of_each_prompt_and_say_so_first(page: PlaygroundPage) -> None:
    told = page.page.locator("#prompt-told")
    page.choose("Image size", "Square")
    page.choose("Images", 2)
    page.prompt.fill("{red|blue} fox")
    expect(told).to_have_text("2 prompts × 2 images = 4 pictures, each with the same seeds.")
    expect(page.generate).to_have_text(re.compile("Generate 4 · "))

    page.generate.click()

    expect(page.cards("done")).to_have_count(4)
    assert page.prompts_of(page.run_ids()) == ["red fox", "red fox", "blue fox", "blue fox"]
    assert page.seeds()[:2] == page.seeds()[2:]

    page.prompt.fill("{a|b|c|d|e|f|g|h} {1|2|3|4|5|6|7}")
    expect(told).to_have_text("56 prompts × 2 images = 112 pictures: more than the 50 of one press.")
    page.generate.click()
    expect(page.issue("prompt")).to_contain_text("its choices make 112 pictures, and one press may ask for 50")
    expect(page.cards()).to_have_count(4)

    page.prompt.fill("plain")
    expect(told).to_be_hidden()


def test_braces_that_are_text_stay_text_when_they_are_reused(page: PlaygroundPage) -> None:
    page.make(r"\{red|blue\} fox")
    assert page.prompts_of(page.run_ids()) == ["{red|blue} fox"]

    page.button("Reuse all").click()
    expect(page.prompt).to_have_value(r"\{red\|blue\} fox")
    expect(page.generate).to_have_text(re.compile("Generate 1 · "))


def test_undo_puts_back_what_an_example_or_reuse_replaced(page: PlaygroundPage) -> None:
    page.make("Of the picture", steps=9)
    page.prompt.fill("Typed with care")
    page.set_number(page.steps, 12)
    page.random_seed.uncheck()
    page.set_number(page.seed, 77)

    page.button("Reuse all").click()
    expect(page.prompt).to_have_value("Of the picture")
    page.button("Undo").click()
    expect(page.prompt).to_have_value("Typed with care")
    expect(page.steps).to_have_value("12")
    expect(page.seed).to_have_value("77")

    page.button("Typography").click()
    page.page.get_by_role("menuitem").first.click()
    expect(page.prompt).to_have_value(re.compile("SLOW TRAVEL"))
    page.button("Recent").click()
    expect(page.page.get_by_role("menuitem").first).to_have_text("Typed with care")
    page.page.keyboard.press("Escape")
    page.button("Undo").last.click()
    expect(page.prompt).to_have_value("Typed with care")


def test_a_draft_outlives_a_reload_and_a_link_wins(page: PlaygroundPage) -> None:
    page.set_custom_size(640, 448)
    page.set_number(page.steps, 11)
    page.choose("Images", 3)
    page.prompt.fill("Not finished {yet|")

    page.reload()
    expect(page.prompt).to_have_value("Not finished {yet|")
    expect(page.steps).to_have_value("11")
    expect(page.width).to_have_value("640")
    expect(page.chosen("Images")).to_have_accessible_name("3")
    expect(page.generate).to_have_text(re.compile("Generate 3 · "))

    page.open(prompt="From a link")
    expect(page.prompt).to_have_value("From a link")
    expect(page.steps).to_have_value("28")
    page.button("Recent").click()
    expect(page.page.get_by_role("menuitem").first).to_have_text("Not finished {yet|")
