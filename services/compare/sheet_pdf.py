"""Contact sheet as a PDF of A4 pages: text that can be selected and searched, pictures at print resolution.

The same blocks as the PNG's, spread over pages: a table that does not fit goes on over the page with its column labels
repeated, and columns that do not fit stand in tables of their own. The grid's plan is attached as a JSON file.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from fpdf import FPDF
from PIL import Image

from services.compare.fonts import Face, Fonts
from services.compare.layout import GridLayout
from services.compare.pictures import Wanted, fitted
from services.compare.restore import PDF_FILE, plan_text
from services.compare.sheet_blocks import Axes, Block, Composer, Frame, Item, Panel, Shape, Table, Words, shape_of
from services.compare.sheet_look import A4, PAPER, SUNKEN
from services.compare.sheet_words import Preset, words_of
from services.compare.typeset import Line, Typesetter

PIXELS_A_POINT = 200 / 72
"""Pictures are placed with 200 pixels an inch."""
QUALITY = 88
"""Of the JPEG in which a picture is placed."""
MEASURE = 8.0
"""Pixels a point at which text is measured: fine enough for paper."""
FOOT = 16.0
"""Points that the page number takes."""
UNREADABLE = "The picture's file cannot be read."


@dataclass(frozen=True)
class Paper:
    """A page's room between the margins, in points."""

    width: float
    height: float


def contact_sheet_pdf(layout: GridLayout, preset: Preset, out: Path | IO[bytes], *, fonts: Fonts | None = None) -> int:
    """Write the sheet as a PDF to a path or an open file. Returns the number of pages."""
    words = words_of(layout, preset)
    setter = Typesetter(fonts or Fonts(), MEASURE)
    composer = Composer(layout, words, PAPER, setter)
    shape = shape_of(layout)
    paper = _paper(shape)
    side, groups, axes = _fit(composer, shape, paper, heading=bool(words.z))
    blocks: list[Block | Table] = [*composer.heading(paper.width, axes.keyed)]
    for z in range(layout.counts[2]):
        blocks += [composer.table(z, columns, side, axes, paper.width) for columns in groups]
    blocks += composer.foot([], paper.width)
    pages = list(_pages(blocks, paper.height))
    pdf = _Writer(layout, setter, paper)
    for number, items in enumerate(pages, 1):
        pdf.page(items, f"{number} / {len(pages)}" if len(pages) > 1 else "")
    pdf.finish(out)
    return len(pages)


# -- how large, how many a page --------------------------------------------------------------------------------------


def _paper(shape: Shape) -> Paper:
    """A4 upright for tables that are clearly taller than wide, else lying."""
    short, long = A4
    wide, tall = (short, long) if sum(shape.heights) > 1.2 * sum(shape.widths) else (long, short)
    return Paper(wide - 2 * PAPER.margin, tall - 2 * PAPER.margin - FOOT)


