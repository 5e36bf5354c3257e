"""City and space. Each paints the whole canvas."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from services.engines.demo.painting.brief import Brief
from services.engines.demo.painting.canvas import Canvas, Cutout, ink, noise_1d, noise_2d, to_mask
from services.engines.demo.painting.landscapes import sky
from services.engines.demo.painting.palette import Colour, Palette, lighten, lightness, mix


def city(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """Rows of towers with lit windows above their reflection in dark water."""
    palette, height = brief.palette, canvas.height
    shore = rng.uniform(0.76, 0.84) * height
    sky(canvas, brief, rng, shore / height, (0.2, 0.48))
    if not brief.moon and lightness(palette.top) < 0.45:
        canvas.stars(rng, 90, 0.4 * height, palette.light)
    for near, colour in zip((0.0, 0.33, 0.67, 1.0), palette.ramp(4), strict=True):
        _towers(canvas, brief, rng, shore, mix(colour, palette.low, 0.32 - 0.2 * near), near)
        if near < 1:  # light of the streets between the rows
            haze = np.clip(np.linspace(-0.8, 1, 64), 0, 1)[:, None] ** 1.5 * np.full((1, 2), 0.6 - 0.4 * near)
            street = to_mask(haze).resize((canvas.width, round(shore)), Image.Resampling.BILINEAR)
            canvas.tint(mix(palette.low, palette.light, 0.4), street)
    _reflection(canvas, rng, round(shore), palette)


def _towers(canvas: Canvas, brief: Brief, rng: np.random.Generator, shore: float, tone: Colour, near: float) -> None:
    """One row of buildings; nearer rows are lower and have brighter windows."""
    unit, pen = canvas.unit, ImageDraw.Draw(canvas.image)
    centre, x = rng.uniform(0.3, 0.7) * canvas.width, -rng.uniform(0, 0.05) * unit
    while x < canvas.width:
        wide = unit * rng.uniform(0.05, 0.105)
        # a downtown: tallest around the centre, and the far rows above the near ones
        hill = np.exp(-(((x - centre) / (0.42 * canvas.width)) ** 2))
        tall = shore * rng.uniform(0.1, 0.34) + shore * hill * rng.uniform(0.1, 0.42) * (1 - 0.45 * near)
        box = round(x), round(shore - tall * (1 - 0.2 * near)), round(x + wide), round(shore)
        pen.rectangle(box, fill=ink(tone))
        _roof(pen, rng, box, tone)
        if near > 0.3:
            _windows(canvas, brief, rng, box, tone, near)
        x += wide * rng.choice([1.0, 1.0, 1.25])


def _roof(pen: ImageDraw.ImageDraw, rng: np.random.Generator, box: tuple[int, int, int, int], tone: Colour) -> None:
    """A spire, a stepped top, a slanted top, or nothing."""
    left, top, right, _ = box
    wide, kind = right - left, rng.integers(5)
    if kind == 0:
        mast = max(1, wide // 18)
        pen.rectangle((left + wide // 2, top - wide, left + wide // 2 + mast, top), fill=ink(tone))
        pen.rectangle((left + wide // 4, top - wide // 5, right - wide // 4, top), fill=ink(tone))
    elif kind == 1:
        pen.rectangle((left + wide // 5, top - wide // 3, right - wide // 5, top), fill=ink(tone))
        pen.rectangle((left + wide * 2 // 5, top - wide * 3 // 5, right - wide * 2 // 5, top), fill=ink(tone))
    elif kind == 2:
        pen.polygon([(left, top), (right, top - wide // 2), (right, top)], fill=ink(tone))


def _windows(
    canvas: Canvas,
    brief: Brief,
    rng: np.random.Generator,
    box: tuple[int, int, int, int],
    tone: Colour,
    near: float,
) -> None:
    """Windows on a regular grid, some lit; one small picture per house, so the cost does not grow with them."""
    left, top, right, bottom = box
    pitch = max(3, round(canvas.unit * (0.0085 + 0.0065 * near)))
    columns, rows = (right - left) // pitch - 1, (bottom - top) // pitch - 1
    if columns < 1 or rows < 1:
        return
    lit = (rng.random((rows, columns)) < rng.uniform(0.25, 0.75)) * rng.uniform(0.3, 1, (rows, columns)) ** 0.7
    pane = np.zeros((pitch, pitch))
    pane[: max(1, round(pitch * 0.62)), : max(1, round(pitch * 0.56))] = 1
    coverage = np.kron(lit, pane) * (0.4 + 0.6 * near)
    warm = mix(brief.palette.light, brief.palette.low, float(rng.uniform(0, 0.35)))
    indent = (right - left - columns * pitch + pitch // 2) // 2
    canvas.image.paste(ink(warm), (left + indent, top + pitch // 2 + 1), to_mask(coverage))


def _reflection(canvas: Canvas, rng: np.random.Generator, shore: int, palette: Palette) -> None:
    """Turn what stands above the shore upside down into the water, smeared downwards and rippled."""
    depth = canvas.height - shore
    if depth < 4 or shore < 4:
        return
    height = min(shore, 2 * depth)
    mirrored = canvas.image.crop((0, shore - height, canvas.width, shore)).transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    smeared = mirrored.resize((canvas.width, max(2, depth // 8)), Image.Resampling.BOX).resize(
        (canvas.width, depth), Image.Resampling.BICUBIC
    )
    pixels = np.asarray(smeared)
    down = np.arange(depth) / depth
    ripple = noise_1d(rng, down * 14, 3, 0.7, smooth=True) * canvas.unit * (0.003 + 0.012 * down)
    columns = np.clip(np.arange(canvas.width) + ripple[:, None].round().astype(int), 0, canvas.width - 1)
    water = Image.fromarray(np.take_along_axis(pixels, columns[:, :, None], axis=1))
    tint = Image.new("RGB", water.size, ink(mix(palette.near, palette.mid, 0.25)))
    canvas.image.paste(Image.blend(water, tint, 0.38), (0, shore))
    line = max(1, round(canvas.unit * 0.002))
    canvas.image.paste(ink(mix(palette.low, palette.light, 0.4)), (0, shore, canvas.width, shore + line))


def space(canvas: Canvas, brief: Brief, rng: np.random.Generator) -> None:
    """A nebula full of stars behind a banded planet with rings, and its moons."""
    palette, unit = brief.palette, canvas.unit
    deep = lighten(palette.near, -0.06) if lightness(palette.near) > 0.2 else palette.near
    canvas.backdrop([mix(deep, palette.top, 0.3), deep, mix(deep, palette.mid, 0.35)])
    size = max(8, canvas.width // 8), max(8, canvas.height // 8)
    for colour, strength in ((palette.mid, 1.5), (palette.low, 0.8), (palette.far, 1.0)):
        cloud = noise_2d(rng, size, 1.7, 5)
        canvas.veil(np.clip(strength * (cloud - 0.5) * 2.4, 0, 0.75), colour)
    canvas.stars(rng, 420, canvas.height, palette.light)
    x, y = rng.uniform(0.3, 0.7) * canvas.width, rng.uniform(0.38, 0.64) * canvas.height
    radius = unit * rng.uniform(0.19, 0.25) * (0.75 + 0.25 * brief.disc_scale)
    angle = rng.uniform(-0.5, 0.5)
    light = rng.uniform(-2.7, -0.5)
    canvas.glow(x + radius * 0.4 * np.cos(light), y + radius * 0.4 * np.sin(light), radius * 2.8, palette.low, 0.5)
    ringed = rng.random() < 0.75
    if ringed:
        _ring(canvas, palette, x, y, radius, angle, front=False)
    bands = palette.low, palette.far, palette.mid, palette.light, mix(palette.far, palette.near, 0.35)
    _planet(canvas, rng, x, y, radius, light, angle, bands)
    if ringed:
        _ring(canvas, palette, x, y, radius, angle, front=True)
    for _ in range(rng.integers(1, 4)):
        turn, away = rng.uniform(0, 2 * np.pi), rng.uniform(1.5, 2.1) * radius
        colours = palette.light, mix(palette.light, palette.far, 0.6)
        _planet(
            canvas, rng, x + away * np.cos(turn), y + away * np.sin(turn), radius * rng.uniform(0.06, 0.17),
            light, angle, colours,
        )  # fmt: skip


def _planet(
    canvas: Canvas, rng: np.random.Generator, x: float, y: float, radius: float, light: float, tilt: float,
    colours: tuple[Colour, ...],
) -> None:  # fmt: skip
    """A ball with wavy bands of the colours, lit from the direction `light` (radians, clockwise from the right)."""
    size = max(8, round(radius))  # pixels across the ball: half of the final size is enough inside it
    across = np.linspace(-1, 1, size, dtype=np.float32)
    down = across[:, None]
    depth = np.sqrt(np.clip(1 - across**2 - down**2, 0, 1))
    latitude = -across * np.float32(np.sin(tilt)) + down * np.float32(np.cos(tilt))
    wobble = 0.05 * noise_2d(rng, (size, size), 4, 3) + 0.02 * np.sin(across * 7)
    order = np.array(colours)[rng.integers(0, len(colours), 64)]
    bands = [np.interp(np.linspace(0, 12, 256), np.arange(64), order[:, channel]) for channel in range(3)]
    table = np.stack(bands, axis=-1).astype(np.float32)
    surface = table[np.clip((latitude + wobble + 1.1) * 115, 0, 255).astype(np.uint8)]
    lit = across * np.float32(0.8 * np.cos(light)) + down * np.float32(0.8 * np.sin(light)) + 0.6 * depth
    shade = np.clip(0.1 + 1.05 * lit, 0.05, 1.12)
    rim = np.clip(lit + 0.3, 0, 1) * (1 - depth) ** 3 * 70
    ball = Image.fromarray(np.clip(surface * shade[..., None] + rim[..., None], 0, 255).astype(np.uint8))
    canvas.round(ball, x, y, radius)


def _ring(canvas: Canvas, palette: Palette, x: float, y: float, radius: float, angle: float, *, front: bool) -> None:
    """The far or the near half of a flat ring with gaps."""
    ring = Cutout(canvas, palette.light)
    half = np.linspace(0, np.pi, 120) + (0 if front else np.pi)
    circle = np.stack([np.cos(half), 0.26 * np.sin(half)], axis=-1)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    shares = ((1.32, 1.5, 0.55), (1.52, 1.78, 0.15), (1.84, 1.97, 0.4), (2.0, 2.06, 0.65))
    for inner, outer, share in shares:
        band = np.vstack([circle * outer, circle[::-1] * inner]) @ turn * radius + np.array([x, y])
        ring.polygon(band, mix(palette.light, palette.far, share))
    ring.lay(alpha=0.88)
