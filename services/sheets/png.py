"""Contact sheet: a grid as one labelled picture.

Everything is in one PNG: title, labels, pictures, and the grid's plan in a text chunk, which the page adopts when the
sheet is dropped on it. Blocks for a few seconds at most; call it in a thread.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from PIL import Image, ImageDraw
from PIL.PngImagePlugin import PngInfo

from services.sheets.blocks import Composer, absence
from services.sheets.fonts import Fonts
from services.sheets.items import Frame, Item, Panel, Words, natural_size, shape_of
from services.sheets.layout import GridLayout, Place
from services.sheets.look import PAGE, SCREEN
from services.sheets.pictures import Wanted, fitted
from services.sheets.plan_in_file import PLAN_KEY, plan_text
from services.sheets.typeset import Typesetter, drawing
from services.sheets.words import Preset, words_of

PIXELS_MAX = 24_000_000
"""Of a whole sheet: 96 MB in memory while it is painted."""
SIDE_MAX = 30_000
"""Longest side in pixels that common programs open."""
CELL_LEAST = 64
"""Least long side of a cell in units, if a hundred rows or more have to share SIDE_MAX."""
SCALE = 2.0
"""Pixels a unit; fewer if the sheet would exceed PIXELS_MAX or SIDE_MAX."""
COLUMNS_MAX = 25
"""Columns side by side; further ones form a table below."""
WIDTH_MIN = 480
"""Units between the margins: a title needs some room, however small the table."""


Box = tuple[int, int, int, int]
"""(left, top, width, height) in pixels."""


@dataclass(frozen=True)
class Sheet:
    """What was painted."""

    size: tuple[int, int]
    scale: float
    """Pixels of the sheet per pixel of the original, for the picture that is reduced most."""
    cells: Mapping[Place, Box]
    """The pictures that are shown; cells without one are not in it."""
    words: tuple[tuple[str, Box], ...]
    """Each line of text as it is read, and its rectangle."""


@dataclass(frozen=True)
class Plan:
    """A sheet before it is painted: its items in units from its corner."""

    width: float
    height: float
    items: tuple[Item, ...]
    setter: Typesetter
    shown_at: float


def contact_sheet(layout: GridLayout, preset: Preset, out: Path | IO[bytes], *, fonts: Fonts | None = None) -> Sheet:
    """Write the sheet as a PNG to a path or an open file. The cells are as large as `PIXELS_MAX` allows."""
    plan = _planned(layout, preset, fonts or Fonts())
    scale = plan.setter.scale
    image = Image.new("RGB", (math.ceil(plan.width * scale), math.ceil(plan.height * scale)), PAGE)
    _paint(image, plan.items, plan.setter)
    cells, absent = _paint_pictures(image, layout, plan)
    _paint(image, absent, plan.setter)
    info = PngInfo()
    info.add_text(PLAN_KEY, plan_text(layout.plan, layout.plan_format))
    # fast: in photographs, searching for more repetitions than runs of one colour hardly saves bytes
    image.save(out, "PNG", compress_level=1, compress_type=zlib.Z_RLE, pnginfo=info, dpi=(72 * scale, 72 * scale))
    return Sheet(image.size, plan.shown_at, cells, _told([*plan.items, *absent], scale))


def _planned(layout: GridLayout, preset: Preset, fonts: Fonts) -> Plan:
    """The sheet at SCALE pixels a unit; at fewer if it would exceed PIXELS_MAX or SIDE_MAX."""
    plan = _at_scale(layout, preset, fonts, SCALE)
    while True:
        within = min(SIDE_MAX / plan.width, SIDE_MAX / plan.height, math.sqrt(PIXELS_MAX / plan.width / plan.height))
        if plan.setter.scale <= within:
            return plan
        # 1 % less: at another scale some lines break elsewhere, which may make the sheet taller
        plan = _at_scale(layout, preset, fonts, 0.99 * within)


def _at_scale(layout: GridLayout, preset: Preset, fonts: Fonts, scale: float) -> Plan:
    look, words, shape = SCREEN, words_of(layout, preset), shape_of(layout)
    setter = Typesetter(fonts, scale)
    composer = Composer(layout, words, look, setter)
    sizes = [max(natural_size(layout, place)) for place in layout.places()]
    bands = shape.bands(COLUMNS_MAX)
    wanted = min(look.table / shape.widest(bands), look.cell_max, max(sizes) / scale)
    tables = len(bands) * layout.counts[2]
    share = 0.8 * SIDE_MAX / (sum(shape.heights) * tables)
    side = min(max(wanted, look.cell_min), max(share, CELL_LEAST))
    axes = composer.axes(side)
    width = axes.label_width + shape.widest(bands) * side + look.gap * (len(bands[0]) - 1)
    width = max(width, WIDTH_MIN)
    blocks = composer.heading(width, axes.keyed)
    for z in range(layout.counts[2]):
        for table in (composer.table(z, columns, side, axes, width) for columns in bands):
            blocks += [*table.heading, table.head, *table.rows]
    shown_at = min(1.0, side * scale / max(sizes))
    blocks += composer.foot([f"Pictures at {shown_at:.0%} of their size."] if shown_at < 0.995 else [], width)
    items: list[Item] = []
    top = look.margin
    for block in blocks:
        items += [item.moved(look.margin, top) for item in block.items]
        top += block.height
    return Plan(width + 2 * look.margin, top + look.margin, tuple(items), setter, shown_at)


# -- painting --------------------------------------------------------------------------------------------------------


def _paint(image: Image.Image, items: Sequence[Item], setter: Typesetter) -> None:
    pen = ImageDraw.Draw(image)
    for item in items:
        if isinstance(item, Panel):
            left, top, width, height = _pixels(item, setter.scale)
            pen.rectangle((left, top, left + width - 1, top + height - 1), fill=item.colour)
        elif isinstance(item, Words):  # the panel behind it comes earlier in `items`
            _paint_words(pen, item, setter)


def _paint_words(pen: ImageDraw.ImageDraw, words: Words, setter: Typesetter) -> None:
    left = words.left
    for piece in words.line.pieces:
        text, direction, figures = drawing(piece.text, piece.rtl)
        font = setter.font(piece.face, words.style.size)
        at = (left * setter.scale, round(words.baseline * setter.scale))
        pen.text(at, text, words.style.colour, font, anchor="ls", direction=direction, features=figures)
        left += piece.width


def _paint_pictures(image: Image.Image, layout: GridLayout, plan: Plan) -> tuple[dict[Place, Box], list[Item]]:
    """(where each picture stands, what is to be painted for those that cannot be read)."""
    frames = {item.place: item for item in plan.items if isinstance(item, Frame)}
    boxes = {place: _pixels(frame, plan.setter.scale) for place, frame in frames.items()}
    wanted = (Wanted(place, layout.cell(place), box[2], box[3]) for place, box in boxes.items())
    shown: dict[Place, Box] = {}
    absent: list[Item] = []
    for each, picture in fitted(wanted, lambda picture: picture):
        if picture is None:
            absent += absence(frames[each.place], SCREEN, plan.setter)
            continue
        left, top, width, height = boxes[each.place]
        left, top = left + (width - picture.width) // 2, top + (height - picture.height) // 2
        image.paste(picture, (left, top))
        shown[each.place] = (left, top, *picture.size)
    return shown, absent


def _pixels(item: Panel | Frame, scale: float) -> Box:
    """The item's box in whole pixels. Its edges are rounded, so that those that meet in units meet here too."""
    left, top = round(item.left * scale), round(item.top * scale)
    right, bottom = round((item.left + item.width) * scale), round((item.top + item.height) * scale)
    return left, top, max(1, right - left), max(1, bottom - top)


def _told(items: Sequence[Item], scale: float) -> tuple[tuple[str, Box], ...]:
    found = []
    for item in items:
        if isinstance(item, Words):
            style = item.style
            line = Panel(item.left, item.baseline - style.ascent, item.line.width, style.line_height, style.colour)
            found.append((item.line.text, _pixels(line, scale)))
    return tuple(found)
