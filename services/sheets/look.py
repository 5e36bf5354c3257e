"""How contact sheets look: sizes, type and colours, for the screen (PNG) and for paper (PDF)."""

from __future__ import annotations

from dataclasses import dataclass

from services.sheets.typeset import Style

PAGE, SUNKEN, LINE = "#ffffff", "#f3f3f5", "#e2e2e6"
TEXT, SECOND, THIRD, WARNING = "#17171a", "#5a5a66", "#6b6b77", "#b45309"


@dataclass(frozen=True)
class Look:
    """Lengths in units: pixels at a scale of 1 on the screen, points on paper."""

    margin: float
    gap: float
    """Between pictures."""
    table: float
    """Preferred width of all pictures of a row together."""
    cell_min: float
    cell_max: float
    """Least and greatest long side of a cell."""
    labels_min: float
    labels_max: float
    """Least and greatest width of the column with the row labels."""
    title: Style
    heading: Style
    label: Style
    text: Style
    small: Style

    @property
    def axis(self) -> Style:
        """For the name of an axis: less prominent than its values."""
        return Style(self.small.size, THIRD, bold=True)

    @property
    def warning(self) -> Style:
        return Style(self.small.size, WARNING)


SCREEN = Look(
    margin=48,
    gap=8,
    table=1280,
    cell_min=128,
    cell_max=480,
    labels_min=56,
    labels_max=180,
    title=Style(26, TEXT, bold=True, leading=1.25),
    heading=Style(17, TEXT, bold=True),
    label=Style(14, TEXT, bold=True, leading=1.3),
    text=Style(14, SECOND, leading=1.45),
    small=Style(12, THIRD),
)
PAPER = Look(
    margin=36,
    gap=5,
    table=770,
    cell_min=72,
    cell_max=300,
    labels_min=40,
    labels_max=110,
    title=Style(18, TEXT, bold=True, leading=1.25),
    heading=Style(12, TEXT, bold=True),
    label=Style(9, TEXT, bold=True, leading=1.3),
    text=Style(9, SECOND, leading=1.45),
    small=Style(7.5, THIRD),
)
A4 = (595.28, 841.89)
"""Width and height in points, portrait."""
