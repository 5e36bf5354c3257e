"""Contact sheet as a PDF of A4 pages: text that can be selected and searched, pictures at print resolution.

It has the same blocks as the PNG, divided into pages: a table that does not fit continues on the next page with its
column labels repeated, and columns that do not fit form further tables. The grid's plan is attached as a JSON file.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fpdf import FPDF
from PIL import Image

from services.sheets.blocks import Composer, absence
from services.sheets.fonts import Face, Fonts
from services.sheets.items import Block, Frame, Item, Panel, Shape, Table, Words, shape_of
from services.sheets.layout import GridLayout
from services.sheets.look import A4, PAPER
from services.sheets.pictures import Wanted, fitted
from services.sheets.plan_in_file import PDF_FILE, plan_text
from services.sheets.typeset import Typesetter
from services.sheets.words import Preset, words_of

PIXELS_A_POINT = 200 / 72
"""Pictures are placed with 200 pixels an inch."""
QUALITY = 88
"""Of the JPEG in which a picture is placed."""
MEASURE = 8.0
"""Pixels a point at which text is measured: fine enough for paper."""
SIZES, SMALLER = 12, 0.05
"""How many sizes of the pictures are tried, and the step between them as a share of the largest."""
FOOT = 16.0
"""Points that the page number takes."""


@dataclass(frozen=True)
class Paper:
    """A page's room between the margins, in points."""

    width: float
    height: float


def contact_sheet_pdf(layout: GridLayout, preset: Preset, out: Path | IO[bytes], *, fonts: Fonts | None = None) -> int:
    """Write the sheet as a PDF to a path or an open file. Returns the number of pages."""
    setter = Typesetter(fonts or Fonts(), MEASURE)
    composer = Composer(layout, words_of(layout, preset), PAPER, setter)
    paper, pages = _paginated(composer, layout)
    pdf = _Writer(layout, setter, paper)
    for number, items in enumerate(pages, 1):
        pdf.page(items, f"{number} / {len(pages)}" if len(pages) > 1 else "")
    pdf.finish(out)
    return len(pages)


# -- how large, how many a page --------------------------------------------------------------------------------------


def _paginated(composer: Composer, layout: GridLayout) -> tuple[Paper, list[list[Item]]]:
    """(page size, items of each page): A4 landscape, or portrait for tables clearly taller than wide.

    Of SIZES sizes of the pictures, from the largest that fits down to `cell_min`, it takes the one with the best
    compromise: fewer pages and undivided tables are worth slightly smaller pictures, but not much smaller ones.
    """
    shape = shape_of(layout)
    short, long = A4
    wide, tall = (short, long) if sum(shape.heights) > 1.2 * sum(shape.widths) else (long, short)
    paper = Paper(wide - 2 * PAPER.margin, tall - 2 * PAPER.margin - FOOT)
    best: list[list[Item]] = []
    most = 0.0
    bands, largest = _bands(composer, shape, paper)
    for step in range(SIZES):
        side = max(largest * (1 - step * SMALLER), PAPER.cell_min)
        pages, divided = _pages(_blocks(composer, layout, paper, bands, side), paper.height)
        worth = side**1.5 / (len(pages) + divided / 2)
        if worth > most:
            best, most = pages, worth
        if side == PAPER.cell_min:
            break
    return paper, best


def _bands(composer: Composer, shape: Shape, paper: Paper) -> tuple[Sequence[range], float]:
    """(the columns of each table, the largest long side in points at which pictures fit the page)."""
    labels = composer.axes(PAPER.cell_min).label_width
    room = paper.width - labels + PAPER.gap
    most = max(1, int(room / (max(shape.widths) * PAPER.cell_min + PAPER.gap)))
    bands = shape.bands(most)
    by_width = (room - PAPER.gap * len(bands[0])) / shape.widest(bands)
    by_height = (paper.height - 8 * PAPER.title.line_height) / max(shape.heights)
    return bands, min(by_width, by_height, PAPER.cell_max)


def _blocks(
    composer: Composer, layout: GridLayout, paper: Paper, bands: Sequence[range], side: float
) -> list[Block | Table]:
    axes = composer.axes(side)
    blocks: list[Block | Table] = [*composer.heading(paper.width, axes.keyed)]
    for z in range(layout.counts[2]):
        blocks += [composer.table(z, columns, side, axes, paper.width) for columns in bands]
    return [*blocks, *composer.foot([], paper.width)]


