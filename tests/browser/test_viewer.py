"""The viewer of the Compare tab: one view of two to eight pictures, in four modes.

The pictures are made once, on a server whose history all visitors share.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Locator, expect
from support.forked import fork_app
from support.page import PlaygroundPage, Visit
from support.pictures import make_picture
from support.server import AppServer

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
MODES = ("Slider", "Side by side", "Blink", "Difference")


class Shelf:
    """A server and the pictures made on it so far, by their settings."""

    def __init__(self, server: AppServer) -> None:
        self.server = server
        self._made: dict[tuple[str, int], str] = {}

    def pictures(self, *changes: dict[str, Any]) -> list[str]:
        """The id of a small picture for each set of changes. Equal ones are two pictures all the same."""
        named = [json.dumps(settings, sort_keys=True) for settings in changes]
        wanted = [(name, named[:at].count(name)) for at, name in enumerate(named)]
        for key in wanted:
            if key not in self._made:
                self._made[key] = self._make(**json.loads(key[0]))
        return [self._made[key] for key in wanted]

    def _make(self, **settings: Any) -> str:
        return make_picture(self.server, **{"prompt": "A red fox in the snow", "seed": 7, **settings})


class Viewer:
    """The Compare tab as a test speaks of it."""

    def __init__(self, page: PlaygroundPage, shelf: Shelf) -> None:
        self.app, self.page, self.shelf = page, page.page, shelf

    def open(self, ids: list[str], query: str = "") -> Viewer:
        self.page.goto(f"{self.app.url}/?compare={','.join(ids)}{query}")
        expect(self.tab("Compare")).to_have_attribute("aria-selected", "true")
        return self

    def opened(self, *changes: dict[str, Any], query: str = "") -> Viewer:
        ids = self.shelf.pictures(*changes)
        self.open(ids, query)
        expect(self.frames).to_have_count(len(ids))
        expect(self.zoom).to_have_text(re.compile("%"))
        return self

    def tab(self, name: str) -> Locator:
        return self.page.get_by_role("tab", name=name, exact=True)

    @property
    def stage(self) -> Locator:
        return self.page.get_by_role("group", name="Pictures", exact=True)

    @property
    def frames(self) -> Locator:
        return self.page.locator(".pg-frame[data-run-id]")

    @property
    def labels(self) -> Locator:
        return self.page.locator(".pg-frame[data-run-id] figcaption")

    @property
    def zoom(self) -> Locator:
        return self.page.locator(".pg-viewer-percent")

    @property
    def note(self) -> Locator:
        return self.page.locator("#pg-viewer-note")

    @property
    def divider(self) -> Locator:
        return self.page.get_by_role("slider", name="Divider between A and B")

    @property
    def empty(self) -> Locator:
        return self.page.locator("#widget-viewer .pg-viewer-empty")

    def mode(self, name: str) -> Locator:
        return self.app.group("Mode").get_by_role("button", name=name, exact=True)

    def row(self, name: str) -> Locator:
        return self.page.locator(f".pg-compare-table tr[data-row={name}]")

    def shown(self) -> list[str]:
        """Letters of the frames that are to be seen, once the next frame is drawn."""
        found: list[str] = self.page.evaluate(
            """() => new Promise((resolve) => requestAnimationFrame(() => resolve(
                [...document.querySelectorAll(".pg-frame[data-run-id]")]
                    .filter((frame) => getComputedStyle(frame).opacity === "1" && !frame.inert)
                    .map((frame) => frame.dataset.letter))))"""
        )
        return found

    def transforms(self) -> list[str]:
        found: list[str] = self.page.locator(".pg-frame-window > img").evaluate_all(
            "(images) => images.map((image) => image.style.transform)"
        )
        return found

    def expect_query(self, **wanted: str) -> None:
        """The address says so, soon: it is written when the view comes to rest."""
        self.page.wait_for_function(
            """(wanted) => Object.entries(wanted).every(
                ([name, value]) => new URLSearchParams(location.search).get(name) === value)""",
            arg=wanted,
        )


TEN, TWENTY_EIGHT, FIFTY = ({"num_inference_steps": steps} for steps in (10, 28, 50))
STEPS = (TEN, TWENTY_EIGHT)
WIDE = {"image_size": "landscape_16_9"}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    with fork_app(tmp_path_factory.mktemp("shelf"), PLAYGROUND_HISTORY="shared") as running:
        yield Shelf(running)
        assert "Traceback" not in running.log, running.log


@pytest.fixture
def viewer(shelf: Shelf, new_tab: Visit) -> Viewer:
    """In a tab that is empty until the test opens a comparison."""
    return Viewer(new_tab(shelf.server), shelf)


@pytest.fixture
def new_viewer(shelf: Shelf, new_visitor: Callable[..., PlaygroundPage]) -> Callable[..., Viewer]:
    """`new_viewer(**options)`: the same in a browser profile of its own."""
    return lambda **options: Viewer(new_visitor(shelf.server, **options), shelf)


# -- what is compared ------------------------------------------------------------------------------------------------


def test_a_link_shows_the_pictures_and_what_differs(viewer: Viewer) -> None:
    viewer.opened(*STEPS)

    expect(viewer.labels).to_have_text(["A · 10 steps", "B · 28 steps"])
    expect(viewer.page.locator(".pg-viewer [aria-live=polite]")).to_have_text("A and B differ in steps (10, 28).")
    first = viewer.page.locator(".pg-compare-table tbody tr").first
    expect(first).to_have_text("≠ Steps1028")
    expect(viewer.row("seed")).to_have_attribute("data-differs", "false")
    expect(viewer.row("true_size")).to_contain_text("512 × 512")


def test_without_pictures_it_says_how_to_choose_some(viewer: Viewer) -> None:
    viewer.app.open()
    viewer.tab("Compare").click()

    expect(viewer.empty).to_contain_text("Press A and B on a picture, or tick several and press Compare.")


def test_pictures_that_cannot_be_seen_are_named_and_left_out(viewer: Viewer) -> None:
    ids = viewer.shelf.pictures(*STEPS)
    viewer.open([ids[0], "f" * 32, ids[1]])

    expect(viewer.app.toast).to_contain_text("f" * 32)
    expect(viewer.frames).to_have_count(2)
    viewer.expect_query(compare=",".join(ids))


def test_a_stranger_sees_nothing_of_it(server: AppServer, page: PlaygroundPage, shelf: Shelf) -> None:
    page.make(images=2)
    ids = page.run_ids()
    page.page.context.clear_cookies()

    stranger = Viewer(page, shelf).open(ids)

    expect(stranger.app.toast).to_contain_text("2 pictures of this comparison cannot be seen here")
    expect(stranger.empty).to_be_visible()
    expect(stranger.frames).to_have_count(0)


def test_what_users_wrote_is_text(viewer: Viewer) -> None:
    hostile = "<img src=x onerror=alert(1)> ${alert(2)} <b>bold</b>"
    viewer.opened({"prompt": hostile}, {"prompt": f"{hostile} too"})

    cell = viewer.row("prompt").locator("td").first
    expect(cell).to_have_text(hostile)
    expect(viewer.row("prompt").locator("ins")).to_have_text(re.compile("too"))


def test_pictures_are_added_moved_starred_and_removed(viewer: Viewer) -> None:
    ids = viewer.shelf.pictures(TEN, TWENTY_EIGHT, FIFTY)
    viewer.open(ids[:2])
    viewer.app.button("+ Add picture").click()
    dialog = viewer.page.get_by_role("dialog", name="Add pictures")
    dialog.locator(f"[data-run-id='{ids[2]}']").click()
    expect(dialog.get_by_role("status")).to_have_text("3 of 8 chosen")
    dialog.get_by_role("button", name="Compare").click()
    expect(viewer.labels).to_have_text(["A · 10 steps", "B · 28 steps", "C · 50 steps"])

    viewer.app.button("More for C").click()
    viewer.page.get_by_role("menuitem", name="Move left").click()
    expect(viewer.labels).to_have_text(["A · 10 steps", "B · 50 steps", "C · 28 steps"])

    viewer.app.button("Favourite B").click()
    expect(viewer.app.button("Favourite B")).to_have_attribute("aria-pressed", "true")
    expect(viewer.page.locator(".pg-compare-table thead")).to_contain_text("B ★")
    viewer.app.button("Favourite B").click()
    expect(viewer.page.locator(".pg-compare-table thead")).not_to_contain_text("★")

    for left in (["A · 50 steps", "B · 28 steps"], []):
        viewer.app.button("More for A").click()
        viewer.page.get_by_role("menuitem", name="Remove").click()
        expect(viewer.page.locator(".pg-frame-label:visible")).to_have_text(left)
    expect(viewer.empty).to_contain_text("One picture is chosen.")
    viewer.page.wait_for_function("!location.search.includes('compare')")


def test_reuse_all_goes_back_to_the_controls(viewer: Viewer) -> None:
    viewer.opened(*STEPS)

    viewer.app.button("More for A").click()
    viewer.page.get_by_role("menuitem", name="Reuse all").click()

    expect(viewer.tab("Create")).to_have_attribute("aria-selected", "true")
    expect(viewer.app.steps).to_have_value("10")
    viewer.page.wait_for_function("!location.search.includes('compare')")


# -- modes -----------------------------------------------------------------------------------------------------------


def test_keys_choose_the_mode_and_the_address_follows(viewer: Viewer) -> None:
    viewer.opened(*STEPS, query="&kept=yes")

    for key, name, mode in zip("1234", MODES, ("slider", "side", "blink", "difference"), strict=True):
        viewer.page.keyboard.press(key)
        expect(viewer.mode(name)).to_have_attribute("aria-pressed", "true")
        viewer.expect_query(mode=mode, kept="yes")
    viewer.page.reload()
    expect(viewer.mode("Difference")).to_have_attribute("aria-pressed", "true")


def test_the_divider_follows_keys_and_the_mouse(viewer: Viewer) -> None:
    viewer.opened(*STEPS, query="&mode=slider")

    expect(viewer.divider).to_have_attribute("aria-valuenow", "50")
    viewer.page.keyboard.press("ArrowRight")
    expect(viewer.divider).to_have_attribute("aria-valuetext", "A 52 %, B 48 %")
    box = viewer.stage.bounding_box()
    assert box
    viewer.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 200)
    viewer.page.mouse.down()
    viewer.page.mouse.move(box["x"] + 5, box["y"] + 200)
    viewer.page.mouse.up()
    expect(viewer.divider).to_have_attribute("aria-valuenow", "0")


def test_space_swaps_within_one_frame(viewer: Viewer) -> None:
    viewer.opened(TEN, TWENTY_EIGHT, FIFTY)
    viewer.mode("Blink").click()

    seen = [viewer.shown()]
    for _ in range(3):
        viewer.page.keyboard.press("Space")
        seen.append(viewer.shown())
    viewer.page.keyboard.press("Shift+Space")
    seen.append(viewer.shown())

    assert seen == [["A"], ["B"], ["C"], ["A"], ["C"]]


def test_blinking_by_itself_is_chosen_and_ends_with_a_swap_by_hand(viewer: Viewer) -> None:
    viewer.opened(*STEPS, query="&mode=blink")
    rate = viewer.page.get_by_label("Blink by itself")

    expect(rate).to_have_value("0")
    rate.select_option("3")
    assert max(float(value) for value in rate.locator("option").evaluate_all("all => all.map(o => o.value)")) == 3
    first = viewer.shown()
    viewer.page.wait_for_function(
        "(first) => !document.querySelector(`.pg-frame[data-letter=${first}]`).matches(':not([inert])')", arg=first[0]
    )
    viewer.app.button("Swap").click()
    expect(rate).to_have_value("0")


def test_the_difference_is_computed_and_told(viewer: Viewer) -> None:
    viewer.opened(*STEPS, query="&mode=difference&gain=4")

    expect(viewer.note).to_contain_text("mean error")
    told = float(re.findall(r"mean error ([\d.]+)", viewer.note.inner_text())[0])
    assert told == pytest.approx(_mean_error(viewer), abs=0.02)
    expect(viewer.page.get_by_role("img", name="Difference of A and B")).to_be_visible()
    viewer.app.button("×16").click()
    expect(viewer.page.locator(".pg-difference figcaption")).to_have_text("|A − B| × 16")


def _mean_error(viewer: Viewer) -> float:
    sources = viewer.page.locator(".pg-frame-window > img").evaluate_all("(all) => all.map((image) => image.src)")
    bodies = [viewer.page.request.get(source).body() for source in sources]
    first, second = (Image.open(io.BytesIO(body)).convert("RGB") for body in bodies)
    return sum(ImageStat.Stat(ImageChops.difference(first, second)).mean) / 3


def test_a_picture_moved_out_of_the_first_place_is_whole_again(viewer: Viewer) -> None:
    viewer.opened(*STEPS, query="&mode=slider")
    cut = viewer.page.locator(".pg-frame-window[style*=inset]")

    expect(cut).to_have_count(1)
    viewer.app.button("More for A").click()
    viewer.page.get_by_role("menuitem", name="Move right").click()
    expect(viewer.labels).to_have_text(["A · 28 steps", "B · 10 steps"])
    expect(cut).to_have_count(1)


def test_equal_pictures_have_no_difference(viewer: Viewer) -> None:
    viewer.opened({}, {}, query="&mode=difference")

    expect(viewer.note).to_have_text("Every pixel is the same.")
    expect(viewer.labels).to_have_text(["A", "B"])


def test_modes_that_are_not_possible_say_why(viewer: Viewer) -> None:
    ids = viewer.shelf.pictures({}, WIDE, TEN)
    viewer.open(ids[:2], "&mode=difference")

    expect(viewer.mode("Side by side")).to_have_attribute("aria-pressed", "true")
    expect(viewer.mode("Difference")).to_be_disabled()
    reason = "Difference needs two pictures of one size: A has 512 × 512, B has 1024 × 576."
    expect(viewer.note).to_have_text(reason)
    expect(viewer.mode("Difference")).to_have_accessible_description(reason)
    expect(viewer.mode("Slider")).to_be_enabled()

    viewer.open(ids)
    expect(viewer.note).to_have_text("Slider and Difference take exactly two pictures; here are 3.")
    expect(viewer.mode("Slider")).to_be_disabled()


# -- zoom and pan ----------------------------------------------------------------------------------------------------


def test_zoom_and_pan_are_linked(viewer: Viewer) -> None:
    viewer.opened(*STEPS)
    fit = viewer.transforms()
    box = viewer.stage.bounding_box()
    assert box

    viewer.page.mouse.move(box["x"] + 200, box["y"] + 150)
    viewer.page.mouse.wheel(0, -600)
    viewer.page.wait_for_function(
        "(fit) => document.querySelector('.pg-frame img').style.transform !== fit", arg=fit[0]
    )
    zoomed = viewer.transforms()
    assert zoomed[0] == zoomed[1]
    viewer.page.mouse.down()
    viewer.page.mouse.move(box["x"] + 260, box["y"] + 190, steps=4)
    viewer.page.mouse.up()
    viewer.shown()
    assert viewer.transforms()[0] == viewer.transforms()[1] != zoomed[0]

    viewer.app.button("Fit").click()
    viewer.shown()
    assert viewer.transforms() == fit


def test_keys_zoom_to_pixels_and_no_further_than_800_percent(viewer: Viewer) -> None:
    viewer.opened(*STEPS)

    viewer.page.keyboard.press("z")
    expect(viewer.zoom).to_have_text("100 %")
    image = viewer.page.locator(".pg-frame-window > img").first
    expect(image).to_have_css("image-rendering", "auto")
    for _ in range(14):
        viewer.page.keyboard.press("+")
    expect(viewer.zoom).to_have_text("800 %")
    expect(image).to_have_css("image-rendering", "pixelated")
    viewer.expect_query(zoom="800")
    viewer.page.reload()
    expect(viewer.zoom).to_have_text("800 %")
    viewer.page.keyboard.press("0")
    expect(viewer.app.button("Fit")).to_have_attribute("aria-pressed", "true")


def test_percent_counts_screen_pixels(new_viewer: Callable[..., Viewer]) -> None:
    viewer = new_viewer(device_scale_factor=2).opened(*STEPS)

    viewer.page.keyboard.press("z")

    expect(viewer.zoom).to_have_text("100 %")
    viewer.shown()
    assert all("scale(0.5)" in transform for transform in viewer.transforms())


def test_pictures_of_different_sizes_line_up_by_fit_or_by_pixel(viewer: Viewer) -> None:
    viewer.opened({}, WIDE)
    switch = viewer.app.group("Line up pictures of different sizes")

    expect(viewer.zoom).to_have_text(re.compile(r"^\d+–\d+ %$"))
    switch.get_by_role("button", name="By pixel").click()
    expect(viewer.zoom).to_have_text(re.compile(r"^\d+ %$"))
    viewer.expect_query(align="pixel")


def test_keys_belong_to_the_viewer_only_while_it_is_shown(viewer: Viewer) -> None:
    viewer.opened(*STEPS, query="&mode=side")

    viewer.page.keyboard.press("?")
    keys = viewer.page.get_by_role("dialog", name="Keys")
    expect(keys).to_be_visible()
    viewer.page.keyboard.press("3")
    keys.get_by_role("button", name="Close").click()
    viewer.tab("Create").click()
    viewer.app.prompt.fill("")
    viewer.app.prompt.press_sequentially("3 f z")
    viewer.page.keyboard.press("Tab")
    viewer.page.keyboard.press("3")
    expect(viewer.app.prompt).to_have_value("3 f z")
    viewer.tab("Compare").click()

    expect(viewer.mode("Side by side")).to_have_attribute("aria-pressed", "true")


def test_full_screen_comes_and_goes(viewer: Viewer) -> None:
    viewer.opened(*STEPS)
    before = viewer.stage.bounding_box()

    viewer.page.keyboard.press("f")
    expect(viewer.app.button("Leave full screen")).to_be_visible()
    expect(viewer.page.locator(".pg-compare-table")).to_be_hidden()
    viewer.app.button("Leave full screen").click()
    expect(viewer.page.locator(".pg-compare-table")).to_be_visible()
    expect(viewer.app.button("Full screen")).to_be_visible()
    viewer.page.wait_for_function(
        "(height) => Math.abs(document.querySelector('.pg-viewer-stage').clientHeight - height) < 2",
        arg=before["height"] if before else 0,
    )


# -- the table -------------------------------------------------------------------------------------------------------


def test_only_differences_and_copies(new_viewer: Callable[..., Viewer]) -> None:
    viewer = new_viewer(permissions=["clipboard-read", "clipboard-write"]).opened(*STEPS)
    settings = viewer.page.locator("[data-group=settings] tr[data-row]")

    viewer.page.get_by_label("Only differences").check()
    expect(settings).to_have_count(1)
    viewer.expect_query(only="1")
    viewer.app.button("Copy table").click()
    expect(viewer.app.toast.last).to_contain_text("copied as Markdown")
    assert "| ≠ Steps | 10 | 28 |" in viewer.page.evaluate("navigator.clipboard.readText()")
    viewer.app.button("Copy link").click()
    expect(viewer.app.toast.last).to_contain_text("The link is copied.")
    link = viewer.page.evaluate("navigator.clipboard.readText()")
    assert re.search(r"\?compare=[0-9a-f]{32},[0-9a-f]{32}&mode=side&only=1$", link)


# -- a phone ---------------------------------------------------------------------------------------------------------


def test_two_fingers_zoom_on_a_phone(new_viewer: Callable[..., Viewer]) -> None:
    viewer = new_viewer(**PHONE).opened(*STEPS)
    assert viewer.page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(viewer.app.button("Fit")).to_have_attribute("aria-pressed", "true")
    box = viewer.stage.bounding_box()
    assert box
    x, y = box["x"] + 180, box["y"] + 120
    touch = viewer.page.context.new_cdp_session(viewer.page)

    def fingers(kind: str, apart: float) -> None:
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}] if apart else []
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    fingers("touchStart", 30)
    for apart in (45, 60, 75, 90):
        fingers("touchMove", apart)
    fingers("touchEnd", 0)

    expect(viewer.app.button("Fit")).to_have_attribute("aria-pressed", "false")
    assert len(set(viewer.transforms())) == 1
