"""Compositions for subjects that cannot be drawn: bauhaus tiles, ribbons of paper, glowing orbs."""

from __future__ import annotations

import numpy as np
from PIL import Image

from services.engines.demo.painting.brief import Brief
from services.engines.demo.painting.canvas import Canvas, Cutout, noise_1d
from services.engines.demo.painting.palette import lighten, lightness, mix

_SQUARE = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], float)


def bauhaus(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """A grid of tiles with quarters, halves, rounds and bars, no two neighbours on one ground."""
    palette = brief.palette
    side = canvas.unit / rng.integers(3, 6)
    columns, rows = max(1, round(canvas.width / side)), max(1, round(canvas.height / side))
    cell = np.array([canvas.width / columns, canvas.height / rows])
    colours = [palette.light, palette.low, palette.far, palette.mid, palette.near, palette.top]
    pale = np.array([2.6, 1.6, 1.0, 0.8, 0.7, 1.0])  # pale grounds more often, so that the picture breathes
    sheet = Cutout(canvas, palette.mid)
    grounds = np.full((rows + 1, columns + 1), -1)
    for row, column in np.ndindex(rows, columns):
        free = np.setdiff1d(np.arange(6), [grounds[row - 1, column], grounds[row, column - 1]])
        ground = int(rng.choice(free, p=pale[free] / pale[free].sum()))
        grounds[row, column] = ground
        front, detail = rng.permutation(np.setdiff1d(np.arange(6), [ground]))[:2]
        corner = np.array([column, row]) * cell
        sheet.polygon(corner + cell * _SQUARE, colours[ground])
        angle = rng.integers(4) * np.pi / 2
        turn = np.round(np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]))
        for shape, part in _figure(int(rng.integers(7))):
            points = (shape - 0.5) @ turn + 0.5
            sheet.polygon(corner + cell * points, colours[(ground, front, detail)[part]])
    sheet.lay()


def _arc(x: float, y: float, radius: float, start: float, end: float) -> np.ndarray:
    """A pie slice (n, 2) between two angles, in quarter turns."""
    angles = np.linspace(start, end, 48) * np.pi / 2
    edge = np.stack([x + radius * np.cos(angles), y + radius * np.sin(angles)], axis=-1)
    return edge if end - start == 4 else np.vstack([edge, [[x, y]]])


def _figure(kind: int) -> list[tuple[np.ndarray, int]]:
    """Shapes in the unit square, each with the part whose colour it takes (0 ground, 1 front, 2 detail)."""
    if kind == 0:
        return [(_arc(0, 0, 1, 0, 1), 1), (_arc(0, 0, 0.5, 0, 1), 2)]
    if kind == 1:
        return [(_arc(0.5, 0.5, 0.4, 0, 4), 1), (_arc(0.5, 0.5, 0.16, 0, 4), 2)]
    if kind == 2:
        return [(_arc(0, 0.5, 0.5, -1, 1), 1), (_arc(0.5, 0.5, 0.5, -1, 1), 2)]
    if kind == 3:
        return [(_SQUARE * [1, 0.125] + [0, at], 1) for at in (0.0, 0.25, 0.5, 0.75)]
    if kind == 4:
        return [(_arc(0, 0, 1 - step / 4, 0, 1), (1, 0, 1, 0)[step]) for step in range(4)]
    if kind == 5:
        return [(np.array([[0, 0], [1, 1], [0, 1]], float), 1), (_arc(0.68, 0.32, 0.17, 0, 4), 2)]
    return [(_arc(0, 0, 1, 0, 1), 1), (_arc(1, 1, 0.42, 2, 3), 2)]


def ribbons(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """Sheets of paper in long waves, overlapping from one corner down to the other."""
    palette, unit, height = brief.palette, canvas.unit, canvas.height
    canvas.backdrop(palette.sky())
    canvas.glow(rng.uniform(0, 1) * canvas.width, 0.12 * height, 0.9 * unit, palette.light, 0.6)
    count = 11
    order = [palette.light, palette.low, palette.far, palette.mid, palette.near]
    stops = [order[0], order[1], order[2], order[3], order[4], order[3], order[2], order[1]]
    start, lean = int(rng.integers(len(stops))), rng.uniform(-0.55, 0.55)
    bend = noise_1d(rng, canvas.x / 0.85, 2, 0.35, smooth=True)
    for index in range(count):
        at = index / (count - 1)
        bend = 0.72 * bend + 0.5 * noise_1d(rng, canvas.x / 0.8, 2, 0.3, smooth=True)
        middle = canvas.x - canvas.x.mean()
        crest = height * (0.14 + 0.84 * at) + unit * (0.15 * bend + lean * middle * (1 - 0.4 * at))
        colour = stops[(start + index) % len(stops)]
        below = stops[(start + index + 1) % len(stops)]
        shades = [lighten(colour, 0.05), mix(colour, below, 0.35), mix(colour, palette.near, 0.25)]
        canvas.land(crest, shades, depth=0.38 * height + 0.3 * unit, shadow=0.4, rim=lighten(colour, 0.14))


def orbs(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """Spheres with soft light on a blended ground, resting at different depths."""
    palette, unit = brief.palette, canvas.unit
    canvas.image.paste(_blend(canvas, brief, rng))
    placed: list[tuple[float, float, float]] = []
    sizes = np.sort(rng.uniform(0.035, 0.12, 6))[::-1]
    for size in [rng.uniform(0.22, 0.3), rng.uniform(0.12, 0.18), *sizes]:
        radius = size * unit
        for _ in range(12):
            x, y = rng.uniform(0.14, 0.86) * canvas.width, rng.uniform(0.16, 0.84) * canvas.height
            if all(np.hypot(x - a, y - b) > 0.78 * (radius + c) for a, b, c in placed):
                break
        else:
            continue
        placed.append((x, y, radius))
        first, second = rng.permutation([0, 1, 2, 3, 5])[:2]
        colours = palette.swatches[first], palette.swatches[second]
        pale, deep = sorted(colours, key=lightness, reverse=True)
        canvas.glow(x + 0.25 * radius, y + 0.55 * radius, 1.25 * radius, palette.near, 0.5)
        canvas.disc(x, y, radius, [lighten(pale, 0.05), mix(pale, deep, 0.5), deep, mix(deep, palette.near, 0.3)])


def _blend(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> Image.Image:
    """All colours run into each other: a weighted mean by distance to scattered points, at 1/16 of the size."""
    width, height = max(4, canvas.width // 16), max(4, canvas.height // 16)
    across, down = np.linspace(0, 1, width), np.linspace(0, 1, height)[:, None]
    colours = brief.palette.swatches[:4] + brief.palette.swatches[1:2]
    total, weights = np.zeros((height, width, 3)), np.zeros((height, width, 1))
    for colour in colours:
        x, y = rng.uniform(-0.1, 1.1, 2)
        weight = np.exp(-5 * np.hypot(across - x, down - y) ** 2)[..., None] + 1e-4
        total += weight * np.array(colour)
        weights += weight
    small = Image.fromarray((total / weights).round().astype(np.uint8))
    return small.resize((canvas.width, canvas.height), Image.Resampling.BICUBIC)
