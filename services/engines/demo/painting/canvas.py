"""A picture being painted: anti-aliased layers, discs, glows and shapes on a Pillow image.

Lengths are in pixels, and `unit` is the shorter side, so that a motif keeps its proportions in any format. Masks are
made with numpy only where they vary (the band of a crest, the box of a disc); the pasting is Pillow's.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from services.engines.demo.painting.palette import Colour, mix

OVERSAMPLING = 2


def ink(colour: Colour) -> tuple[int, int, int]:
    red, green, blue = (round(value) for value in colour)
    return red, green, blue


def gradient(colours: Sequence[Colour], size: tuple[int, int]) -> Image.Image:
    """A vertical gradient through evenly spaced colours; size is (width, height)."""
    width, height = size
    at = np.linspace(0, len(colours) - 1, max(height, 1))
    table = np.array(colours)
    column = np.stack([np.interp(at, np.arange(len(colours)), table[:, band]) for band in range(3)], axis=-1)
    strip = Image.fromarray(np.round(column).astype(np.uint8)[:, None, :])
    return strip.resize((width, max(height, 1)), Image.Resampling.NEAREST)


def to_mask(coverage: np.ndarray) -> Image.Image:
    """A mask of coverage (rows, columns), 0..1."""
    return Image.fromarray((np.clip(coverage, 0, 1) * 255).astype(np.uint8))


def noise_1d(rng: np.random.Generator, x: np.ndarray, octaves: int, gain: float = 0.5, *, smooth: bool) -> np.ndarray:
    """Fractal noise, about -1..1, at positions x (n,) >= 0 where 1 is the first octave's wavelength."""
    total = np.zeros(x.shape)
    for octave in range(octaves):
        at = x * 2**octave + rng.uniform(0, 1)
        knots = rng.uniform(-1, 1, int(at.max()) + 2)
        left = at.astype(int)
        share = at - left
        share = share * share * (3 - 2 * share) if smooth else share
        total += gain**octave * (knots[left] * (1 - share) + knots[left + 1] * share)
    return total


def noise_2d(rng: np.random.Generator, size: tuple[int, int], cells: float, octaves: int) -> np.ndarray:
    """Smooth cloud noise, about 0..1, shape (height, width); `cells` across the shorter side in the first octave."""
    width, height = size
    total, weight = np.zeros((height, width), np.float32), 0.0
    for octave in range(octaves):
        scale = cells * 2**octave / min(size)
        grid = rng.random((max(2, round(height * scale) + 2), max(2, round(width * scale) + 2)), np.float32)
        total += 0.55**octave * np.asarray(Image.fromarray(grid).resize(size, Image.Resampling.BICUBIC))
        weight += 0.55**octave
    return total / weight


