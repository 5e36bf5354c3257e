"""Text of any script as measured lines: fonts chosen letter by letter, directions resolved, lines broken.

A line is a row of pieces from left to right; each is in one font and one direction, as Pillow and PDF draw them. A
letter that no font has is set as □ and added to `missing`.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from fpdf.bidi import BidiParagraph, auto_detect_base_direction
from fpdf.enums import TextDirection
from PIL import ImageFont, features

from services.sheets.fonts import OWN, Face, Fonts

REPLACEMENT = "□"
JOINERS = "\u200c\u200d"
RAQM = bool(features.check("raqm"))
"""Whether Pillow can shape: join Arabic letters, place marks, order Indic vowels."""
FIGURES = ["tnum"]
"""OpenType features: figures of one width, so that columns of numbers line up."""
_CJK = "\u1100-\u11ff\u2e80-\u9fff\uac00-\ud7ff\uf900-\ufaff\uff00-\uffef\U00020000-\U0003ffff"
_TOKENS = re.compile(rf"[{_CJK}]\s*|[^\s{_CJK}]+\s*|\s+")
"""What a line may be broken after: words, and the letters of scripts that write without spaces."""


@dataclass(frozen=True)
class Style:
    size: float
    """Of the em, in units of the page."""
    colour: str
    bold: bool = False
    leading: float = 1.4
    """Height of a line in ems."""

    @property
    def line_height(self) -> float:
        return self.size * self.leading

    @property
    def ascent(self) -> float:
        """From a line's top to its baseline."""
        return self.size * (self.leading / 2 + 0.36)


@dataclass(frozen=True)
class Piece:
    text: str
    """In the order in which it is read."""
    face: Face
    rtl: bool
    width: float


@dataclass(frozen=True)
class Line:
    pieces: tuple[Piece, ...]
    """From left to right."""
    width: float
    rtl: bool
    """Whether its paragraph runs from right to left."""
    text: str
    """In the order in which it is read, □ where no font has a letter."""


class Typesetter:
    """Measures text as drawn at `scale` pixels a unit, and breaks it into lines. Make a new one for each sheet."""

    def __init__(self, fonts: Fonts, scale: float) -> None:
        self.scale = scale
        self.missing: set[str] = set()
        """The letters that no font has."""
        self._fonts = fonts
        self._sized: dict[tuple[Face, float], ImageFont.FreeTypeFont] = {}
        self._widths: dict[tuple[str, Face, float, bool], float] = {}
        self._measures: dict[tuple[str, Style], float] = {}
        self._wrapped: dict[tuple[str, Style, float], tuple[Line, ...]] = {}

    def font(self, face: Face, size: float) -> ImageFont.FreeTypeFont:
        known = (face, size)
        if known not in self._sized:
            pixels = max(1.0, size * self.scale)  # FreeType knows no smaller type
            self._sized[known] = ImageFont.truetype(face.path, pixels, index=face.index)
        return self._sized[known]

    def width(self, text: str, style: Style) -> float:
        """In units, of the longest line of the text as it was written."""
        return max(self._measured(line, style) for line in clean(text).split("\n"))

    def wrap(self, text: str, style: Style, width: float) -> tuple[Line, ...]:
        """Lines of at most `width` units, unless a single letter is wider. Every letter of the text is in them."""
        known = (text, style, width)
        if known not in self._wrapped:
            self._wrapped[known] = tuple(
                self._line(line, style, _is_rtl(paragraph))
                for paragraph in clean(text).split("\n")
                for line in self._broken(paragraph, style, width)
            )
        return self._wrapped[known]

    def _broken(self, paragraph: str, style: Style, width: float) -> Iterator[str]:
        line, used = "", 0.0
        for token in _TOKENS.findall(paragraph):
            for part in self._parts(token, style, width):
                wide, bare = self._measured(part, style), self._measured(part.rstrip(), style)
                if line and used + bare > width:
                    yield line.rstrip()
                    line, used = "", 0.0
                line, used = line + part, used + wide
        yield line.rstrip()

    def _parts(self, token: str, style: Style, width: float) -> Iterator[str]:
        """The token itself, or pieces of it that fit if it is longer than a line."""
        if self._measured(token.rstrip(), style) <= width:
            yield token
            return
        part, used = "", 0.0
        for cluster in _clusters(token):
            wide = self._measured(cluster, style)
            if part and used + wide > width:
                yield part
                part, used = "", 0.0
            part, used = part + cluster, used + wide
        yield part

    def _measured(self, text: str, style: Style) -> float:
        known = (text, style)
        if known not in self._measures:
            rtl = _is_rtl(text)
            runs = self._runs(text, style.bold)
            self._measures[known] = sum(self._width(run, face, style.size, rtl) for run, face in runs)
        return self._measures[known]

    def _line(self, text: str, style: Style, rtl: bool) -> Line:
        pieces: list[Piece] = []
        for part, part_rtl in _visual(text, rtl):
            runs = list(self._runs(part, style.bold))
            for run, face in reversed(runs) if part_rtl else runs:
                pieces.append(Piece(run, face, part_rtl, self._width(run, face, style.size, part_rtl)))
        shown = "".join(run for run, _ in self._runs(text, style.bold))
        return Line(tuple(pieces), sum(piece.width for piece in pieces), rtl, shown)

    def _runs(self, text: str, bold: bool) -> Iterator[tuple[str, Face]]:
        """Stretches of one font, in reading order."""
        own = self._fonts.face(REPLACEMENT, bold=bold)
        if own and text.isascii() and text.isprintable():  # all of which Inter has
            yield text, own
            return
        run, face = "", None
        for cluster in _clusters(text):
            blank = cluster == " " and face is not None and face.has(" ")
            shown, its_face = (cluster, face) if blank else self._drawable(cluster, bold)
            if face == its_face:
                run += shown
                continue
            if face is not None:
                yield run, face
            run, face = shown, its_face
        if face is not None:
            yield run, face

    def _drawable(self, cluster: str, bold: bool) -> tuple[str, Face]:
        """(text, font that has it): the cluster; else without selectors and joiners; else its first letter; else □."""
        bare = "".join(char for char in cluster if not _is_selector(char))
        for shown in (cluster, bare, bare[:1]):
            face = self._fonts.face(shown, bold=bold) if shown else None
            if face is not None:
                if shown == bare[:1] != bare.rstrip(JOINERS):
                    self.missing.update(bare[1:])
                return shown, face
        self.missing.update(bare)
        own = self._fonts.face(REPLACEMENT, bold=bold)
        assert own is not None, f"{OWN[bold]} has no {REPLACEMENT}"  # noqa: S101  # nosec B101: it is ours
        return REPLACEMENT, own

    def _width(self, text: str, face: Face, size: float, rtl: bool) -> float:
        known = (text, face, size, rtl)
        if known not in self._widths:
            shown, direction, figures = drawing(text, rtl)
            font = self.font(face, size)
            self._widths[known] = font.getlength(shown, direction=direction, features=figures) / self.scale
        return self._widths[known]


