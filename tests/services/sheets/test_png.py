"""Contact sheets as PNG: what stands where."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from PIL import Image, ImageStat
from support.grids import ANY_TEXT, NOT_MADE, OURS, axis, colour_of, failed, grid, made, picture_file
from support.stores import opener

from services.sheets import png as sheet_module
from services.sheets.layout import GridLayout, Place
from services.sheets.png import PIXELS_MAX, Sheet, contact_sheet
from services.sheets.words import Preset


def drawn(layout: GridLayout, preset: Preset = "technical") -> tuple[Sheet, Image.Image]:
    out = io.BytesIO()
    sheet = contact_sheet(layout, preset, out, fonts=OURS)
    image = Image.open(out, formats=["PNG"])
    image.load()
    assert image.size == sheet.size
    return sheet, image


def mean(image: Image.Image, box: tuple[int, int, int, int]) -> tuple[int, ...]:
    left, top, width, height = box
    return tuple(round(value) for value in ImageStat.Stat(image.crop((left, top, left + width, top + height))).mean)


def texts(sheet: Sheet) -> list[str]:
    return [text for text, _ in sheet.words]


def test_every_picture_stands_at_its_place(tmp_path: Path) -> None:
    layout = grid(tmp_path, y=axis("Guidance scale", [2, 6]), z=axis("Seed", [1, 2]))

    sheet, image = drawn(layout)

    assert set(sheet.cells) == set(layout.places())
    assert {place: mean(image, box) for place, box in sheet.cells.items()} == {
        place: colour_of(place) for place in layout.places()
    }
    left = {place: box[0] for place, box in sheet.cells.items()}
    top = {place: box[1] for place, box in sheet.cells.items()}
    assert left[0, 0, 0] < left[1, 0, 0] < left[2, 1, 1]
    assert top[0, 0, 0] == top[2, 0, 0] < top[0, 1, 0] < top[0, 0, 1]


def test_labels_are_whole_and_touch_no_picture_and_no_edge(tmp_path: Path) -> None:
    layout = grid(tmp_path, title="T" * 300, y=axis("Guidance scale", [2, 6]), z=axis("Seed", [7]))

    sheet, _ = drawn(layout)

    assert {"Steps", "10", "20", "30", "Guidance scale", "2", "6", "Seed: 7"} <= set(texts(sheet))
    assert "T" * 300 in "".join(texts(sheet))
    for _, (left, top, width, height) in sheet.words:
        assert 0 <= left <= left + width <= sheet.size[0]
        assert 0 <= top <= top + height <= sheet.size[1]
        for x, y, wide, high in sheet.cells.values():
            assert left >= x + wide or left + width <= x or top >= y + high or top + height <= y


def test_long_values_get_letters_and_stand_in_full_above(tmp_path: Path) -> None:
    prompts = ["a quiet valley " * 60, "a loud city " * 80]
    layout = grid(tmp_path, y=axis("Prompt", prompts))

    sheet, _ = drawn(layout)

    told = " ".join(texts(sheet))
    assert all(prompt.strip() in told for prompt in prompts)
    assert texts(sheet).count("A") == texts(sheet).count("B") == 2


def test_the_client_sees_no_price_and_no_seed(tmp_path: Path) -> None:
    cells = {(0, 0, 0): failed("timed out · not charged"), (1, 0, 0): NOT_MADE}
    layout = grid(tmp_path, y=axis("Seed", [1234, 5678]), instead=cells, took=7.5)

    technical, client = (" ".join(texts(drawn(layout, preset)[0])) for preset in ("technical", "client"))

    for word in ("1234", "$0.05", "A red fox", "timed out · not charged", "Safety tolerance: 2", "FLUX.2"):
        assert word in technical
        assert word not in client
    assert "How many steps?" in client
    assert "Variation" in client
    assert "timed out" in client
    assert "not made" in client
    assert "4 of 6 pictures" in client


def test_captions_tell_only_what_is_not_the_same_for_all(tmp_path: Path) -> None:
    other = made(picture_file(tmp_path, (1, 0, 0)), seed=77, took=9.0)

    sheet, _ = drawn(grid(tmp_path, instead={(1, 0, 0): other}))

    assert {"seed 42 · 4.0 s", "seed 77 · 9.0 s"} <= set(texts(sheet))
    assert "≈ $0.05 each · ≈ $0.15 in all" in " ".join(texts(sheet))


def test_a_demo_picture_says_so_to_everybody(tmp_path: Path) -> None:
    for preset in ("client", "technical"):
        sheet, _ = drawn(grid(tmp_path, engine="demo", cost=0.0), preset)
        assert any("demo engine" in text for text in texts(sheet))


def test_pictures_of_many_shapes_are_neither_stretched_nor_blown_up(tmp_path: Path) -> None:
    sizes: dict[Place, tuple[int, int]] = {(0, 0, 0): (64, 64), (1, 0, 0): (512, 1024), (2, 0, 0): (1024, 512)}
    cells = {place: made(picture_file(tmp_path, place, size), size=size) for place, size in sizes.items()}

    sheet, image = drawn(grid(tmp_path, x=axis("Image size", [1, 2, 3]), instead=cells))

    for place, (width, height) in sizes.items():
        box = sheet.cells[place]
        assert box[2] <= width
        assert box[2] / box[3] == pytest.approx(width / height, rel=0.01)
        assert mean(image, box) == colour_of(place)
    assert any(text.startswith("Pictures at ") for text in texts(sheet))


def test_a_large_grid_has_smaller_cells_and_says_the_scale(tmp_path: Path) -> None:
    cell = made(picture_file(tmp_path, (0, 0, 0), (1024, 1024), "jpg"), size=(1024, 1024))
    x, y = axis("Seed", range(24)), axis("Guidance scale", range(24))
    layout = grid(tmp_path, x=x, y=y, instead={(column, row, 0): cell for column in range(24) for row in range(24)})

    plan = sheet_module._planned(layout, "client", OURS)

    assert plan.width * plan.height * plan.setter.scale**2 <= PIXELS_MAX
    assert plan.shown_at == pytest.approx(0.21, abs=0.04)


def test_a_damaged_original_gives_way_to_its_thumbnail_and_then_to_words(tmp_path: Path) -> None:
    (tmp_path / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    damaged = made(tmp_path / "damaged.png")
    huge = bytearray(picture_file(tmp_path, (3, 3, 0), (64, 64), "jpg").read_bytes())
    size_at = huge.index(b"\xff\xc0") + 5
    huge[size_at : size_at + 4] = b"\xff\xff\xff\xff"
    (tmp_path / "huge.jpg").write_bytes(huge)
    thumb = picture_file(tmp_path, (4, 4, 2), (128, 96), "webp")
    cells = {
        (0, 0, 0): replace(damaged, thumb=opener(thumb)),
        (1, 0, 0): damaged,
        (2, 0, 0): made(tmp_path / "gone.png"),
        (3, 0, 0): made(tmp_path / "huge.jpg"),
    }

    sheet, _ = drawn(grid(tmp_path, x=axis("Steps", [10, 20, 30, 40]), instead=cells))

    assert set(sheet.cells) == {(0, 0, 0)}
    assert " ".join(texts(sheet)).count("The picture's file cannot be read.") == 3


def test_transparent_pictures_stand_on_white(tmp_path: Path) -> None:
    Image.new("RGBA", (256, 192), (0, 0, 0, 0)).save(tmp_path / "clear.png")

    sheet, image = drawn(grid(tmp_path, x=axis("Steps", [10]), instead={(0, 0, 0): made(tmp_path / "clear.png")}))

    assert mean(image, sheet.cells[0, 0, 0]) == (255, 255, 255)


@settings(max_examples=10, deadline=None)
@given(ANY_TEXT)
def test_any_text_makes_a_sheet(text: str) -> None:
    layout = grid(Path("unused"), title=text, x=axis(text, [text]), y=axis(text, [text]), instead={(0, 0, 0): NOT_MADE})

    sheet, _ = drawn(replace(layout, plan={"title": text}))

    assert "not made" in texts(sheet)
