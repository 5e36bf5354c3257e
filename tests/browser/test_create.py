"""Making pictures: what a press of Generate does, and what the controls say before it."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect
from support.page import PlaygroundPage, expect_decoded


def test_generate_puts_a_picture_on_the_card_and_on_the_stage(page: PlaygroundPage) -> None:
    page.make("A red bicycle")

    [card] = page.cards("done").all()
    expect_decoded(card.get_by_role("img", name=re.compile("A red bicycle")))
    expect_decoded(page.stage_picture)
    expect(page.stage_picture).to_have_js_property("naturalWidth", 512)
    expect(page.stage_picture).to_have_attribute("alt", re.compile("A red bicycle"))


def test_several_pictures_take_consecutive_seeds(page: PlaygroundPage) -> None:
    page.set_seed(41)

    page.make(images=4)

    assert page.seeds() == [41, 42, 43, 44]
    pictures = {image.get_attribute("src") for image in page.cards().get_by_role("img").all()}
    assert len(pictures) == 4


def test_random_seeds_differ_and_the_largest_seed_is_kept_exactly(page: PlaygroundPage) -> None:
    page.make(images=4)
    assert len(set(page.seeds())) == 4

    page.set_seed(2**32 - 1)
    page.make()
    assert page.seeds()[0] == 2**32 - 1


def test_ctrl_enter_generates(page: PlaygroundPage) -> None:
    page.prompt.fill("Written and sent by hand")
    page.prompt.press("Control+Enter")

    expect(page.cards("done")).to_have_count(1)
    assert page.prompts_of(page.run_ids()) == ["Written and sent by hand"]


def test_an_example_fills_the_prompt(page: PlaygroundPage) -> None:
    page.group("Examples").get_by_role("button", name="Typography").click()
    example = page.page.get_by_role("menuitem").first
    text = example.inner_text()
    example.click()

    expect(page.prompt).to_have_value(text)
    expect(page.page.get_by_role("menu")).to_have_count(0)


def test_the_prompts_of_this_visit_can_be_used_again(page: PlaygroundPage) -> None:
    page.make("First idea")
    page.make("Second idea")

    page.group("Examples").get_by_role("button", name="Recent").click()
    page.page.get_by_role("menuitem", name="First idea").click()

    expect(page.prompt).to_have_value("First idea")


def test_the_button_carries_the_estimate_and_the_header_the_engine(page: PlaygroundPage) -> None:
    page.choose("Images", 4)

    expect(page.generate).to_have_text("Generate 4 · $0 demo")
    expect(page.badge).to_have_text("Demo engine")


def test_every_setting_reaches_the_request(page: PlaygroundPage) -> None:
    page.prompt.fill("All of it")
    page.set_custom_size(320, 256)
    page.set_number(page.steps, 12)
    page.set_number(page.guidance, 7.4)
    page.set_seed(7)
    page.open_advanced()
    page.page.get_by_label("Prompt expansion", exact=True).uncheck()
    page.page.get_by_label("Safety checker", exact=True).uncheck()
    page.page.get_by_label("Keep out of fal's history", exact=True).check()
    page.choose("Safety tolerance", 4)
    page.choose("Output format", "png")
    page.generate.click()
    expect(page.cards("done")).to_have_count(1)

    [run] = page.run_ids()
    assert page.get_json(f"/runs/{run}")["request"] == {
        "prompt": "All of it",
        "image_size": {"width": 320, "height": 256},
        "seed": 7,
        "num_inference_steps": 12,
        "guidance_scale": 7.4,
        "enable_prompt_expansion": False,
        "safety_tolerance": "4",
        "enable_safety_checker": False,
        "output_format": "png",
        "sync_mode": True,
    }
    page.expect_details(seed=7, steps=12, guidance=7.4, size="320 × 256", expansion="off", safety="4")
    expect(page.stage_picture).to_have_js_property("naturalWidth", 320)
    expect(page.stage_picture).to_have_js_property("naturalHeight", 256)


# -- sizes -----------------------------------------------------------------------------------------------------------


def test_a_preset_is_told_in_pixels_and_megapixels(page: PlaygroundPage) -> None:
    page.choose("Image size", "Portrait 16:9")

    expect(page.size_in_words).to_have_text("576 × 1024 · 0.56 MP")
    expect(page.width).to_be_hidden()


def test_a_custom_size_is_snapped_and_says_so(page: PlaygroundPage) -> None:
    page.set_custom_size(1000, 500.5)

    expect(page.width).to_have_value("1008")
    expect(page.height).to_have_value("496")
    expect(page.size_in_words).to_have_text("1008 × 496 · 0.48 MP")
    expect(page.page.get_by_text(re.compile("Width 1000 → 1008"))).to_be_visible()
    expect(page.page.get_by_text(re.compile("Height 500.5 → 496.*: sides are multiples of 16"))).to_be_visible()
    expect(page.issues).to_have_count(0)


def test_a_size_is_snapped_where_generate_is_pressed_by_keys(page: PlaygroundPage) -> None:
    page.prompt.fill("A cat on a mat")
    page.set_custom_size(128, 64)
    page.width.fill("100")
    page.width.press("Control+Enter")

    expect(page.cards("done")).to_have_count(1)
    expect(page.width).to_have_value("96")
    expect(page.width).to_be_focused()


def test_swap_turns_the_size(page: PlaygroundPage) -> None:
    page.set_custom_size(640, 320)
    page.swap.click()

    expect(page.width).to_have_value("320")
    expect(page.height).to_have_value("640")
    expect(page.size_in_words).to_have_text("320 × 640 · 0.20 MP")


def test_a_size_beyond_the_limits_is_named_at_its_control_and_never_sent(page: PlaygroundPage) -> None:
    page.prompt.fill("Too large or too small")
    for width, height, field, said in (
        (63, 512, "width", "Width: 63 is below 64. Allowed are 64 to 2560."),
        (512, 2561, "height", "Height: 2561 is above 2560. Allowed are 64 to 2560."),
        (2560, 1680, "image_size", "2560 × 1680 is 4.10 MP, above the limit of 4 MP"),
    ):
        page.set_custom_size(width, height)
        expect(page.issue(field)).to_contain_text(said)
        page.generate.click()
        expect(page.issue(field)).to_contain_text(said)
        expect(page.width).to_have_value(str(width))
        expect(page.height).to_have_value(str(height))
    expect(page.prompt).to_have_value("Too large or too small")
    expect(page.cards()).to_have_count(0)

    page.set_custom_size(128, 64)
    expect(page.issues).to_have_count(0)
    page.generate.click()
    expect(page.cards("done")).to_have_count(1)


def test_what_the_button_says_is_about_the_newest_settings(page: PlaygroundPage) -> None:
    held: list[Route] = []
    page.page.route("**/run/predict", lambda route: route.continue_() if held else held.append(route))
    with page.page.expect_request("**/run/predict"):
        page.choose("Images", 3)
    page.choose("Image size", "Square")
    page.page.wait_for_timeout(500)  # time for an answer to the second to come first

    held[0].continue_()
    expect(page.size_in_words).to_contain_text("512 × 512")
    expect(page.generate).to_have_text(re.compile("Generate 3 · "))
    page.page.wait_for_timeout(300)
    expect(page.size_in_words).to_contain_text("512 × 512")


# -- bad input -------------------------------------------------------------------------------------------------------


def test_an_empty_prompt_is_named_at_the_prompt_and_nothing_is_lost(page: PlaygroundPage) -> None:
    page.set_number(page.steps, 9)
    page.set_seed(5)
    page.generate.click()

    expect(page.issue("prompt")).to_have_text("Prompt is empty. Describe the picture you want.")
    expect(page.prompt).to_be_focused()
    expect(page.prompt).to_have_attribute("aria-invalid", "true")
    expect(page.steps).to_have_value("9")
    expect(page.seed).to_have_value("5")
    expect(page.cards()).to_have_count(0)

    page.prompt.fill("Now with words")
    expect(page.issue("prompt")).to_have_count(0)


def test_a_prompt_that_is_too_long_is_named_and_kept(page: PlaygroundPage) -> None:
    long = "ä" * 10_001
    page.prompt.fill(long)
    page.generate.click()

    expect(page.issue("prompt")).to_contain_text("10,001 characters are too many; at most 10,000 are allowed.")
    expect(page.prompt).to_have_value(long)

    page.prompt.fill(long[:10_000])
    page.generate.click()
    expect(page.cards("done")).to_have_count(1)


def test_a_number_beyond_its_range_is_named_at_its_control(page: PlaygroundPage) -> None:
    """Gradio's slider would set the nearest allowed number; the page keeps what was typed and names the limit."""
    page.prompt.fill("Stays as it is")
    for control, field, typed, said, allowed in (
        (page.steps, "num_inference_steps", "51", "Steps: 51 is above 50. Allowed are 2 to 50.", "50"),
        (page.steps, "num_inference_steps", "1", "Steps: 1 is below 2. Allowed are 2 to 50.", "2"),
        (page.guidance, "guidance_scale", "10.5", "Guidance scale: 10.5 is above 10. Allowed are 1.5 to 10.", "10"),
        (page.guidance, "guidance_scale", "1", "Guidance scale: 1 is below 1.5. Allowed are 1.5 to 10.", "1.5"),
    ):
        page.set_number(control, typed)
        expect(page.issue(field)).to_have_text(said)
        page.generate.click()
        expect(page.issue(field)).to_have_text(said)
        expect(control).to_have_value(typed)
        page.set_number(control, allowed)
        expect(page.issues).to_have_count(0)
    expect(page.prompt).to_have_value("Stays as it is")
    expect(page.cards()).to_have_count(0)


