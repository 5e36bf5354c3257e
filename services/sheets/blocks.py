"""A contact sheet as blocks: pieces of a page to stack (PNG) or to spread over pages (PDF). No picture is read here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from services.run import RunState
from services.sheets.items import Axes, Block, Frame, Item, Panel, Table, Words, letter, shape_of
from services.sheets.layout import AxisLabels, GridLayout, Place
from services.sheets.look import LINE, SUNKEN, Look
from services.sheets.typeset import Line, Style, Typesetter
from services.sheets.words import UNREADABLE, SheetWords

KEYED_LINES = 5
"""If a value of an axis needs more lines, letters stand for all its values, and a key above the tables gives these."""


class Composer:
    """Builds the blocks of one sheet, `width` units wide between the margins."""

    def __init__(self, layout: GridLayout, words: SheetWords, look: Look, setter: Typesetter) -> None:
        self._layout, self._look, self._setter = layout, look, setter
        self._words = words
        self._shape = shape_of(layout)

    # -- text --------------------------------------------------------------------------------------------------------

    def lines(self, text: str, style: Style, width: float) -> list[Block]:
        """One block a line, so that a long text can be divided between pages."""
        return [
            Block(style.line_height, (Words(_start(line, 0, width), style.ascent, line, style),))
            for line in self._setter.wrap(text, style, width)
        ]

    def heading(self, width: float, keyed: Sequence[AxisLabels]) -> list[Block]:
        look = self._look
        blocks = [*self.lines(self._words.title, look.title, width), Block(look.gap / 2)]
        blocks += self.lines(self._words.facts, look.text, width)
        for label, text in self._words.notes:
            blocks += [Block(look.gap), *self.lines(label, look.axis, width), *self.lines(text, look.text, width)]
        for axis in keyed:
            blocks += [Block(look.gap), *self.lines(axis.title, look.axis, width), Block(look.gap / 4)]
            for at, value in enumerate(axis.values):
                blocks += self._key(letter(at), value, width)
        return [*blocks, Block(look.gap * 2)]

    def _key(self, name: str, value: str, width: float) -> list[Block]:
        """`A` and, beside it, the value in full."""
        style, indent = self._look.text, self._look.text.size * 2.5
        [mark] = self.lines(name, replace(self._look.label, size=style.size), indent)
        blocks = [
            replace(block, items=tuple(item.moved(indent, 0) for item in block.items))
            for block in self.lines(value, style, width - indent)
        ]
        return [replace(blocks[0], items=mark.items + blocks[0].items), *blocks[1:], Block(self._look.gap / 2)]

    def foot(self, notes: Sequence[str], width: float) -> list[Block]:
        sentences = [*self._words.foot, *notes]
        if self._setter.missing:
            sentences.append("□ stands for a letter that no font of this machine has.")
        return [Block(self._look.gap), *self.lines(" ".join(sentences), self._look.small, width)] if sentences else []

    # -- tables ------------------------------------------------------------------------------------------------------

    def axes(self, side: float) -> Axes:
        """The labels for pictures whose long side is at most `side` units."""
        look, x, y = self._look, self._words.x, self._words.y
        shown_x, shown_y, width = self._shown(x, min(self._shape.widths) * side), None, 0.0
        if y:
            wanted = max(self._setter.width(text, look.label) for text in y.values)
            wanted = max(wanted, self._setter.width(y.title, look.axis))
            width = min(max(wanted, look.labels_min), look.labels_max)
            shown_y = self._shown(y, width)
            width = (look.labels_min if shown_y is not y else width) + 2 * look.gap
        keyed = [axis for axis, shown in ((x, shown_x), (y, shown_y)) if axis and shown is not axis]
        return Axes(shown_x, shown_y, width, tuple(keyed))

    def _shown(self, axis: AxisLabels, width: float) -> AxisLabels:
        """The axis itself, or a copy with letters for its values if one of these needs too many lines."""
        if all(self._fits(value, width) for value in axis.values):
            return axis
        return replace(axis, values=tuple(letter(at) for at in range(len(axis.values))))

    def _fits(self, value: str, width: float) -> bool:
        style, setter = self._look.label, self._setter
        short = setter.width(value, style) <= KEYED_LINES * width  # spares breaking whole prompts into lines
        return short and len(setter.wrap(value, style, width)) <= KEYED_LINES

    def table(self, z: int, columns: range, side: float, axes: Axes, width: float) -> Table:
        """One table of some columns, its pictures at most `side` units long, on a page `width` wide."""
        lefts, left = [], axes.label_width
        for column in columns:
            lefts.append(left)
            left += self._shape.widths[column] * side + self._look.gap
        rows = range(self._layout.counts[1])
        return Table(
            self._table_heading(z, columns, width),
            self._head(axes, columns, lefts, side, left - self._look.gap),
            tuple(self._row(row, z, columns, lefts, side, axes) for row in rows),
        )

    def _table_heading(self, z: int, columns: range, width: float) -> tuple[Block, ...]:
        """The value on Z (`Seed: 42`), and the columns' numbers if the table does not have them all."""
        axis, count = self._words.z, self._layout.counts[0]
        sentences = [f"{axis.title}: {axis.values[z]}"] if axis else []
        if len(columns) < count and not self._shape.single_row:
            sentences.append(f"Columns {columns.start + 1} to {columns.stop} of {count}")
        if not sentences:
            return ()
        look = self._look
        rule = Block(look.gap * 2, (Panel(0, look.gap / 2, width, max(0.5, look.gap / 10), LINE),))
        return (rule, *self.lines(" · ".join(sentences), look.heading, width), Block(look.gap))

    def _head(self, axes: Axes, columns: range, lefts: list[float], side: float, right: float) -> Block:
        look, x, y = self._look, axes.x, axes.y
        goes_on = self._shape.single_row and columns.start > 0
        names = () if goes_on else self._setter.wrap(x.title, look.axis, right - lefts[0])
        labels = [
            self._setter.wrap(x.values[column], look.label, self._shape.widths[column] * side) for column in columns
        ]
        corner = self._setter.wrap(y.title, look.axis, lefts[0] - look.gap) if y else ()
        upper = len(names) * look.axis.line_height + look.gap / 4
        lower = max(max(map(len, labels)) * look.label.line_height, len(corner) * look.axis.line_height)
        items: list[Item] = _stack(names, look.axis, lefts[0], right - lefts[0], 0, "centre")
        for column, left, lines in zip(columns, lefts, labels, strict=True):
            top = upper + lower - len(lines) * look.label.line_height
            items += _stack(lines, look.label, left, self._shape.widths[column] * side, top, "centre")
        items += _stack(corner, look.axis, 0, lefts[0], upper + lower - len(corner) * look.axis.line_height, "start")
        return Block(upper + lower + look.gap * 0.75, tuple(items))

    def _row(self, row: int, z: int, columns: range, lefts: list[float], side: float, axes: Axes) -> Block:
        look, pictures = self._look, self._shape.heights[row] * side
        cells = [
            self._cell((column, row, z), left, self._shape.widths[column] * side, pictures)
            for column, left in zip(columns, lefts, strict=True)
        ]
        room = axes.label_width - 2 * look.gap
        lines = self._setter.wrap(axes.y.values[row], look.label, room) if axes.y else ()
        tall = len(lines) * look.label.line_height
        height = max(tall, *(height for height, _ in cells))
        items = _stack(lines, look.label, 0, room, max(0.0, (pictures - tall) / 2), "start")
        return Block(height + look.gap, (*items, *(item for _, found in cells for item in found)))

    def _cell(self, place: Place, left: float, width: float, height: float) -> tuple[float, list[Item]]:
        """(height, items) of a picture and its caption, or of what stands in its place."""
        look, cell = self._look, self._layout.cell(place)
        if cell.original is None and cell.thumb is None:
            failed = cell.run is not None and cell.run.state in (RunState.FAILED, RunState.UNKNOWN)
            style = look.warning if failed else look.small
            lines = self._setter.wrap(self._words.in_place[place], style, max(width - 2 * look.gap, width / 2))
            tall = len(lines) * style.line_height
            ground = max(height, tall + 2 * look.gap)
            text = _stack(lines, style, left, width, (ground - tall) / 2, "centre")
            return ground, [Panel(left, 0, width, ground, SUNKEN), *text]
        caption = self._words.captions.get(place, "")
        lines = self._setter.wrap(caption, look.small, width) if caption else ()
        top = height + look.gap / 4
        text = _stack(lines, look.small, left, width, top, "centre")
        below = look.gap / 4 + len(lines) * look.small.line_height if lines else 0.0
        return height + below, [Frame(place, left, 0, width, height), *text]


def absence(frame: Frame, look: Look, setter: Typesetter) -> list[Item]:
    """What is drawn in place of a picture whose file turns out to be missing or damaged."""
    style = look.warning
    lines = setter.wrap(UNREADABLE, style, frame.width)
    top = frame.top + (frame.height - len(lines) * style.line_height) / 2
    ground = Panel(frame.left, frame.top, frame.width, frame.height, SUNKEN)
    return [ground, *_stack(lines, style, frame.left, frame.width, top, "centre")]


def _stack(lines: Sequence[Line], style: Style, left: float, width: float, top: float, align: str) -> list[Item]:
    """Lines under each other, in the middle of `width` or at its start."""
    return [
        Words(
            left + (width - line.width) / 2 if align == "centre" else _start(line, left, width),
            top + at * style.line_height + style.ascent,
            line,
            style,
        )
        for at, line in enumerate(lines)
    ]


def _start(line: Line, left: float, width: float) -> float:
    return left + width - line.width if line.rtl else left
