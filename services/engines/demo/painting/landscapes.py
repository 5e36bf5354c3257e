"""Motifs with a horizon: mountains, sea, dunes, forest. Each paints the whole canvas."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from services.engines.demo.painting.brief import Brief
from services.engines.demo.painting.canvas import Canvas, Cutout, noise_1d
from services.engines.demo.painting.palette import Colour, lighten, lightness, mix


def sky(canvas: Canvas, brief: Brief, rng: np.random.Generator, horizon: float, disc_y: tuple[float, float]) -> float:
    """Sky down to `horizon` (share of the height) with sun or moon; returns the disc's x as a share of the width.

    `disc_y` is the range the disc's centre may lie in, as shares of the horizon's height.
    """
    palette = brief.palette
    canvas.backdrop([*palette.sky(6), mix(palette.low, palette.light, 0.35)], horizon * canvas.height)
    x = rng.choice([rng.uniform(0.2, 0.42), rng.uniform(0.58, 0.8)])
    y = rng.uniform(*disc_y) * horizon * canvas.height
    radius = canvas.unit * rng.uniform(0.075, 0.11) * brief.disc_scale
    if brief.moon:
        canvas.stars(rng, 130, horizon * canvas.height, palette.light)
    left = x * canvas.width
    canvas.glow(left, y, radius * 6.5, mix(palette.low, palette.light, 0.6), 0.75)
    disc = [palette.light, mix(palette.light, palette.low, 0.12 if brief.moon else 0.45)]
    canvas.disc(left, y, radius, disc)
    if brief.moon:
        for dx, dy, size in ((-0.3, -0.2, 0.22), (0.25, 0.1, 0.3), (-0.1, 0.45, 0.16)):
            canvas.disc(left + dx * radius, y + dy * radius, size * radius, [palette.low], 0.22)
    return float(x)


def mountains(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """Ridges of cut paper, one behind the other, opening to a valley under the sun."""
    palette, height, unit = brief.palette, canvas.height, canvas.unit
    horizon = rng.uniform(0.58, 0.66)
    valley = sky(canvas, brief, rng, horizon, (0.42, 0.68)) * canvas.width / unit + rng.uniform(-0.15, 0.15)
    count = 6 + brief.key % 2
    span = 0.45 * unit + 0.55 * height
    for index, colour in enumerate(palette.ramp(count)):
        near = index / (count - 1)
        base = (horizon + 0.03 + (1.0 - horizon) * near**1.1 * 0.86) * height
        crest = base - span * _peaks(canvas.x, rng, valley, 0.3 - 0.12 * near, 0.5 + 0.35 * near)
        haze = mix(colour, palette.low, 0.6 - 0.45 * near)
        shades = [lighten(colour, 0.02), colour, haze]
        canvas.land(crest, shades, depth=0.42 * span, shadow=0.45, rim=lighten(colour, 0.16))


def _peaks(x: np.ndarray, rng: np.random.Generator, valley: float, tall: float, opening: float) -> np.ndarray:
    """Heights (width,) of one ridge: peaks up to `tall`, lower by the share `opening` in the middle of the valley."""
    ridge = np.full(x.shape, -0.3)
    for at in np.arange(-0.15, x[-1] + 0.3, 0.27):
        top = at + rng.uniform(-0.1, 0.1)
        open_air = opening * np.exp(-(((top - valley) / 0.34) ** 2))
        summit = tall * rng.uniform(0.35, 1.0) * (1 - open_air)
        left, right = rng.uniform(0.45, 0.85, 2)
        ridge = np.maximum(ridge, summit - np.where(x < top, left * (top - x), right * (x - top)))
    return ridge + 0.035 * noise_1d(rng, x / 0.16, 5, 0.52, smooth=False)


def dunes(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """Sand in long sweeps, each with a lit side and a side in the shade that meet along a winding ridge."""
    palette, height, unit = brief.palette, canvas.height, canvas.unit
    horizon = rng.uniform(0.44, 0.54)
    sun = sky(canvas, brief, rng, horizon, (0.35, 0.72))
    count = 5
    for index, colour in enumerate(palette.ramp(count + 2)[:count]):
        near = index / (count - 1)
        base = (horizon + 0.04 + (0.86 - horizon) * near**1.1) * height
        swell = noise_1d(rng, canvas.x / (0.42 + 0.4 * near), 2, 0.3, smooth=True)
        crest = base - unit * (0.07 + 0.09 * near) * swell
        lit = mix(colour, palette.light, 0.3 - 0.2 * near)
        haze = mix(colour, palette.low, 0.5 - 0.4 * near)
        canvas.land(crest, [lit, colour, haze], depth=0.34 * height, shadow=0.16)
        drop, fade = _dune_faces(rng, crest, 1 if sun < 0.5 else -1, unit)
        canvas.shade(crest + drop, mix(colour, palette.near, 0.62 - 0.2 * near), fade, (0.2 + 0.14 * near) * unit)
    canvas.glow(sun * canvas.width, horizon * height, 0.6 * unit, palette.light, 0.3)


def _dune_faces(rng: np.random.Generator, crest: np.ndarray, away: int, unit: float) -> tuple[np.ndarray, np.ndarray]:
    """Where the shade of dunes begins, in pixels below the crest, and how dark it is there (0..1); both (width,).

    `away` is 1 where the light comes from the left, else -1. From a summit away from the sun the shade begins at the
    crest; towards the sun it begins along a ridge that winds down the dune.
    """
    line = crest[::away]
    inner = line[1:-1]
    low = [0, *(np.flatnonzero((inner >= line[:-2]) & (inner > line[2:])) + 1).tolist(), line.size]
    drop, fade = np.zeros(line.size), np.zeros(line.size)
    for start, end in pairwise(low):
        summit = start + int(line[start:end].argmin())
        sunny = np.linspace(1, 0, summit - start, endpoint=False)
        bend = 0.045 * np.sin(sunny * rng.uniform(5, 9)) * (1 - sunny)
        drop[start:summit] = unit * (0.2 * sunny**0.75 + bend)
        fade[start:summit] = (1 - sunny) ** 0.8
        fade[summit:end] = (1 - np.linspace(0, 1, end - summit)) ** 0.55
    return np.maximum(drop, 0)[::away], 0.9 * fade[::away]


def sea(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """A horizon with the sun's path on the water, a headland, and waves of cut paper coming in."""
    palette, height, width, unit = brief.palette, canvas.height, canvas.width, canvas.unit
    horizon = rng.uniform(0.42, 0.54)
    sun = sky(canvas, brief, rng, horizon, (0.55, 0.88)) * width
    _headlands(canvas, brief, rng, horizon * height, sun / width)
    level = np.full(width, horizon * height)
    deep = mix(palette.far, palette.near, 0.45)
    canvas.land(level, [mix(palette.low, palette.far, 0.55), mix(palette.far, palette.mid, 0.6), deep])
    _sun_path(canvas, brief, rng, horizon * height, sun)
    if brief.sail or rng.random() < 0.5:
        _boat(canvas, brief, sun + unit * rng.choice([-0.22, 0.24]), horizon * height + 0.03 * unit)
    count = 5
    for index, colour in enumerate(palette.ramp(count + 2)[2:]):
        near = index / (count - 1)
        base = (horizon + (1 - horizon) * (0.36 + 0.52 * near)) * height
        phase = canvas.x / (0.42 + 0.3 * near) * 2 * np.pi + rng.uniform(0, 6.3)
        phase = phase + 0.7 * noise_1d(rng, canvas.x / 0.6, 2, smooth=True)
        # sharpened sines: narrow crests, wide troughs, as water has them
        swell = 1.6 * (0.5 + 0.5 * np.sin(phase + 0.55 * np.sin(phase))) ** 1.5 - 0.6
        crest = base - unit * (0.022 + 0.035 * near) * swell
        foam = mix(colour, palette.light, 0.75)
        canvas.land(crest, [foam, foam], shadow=0.3)
        lip = unit * (0.004 + 0.012 * near) * (0.25 + np.clip(swell, 0, 1))
        canvas.land(crest + lip, [lighten(colour, 0.07), colour, lighten(colour, -0.06)], depth=0.3 * height)