def _pages(blocks: Sequence[Block | Table], height: float) -> tuple[list[list[Item]], int]:
    """(items of each page, relative to the top left corner within its margins; how often tables are divided)."""
    pages: list[list[Item]] = [[]]
    divided, top = 0, 0.0

    def turn_unless_fits(needed: float) -> bool:
        nonlocal top
        if not top or top + needed <= height:
            return False
        pages.append([])
        top = 0.0
        return True

    def place(block: Block) -> None:
        nonlocal top
        pages[-1].extend(item.moved(0, top) for item in block.items)
        top += block.height

    for block in blocks:
        if isinstance(block, Block):
            turn_unless_fits(block.height)
            place(block)
            continue
        begun = [*block.heading, block.head]
        turn_unless_fits(sum(each.height for each in (*begun, *block.rows[:1])))
        for each in begun:
            place(each)
        for at, row in enumerate(block.rows):
            if at and turn_unless_fits(row.height):
                divided += 1
                place(block.head)
            place(row)
    return pages, divided


# -- writing ---------------------------------------------------------------------------------------------------------


class _Writer:
    """Writes the pages as PDF. Of each font only the letters that are used are embedded."""

    def __init__(self, layout: GridLayout, setter: Typesetter, paper: Paper) -> None:
        self._layout, self._setter, self._paper = layout, setter, paper
        self._faces: dict[Face, str] = {}
        self._pdf = FPDF(unit="pt", format=(paper.width + 2 * PAPER.margin, paper.height + 2 * PAPER.margin + FOOT))
        self._pdf.set_auto_page_break(False)
        self._pdf.set_margin(0)
        self._pdf.c_margin = 0
        self._pdf.set_text_shaping(True, features={"tnum": True})
        self._pdf.set_title(_sound(layout.title))
        self._pdf.set_creator("FLUX.2 [flex] Playground")
        self._pdf.set_creation_date(layout.made_at)
        self._pdf.embed_file(
            bytes=plan_text(layout.plan, layout.plan_format).encode(), basename=PDF_FILE, mime_type="application/json"
        )

    def page(self, items: Sequence[Item], number: str) -> None:
        self._pdf.add_page()
        placed = [item.moved(PAPER.margin, PAPER.margin) for item in items]
        self._draw(placed)
        self._pictures([item for item in placed if isinstance(item, Frame)])
        [line] = self._setter.wrap(number, PAPER.small, self._paper.width)
        right, bottom = PAPER.margin + self._paper.width, PAPER.margin + self._paper.height + FOOT
        self._words(Words(right - line.width, bottom, line, PAPER.small))

    def finish(self, out: Path | IO[bytes]) -> None:
        data = self._pdf.output()
        if isinstance(out, Path):
            out.write_bytes(data)
        else:
            out.write(data)

    def _draw(self, items: Sequence[Item]) -> None:
        for item in items:
            if isinstance(item, Panel):
                self._panel(item)
            elif isinstance(item, Words):  # the panel behind it comes earlier in `items`
                self._words(item)

    def _panel(self, panel: Panel) -> None:
        self._pdf.set_fill_color(panel.colour)
        self._pdf.rect(panel.left, panel.top, panel.width, panel.height, style="F")

    def _words(self, words: Words) -> None:
        size, left = words.style.size, words.left
        self._pdf.set_text_color(words.style.colour)
        for piece in words.line.pieces:
            self._pdf.set_font(self._family(piece.face), size=size)
            # fpdf sets the baseline of a cell 0.3 em below its middle
            self._pdf.set_xy(left, words.baseline - 0.8 * size)
            self._pdf.cell(piece.width, size, piece.text)
            left += piece.width

    def _family(self, face: Face) -> str:
        if face not in self._faces:
            self._faces[face] = f"face{len(self._faces)}"
            self._pdf.add_font(self._faces[face], fname=face.path, collection_font_number=face.index)
        return self._faces[face]

    def _pictures(self, frames: Sequence[Frame]) -> None:
        by_place = {frame.place: frame for frame in frames}
        wanted = (
            Wanted(
                frame.place,
                self._layout.cell(frame.place),
                max(1, round(frame.width * PIXELS_A_POINT)),
                max(1, round(frame.height * PIXELS_A_POINT)),
            )
            for frame in frames
        )
        for each, found in fitted(wanted, _jpeg):
            frame = by_place[each.place]
            if found is None:
                self._draw(absence(frame, PAPER, self._setter))
            else:
                self._picture(frame, *found)

    def _picture(self, frame: Frame, encoded: io.BytesIO, size: tuple[int, int]) -> None:
        # a small picture is not enlarged: one pixel takes one point at most
        scale = min(1.0, frame.width / size[0], frame.height / size[1])
        width, height = size[0] * scale, size[1] * scale
        left, top = frame.left + (frame.width - width) / 2, frame.top + (frame.height - height) / 2
        self._pdf.image(encoded, left, top, width, height)


def _jpeg(picture: Image.Image) -> tuple[io.BytesIO, tuple[int, int]]:
    """(the file, its size in pixels)."""
    encoded = io.BytesIO()
    picture.save(encoded, "JPEG", quality=QUALITY)
    return encoded, picture.size


def _sound(text: str) -> str:
    """The text with question marks for lone surrogates, which UTF-8 cannot encode."""
    return text.encode("utf-8", "replace").decode()
