"""Contact sheets as PDF: pages, text that can be searched, pictures, the plan as an attachment."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pypdf
import pytest
from hypothesis import given, settings
from PIL import ImageStat
from support.grids import ANY_TEXT, NOT_MADE, OURS, axis, colour_of, failed, grid, made, picture_file

from services.sheets.fonts import Fonts
from services.sheets.layout import GridLayout
from services.sheets.pdf import contact_sheet_pdf
from services.sheets.words import Preset

MACHINE = Fonts()


def written(layout: GridLayout, preset: Preset = "technical", fonts: Fonts = OURS) -> pypdf.PdfReader:
    out = io.BytesIO()
    pages = contact_sheet_pdf(layout, preset, out, fonts=fonts)
    reader = pypdf.PdfReader(out)
    assert len(reader.pages) == pages
    return reader


def text_of(reader: pypdf.PdfReader) -> str:
    return "\n".join(page.extract_text() for page in reader.pages)


def test_the_text_can_be_searched_and_the_pictures_are_the_cells(tmp_path: Path) -> None:
    layout = grid(tmp_path, y=axis("Guidance scale", [2, 6]), instead={(1, 1, 0): failed("timed out · not charged")})

    reader = written(layout)

    [page] = reader.pages
    for words in ("How many steps?", "Steps", "Guidance scale", "10", "30", "A red fox", "timed out · not charged"):
        assert words in page.extract_text()
    colours = [ImageStat.Stat(image.image.convert("RGB")).mean for image in page.images if image.image]
    expected = [colour_of(place) for place in layout.places() if place != (1, 1, 0)]
    assert sorted(colours) == [pytest.approx(colour, abs=2) for colour in sorted(expected)]


def test_the_client_sees_no_price_and_no_seed(tmp_path: Path) -> None:
    layout = grid(tmp_path, instead={(0, 0, 0): failed("timed out · not charged")})

    technical, client = (text_of(written(layout, preset)) for preset in ("technical", "client"))

    for word in ("42", "$0.05", "A red fox", "charged"):
        assert word in technical
        assert word not in client
    assert "timed out" in client


def test_each_table_of_z_stands_whole_on_a_page(tmp_path: Path) -> None:
    layout = grid(tmp_path, y=axis("Guidance scale", [2, 6]), z=axis("Seed", [11, 12, 13]), size=(256, 256))

    reader = written(layout)

    for z, page in enumerate(reader.pages):
        assert f"Seed: {11 + z}" in page.extract_text()
        assert len(page.images) == 6
        assert f"{z + 1} / 3" in page.extract_text()


def test_columns_and_rows_that_do_not_fit_go_on_with_their_labels(tmp_path: Path) -> None:
    x, y = axis("Variant", [f"v{n}" for n in range(20)]), axis("Row", [f"r{n}" for n in range(9)])
    instead = {(column, row, 0): failed(f"cell {column}-{row}.") for column in range(20) for row in range(9)}

    told = [page.extract_text() for page in written(grid(tmp_path, x=x, y=y, instead=instead)).pages]

    assert len(told) > 2
    assert all("Variant" in text and "Row" in text for text in told)
    for column, row in ((0, 0), (19, 0), (0, 8), (19, 8)):
        [text] = [text for text in told if f"cell {column}-{row}." in text]
        assert f"v{column}" in text
        assert f"r{row}" in text


def test_long_prompts_flow_over_pages_and_lose_nothing(tmp_path: Path) -> None:
    prompts = [" ".join(f"word{n}x{number}" for n in range(600)) for number in range(2)]

    reader = written(grid(tmp_path, y=axis("Prompt", prompts)))

    told = " ".join(text_of(reader).split())
    assert all(word in told for prompt in prompts for word in prompt.split())


def test_hebrew_is_found_as_it_is_read(tmp_path: Path) -> None:
    if MACHINE.face("ש") is None:
        pytest.skip("no font of this machine has Hebrew")

    reader = written(grid(tmp_path, title="שלום עולם 2026"), fonts=MACHINE)

    assert "שלום עולם" in text_of(reader)


def test_small_pictures_and_unreadable_ones(tmp_path: Path) -> None:
    small = made(picture_file(tmp_path, (0, 0, 0), (64, 64)), size=(64, 64))

    reader = written(grid(tmp_path, instead={(0, 0, 0): small, (1, 0, 0): made(tmp_path / "gone.png")}))

    assert "cannot be read" in text_of(reader)
    assert len(reader.pages[0].images) == 2


@settings(max_examples=8, deadline=None)
@given(ANY_TEXT)
def test_any_text_makes_a_pdf(text: str) -> None:
    layout = grid(Path("unused"), title=text, x=axis(text, [text]), y=axis(text, [text]), instead={(0, 0, 0): NOT_MADE})

    assert "not made" in text_of(written(replace(layout, plan={"title": text})))