def _headlands(canvas: Canvas, brief: Brief, rng: np.random.Generator, level: float, sun: float) -> None:
    """Two hazy capes that run out into the sea on the side away from the sun."""
    side = canvas.x if sun > 0.5 else canvas.x[-1] - canvas.x
    for reach, colour in ((0.95, mix(brief.palette.low, brief.palette.far, 0.55)), (0.6, brief.palette.mid)):
        reach *= rng.uniform(0.75, 1.1) * canvas.width / canvas.unit * 0.75
        rise = np.clip(1 - side / reach, 0, 1) ** 0.7
        rough = 1 + 0.45 * noise_1d(rng, canvas.x / 0.3, 5, 0.45, smooth=False)
        crest = level - canvas.unit * 0.13 * rise * rough * (1.3 - reach * 0.3)
        canvas.land(
            np.minimum(crest, level + 1),
            [colour, mix(colour, brief.palette.low, 0.3)],
            depth=0.2 * canvas.unit,
        )


def _sun_path(canvas: Canvas, brief: Brief, rng: np.random.Generator, level: float, sun: float) -> None:
    """Flecks of light under the sun, wider and sparser the nearer they are."""
    light = mix(brief.palette.light, brief.palette.low, 0.25)
    flecks = Cutout(canvas, light)
    span = (canvas.height - level) * 0.62
    for near in np.sort(rng.uniform(0, 1, 110) ** 1.25).tolist():
        y = level + 0.004 * canvas.unit + near * span
        half = canvas.unit * (0.012 + 0.055 * near) * rng.uniform(0.35, 1.2)
        x = sun + canvas.unit * (0.035 + 0.1 * near) * rng.normal() * 0.8
        thick = canvas.unit * (0.0012 + 0.0042 * near)
        flecks.polygon(np.array([[x - half, y], [x, y - thick], [x + half, y], [x, y + thick]]), light)
    flecks.lay(alpha=0.8)


