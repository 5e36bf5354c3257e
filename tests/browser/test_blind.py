"""The blind pick in a real browser: by keyboard alone, by hand, and what it must not tell."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Callable, Iterator

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Locator, Route, ViewportSize, expect
from support.blind import SEEDS, STEPS, GridInMemory, serve_grid
from support.page import PlaygroundPage
from support.profile import SharedProfile

from services.grids.blind.blind import Choice, Judging, Side

PHONE: ViewportSize = {"width": 390, "height": 844}
PICTURE = re.compile(r"^Picture \d$")

COUNT_ADDRESSES = """
    const [create, revoke] = [URL.createObjectURL, URL.revokeObjectURL];
    window.addresses = 0;
    URL.createObjectURL = (blob) => { window.addresses += 1; return create.call(URL, blob); };
    URL.revokeObjectURL = (address) => { window.addresses -= 1; revoke.call(URL, address); };
"""


class BlindPick:
    """The blind pick of a grid as a test speaks of it."""

    def __init__(self, app: PlaygroundPage, grid: GridInMemory) -> None:
        self.app, self.page, self.grid = app, app.page, grid
        self.dialog = self.page.get_by_role("dialog", name="Blind pick")
        self.pictures = self.dialog.get_by_role("button", name=PICTURE)
        self.status = self.dialog.get_by_role("status")
        self.alert = self.dialog.get_by_role("alert")

    def open(self) -> BlindPick:
        self.page.goto(self.app.url)
        self.page.get_by_role("button", name="Blind pick").click()
        expect(self.button("Start")).to_be_visible()
        return self

    def start(self, mode: str = "Pairs") -> BlindPick:
        self.open()
        self.dialog.get_by_role("radio", name=mode).check()
        self.button("Start").click()
        return self.at(1)

    def at(self, number: int) -> BlindPick:
        """Round `number` is there, with all its pictures."""
        expect(self.dialog.get_by_text(re.compile(rf"^{number} of \d+$"))).to_be_visible()
        expect(self.pictures).to_have_count(len(self.sides(number)))
        return self

    def button(self, name: str) -> Locator:
        return self.dialog.get_by_role("button", name=name)

    def press(self, *keys: str) -> BlindPick:
        for key in keys:
            self.page.keyboard.press(key)
        return self

    @property
    def judging(self) -> Judging:
        """The newest that was kept."""
        return list(self.grid.kept.values())[-1]

    @property
    def verdicts(self) -> tuple[Choice, ...]:
        return self.judging.verdicts

    def sides(self, number: int) -> tuple[Side, ...]:
        return self.judging.ballot.rounds[number - 1]

    @property
    def sentence(self) -> Locator:
        return self.dialog.get_by_role("heading", level=2)

    @property
    def focus_is_inside(self) -> bool:
        return bool(self.dialog.evaluate("(dialog) => dialog.contains(document.activeElement)"))


@pytest.fixture
def grid(tmp_path_factory: pytest.TempPathFactory) -> GridInMemory:
    """Pictures are painted once for all tests; what is kept of them is each test's own."""
    folder = tmp_path_factory.getbasetemp() / "blind-pictures"
    folder.mkdir(exist_ok=True)
    return GridInMemory(folder, owner=None, size=192)


@pytest.fixture
def address(grid: GridInMemory) -> Iterator[str]:
    with serve_grid(grid) as address:
        yield address


@pytest.fixture
def blind(grid: GridInMemory, address: str, shared_profile: SharedProfile) -> BlindPick:
    """The grid's page."""
    return BlindPick(shared_profile.open(address), grid)


@pytest.fixture
def phone(grid: GridInMemory, address: str, new_profile: Callable[..., SharedProfile]) -> BlindPick:
    return BlindPick(new_profile(viewport=PHONE, has_touch=True, is_mobile=True).open(address), grid)


# -- by keyboard -----------------------------------------------------------------------------------------------------


