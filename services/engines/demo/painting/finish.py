"""From finished artwork to the delivered picture: the effect of steps and guidance, and the paper's grain."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageChops

FINISHED_STEPS = 50
NATURAL_GUIDANCE = 3.5
STRONGEST_GUIDANCE = 10.0
_LUMA = np.array([0.299, 0.587, 0.114])


def unfinished(steps: int) -> float:
    """How far from finished: 1 at 2 steps, 0 at 50; falls like 1/steps, as a sampler's error does."""
    return float(np.clip((1 / max(steps, 1) - 1 / FINISHED_STEPS) / (1 / 2 - 1 / FINISHED_STEPS), 0, 1))


def soften(image: Image.Image, steps: int, rng: np.random.Generator) -> Image.Image:
    """The artwork as it would stand after so many steps: blurred, blotchy and pale, the less the more steps."""
    error = unfinished(steps)
    if error == 0:
        return image
    width, height = image.size
    # less blur in a small picture, but not in proportion: it must show there too
    factor = 1 + 24 * error * (min(width, height) / 1024) ** 0.5
    size = max(4, round(width / factor)), max(4, round(height / factor))
    coarse = image.resize(size, Image.Resampling.BOX)
    mean = coarse.resize((1, 1), Image.Resampling.BOX).resize(size)
    # the same noise at any number of steps: coloured blotches under the blur, speckle over it
    field = 128.5 + 32 * error**0.9 * rng.standard_normal((96, 96, 3), np.float32)
    blotches = Image.fromarray(np.clip(field, 0, 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    soft = _add(Image.blend(coarse, mean, 0.25 * error), blotches).resize(image.size, Image.Resampling.BILINEAR)
    speckle = 20 * error**0.9 * rng.standard_normal((256, 256), np.float32)
    return _add(soft, _tile(speckle, image.size).convert("RGB"))


def guide(image: Image.Image, guidance: float) -> Image.Image:
    """Contrast about the mean brightness and saturation, both growing with guidance; natural at 3.5.

    Above that the picture is mixed with its most extreme version. Contrast and saturation are convex along such a mix,
    so they keep rising where a direct change would run into the limits of strong colours and flatten them.
    """
    if guidance == NATURAL_GUIDANCE:
        return image
    if guidance < NATURAL_GUIDANCE:
        return _graded(image, guidance / NATURAL_GUIDANCE, 0.4)
    strongest = STRONGEST_GUIDANCE / NATURAL_GUIDANCE
    share = np.log(guidance / NATURAL_GUIDANCE) / np.log(strongest)
    extreme = _graded(image, strongest, _vividness(image, strongest))
    return Image.blend(image, extreme, min(float(share), 1.0))


def _graded(image: Image.Image, strength: float, vividness: float) -> Image.Image:
    """The picture with contrast and saturation changed; strength 1 leaves both, vividness 0 leaves saturation."""
    contrast, saturation = strength**0.44, strength**vividness
    pivot = float((_thumbnail(image, 32) @ _LUMA).mean())
    rows = np.hstack([saturation * np.eye(3) + (1 - saturation) * _LUMA, np.zeros((3, 1))])
    curve = _rolled_off(pivot + (np.arange(256) - pivot) * contrast)
    return image.convert("RGB", tuple(rows.ravel().tolist())).point(curve.round().astype(int).tolist() * 3)


def _vividness(image: Image.Image, strength: float) -> float:
    """How strongly saturation may follow, so that neither it nor contrast falls; tried on a small picture.

    Bright red and neon want less, as they lose brightness when driven out of range; pale pictures want more.
    """
    small = Image.fromarray(_thumbnail(image, 64))
    before = _spread(small)
    for vividness in (0.3, 0.15, 0.5, 0.05):
        if (_spread(Image.blend(small, _graded(small, strength, vividness), 0.2)) > 1.008 * before).all():
            return vividness
    return 0.3


def _thumbnail(image: Image.Image, side: int) -> np.ndarray:
    """The picture with about `side` pixels on its shorter side; (rows, columns, 3), 0..255."""
    return np.asarray(image.reduce(max(1, min(image.size) // side)))


def _spread(image: Image.Image) -> np.ndarray:
    """Contrast (deviation of luminance) and mean chroma, shape (2,)."""
    pixels = np.asarray(image, np.float32)
    return np.array([(pixels @ _LUMA).std(), (pixels.max(axis=-1) - pixels.min(axis=-1)).mean()])


def _rolled_off(values: np.ndarray, shoulder: float = 18.0) -> np.ndarray:
    """Values of any size into 0..255, bending softly near both ends so that highlights keep their drawing."""
    low, high = shoulder - values, values - (255 - shoulder)
    values = np.where(low > 0, shoulder * np.exp(-np.maximum(low, 0) / shoulder), values)
    return np.where(high > 0, 255 - shoulder * np.exp(-np.maximum(high, 0) / shoulder), values)


def grain(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Paper: fine grain, which also breaks up the 8-bit bands of gradients, and faint fibres."""
    fine = rng.standard_normal((384, 384), np.float32) * 2.1
    fibres = rng.standard_normal((384, 96), np.float32) * 1.3
    wide = np.asarray(Image.fromarray(fibres).resize((384, 384), Image.Resampling.BICUBIC))
    return _add(image, _tile(fine + wide, image.size).convert("RGB"))


def _tile(noise: np.ndarray, size: tuple[int, int]) -> Image.Image:
    """Noise (rows, columns) around 0, repeated to cover size and shifted to 128."""
    piece = Image.fromarray(np.clip(128.5 + noise, 0, 255).astype(np.uint8))
    sheet = Image.new("L", size)
    for top in range(0, size[1], piece.height):
        for left in range(0, size[0], piece.width):
            sheet.paste(piece, (left, top))
    return sheet


def _add(image: Image.Image, noise: Image.Image) -> Image.Image:
    """image + (noise - 128), kept within 0..255."""
    return ImageChops.add(image, noise, scale=1, offset=-128)