def test_what_was_mended_before_the_answer_came_is_no_fault(page: PlaygroundPage) -> None:
    held: list[Route] = []
    page.page.route("**/run/predict", lambda route: route.continue_() if held else held.append(route))
    with page.page.expect_request("**/run/predict"):
        page.generate.click()
    page.prompt.fill("Written while the answer was on its way")
    with page.page.expect_response(lambda response: response.request == held[0].request):
        held[0].continue_()
    page.page.wait_for_timeout(300)
    expect(page.issues).to_have_count(0)

    page.generate.click()
    expect(page.cards("done")).to_have_count(1)


def test_a_number_beyond_its_range_is_not_sent_straight_from_its_control(page: PlaygroundPage) -> None:
    page.prompt.fill("By keyboard")
    page.steps.fill("51")
    page.steps.press("Control+Enter")

    expect(page.issue("num_inference_steps")).to_have_text("Steps: 51 is above 50. Allowed are 2 to 50.")
    expect(page.cards()).to_have_count(0)


def test_a_seed_that_is_none_is_named_at_the_seed(page: PlaygroundPage) -> None:
    page.prompt.fill("With a bad seed")
    page.random_seed.uncheck()
    for typed, said in {
        "-1": "Seed: -1 is below 0. Allowed are 0 to 4294967295.",
        "4294967296": "Seed: 4294967296 is above 4294967295. Allowed are 0 to 4294967295.",
        "1.5": "Seed: 1.5 is not a whole number. Allowed are 0 to 4294967295.",
        "": "Seed is empty. Enter a whole number, or tick Random seed.",
    }.items():
        page.seed.fill(typed)
        expect(page.issues).to_have_count(0)
        page.generate.click()
        expect(page.issue("seed")).to_have_text(said)
        expect(page.seed).to_have_value(typed)
    expect(page.cards()).to_have_count(0)