def test_by_keyboard_alone_from_the_button_to_the_result(blind: BlindPick) -> None:
    blind.page.goto(blind.app.url)
    blind.page.get_by_role("button", name="Blind pick").focus()
    blind.press("Enter")
    expect(blind.dialog.get_by_role("radio", name="Steps")).to_be_focused()
    blind.press("Tab", "Tab", "Tab", "Enter").at(1)
    assert blind.focus_is_inside

    blind.press("ArrowLeft").at(2).press("ArrowRight").at(3).press("t").at(4).press("ArrowDown").at(5)
    blind.press("2").at(6)
    assert blind.verdicts == (0, 1, "tie", "tie", 1)
    blind.press("u").at(5).press("Backspace").at(4)
    assert blind.verdicts == (0, 1, "tie")
    expect(blind.status).to_have_text("Round 4 of 12")
    assert blind.focus_is_inside

    blind.press("Escape")
    expect(blind.sentence).to_be_focused()
    expect(blind.sentence).to_have_text(re.compile("^Undecided: "))
    blind.press("Escape")
    expect(blind.dialog).to_be_hidden()
    expect(blind.page.get_by_role("button", name="Blind pick")).to_be_focused()
    expect(blind.page.locator("body")).to_have_attribute("data-closed", "yes")


def test_best_of_four_by_keyboard(blind: BlindPick) -> None:
    blind.start("Best of four")
    blind.press("4").at(2)
    blind.press("ArrowRight", "ArrowRight")
    expect(blind.pictures.nth(1)).to_be_focused()
    blind.press("ArrowLeft", "Enter")

    expect(blind.sentence).to_have_text(re.compile("^Undecided: "))
    assert blind.verdicts == (3, 0)
    best = blind.sides(1)[3].value
    row = blind.dialog.get_by_role("row", name=f"{STEPS[best]} steps")
    expect(row.get_by_role("cell").first).to_have_text(re.compile(r"^[346] of [46]$"))
    blind.button("Undo the last").click()
    blind.at(2)
    assert blind.verdicts == (3,)


def test_keys_that_repeat_and_keys_of_the_browser_judge_nothing(blind: BlindPick) -> None:
    blind.start().press("Control+u", "Alt+ArrowLeft", "x", "3").at(1)
    blind.page.keyboard.down("t")
    blind.at(2)
    blind.page.keyboard.down("t")  # still held: the browser repeats it
    blind.page.keyboard.up("t")
    blind.press("1").at(3)

    assert blind.verdicts == ("tie", 0)


# -- what is seen, and what is not -----------------------------------------------------------------------------------


def test_a_pick_is_of_the_picture_that_is_seen(blind: BlindPick) -> None:
    blind.start("Best of four")

    assert [seen_run(blind, side) for side in range(4)] == [side.run_id for side in blind.sides(1)]
    blind.pictures.nth(2).click()
    blind.at(2)
    assert blind.verdicts == (2,)


def seen_run(blind: BlindPick, side: int) -> str:
    """The run whose picture is nearest to what is painted on a side."""
    data = blind.pictures.nth(side).locator("canvas").evaluate("(canvas) => canvas.toDataURL()")
    painted = Image.open(io.BytesIO(base64.b64decode(data.partition(",")[2]))).convert("RGB").resize((128, 96))

    def distance(run_id: str) -> float:
        data = blind.grid.picture(run_id)
        assert data is not None
        original = Image.open(io.BytesIO(data)).convert("RGB").resize((128, 96))
        return sum(ImageStat.Stat(ImageChops.difference(painted, original)).mean)

    return min(blind.grid.runs.values(), key=distance)


def test_nothing_tells_what_made_a_picture_before_the_result(blind: BlindPick) -> None:
    requested: list[str] = []
    blind.page.on("request", lambda request: requested.append(f"{request.url} {request.post_data}"))
    blind.page.add_init_script(COUNT_ADDRESSES)
    blind.start()
    seen = []
    for number in range(1, 5):
        seen.append(blind.page.evaluate("document.documentElement.outerHTML"))
        canvases = blind.pictures.locator("canvas")
        assert len(set(canvases.evaluate_all("(all) => all.map(({ width, height }) => [width, height].join())"))) == 1
        blind.press("1").at(number + 1)

    told = "\n".join(requested + seen).replace(blind.judging.ballot.id, "")
    assert "/1/0" in told
    assert "blob:" not in "\n".join(seen)
    names = [*blind.grid.runs.values(), *map(str, SEEDS[1:]), *(f"{steps} steps" for steps in STEPS)]
    assert [word for word in [*names, "jpeg", "png"] if word in told] == []
    blind.page.wait_for_function("window.addresses === 0")
    blind.press("Escape")
    expect(blind.dialog.get_by_role("rowheader")).to_have_count(len(STEPS))
    assert {f"{steps} steps" for steps in STEPS} == set(blind.dialog.get_by_role("rowheader").all_inner_texts())