def drawing(text: str, rtl: bool) -> tuple[str, str | None, list[str] | None]:
    """(text, direction, features) as Pillow draws a piece. Without Raqm letters are not joined, only put in order."""
    if RAQM:
        return text, "rtl" if rtl else "ltr", FIGURES
    return text[::-1] if rtl else text, None, None


def clean(text: str) -> str:
    """The text ready to be set: line ends as \\n, tabs as spaces, accents composed (NFC), no invisible controls."""
    text = re.sub("\r\n?|[\u2028\u2029\u0085\v\f]", "\n", text).replace("\t", "    ")
    kept = (char for char in unicodedata.normalize("NFC", text) if char in JOINERS or not _is_control(char))
    return "".join(kept)


def _is_control(char: str) -> bool:
    """Whether it is an invisible format character, as a direction mark: directions are computed anew for each line."""
    return unicodedata.category(char) == "Cf" and unicodedata.bidirectional(char) != "AN"


def _is_selector(char: str) -> bool:
    return "\ufe00" <= char <= "\ufe0f" or "\U000e0100" <= char <= "\U000e01ef" or char in JOINERS


def _clusters(text: str) -> list[str]:
    """Letters, each with the marks and joiners that follow it."""
    if text.isascii():
        return list(text)
    found: list[str] = []
    for char in text:
        joins = char in JOINERS or unicodedata.category(char) in ("Mn", "Mc", "Me")
        if joins and found and not found[-1].isspace():
            found[-1] += char
        else:
            found.append(char)
    return found


def _is_rtl(text: str) -> bool:
    if text.isascii() or all(unicodedata.bidirectional(char) not in ("R", "AL") for char in text):
        return False
    return bool(auto_detect_base_direction(text) == TextDirection.RTL)


def _visual(text: str, rtl: bool) -> Iterator[tuple[str, bool]]:
    """(text of one direction, whether it runs from right to left), in visual order (Unicode annex 9)."""
    if not rtl and (text.isascii() or all(unicodedata.bidirectional(char) not in ("R", "AL", "AN") for char in text)):
        if text:
            yield text, False
        return
    paragraph = BidiParagraph(text, TextDirection.RTL if rtl else TextDirection.LTR, preserve_bn_chars=True)
    levels = [
        ("".join(letter.character for letter in run), level)
        for level, run in groupby(paragraph.get_characters_with_embedding_level(), attrgetter("embedding_level"))
    ]
    for least in range(max(level for _, level in levels), 0, -1):  # rule L2
        levels = _turned(levels, least)
    for part, level in levels:
        yield part, level % 2 == 1


def _turned(parts: list[tuple[str, int]], least: int) -> list[tuple[str, int]]:
    """The parts, with each sequence of parts at the level `least` or above reversed."""
    stretches = [(above, list(run)) for above, run in groupby(parts, lambda part: part[1] >= least)]
    return [part for above, run in stretches for part in (reversed(run) if above else run)]
