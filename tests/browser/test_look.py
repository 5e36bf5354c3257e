"""How the page looks and how it is used: dark, narrow, wide, and by keyboard alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect
from support.overlaps import overlaps
from support.page import NewVisitor, PlaygroundPage, Visit, expect_decoded
from support.server import AppServer

PHONE = {"width": 390, "height": 844}
PHONE_OPTIONS = {"viewport": PHONE, "has_touch": True, "is_mobile": True}
READABLE = 4.5
"""Contrast of text on its background that WCAG AA asks for."""

CONTRAST = """
(element) => {
    if (!element.isConnected) throw new Error("It was drawn anew between being found and being looked at.");
    const parse = (colour) => (colour.match(/[\\d.]+/g) ?? [0, 0, 0, 0]).map(Number);
    const luminance = ([r, g, b]) => [r, g, b]
        .map((part) => part / 255)
        .map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
        .reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0);
    let behind = element;
    while (behind && (parse(getComputedStyle(behind).backgroundColor)[3] ?? 1) < 0.99) behind = behind.parentElement;
    const ground = luminance(parse(getComputedStyle(behind ?? document.body).backgroundColor));
    const text = luminance(parse(getComputedStyle(element).color));
    return (Math.max(ground, text) + 0.05) / (Math.min(ground, text) + 0.05);
}
"""
BRIGHTNESS = """
() => Math.max(...getComputedStyle(document.body).backgroundColor.match(/\\d+/g).slice(0, 3).map(Number))
"""
OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


def contrast(element: Locator) -> float:
    return float(element.evaluate(CONTRAST))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_is_readable_in_light_and_in_dark(server: AppServer, new_tab: Visit, scheme: Any) -> None:
    page = new_tab(server)
    page.page.emulate_media(color_scheme=scheme)
    page.open().make("Readable")
    page.choose("Image size", "Custom")
    page.open_advanced()

    brightness = page.page.evaluate(BRIGHTNESS)
    assert brightness < 60 if scheme == "dark" else brightness > 200
    texts = {
        "heading": page.page.get_by_role("heading", level=1),
        "badge": page.badge,
        "prompt": page.prompt,
        "size in words": page.size_in_words,
        "chosen size": page.group("Image size").get_by_text("Custom", exact=True),
        "other size": page.group("Image size").get_by_text("Square", exact=True),
        "width": page.width,
        "generate": page.generate,
        "example": page.group("Examples").get_by_role("button").first,
        "advanced": page.page.get_by_text("Prompt expansion", exact=True),
        "fact's name": page.details.get_by_text("guidance", exact=True),
        "fact": page.details.locator("dd").first,
        "prompt in details": page.details.get_by_text("Readable"),
        "new seeds": page.button("New seeds"),
        "delete": page.button("Delete"),
        "card": page.cards().get_by_text(re.compile("^seed")),
    }
    found = {name: round(contrast(element), 2) for name, element in texts.items()}
    assert {name: ratio for name, ratio in found.items() if ratio < READABLE} == {}


def test_on_a_phone_a_picture_can_be_made_and_nothing_sticks_out(server: AppServer, new_visitor: NewVisitor) -> None:
    page = new_visitor(server, viewport=PHONE, has_touch=True, is_mobile=True)
    assert page.page.evaluate(OVERFLOW) <= 0
    expect_at_bottom_edge(page)

    page.make("On the way")
    expect_decoded(page.stage_picture)
    box = page.stage_picture.bounding_box()
    assert box is not None
    assert box["width"] > 300
    page.choose("Image size", "Custom")
    page.open_advanced()
    assert page.page.evaluate(OVERFLOW) <= 0
    expect_at_bottom_edge(page)


def expect_at_bottom_edge(page: PlaygroundPage) -> None:
    """Generate stands within the window, near its lower edge, wherever the page is scrolled to."""
    for place in ("document.body.scrollHeight", "0"):
        page.page.evaluate(f"scrollTo(0, {place})")
        expect(page.generate).to_be_in_viewport(ratio=1)
        box = page.generate.bounding_box()
        assert box is not None
        assert box["y"] + box["height"] > PHONE["height"] - 80


@pytest.mark.parametrize("size", [(900, 700), (2560, 1440)], ids=str)
def test_nothing_sticks_out_of_other_windows(server: AppServer, new_tab: Visit, size: tuple[int, int]) -> None:
    page = new_tab(server)
    page.page.set_viewport_size({"width": size[0], "height": size[1]})
    page.open().make("Any window", images=2)

    assert page.page.evaluate(OVERFLOW) <= 0
    expect(page.generate).to_be_in_viewport(ratio=1)
    expect(page.stage_picture).to_be_in_viewport(ratio=0.9)


@pytest.mark.parametrize("options", [{}, PHONE_OPTIONS], ids=["desktop", "phone"])
def test_no_words_are_drawn_over_a_control(server: AppServer, new_visitor: NewVisitor, options: dict[str, Any]) -> None:
    page = new_visitor(server, **options)
    page.make("A long prompt, and words in it. " * 40, images=2)
    for top in range(0, 700, 20):
        page.page.evaluate(f"scrollTo(0, {top})")
        assert overlaps(page.page) == [], f"scrolled to {top}"
    page.details.scroll_into_view_if_needed()
    assert overlaps(page.page) == []
    page.cards().first.hover()
    assert overlaps(page.page) == []
    page.open_advanced()
    assert overlaps(page.page) == []
    page.details.get_by_role("button", name="Sweep…").click()
    expect(page.button(re.compile("^Run 5"))).to_be_enabled()
    assert overlaps(page.page) == []
    page.page.get_by_role("tab", name="History").click()
    expect(page.page.locator("#widget-history [data-run-id]")).to_have_count(2)
    assert overlaps(page.page) == []


def test_words_are_looked_at_when_they_stand_still(browser: Browser) -> None:
    with browser.new_context() as context:
        page = context.new_page()
        page.set_content("""
            <style>button { width: 60px } span { display: inline-block; transition: transform 1s }</style>
            <button onclick="this.firstChild.style.transform = 'translateX(0)'"
                ><span style="transform: translateX(90px)">More</span></button>""")
        assert overlaps(page) == ["too small for its words: More"]
        page.get_by_role("button").click()
        assert overlaps(page) == []


def test_the_stage_does_not_move_when_a_picture_arrives(slow_page: PlaygroundPage) -> None:
    slow_page.make("Before", steps=5)
    controls = slow_page.generate.bounding_box()
    picture = slow_page.stage_picture.bounding_box()

    slow_page.make("After", steps=5)

    assert slow_page.generate.bounding_box() == controls
    assert slow_page.stage_picture.bounding_box() == picture


def test_every_control_is_reached_with_the_tab_key(page: PlaygroundPage) -> None:
    page.make("By keyboard")
    page.choose("Image size", "Custom")
    page.open_advanced()
    wanted = {
        "Key",
        "Prompt",
        "Typography",
        "Custom",
        "Width",
        "Height",
        "number input for Steps",
        "number input for Guidance scale",
        "Random seed",
        "Prompt expansion",
        "Safety checker",
        "Keep out of fal's history",
        "New seeds",
        "Nearby",
        "Reuse all",
        "Reuse seed",
        "Favourite",
        "Download",
        "Copy code",
        "Copy link",
        "Delete",
    }

    reached = names_in_tab_order(page, presses=75)

    assert wanted - set(reached) == set()
    assert any(name.startswith("Generate") for name in reached)
    assert any(name.startswith("Show picture") for name in reached)
    for group in ("Image size", "Images", "Safety tolerance", "Output format"):
        assert f"in {group}" in reached, group


def names_in_tab_order(page: PlaygroundPage, presses: int) -> list[str]:
    """The name of each element that Tab reaches; a radio also counts as `in <its group>`."""
    page.page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    reached = []
    for _ in range(presses):
        page.page.keyboard.press("Tab")
        name, group = page.page.evaluate(
            """() => {
                const at = document.activeElement;
                const label = at.labels?.[0]?.textContent ?? "";
                const name = at.getAttribute("aria-label") ?? (label || at.textContent || "");
                return [name.trim(), at.closest("fieldset, [role=group]")?.getAttribute("aria-label") ?? ""];
            }"""
        )
        reached += [name, f"in {group}"] if group else [name]
    return reached


def test_the_focus_stays_in_the_header_while_a_picture_arrives(page: PlaygroundPage) -> None:
    page.ask("By keyboard")
    page.button("Key").focus()
    expect(page.page.locator(".pg-visit")).to_contain_text("1 picture")
    expect(page.button("Key")).to_be_focused()


def test_a_menu_is_used_by_keyboard(page: PlaygroundPage) -> None:
    page.make("By keyboard")
    page.button("Nearby").press("Enter")
    items = page.page.get_by_role("menuitem")
    expect(items.nth(0)).to_be_focused()
    page.page.keyboard.press("ArrowDown")
    expect(items.nth(1)).to_be_focused()

    page.page.keyboard.press("Escape")
    expect(items).to_have_count(0)
    expect(page.button("Nearby")).to_be_focused()


def test_names_are_those_of_the_contract(page: PlaygroundPage) -> None:
    page.choose("Image size", "Custom")
    page.open_advanced()

    for label in ("Prompt", "Width", "Height", "Seed"):
        expect(page.page.get_by_label(label, exact=True)).to_have_count(1)
    for label in ("Steps", "Guidance scale"):
        expect(page.page.get_by_label(f"number input for {label}", exact=True)).to_have_count(1)
        expect(page.page.get_by_label(f"range slider for {label}", exact=True)).to_have_count(1)
    for label in ("Random seed", "Prompt expansion", "Safety checker", "Keep out of fal's history"):
        expect(page.page.get_by_role("checkbox", name=label, exact=True)).to_have_count(1)
    choices = {
        "Image size": "Square HD|Square|Portrait 4:3|Portrait 16:9|Landscape 4:3|Landscape 16:9|Custom",
        "Images": "1|2|3|4|5|6|7|8",
        "Safety tolerance": "1|2|3|4|5",
        "Output format": "jpeg|png",
    }
    for group, names in choices.items():
        radios = page.group(group).get_by_role("radio")
        for radio, name in zip(radios.all(), names.split("|"), strict=True):
            expect(radio).to_have_accessible_name(name)
    expect(page.chosen("Images")).to_have_accessible_name("1")
    expect(page.page.get_by_role("tab", name="Create")).to_be_visible()


FRAMES = """
    window.framesAsked = 0;
    const ask = window.requestAnimationFrame.bind(window);
    window.requestAnimationFrame = (draw) => { window.framesAsked += 1; return ask(draw); };
"""
AT_REST = """
() => {
    const before = window.framesBefore;
    window.framesBefore = window.framesAsked;
    return window.framesAsked > 0 && before === window.framesAsked;
}
"""


def test_a_page_at_rest_draws_no_frames(new_tab: Visit, server: AppServer) -> None:
    """Neither our scripts nor Gradio's keep a processor busy while nothing moves."""
    tab = new_tab(server)
    tab.page.add_init_script(FRAMES)
    tab.open().page.wait_for_function(AT_REST, polling=500)