def _boat(canvas: Canvas, brief: Brief, x: float, y: float) -> None:
    """A small sailing boat, its waterline at (x, y)."""
    size = 0.05 * canvas.unit
    boat = Cutout(canvas, brief.palette.light)
    at = np.array([x, y])
    hull = np.array([[-1.0, -0.3], [1.05, -0.3], [0.65, 0.05], [-0.7, 0.05]])
    boat.polygon(at + size * hull, brief.palette.near)
    boat.polygon(at + size * np.array([[-0.04, -2.6], [-0.04, -0.42], [-0.95, -0.42]]), brief.palette.light)
    boat.polygon(
        at + size * np.array([[0.06, -2.2], [0.95, -0.42], [0.06, -0.42]]),
        mix(brief.palette.light, brief.palette.low, 0.5),
    )
    boat.lay()


def forest(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """Firs in rows that lose themselves in mist, the nearest framing the view."""
    palette, height, unit = brief.palette, canvas.height, canvas.unit
    horizon = rng.uniform(0.55, 0.66)
    sky(canvas, brief, rng, 0.9, (0.25, 0.5))
    clearing = rng.uniform(0.35, 0.65) * canvas.width / unit
    mist = mix(palette.low, palette.light, 0.3)
    count = 5
    for index, colour in enumerate(palette.ramp(count)):
        near = index / (count - 1)
        tone = mix(colour, mist, 0.45 * (1 - near) ** 1.3)
        base = (horizon + (1.02 - horizon) * near) * height
        ground = base - 0.06 * unit * noise_1d(rng, canvas.x / 0.7, 3, smooth=True)
        ground -= unit * (0.02 + 0.1 * near) * (np.abs(canvas.x - clearing) - 0.3)
        tall = unit * (0.13 + 0.5 * near**1.6)
        _firs(canvas, rng, ground, tall, tone, clearing * unit, gap=0.4 * unit * near**1.5)
        fog = mix(tone, mist, 0.75 * (1 - 0.75 * near) if lightness(mist) > 0.4 else 0.3)
        canvas.land(ground, [tone, fog], depth=0.2 * height)


def _firs(
    canvas: Canvas,
    rng: np.random.Generator,
    ground: np.ndarray,
    tall: float,
    colour: Colour,
    middle: float,
    gap: float,
) -> None:
    """A row of firs about `tall` pixels high along the ground line (width,), leaving `gap` free on both sides."""
    row = Cutout(canvas, colour)
    for x in np.arange(-0.1 * tall, canvas.width + 0.1 * tall, 0.2 * tall):
        x += rng.uniform(-0.12, 0.12) * tall
        size = tall * rng.uniform(0.55, 1.15)
        wide = size * rng.uniform(0.15, 0.2)
        if abs(x - middle) < gap:
            continue
        foot = ground[int(np.clip(x, 0, canvas.width - 1))] + 0.06 * tall
        row.polygon(_fir(rng, size, wide) + np.array([x, foot]), colour)
    row.lay()


def _fir(rng: np.random.Generator, size: float, wide: float) -> np.ndarray:
    """The outline of a fir (n, 2) with its foot at the origin: drooping tiers, wider towards the ground."""
    tiers = 9
    down = np.repeat(np.linspace(0.04, 0.94, tiers), 2)
    out = np.repeat(np.linspace(0.1, 1.0, tiers) ** 0.85, 2)
    out[1::2] *= 0.42  # back to the trunk after each branch's tip
    down[1::2] -= 0.018
    right = np.stack([out * rng.uniform(0.8, 1.2, out.size) * wide, (down - 1) * size], axis=-1)
    left = np.stack([-out * rng.uniform(0.8, 1.2, out.size) * wide, (down - 1) * size], axis=-1)
    trunk = np.array([[0.1 * wide, -0.06 * size], [0.1 * wide, 0], [-0.1 * wide, 0], [-0.1 * wide, -0.06 * size]])
    return np.vstack([[[0, -size]], right, trunk, left[::-1]])