def test_the_pictures_of_a_round_come_together(blind: BlindPick) -> None:
    """One that comes late keeps the other back, and nothing can be judged meanwhile."""
    late: list[Route] = []
    blind.page.route("**/blind/*/2/1", lambda route: late.append(route))
    blind.start()
    before = blind.pictures.first.locator("canvas").evaluate("(canvas) => canvas.toDataURL()")
    blind.press("1", "1", "2")
    blind.page.wait_for_function(
        "() => performance.getEntriesByType('resource').some(({ name }) => /\\/2\\/0$/.test(name))"
    )

    expect(blind.dialog.get_by_text("1 of 12", exact=True)).to_be_visible()
    assert blind.pictures.first.locator("canvas").evaluate("(canvas) => canvas.toDataURL()") == before
    for route in late:
        route.continue_()
    blind.at(2)
    assert blind.verdicts == (0,)


def test_everything_has_a_name(blind: BlindPick) -> None:
    blind.open()
    expect(blind.dialog).to_match_aria_snapshot("""
        - dialog "Blind pick":
          - heading "Blind pick" [level=2]
          - paragraph
          - group "Judge":
            - radio "Steps 4 values" [checked]
            - radio "Seed 2 values"
          - group "How":
            - radio "Pairs Two at a time. The surest. 12 rounds" [checked]
            - radio "Best of four The best one of up to four. The quickest. 2 rounds"
          - status
          - button "Close"
          - button "Start"
    """)
    blind.button("Start").click()
    blind.at(1).press("t").at(2)
    expect(blind.dialog).to_match_aria_snapshot("""
        - dialog "Blind pick":
          - heading "Which is better?" [level=2]
          - progressbar "Rounds judged"
          - text: 2 of 12
          - button "Close, and go on later"
          - group "Pictures":
            - button "Picture 1"
            - button "Picture 2"
          - button "Undo"
          - button "Tie"
          - button "Stop and see results"
          - status: Round 2 of 12
    """)
    blind.press("Escape")
    expect(blind.dialog.get_by_role("table", name="Steps: wins of each value")).to_be_visible()


# -- results, and going on -------------------------------------------------------------------------------------------


def test_the_result_in_words_and_figures(blind: BlindPick) -> None:
    """Whoever always picks the most steps prefers them."""
    blind.start().button("Close, and go on later").click()
    found = blind.judging
    for number, (left, right) in enumerate(found.ballot.rounds, start=1):
        found = found.judge(number, 0 if left.value > right.value else 1)
    blind.grid.kept[found.ballot.id] = found
    blind.open().button("Result: Steps, pairs, 12 of 12 judged").click()

    expect(blind.sentence).to_have_text("50 steps is preferred (6 of 6); 28 steps and 12 steps are undecided.")
    names = blind.dialog.get_by_role("rowheader").all_inner_texts()
    assert names == ["50 steps", "28 steps", "12 steps", "4 steps"]
    rows = [row.get_by_role("cell").all_inner_texts() for row in blind.dialog.get_by_role("row").all()[1:]]
    wins, share, _strength, place = zip(*rows, strict=True)
    assert wins == ("6 of 6", "4 of 6", "2 of 6", "0 of 6")
    assert [each.strip() for each in share][:2] == ["100\u00a0% (61–100\u00a0%)", "67\u00a0% (30–90\u00a0%)"]
    assert place == ("preferred", "undecided", "undecided", "behind")
    expect(blind.button("Judge more")).to_have_count(0)
    blind.button("Judge again").click()
    expect(blind.button("Start")).to_be_visible()


def test_stop_see_and_judge_more(blind: BlindPick) -> None:
    blind.start()
    expect(blind.button("Stop and see results")).to_be_disabled()
    expect(blind.button("Undo")).to_be_disabled()
    blind.pictures.first.click()
    blind.at(2).button("Tie").click()
    blind.at(3).button("Undo").click()
    blind.at(2).button("Stop and see results").click()
    expect(blind.dialog.get_by_text("1 of 12 rounds judged.")).to_be_visible()

    blind.button("Judge more").click()
    blind.at(2)
    assert blind.verdicts == (0,)


