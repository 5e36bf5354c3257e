"""The botanical motif: flowers of cut paper."""

from __future__ import annotations

import math

import numpy as np

from services.engines.demo.painting.brief import Brief
from services.engines.demo.painting.canvas import Canvas, Cutout
from services.engines.demo.painting.palette import Colour, lighten, mix

_ALONG = np.linspace(0, 1, 16)
_BULGE = 0.5 * np.sin(np.pi * _ALONG**0.8)
LEAF = np.vstack([np.stack([_ALONG, _BULGE], -1), np.stack([_ALONG, -_BULGE], -1)[::-1]])
"""The outline (n, 2) of a leaf of length 1, as wide as it is long; a picture has hundreds."""


def botanical(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """Cut-paper stems with leaves and blooms before a pale ground and a large disc."""
    palette, unit = brief.palette, canvas.unit
    paper = mix(palette.low, palette.light, 0.55)
    canvas.backdrop([mix(paper, palette.top, 0.25), paper, mix(paper, palette.far, 0.2)])
    canvas.disc(
        rng.uniform(0.35, 0.65) * canvas.width, rng.uniform(0.36, 0.5) * canvas.height, 0.33 * unit,
        [mix(palette.low, palette.far, 0.45), mix(palette.low, palette.light, 0.2)],
    )  # fmt: skip
    green = mix(palette.mid, palette.near, 0.35)
    blooms = [palette.far, mix(palette.far, palette.mid, 0.5), palette.light, palette.top]
    count = max(4, round(5.5 * canvas.width / unit))
    for row, (share, shadow) in enumerate(((0.62, 0.12), (0.85, 0.25), (1.0, 0.34))):
        sheet = Cutout(canvas, green)
        leafage = mix(mix(green, paper, 0.62 - 0.3 * row), palette.near, 0.12 * row)
        slots = rng.permutation(np.linspace(0.04, 0.96, count)) + rng.uniform(-0.05, 0.05, count)
        for slot in slots[: count - row]:
            reach = canvas.height * (1.02 - 0.26 * row) * rng.uniform(0.55, 0.86)
            _stem(
                sheet,
                rng,
                slot * canvas.width,
                reach,
                leafage,
                [mix(b, paper, 0.3 * (1 - share)) for b in blooms],
                share,
            )
        sheet.lay(shadow=shadow)


def _stem(
    sheet: Cutout,
    rng: np.random.Generator,
    x: float,
    reach: float,
    green: Colour,
    blooms: list[Colour],
    share: float,
) -> None:
    """A bent stem from below the picture up by `reach` pixels, with leaves in pairs and a bloom (or bud) on top."""
    unit, height = sheet.canvas.unit, sheet.canvas.height
    along = np.linspace(0, 1, 40)
    sway = rng.uniform(-0.16, 0.16) * unit
    spine = np.stack([x + sway * along**2, height * 1.02 - reach * along], axis=-1)
    thick = unit * 0.0055 * share
    sheet.polygon(np.vstack([spine - np.array([thick, 0]), spine[::-1] + np.array([thick * 0.6, 0])]), green)
    slender, kind = rng.uniform(0.2, 0.42), int(rng.integers(4))
    for index in np.arange(6, 36, rng.integers(3, 6)).tolist():
        size = unit * share * rng.uniform(0.1, 0.15) * (1.15 - 0.6 * along[index])
        for side in (-1, 1):
            sheet.polygon(_leaf(size, slender, -np.pi / 2 + side * rng.uniform(0.7, 1.05)) + spine[index], green)
    _bloom(sheet, rng, spine[-1], unit * share * rng.uniform(0.055, 0.085), kind, blooms)


def _leaf(size: float, slender: float, angle: float) -> np.ndarray:
    """A pointed oval (n, 2) from the origin in the direction `angle` (radians)."""
    across, up = size * math.cos(angle), size * math.sin(angle)
    turned: np.ndarray = LEAF @ np.array([[across, up], [-up * slender, across * slender]])
    return turned


def _bloom(
    sheet: Cutout, rng: np.random.Generator, at: np.ndarray, size: float, kind: int, blooms: list[Colour]
) -> None:
    """A daisy, a poppy, a tulip or a fan, with its middle at `at`."""
    first, second = rng.permutation(len(blooms))[:2]
    outer, inner = blooms[first], blooms[second]
    turn = rng.uniform(0, 1)
    ring = np.linspace(0, 2 * np.pi, 40)
    disc = np.stack([np.cos(ring), np.sin(ring)], axis=-1) * size
    if kind == 0:
        for angle in np.linspace(0, 2 * np.pi, 14)[:-1] + turn:
            sheet.polygon(_leaf(1.5 * size, 0.36, angle) + at, outer)
        sheet.polygon(0.42 * disc + at, inner)
    elif kind == 1:
        for angle in np.linspace(0, 2 * np.pi, 6)[:-1] + turn:
            sheet.polygon(0.66 * disc + at + 0.62 * size * np.array([np.cos(angle), np.sin(angle)]), outer)
        sheet.polygon(0.62 * disc + at, lighten(outer, -0.08))
        sheet.polygon(0.28 * disc + at, inner)
    elif kind == 2:
        for angle in (-2.15, -1.0, -1.57):
            shade = lighten(outer, -0.07) if angle != -1.57 else outer
            sheet.polygon(_leaf(2.1 * size, 0.62, angle) + at + [0, 0.5 * size], shade)
    else:
        for angle in np.linspace(-np.pi * 0.95, -np.pi * 0.05, 9):
            sheet.polygon(_leaf(1.7 * size, 0.2, angle) + at, inner)
            tip = at + 1.75 * size * np.array([np.cos(angle), np.sin(angle)])
            sheet.polygon(0.16 * disc + tip, outer)