def _fit(composer: Composer, shape: Shape, paper: Paper, *, heading: bool) -> tuple[float, list[range], Axes]:
    """(long side of a picture in points, the columns of each table, the labels).

    As large as lets all columns stand side by side and the rows of a table on one page, but never smaller than
    `cell_min`: then columns are divided, and rows go on over the page.
    """
    axes = composer.axes(PAPER.cell_min)
    room = paper.width - axes.label_width + PAPER.gap
    columns = len(shape.widths)
    most = max(1, int(room / (max(shape.widths) * PAPER.cell_min + PAPER.gap)))
    tables = -(-columns // most)
    each = -(-columns // tables)
    groups = [range(start, min(start + each, columns)) for start in range(0, columns, each)]
    widest = max(sum(shape.widths[column] for column in group) for group in groups)
    side = min((room - PAPER.gap * each) / widest, PAPER.cell_max)
    overhead = 3 * PAPER.title.line_height + (3 * PAPER.heading.line_height if heading else 0)
    row_extra = PAPER.gap + 1.5 * PAPER.small.line_height
    whole = (paper.height - overhead - len(shape.heights) * row_extra) / sum(shape.heights)
    if whole >= max(PAPER.cell_min, 0.5 * side):
        side = min(side, whole)
    else:  # several rows a page: as many as leave little of it empty
        one = (paper.height - overhead - row_extra) / max(shape.heights)
        rows = max(1, round(one / (side + row_extra)))
        side = min(side, (paper.height - overhead - rows * row_extra) / rows / max(shape.heights))
    return side, groups, composer.axes(side)


def _pages(blocks: Sequence[Block | Table], height: float) -> Iterator[list[Item]]:
    """The items of each page, from the corner between its margins."""
    items: list[Item] = []
    top = 0.0

    def place(block: Block) -> None:
        nonlocal top
        items.extend(item.moved(0, top) for item in block.items)
        top += block.height

    for block in blocks:
        if isinstance(block, Block):
            if top and top + block.height > height:
                yield items
                items, top = [], 0.0
            place(block)
            continue
        begin = sum(each.height for each in (*block.heading, block.head, *block.rows[:1]))
        if top and top + begin > height:
            yield items
            items, top = [], 0.0
        for each in (*block.heading, block.head):
            place(each)
        for row in block.rows:
            if top > block.head.height and top + row.height > height:
                yield items
                items, top = [], 0.0
                place(block.head)
            place(row)
    yield items


# -- writing ---------------------------------------------------------------------------------------------------------


class _Writer:
    """The pages as PDF. Each font of the machine is embedded with the letters that are used."""

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
        self._pdf.embed_file(bytes=plan_text(layout.plan).encode(), basename=PDF_FILE, mime_type="application/json")

    def page(self, items: Sequence[Item], number: str) -> None:
        self._pdf.add_page()
        placed = [item.moved(PAPER.margin, PAPER.margin) for item in items]
        for item in placed:
            if isinstance(item, Panel):
                self._panel(item)
        for item in placed:
            if isinstance(item, Words):
                self._words(item)
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

    def _panel(self, panel: Panel) -> None:
        self._pdf.set_fill_color(panel.colour)
        self._pdf.rect(panel.left, panel.top, panel.width, panel.height, style="F")

    def _words(self, words: Words) -> None:
        size, left = words.style.size, words.left
        self._pdf.set_text_color(words.style.colour)
        for piece in words.line.pieces:
            self._pdf.set_font(self._family(piece.face), size=size)
            # a cell sets its baseline 0.3 em below its middle
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
        for each, picture in fitted(wanted):
            frame = by_place[each.place]
            if picture is None:
                self._absence(frame)
            else:
                self._picture(frame, picture)

    def _picture(self, frame: Frame, picture: Image.Image) -> None:
        encoded = io.BytesIO()
        picture.save(encoded, "JPEG", quality=QUALITY)
        scale = min(frame.width / picture.width, frame.height / picture.height)
        scale = min(scale, 1.0)  # a small picture is not blown up: a pixel is a point at most
        width, height = picture.width * scale, picture.height * scale
        left, top = frame.left + (frame.width - width) / 2, frame.top + (frame.height - height) / 2
        self._pdf.image(encoded, left, top, width, height)

    def _absence(self, frame: Frame) -> None:
        """The file was there when the sheet was planned, and cannot be read."""
        self._panel(Panel(frame.left, frame.top, frame.width, frame.height, SUNKEN))
        style = PAPER.warning
        lines: Sequence[Line] = self._setter.wrap(UNREADABLE, style, frame.width)
        top = frame.top + (frame.height - len(lines) * style.line_height) / 2
        for at, line in enumerate(lines):
            left = frame.left + (frame.width - line.width) / 2
            self._words(Words(left, top + at * style.line_height + style.ascent, line, style))


def _sound(text: str) -> str:
    """Without lone surrogates, which no file can hold."""
    return text.encode("utf-8", "replace").decode()
