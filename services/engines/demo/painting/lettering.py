"""Words set in the picture: broken into lines, fitted to the width, placed where the picture is calm.

Only Pillow's embedded typeface is used, so that the same words look the same on every machine; letters that it does
not have are set without their accents, or left out.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from services.engines.demo.painting.canvas import Canvas, Cutout
from services.engines.demo.painting.palette import Palette, lighten

MAX_CHARACTERS = 220
MAX_LINES = 9
LONGEST_WORD = 18
TRACKING = 0.1  # space between letters, in ems
LEADING = 1.12  # from line to line, in ems
CAP_HEIGHT = 0.7  # of the embedded typeface, in ems
LEAST_CONTRAST = 45  # grey levels between letters and nearly all of their ground
WEIGHT = 0.016  # half of what strokes are thickened by, in ems
_PLAIN = str.maketrans({"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "…": "...", "ß": "ss", "ø": "o",
                        "Ø": "O", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L"})  # fmt: skip


@dataclass(frozen=True)
class Setting:
    """Lines of text and their size: `em` in pixels, `width` and `height` of the block in pixels."""

    lines: tuple[str, ...]
    em: float
    width: float
    height: float


def letter(canvas: Canvas, text: str, palette: Palette) -> None:
    """Set `text` in the picture; nothing happens where no letter of it can be drawn."""
    words = _words(text)
    if not words:
        return
    setting = _fit(words, canvas)
    top, dark, busy = _place(canvas, setting)
    if busy:
        dark, pad = True, 0.5 * setting.em
        top = float(np.clip(top, 2 * pad, canvas.height - setting.height - 2 * pad))
        _lay_label(canvas, setting, top, pad, palette)
    colour = lighten(palette.near, -0.06) if dark else lighten(palette.light, 0.03)
    halo = palette.light if dark else palette.near
    mask, at = _typeset(canvas, setting, top)
    # a breath of the opposite tone around the letters keeps them readable on any ground
    small = mask.reduce(4 if setting.em >= 16 else 1)
    soft = small.filter(ImageFilter.GaussianBlur(0.22 * setting.em * small.width / mask.width))
    canvas.tint(halo, soft.resize(mask.size, Image.Resampling.BILINEAR).point([i // 2 for i in range(256)]), at)
    canvas.tint(colour, mask, at)


def _lay_label(canvas: Canvas, setting: Setting, top: float, pad: float, palette: Palette) -> None:
    """A paper label for letters that no part of the picture would carry."""
    side = (canvas.width - setting.width) / 2
    left, right, upper, lower = side - pad, canvas.width - side + pad, top - pad, top + setting.height + pad
    label = Cutout(canvas, palette.light)
    label.polygon(np.array([[left, upper], [right, upper], [right, lower], [left, lower]]), palette.light)
    label.lay(shadow=0.4)


def _words(text: str) -> list[str]:
    """The words in letters of the typeface; overlong ones cut, and the whole cut to a poster's length."""
    folded = unicodedata.normalize("NFKD", text[: 4 * MAX_CHARACTERS].translate(_PLAIN))
    plain = "".join(c if " " < c <= "~" else " " if c.isspace() else "" for c in folded)
    if len(plain) > MAX_CHARACTERS:
        plain = plain[:MAX_CHARACTERS].rstrip() + "..."
    return [word[start : start + LONGEST_WORD] for word in plain.split() for start in range(0, len(word), LONGEST_WORD)]


def _advances(line: str) -> np.ndarray:
    """Where each letter of a line starts, and where the line ends, in ems; shape (letters + 1,)."""
    font = ImageFont.load_default(size=100)
    ends = [font.getlength(line[: end + 1]) / 100 + TRACKING * end for end in range(len(line))]
    return np.array([0.0, *(end + TRACKING for end in ends[:-1]), ends[-1]])


def _fit(words: list[str], canvas: Canvas) -> Setting:
    """The fewest lines that come near the largest size the place allows."""
    room, most = 0.82 * canvas.width, 0.15 * canvas.unit
    widths = [float(_advances(word)[-1]) for word in words]
    best: Setting | None = None
    for count in range(1, min(MAX_LINES, len(words)) + 1):
        lines, widest = _broken(words, widths, count)
        tall = (len(lines) - 1) * LEADING + CAP_HEIGHT
        em = min(room / widest, 0.36 * canvas.height / tall, most)
        if best is None or em > 1.12 * best.em:
            best = Setting(lines, em, widest * em, tall * em)
    assert best is not None  # noqa: S101  # nosec B101: there is at least one word
    return best


def _broken(words: list[str], widths: list[float], count: int) -> tuple[tuple[str, ...], float]:
    """Words in at most `count` lines, as even as can be, and the widest line's width in ems."""
    space = 0.24 + 2 * TRACKING

    def wrap(limit: float) -> list[tuple[list[str], float]]:
        lines: list[tuple[list[str], float]] = []
        for word, width in zip(words, widths, strict=True):
            if lines and lines[-1][1] + space + width <= limit:
                lines[-1] = ([*lines[-1][0], word], lines[-1][1] + space + width)
            else:
                lines.append(([word], width))
        return lines

    low, high = max(widths), sum(widths) + space * len(words)
    for _ in range(16):
        middle = (low + high) / 2
        low, high = (low, middle) if len(wrap(middle)) <= count else (middle, high)
    lines = wrap(high)
    return tuple(" ".join(line) for line, _ in lines), max(width for _, width in lines)


def _place(canvas: Canvas, setting: Setting) -> tuple[float, bool, bool]:
    """Where contrast is best and the ground calmest: the block's top in pixels, whether dark letters suit it, and
    whether it is too busy for any.
    """
    grey = np.asarray(canvas.image.convert("L").reduce(max(1, canvas.unit // 96)), np.float32)
    scale = grey.shape[0] / canvas.height
    inset = max(0, int((canvas.width - setting.width) / 2 * scale))
    margin = 0.085 * canvas.unit
    bottom = canvas.height - margin - setting.height
    spots = []
    for share, bonus in ((0.0, 45.0), (0.12, 30.0), (0.5, -30.0), (0.88, -6.0), (1.0, 8.0)):
        top = margin + share * (bottom - margin)
        rows = slice(int(top * scale), max(int(top * scale) + 1, int((top + setting.height) * scale)))
        low, high = np.percentile(grey[rows, inset : grey.shape[1] - inset], (3, 97)).tolist()
        # the contrast of white with the brightest ground, of black with the darkest
        for contrast, dark in ((250 - high, False), (low - 20, True)):
            spots.append((contrast - 0.8 * (high - low) + bonus, top, dark, contrast < LEAST_CONTRAST))
    return max(spots)[1:]


def _typeset(canvas: Canvas, setting: Setting, top: float) -> tuple[Image.Image, tuple[int, int]]:
    """A mask of the letters with room around them, and its corner's x, y in the picture.

    Each letter is set on its own, so that the tracking is even.
    """
    em = setting.em
    font = ImageFont.load_default(size=max(em, 4))
    corner = 0, int(top - em)
    mask = Image.new("L", (canvas.width, int(setting.height + 2 * em) + 1))
    pen = ImageDraw.Draw(mask)
    for index, line in enumerate(setting.lines):
        starts = _advances(line) * em
        left = (canvas.width - starts[-1]) / 2
        baseline = top - corner[1] + (CAP_HEIGHT + index * LEADING) * em
        for character, start in zip(line, starts, strict=False):
            pen.text((left + start, baseline), character, fill=255, font=font, anchor="ls", stroke_width=WEIGHT * em)
    return mask, corner
