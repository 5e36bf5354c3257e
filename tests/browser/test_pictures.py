"""What can be done with a picture that is there."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect
from support.page import PageWith, PlaygroundPage, Visit
from support.server import AppServer

from services.metadata import read_settings


def test_reuse_all_brings_every_setting_back(new_tab: Visit, server: AppServer) -> None:
    page = new_tab(server)
    linked = {
        "prompt": "Settings to keep",
        "image_size": "256x320",
        "seed": "77",
        "num_inference_steps": "11",
        "guidance_scale": "6.5",
        "enable_prompt_expansion": "false",
        "safety_tolerance": "5",
        "output_format": "png",
    }
    page.open(**linked)
    page.generate.click()
    expect(page.cards("done")).to_have_count(1)
    page.open()

    page.button("Reuse all").click()

    expect(page.prompt).to_have_value("Settings to keep")
    expect_settings(page)
    expect(page.seed).to_have_value("77")
    expect(page.random_seed).not_to_be_checked()
    page.generate.click()
    expect(page.cards("done")).to_have_count(2)
    first, second = (page.get_json(f"/runs/{run}")["request"] for run in page.run_ids())
    assert first == second


def test_settings_that_are_no_longer_allowed_are_named_at_their_controls(page: PlaygroundPage) -> None:
    """As of a picture that an older version made, when there could be more steps."""
    page.make("A fox of old")
    run = page.get_json(f"/runs/{page.run_ids()[0]}")
    line = {
        "format": 1, "id": "a" * 32, "engine": "demo", "key_of": "owner", "state": "cancelled", "project": None,
        "created_at": "2026-01-01T00:00:00Z", "finished_at": "2026-01-01T00:00:01Z",
        "request": {**run["request"], "num_inference_steps": 90, "output_format": "jpeg"},
    }  # fmt: skip
    page.drop("history.jsonl", json.dumps(line).encode() + b"\n")
    page.allow("422")
    page.button("Retry").click()
    expect(page.toast.filter(has_text="Steps: 90 is above 50.")).to_be_visible()
    page.button("Edit settings").click()
    expect(page.prompt).to_have_value("A fox of old")
    expect(page.issue("num_inference_steps")).to_contain_text("Steps: 90 is above 50. Allowed are 2 to 50.")
    page.generate.click()
    expect(page.cards("done")).to_have_count(1)
    page.set_number(page.steps, 20)
    page.generate.click()
    expect(page.cards("done")).to_have_count(2)


def expect_settings(page: PlaygroundPage) -> None:
    expect(page.chosen("Image size")).to_have_accessible_name("Custom")
    expect(page.width).to_have_value("256")
    expect(page.height).to_have_value("320")
    expect(page.steps).to_have_value("11")
    expect(page.guidance).to_have_value("6.5")
    page.open_advanced()
    expect(page.page.get_by_label("Prompt expansion", exact=True)).not_to_be_checked()
    expect(page.page.get_by_label("Safety checker", exact=True)).to_be_checked()
    expect(page.chosen("Safety tolerance")).to_have_accessible_name("5")
    expect(page.chosen("Output format")).to_have_accessible_name("png")


def test_reuse_seed_leaves_the_rest_alone(page_with: PageWith) -> None:
    page = page_with({"prompt": "The picture with the seed"})
    [seed] = page.seeds()
    page.prompt.fill("Another prompt")
    page.set_number(page.steps, 33)

    page.button("Reuse seed").click()

    expect(page.seed).to_have_value(str(seed))
    expect(page.random_seed).not_to_be_checked()
    expect(page.prompt).to_have_value("Another prompt")
    expect(page.steps).to_have_value("33")


def test_new_seeds_makes_four_more_of_the_same(page_with: PageWith) -> None:
    page = page_with({"prompt": "Once more"})
    page.button("New seeds").click()

    expect(page.cards("done")).to_have_count(5)
    assert len(set(page.seeds())) == 5
    settings = [page.get_json(f"/runs/{run}")["request"] | {"seed": None} for run in page.run_ids()]
    assert all(one == settings[0] for one in settings)


def test_nearby_varies_guidance_around_the_same_seed(page_with: PageWith) -> None:
    page = page_with({"prompt": "Around here", "seed": 9})
    page.button("Nearby").click()
    page.page.get_by_role("menuitem", name=re.compile("^Guidance")).click()

    expect(page.cards("done")).to_have_count(5)
    requests = [page.get_json(f"/runs/{run}")["request"] for run in page.run_ids()]
    assert {request["seed"] for request in requests} == {9}
    assert sorted(request["guidance_scale"] for request in requests) == [2.5, 3, 3.5, 4, 4.5]


def test_nearby_leaves_out_what_is_beyond_the_range(page_with: PageWith) -> None:
    page = page_with({"prompt": "At the edge", "num_inference_steps": 4})
    page.button("Nearby").click()
    page.page.get_by_role("menuitem", name=re.compile("^Steps")).click()

    expect(page.cards("done")).to_have_count(3)
    steps = [page.get_json(f"/runs/{run}")["request"]["num_inference_steps"] for run in page.run_ids()]
    assert sorted(steps) == [4, 9, 14]


def test_a_favourite_stays_one(page_with: PageWith) -> None:
    page = page_with({})
    star = page.cards().get_by_role("button", name="Favourite")
    expect(star).to_have_attribute("aria-pressed", "false")

    star.click()
    expect(star).to_have_attribute("aria-pressed", "true")
    expect(page.details.get_by_role("button", name="Favourite")).to_have_attribute("aria-pressed", "true")

    page.reload()
    expect(star).to_have_attribute("aria-pressed", "true")
    star.click()
    expect(star).to_have_attribute("aria-pressed", "false")


def test_download_gives_the_picture_with_its_settings(page_with: PageWith) -> None:
    page = page_with({"seed": 12})
    with page.page.expect_download() as waiting:
        page.button("Download").click()
    file = waiting.value

    assert re.fullmatch(r"flux-2-flex_\d{8}-\d{6}_seed12\.jpe?g", file.suggested_filename)
    original = page.page.request.get(page.url + str(page.stage_picture.get_attribute("src")))
    assert original.headers["content-type"] == "image/jpeg"
    downloaded = file.path().read_bytes()
    assert read_settings(downloaded).values["seed"] == 12
    assert Image.open(io.BytesIO(downloaded)).tobytes() == Image.open(io.BytesIO(original.body())).tobytes()


def test_a_dropped_picture_gives_its_settings_back(page_with: PageWith, tmp_path: Path) -> None:
    page = page_with({"prompt": "a heron, ink wash", "seed": 77})
    with page.page.expect_download() as waiting:
        page.button("Download").click()
    file = tmp_path / "heron.jpg"
    file.write_bytes(waiting.value.path().read_bytes())
    page.prompt.fill("something else")
    page.set_seed(5)

    page.button("Recent").click()
    with page.page.expect_file_chooser() as choosing:
        page.page.get_by_role("menuitem", name="Settings from a picture").click()
    choosing.value.set_files(file)

    expect(page.prompt).to_have_value("a heron, ink wash")
    expect(page.page.get_by_label("Seed", exact=True)).to_have_value("77")


def test_copy_code_shows_three_languages_and_copies(page_with: PageWith) -> None:
    page = page_with({"prompt": 'A sign that says "HELLO"', "seed": 1234})
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.button("Copy code").click()
    dialog = page.page.get_by_role("dialog")
    code = dialog.get_by_label("Code", exact=True)

    for language, sign in {"Python": "fal_client", "JavaScript": "@fal-ai/client", "cURL": "queue.fal.run"}.items():
        dialog.get_by_role("tab", name=language).click()
        expect(dialog.get_by_role("tab", selected=True)).to_have_text(language)
        expect(code).to_contain_text(sign)
        expect(code).to_contain_text("1234")
        expect(code).to_contain_text("HELLO")

    dialog.get_by_role("button", name="Copy").click()
    expect(page.toast).to_contain_text("The code is copied.")
    assert page.page.evaluate("navigator.clipboard.readText()") == code.evaluate("(pre) => pre.textContent")
    page.page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_copy_link_leads_to_the_same_settings(new_tab: Visit, server: AppServer) -> None:
    page = new_tab(server)
    page.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    prompt = "Shared & kept: 100 % of it, #1 + “quotes”"
    page.open(
        prompt=prompt,
        image_size="256x320",
        seed="77",
        num_inference_steps="11",
        guidance_scale="6.5",
        enable_prompt_expansion="false",
        safety_tolerance="5",
        output_format="png",
    )
    page.generate.click()
    expect(page.cards("done")).to_have_count(1)
    page.button("Copy link").click()
    expect(page.toast).to_contain_text("The link is copied.")
    link = page.page.evaluate("navigator.clipboard.readText()")

    page.page.context.clear_cookies()  # whoever gets the link is someone else
    page.open_address(link)

    expect(page.cards()).to_have_count(0)
    expect(page.prompt).to_have_value(prompt)
    expect_settings(page)
    expect(page.seed).to_have_value("77")
    expect(page.random_seed).not_to_be_checked()


def test_a_link_with_faults_names_them_and_uses_the_rest(new_tab: Visit, server: AppServer) -> None:
    page = new_tab(server)
    page.open(prompt="Half good", num_inference_steps="99", guidance_scale="5")

    expect(page.prompt).to_have_value("Half good")
    expect(page.guidance).to_have_value("5")
    expect(page.steps).to_have_value("28")
    expect(page.toast).to_contain_text(re.compile("steps.*99.*above 50"))


def test_delete_can_be_undone(page_with: PageWith) -> None:
    page = page_with({}, {})
    kept, deleted = page.seeds()
    page.show(deleted)

    page.button("Delete").click()
    expect(page.cards()).to_have_count(1)
    assert page.seeds() == [kept]
    page.expect_details(seed=kept)

    page.button("Undo").click()
    expect(page.cards("done")).to_have_count(2)
    assert page.seeds() == [kept, deleted]


def test_what_is_deleted_stays_deleted(page_with: PageWith) -> None:
    page = page_with({})
    page.button("Delete").click()
    expect(page.cards()).to_have_count(0)

    page.reload()
    expect(page.page.get_by_text("Write a prompt and press Generate.")).to_be_visible()
    expect(page.cards()).to_have_count(0)


def test_a_refused_prompt_says_so_and_leads_back_to_the_prompt(page: PlaygroundPage) -> None:
    page.ask("A cat [refuse]")
    [card] = [page.cards("failed")]
    expect(card).to_contain_text(re.compile("refused|flagged|content", re.I))
    expect(page.details).to_contain_text("A cat [refuse]")
    page.prompt.fill("Something else meanwhile")

    card.get_by_role("button", name="Edit settings").click()

    expect(page.prompt).to_have_value("A cat [refuse]")
    expect(page.issue("prompt")).to_be_visible()
    expect(page.prompt).to_be_focused()
    page.prompt.fill("A cat")
    page.generate.click()
    expect(page.cards("done")).to_have_count(1)


def test_a_chosen_picture_stays_on_the_stage_until_generate_is_pressed(page: PlaygroundPage) -> None:
    page.set_seed(100)
    page.make(images=2)
    page.show(101)
    page.button("New seeds").click()
    expect(page.cards("done")).to_have_count(6)
    page.expect_details(seed=101)

    page.set_seed(300)
    page.make()
    page.expect_details(seed=300)


def test_arrow_keys_move_between_the_pictures(page_with: PageWith) -> None:
    page = page_with(*[{"seed": seed} for seed in (22, 21, 20)])
    page.show(20)
    page.page.keyboard.press("ArrowRight")
    page.expect_details(seed=21)
    expect(page.button("Show picture with seed 21")).to_be_focused()

    page.page.keyboard.press("ArrowLeft")
    page.expect_details(seed=20)
