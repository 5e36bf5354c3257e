"""Text of any script as lines: fonts, directions, breaks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.grids import ANY_TEXT, OURS

from services.sheets.fonts import Fonts
from services.sheets.typeset import REPLACEMENT, Line, Style, Typesetter

STYLE = Style(14, "#000000")


def lines(text: str, width: float = 200, fonts: Fonts = OURS) -> tuple[Line, ...]:
    return Typesetter(fonts, 2).wrap(text, STYLE, width)


def test_words_are_kept_whole_where_they_fit_and_no_line_is_too_wide() -> None:
    found = lines("A paper-cut mountain valley at dusk, layered ridges in indigo and gold")

    assert len(found) > 2
    assert all(line.width <= 200 for line in found)
    assert (
        " ".join(line.text for line in found)
        == "A paper-cut mountain valley at dusk, layered ridges in indigo and gold"
    )


def test_a_word_longer_than_a_line_is_broken_and_loses_no_letter() -> None:
    word = "wordwithoutanyspace" * 20

    found = lines(word)

    assert all(line.width <= 200 for line in found)
    assert "".join(line.text for line in found) == word


def test_paragraphs_and_empty_lines_stay() -> None:
    assert [line.text for line in lines("one\r\n\ntwo")] == ["one", "", "two"]


def test_letters_without_a_font_are_shown_as_boxes_and_remembered() -> None:
    setter = Typesetter(OURS, 2)

    [line] = setter.wrap("a 山 b \U0001f98a", STYLE, 400)

    assert line.text == f"a {REPLACEMENT} b {REPLACEMENT}"
    assert setter.missing == {"山", "\U0001f98a"}


def test_a_font_of_the_machine_is_found_for_what_ours_lacks(tmp_path: Path) -> None:
    """A font with one letter that Inter does not have stands for the machine's."""
    (tmp_path / "broken.ttf").write_bytes(b"no font at all")
    _font_with(tmp_path / "one.ttf", "山")

    [line] = lines("a 山", fonts=Fonts([tmp_path]))

    assert [(piece.text, piece.face.path.name) for piece in line.pieces] == [
        ("a ", "Inter-Regular.ttf"),
        ("山", "one.ttf"),
    ]


def _font_with(file: Path, letter: str) -> None:
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    pen = TTGlyphPen(None)
    pen.moveTo((0, 0))
    pen.lineTo((500, 0))
    pen.lineTo((500, 500))
    pen.closePath()
    glyph = pen.glyph()
    builder = FontBuilder(1000)
    builder.setupGlyphOrder([".notdef", "only"])
    builder.setupCharacterMap({ord(letter): "only"})
    builder.setupGlyf({".notdef": glyph, "only": glyph})
    builder.setupHorizontalMetrics({".notdef": (600, 0), "only": (600, 0)})
    builder.setupHorizontalHeader(ascent=800, descent=-200)
    builder.setupNameTable({"familyName": "One", "styleName": "Regular"})
    builder.setupOS2()
    builder.setupPost()
    builder.save(file)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("abc שלום def", ["abc ", "שלום", " def"]),
        ("שלום 2026 abc עולם", [" עולם", "abc", " ", "2026", "שלום "]),
    ],
)
def test_text_of_both_directions_stands_in_the_order_of_the_eye(tmp_path: Path, text: str, order: list[str]) -> None:
    class Everything(Fonts):
        def face(self, cluster: str, *, bold: bool = False):  # type: ignore[no-untyped-def]
            return super().face("a")

    [line] = lines(text, 400, Everything([]))

    assert [piece.text for piece in line.pieces] == order
    assert line.rtl == (order[0] != "abc ")
    assert line.text == text


@settings(max_examples=60, deadline=None)
@given(ANY_TEXT, st.floats(5, 300), st.sampled_from([0.01, 2.0, 8.0]))
def test_any_text_can_be_set(text: str, width: float, scale: float) -> None:
    for line in Typesetter(OURS, scale).wrap(text, STYLE, width):
        assert line.width >= 0
        assert all(piece.width >= 0 for piece in line.pieces)