def test_close_and_go_on_another_day(blind: BlindPick) -> None:
    blind.start().press("1").at(2).button("Close, and go on later").click()
    expect(blind.dialog).to_be_hidden()

    blind.open()
    kept = blind.dialog.get_by_role("region", name="Judged before")
    expect(kept.get_by_role("listitem")).to_have_text(re.compile("^Steps, pairs, 1 of 12 judged"))
    kept.get_by_role("button", name="Go on: Steps, pairs, 1 of 12 judged").click()
    blind.at(2)
    assert len(blind.grid.kept) == 1


def test_only_axes_with_two_values_can_be_judged(blind: BlindPick) -> None:
    blind.open()
    assert blind.dialog.get_by_role("group", name="Judge").get_by_role("radio").count() == 2
    how = blind.dialog.get_by_role("group", name="How")
    expect(how).to_contain_text("12 rounds")
    blind.dialog.get_by_role("radio", name="Seed").check()
    expect(how).not_to_contain_text("12 rounds")
    expect(how.get_by_text("4 rounds")).to_have_count(2)

    blind.grid.runs = {at: run for at, run in blind.grid.runs.items() if at[1] == 0}
    blind.open()
    blind.dialog.get_by_role("radio", name="Seed").check()
    expect(blind.button("Start")).to_be_disabled()
    expect(blind.status).to_have_text(
        "No two finished pictures differ in this axis only. Wait for more, or judge another axis."
    )


# -- what goes wrong -------------------------------------------------------------------------------------------------


def test_a_lost_verdict_is_said_and_can_be_given_again(blind: BlindPick) -> None:
    blind.app.allow("Failed to load resource")
    cut = True
    blind.page.route("**/verdict", lambda route: route.abort() if cut else route.continue_())
    blind.start().press("1")
    expect(blind.alert).to_contain_text("server cannot be reached")
    blind.at(1)

    cut = False
    blind.press("2").at(2)
    expect(blind.alert).to_be_empty()
    assert blind.verdicts == (1,)


def test_where_the_grid_is_gone_it_is_said_and_closed(blind: BlindPick) -> None:
    blind.app.allow("404")
    blind.grid.owner = "somebody else"
    blind.page.goto(blind.app.url)
    blind.page.get_by_role("button", name="Blind pick").click()

    expect(blind.alert).to_contain_text("There is no such grid here.")
    blind.button("Close").click()
    expect(blind.dialog).to_be_hidden()


def test_a_round_whose_picture_was_deleted_is_skipped(blind: BlindPick) -> None:
    blind.app.allow("404")
    blind.start().button("Close, and go on later").click()
    blind.grid.gone = set(blind.grid.runs.values())
    blind.open().button("Go on").click()
    expect(blind.alert.first).to_contain_text("There is no such picture here.")
    expect(blind.button("Tie")).to_be_disabled()
    blind.press("1", "t")

    blind.button("Skip this round").click()
    expect(blind.status).to_have_text("Round 2 of 12")
    blind.grid.gone = set()
    blind.button("Try again").click()
    blind.at(2)
    assert blind.verdicts == ("skip",)


# -- a phone ---------------------------------------------------------------------------------------------------------


def test_on_a_phone_pictures_stand_above_each_other_and_nothing_sticks_out(phone: BlindPick) -> None:
    phone.start()
    first, second = (phone.pictures.nth(side).bounding_box() for side in (0, 1))
    assert first
    assert second
    assert first["x"] == second["x"]
    assert first["width"] == second["width"] > 350
    assert first["height"] == second["height"]
    for name in ("Undo", "Tie", "Stop and see results"):
        expect(phone.button(name)).to_be_in_viewport(ratio=1)

    phone.pictures.nth(1).tap()
    phone.at(2).button("Stop and see results").tap()
    expect(phone.sentence).to_have_text(re.compile("^Undecided"))
    assert phone.dialog.evaluate("(dialog) => dialog.scrollWidth - dialog.clientWidth") <= 0