class Canvas:
    def __init__(self, width: int, height: int) -> None:
        self.width, self.height, self.unit = width, height, min(width, height)
        self.image = Image.new("RGB", (width, height))

    @property
    def x(self) -> np.ndarray:
        """The columns' positions in units, shape (width,)."""
        return np.arange(self.width) / self.unit

    def backdrop(self, colours: Sequence[Colour], bottom: float | None = None) -> None:
        """A vertical gradient down to y = `bottom` (the whole picture if None), and its last colour below."""
        height = self.height if bottom is None else round(bottom)
        self.image.paste(ink(colours[-1]), (0, height, self.width, self.height))
        self.image.paste(gradient(colours, (self.width, height)), (0, 0))

    def tint(self, colour: Colour, mask: Image.Image, at: tuple[int, int] = (0, 0)) -> None:
        """Lay a colour through a mask whose corner is at x, y."""
        # pasting an image through a mask takes half the time of pasting a plain colour
        self.image.paste(Image.new("RGB", mask.size, ink(colour)), at, mask)

    def land(
        self,
        crest: np.ndarray,
        colours: Sequence[Colour],
        *,
        depth: float | None = None,
        shadow: float = 0.0,
        rim: Colour | None = None,
    ) -> None:
        """Fill everything below the line y = crest (width,), like a sheet of paper laid on the picture.

        `colours` run downwards over `depth` pixels from the highest point (to the picture's foot if None);
        `shadow` (0..1) is how dark it shades what lies behind; `rim` is a lit paper edge.
        """
        if shadow:
            self._shadow_above(crest, mix(colours[-1], (0.0, 0.0, 0.0), 0.75), shadow)
        first, last, below = self._band(crest, 1.0, 0.008 * self.unit + 2)
        length = max(2, round(min(depth or np.inf, self.height - first)))
        fill = gradient(colours, (self.width, length))
        self.image.paste(ink(colours[-1]), (0, max(last, first + length), self.width, self.height))
        if first + length > last:
            self.image.paste(fill.crop((0, last - first, self.width, length)), (0, last))
        edge = Image.new("RGB", (self.width, last - first), ink(colours[-1]))
        edge.paste(fill, (0, 0))
        self.image.paste(edge, (0, first), to_mask(below + 0.5))
        if rim is not None:
            wide = max(0.8, 0.0022 * self.unit)
            self.tint(rim, to_mask(0.55 - np.abs(below - wide) * (0.55 / wide)), (0, first))

    def _shadow_above(self, crest: np.ndarray, colour: Colour, darkness: float) -> None:
        """The soft shadow of a sheet whose upper edge is y = crest; blurred at an eighth of the size."""
        step, reach = (8 if self.unit >= 256 else 2), 0.03 * self.unit
        first, last, below = self._band(crest, reach, 2.0, step)
        soft = to_mask(below / step + 0.5).filter(ImageFilter.GaussianBlur(0.4 * reach / step))
        mask = soft.point([round(value * darkness) for value in range(256)])
        self.tint(colour, mask.resize((self.width, last - first), Image.Resampling.BILINEAR), (0, first))

    def shade(self, crest: np.ndarray, colour: Colour, fade: np.ndarray, depth: float) -> None:
        """Colour what lies just below the line y = crest (width,), fading out over `depth` pixels downwards.

        `fade` (width,) is the strength (0..1) at the line.
        """
        first, _, below = self._band(crest, 1.0, depth)
        strength = np.clip(below + 0.5, 0, 1) * np.clip(1 - below / depth, 0, 1) * fade.astype(np.float32)
        self.tint(colour, to_mask(strength), (0, first))

    def _band(self, crest: np.ndarray, over: float, under: float, step: int = 1) -> tuple[int, int, np.ndarray]:
        """The rows that a line passes through, `over` and `under` pixels more, and each pixel's distance below it.

        Returns first row, last row (not included) and distances (rows, width) in pixels, negative above the line; of
        every `step`-th pixel only.
        """
        first = int(np.clip(np.floor(crest.min() - over), 0, self.height - 1))
        last = int(np.clip(np.ceil(crest.max() + under), first + 1, self.height))
        # distance to the slanted edge and not straight down, or steep edges would be jagged
        slant = (1 / np.sqrt(1 + np.gradient(crest) ** 2)).astype(np.float32)[step // 2 :: step]
        rows = np.arange(first + step // 2, last + step // 2, step, dtype=np.float32)[:, None]
        return first, last, (rows - crest.astype(np.float32)[step // 2 :: step]) * slant

    def disc(self, x: float, y: float, radius: float, colours: Sequence[Colour], alpha: float = 1.0) -> None:
        """A round with a vertical gradient and a clean edge."""
        self.round(gradient(colours, (1, 256 if len(colours) > 1 else 1)), x, y, radius, alpha)

    def round(self, picture: Image.Image, x: float, y: float, radius: float, alpha: float = 1.0) -> None:
        """A picture scaled to a round with a clean edge."""
        left, top, size = int(x - radius - 1), int(y - radius - 1), int(2 * radius + 4)
        across = np.arange(size, dtype=np.float32)
        away = np.sqrt((across + (left - x)) ** 2 + (across + (top - y))[:, None] ** 2)
        mask = to_mask(np.clip(radius - away + 0.5, 0, 1) * np.float32(alpha))
        self.image.paste(picture.resize(mask.size, Image.Resampling.BILINEAR), (left, top), mask)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """Soft light around a point, worked out at an eighth of the size, where it is as smooth."""
        width, height = max(1, self.width // 8), max(1, self.height // 8)
        across = ((np.arange(width) + 0.5) * self.width / width - x) / radius
        down = ((np.arange(height) + 0.5) * self.height / height - y) / radius
        self.veil(np.exp(-2.2 * np.hypot(across, down[:, None])) * strength, colour)

    def veil(self, coverage: np.ndarray, colour: Colour) -> None:
        """Lay a colour over the whole picture with a smooth coverage (rows, columns) of any lower resolution."""
        self.tint(colour, to_mask(coverage).resize((self.width, self.height), Image.Resampling.BILINEAR))

    def stars(self, rng: np.random.Generator, count: int, bottom: float, colour: Colour) -> None:
        """Stars above y = `bottom`: many faint points, and a few rounds."""
        x, y, size = rng.uniform(0, 1, (3, count))
        x, y = x * (self.width - 2), y * (bottom - 2)
        points = np.zeros((int(bottom) + 1, self.width), np.float32)
        for dx in (0, 1):  # a point between four pixels is shared out among them
            for dy in (0, 1):
                share = np.abs(1 - dx - x % 1) * np.abs(1 - dy - y % 1)
                points[y.astype(int) + dy, x.astype(int) + dx] = share * (0.35 + 0.9 * size)
        self.tint(colour, to_mask(points))
        for index in np.flatnonzero(size > 0.88).tolist():
            radius = self.unit * (0.0012 + 0.016 * (size[index] - 0.88))
            self.disc(x[index], y[index], max(0.7, radius), [colour], alpha=0.9)


class Cutout:
    """Flat shapes drawn together at a higher resolution, then laid on a canvas as one sheet."""

    def __init__(self, canvas: Canvas, base: Colour) -> None:
        """`base` is the commonest colour: soft edges fade to it."""
        self.canvas, self._base = canvas, ink(base)
        self._mask = Image.new("L", (canvas.width * OVERSAMPLING, canvas.height * OVERSAMPLING))
        self._draw_mask = ImageDraw.Draw(self._mask)
        self._colour: Image.Image | None = None  # made when a second colour comes: a large picture for nothing else
        self._draw_colour: ImageDraw.ImageDraw | None = None

    def polygon(self, points: np.ndarray, colour: Colour) -> None:
        """Points (n, 2) as x, y in pixels of the canvas."""
        flat, fill = (points * OVERSAMPLING).ravel().tolist(), ink(colour)
        self._draw_mask.polygon(flat, fill=255)
        if self._draw_colour is None and fill != self._base:
            self._colour = Image.new("RGB", self._mask.size, self._base)
            self._draw_colour = ImageDraw.Draw(self._colour)
        if self._draw_colour is not None:
            self._draw_colour.polygon(flat, fill=fill)

    def lay(self, shadow: float = 0.0, alpha: float = 1.0) -> None:
        """Paste the shapes, over a soft shadow of the given darkness (0..1)."""
        canvas, mask = self.canvas, self._mask.reduce(OVERSAMPLING)
        box = mask.getbbox()
        if box is None:
            return
        if shadow:
            self._lay_shadow(mask, shadow)
        mask = mask.crop(box)
        if alpha < 1:
            mask = mask.point([round(value * alpha) for value in range(256)])
        if self._colour is None:
            canvas.tint(self._base, mask, box[:2])
        else:
            left, top, right, bottom = (side * OVERSAMPLING for side in box)
            canvas.image.paste(self._colour.reduce(OVERSAMPLING, (left, top, right, bottom)), box[:2], mask)

    def _lay_shadow(self, mask: Image.Image, darkness: float) -> None:
        """The mask's shadow, softened and moved down to the right at a quarter of the size."""
        small = mask.reduce(4 if self.canvas.unit >= 128 else 1)
        offset = round(0.007 * small.width * self.canvas.unit / self.canvas.width)
        soft = Image.new("L", small.size)
        soft.paste(small.filter(ImageFilter.GaussianBlur(0.0025 * self.canvas.unit)), (offset, offset))
        self.canvas.veil(np.asarray(soft, np.float32) * (darkness / 255), (12.0, 10.0, 24.0))