# -- hostile and unusual text ----------------------------------------------------------------------------------------


PROMPTS = (
    "<script>alert(1)</script><img src=x onerror=alert(2)>",
    "${alert(1)} {{alert(2)}} `${alert(3)}`",
    "👩‍🚀 family 👨‍👩‍👧 and flags 🇪🇺",
    "قطة على سجادة حمراء",
    "Line one\n  line two with  spaces\n\"quotes\" & 'apostrophes' \\ backslash %20 &amp;",
)


def test_text_is_shown_as_text_and_kept_to_the_letter(page: PlaygroundPage) -> None:
    """A dialog, or a request that a prompt's markup makes, would fail the test; see PlaygroundPage."""
    shown = page.details.locator(".pg-details-prompt")
    for prompt in PROMPTS:
        page.make(prompt)
        expect(shown).to_have_js_property("textContent", prompt)
        expect(page.cards().first.get_by_role("img")).to_have_attribute("alt", re.compile(re.escape(prompt)))
    assert page.prompts_of(page.run_ids()) == list(reversed(PROMPTS))

    page.reload()
    expect(shown).to_have_js_property("textContent", PROMPTS[-1])


def test_code_for_the_settings_in_the_controls(page: PlaygroundPage) -> None:
    page.prompt.fill("A fox")
    page.set_seed(12)
    page.button("Use it from code").click()
    dialog = page.page.get_by_role("dialog", name="Use it from code")
    code = dialog.get_by_label("Code", exact=True)
    expect(code).to_contain_text(f'Client("{page.url}", verbose=False)')
    expect(code).to_contain_text("seed=12,")

    dialog.get_by_role("group", name="This playground").get_by_role("button", name="cURL").click()
    expect(code).to_contain_text("/gradio_api/call/v2/generate")
    expect(code).not_to_contain_text("X-Playground-Visitor")
    dialog.get_by_role("button", name="Show my token").click()
    expect(code).to_contain_text("X-Playground-Visitor: ")
    expect(dialog.get_by_role("alert")).to_contain_text("is a secret")
    dialog.get_by_role("group", name="fal, without this app").get_by_role("button", name="JavaScript").click()
    expect(code).to_contain_text("fal.queue.submit")
    expect(code).not_to_contain_text("X-Playground-Visitor")


def test_code_needs_settings_that_can_be_used(page: PlaygroundPage) -> None:
    page.choose("Image size", "Custom")
    page.width.fill("9000")
    page.button("Use it from code").click()

    expect(page.toast.first).to_contain_text("Width")
    expect(page.page.get_by_role("dialog", name="Use it from code")).to_have_count(0)
