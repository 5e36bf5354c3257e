"""Colours: curated palettes, colour words, and mixing in OKLab (where a half-way mix also looks half-way).

A `Colour` is (red, green, blue), each 0..255, as floats.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

Colour = tuple[float, float, float]

_RGB_TO_LMS = np.array(
    [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
     [0.0883024619, 0.2817188376, 0.6299787005]]
)  # fmt: skip
_LMS_TO_LAB = np.array(
    [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
     [0.0259040371, 0.7827717662, -0.8086757660]]
)  # fmt: skip
_LAB_TO_LMS = np.linalg.inv(_LMS_TO_LAB)
_LMS_TO_RGB = np.linalg.inv(_RGB_TO_LMS)


def to_lab(colour: Colour) -> np.ndarray:
    """OKLab (lightness 0..1, a, b) of a colour; shape (3,)."""
    value = np.asarray(colour, float) / 255
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    lab: np.ndarray = _LMS_TO_LAB @ np.cbrt(_RGB_TO_LMS @ linear)
    return lab


def from_lab(lab: np.ndarray) -> Colour:
    """The nearest displayable colour of OKLab (3,)."""
    linear = np.clip(_LMS_TO_RGB @ (_LAB_TO_LMS @ lab) ** 3, 0, 1)
    value = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    red, green, blue = (value * 255).tolist()
    return red, green, blue


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`a` at share 0, `b` at share 1."""
    return from_lab(to_lab(a) * (1 - share) + to_lab(b) * share)


def lighten(colour: Colour, amount: float) -> Colour:
    """Shift OKLab lightness by `amount` (-1..1); the hue stays."""
    lab = to_lab(colour)
    lab[0] = np.clip(lab[0] + amount, 0, 1)
    return from_lab(lab)


def lightness(colour: Colour) -> float:
    """OKLab lightness, 0..1."""
    return float(to_lab(colour)[0])


def hex_colour(code: str) -> Colour:
    red, green, blue = bytes.fromhex(code)
    return float(red), float(green), float(blue)


@dataclass(frozen=True)
class Palette:
    """Six colours by the part they play in a picture."""

    top: Colour  # of the sky, or the ground of an abstract picture
    low: Colour  # the sky at the horizon
    far: Colour
    mid: Colour
    near: Colour  # the darkest
    light: Colour  # sun, moon, windows, paper

    def ramp(self, count: int) -> list[Colour]:
        """`count` colours from far over mid to near."""
        shares = np.linspace(0, 2, count) if count > 1 else np.array([2.0])
        return [mix(self.far, self.mid, s) if s <= 1 else mix(self.mid, self.near, s - 1) for s in shares]

    def sky(self, count: int = 5) -> list[Colour]:
        """Evenly spaced colours from the top of the sky to the horizon."""
        return [mix(self.top, self.low, share) for share in np.linspace(0, 1, count)]

    @property
    def swatches(self) -> list[Colour]:
        return [getattr(self, field.name) for field in fields(self)]

    def each(self, change: Callable[[np.ndarray], np.ndarray]) -> Palette:
        """The palette with `change` applied to every colour's OKLab."""
        return Palette(*(from_lab(change(to_lab(colour))) for colour in self.swatches))


def _palette(codes: str) -> Palette:
    return Palette(*(hex_colour(code) for code in codes.split()))


#             top    low    far    mid    near   light
DAY = [_palette(codes) for codes in (
    "2b3a67 f6a98b d98a86 7a5680 1f1f45 fff1d6",  # dusk
    "f2c9a1 fbe7c6 e8998d a1616a 3b2a4a fff8e7",  # apricot
    "7fb7be f4e9cd d3b59a 5f8a8b 1d3b4a fffbee",  # lagoon
    "264653 e9c46a f4a261 d1603d 1d2f38 fff3d1",  # desert road
    "8ec9d0 fbd9c0 e79a7f 8a5a6d 2d2a4a fff6e0",  # terrace
    "a8c8b8 f3efd9 9dbb9f 4f7f6b 16382f fff9dc",  # sage
    "e8b4a0 f8e3c8 d98560 8c3f3a 33202a fff4df",  # terracotta
    "355c7d f8b195 f67280 a0567c 2a2547 ffeed3",  # postcard
    "5b8fb9 e6eff2 a9c3d6 4a6f98 14294b ffe9b8",  # alpine
    "c9b6d9 fbe4d8 dd9db0 7f5f96 2c2350 fff7ea",  # lilac
)]  # fmt: skip
NIGHT = [_palette(codes) for codes in (
    "0b1033 3d3a7a 3a3f86 232a63 080b24 ffe2a6",  # midnight
    "101b3b 8a4f7d 6c4a82 34305f 0b0d26 ffd7a0",  # afterglow
    "06202b 1f6f78 2b6a74 14424f 04151d fff0c2",  # deep teal
    "1a0f2e c0586b 8f3f6b 452457 120a24 ffe0a8",  # plum
    "0d1b2a 415a77 4d6584 26384f 070f19 fdeec9",  # slate
)]  # fmt: skip

MOODS = {
    "dusk": DAY[0], "sunset": _palette("4b2e6b ff9e6d e8705f 93406a 2a1740 fff0c4"), "twilight": NIGHT[1],
    "evening": DAY[7], "dawn": DAY[9], "sunrise": _palette("7d9cc9 ffd9a8 f3a683 a8688a 33305e fff7d6"),
    "morning": DAY[4], "noon": DAY[8], "daylight": DAY[8], "night": NIGHT[0], "midnight": NIGHT[0],
    "starry": NIGHT[4], "dark": NIGHT[4], "moonlight": NIGHT[4], "moonlit": NIGHT[4],
    "pastel": _palette("c7ceea fde2e4 f7c5cc b5c7e3 7d83ad fffaf0"),
    "neon": _palette("150734 ff2e93 b026ff 4318a8 0a0420 3df5ff"),
    "cyberpunk": _palette("0b0630 f72585 7209b7 3a0ca3 07031c 4cf0f8"),
    "monochrome": _palette("8f8f8f e9e9e9 b4b4b4 6a6a6a 161616 fbfbfb"),
    "noir": _palette("2b2b2b a8a8a8 7c7c7c 444444 0c0c0c f6f6f6"),
    "sepia": _palette("c9a87c f2e2c4 c79f6e 7f5a3a 2f1e14 fff5e0"),
    "autumn": _palette("e0a458 fbe3b5 d9773d 97402a 33191a fff3d6"),
    "winter": _palette("8fb3d1 eef4f7 bcd3e2 6d90b3 1e3553 ffffff"),
    "snow": _palette("8fb3d1 eef4f7 bcd3e2 6d90b3 1e3553 ffffff"),
    "spring": _palette("a9d6c5 fdeee0 f3b5b9 6fa287 22453f fffbe3"),
    "summer": _palette("3fa7d6 fdf0c4 f9b45c ee6352 1b3a5c fffbe6"),
    "tropical": _palette("1fa2a6 ffdf9e ff8a5c 137a7f 0b2f3f fff6cf"),
    "vintage": _palette("6d9a94 f1dfb8 d9a05b a24936 2c2a33 fbf0d4"),
    "retro": _palette("2a6f77 f4d58d f2a154 c8452f 2b1d28 fdf1cf"),
}  # fmt: skip

_COLOUR_WORDS = """
    red=d63a3a crimson=b3203f scarlet=e0342b burgundy=6d1f36 coral=f7806b salmon=f79a85 pink=ef8fb0 rose=e2738f
    magenta=c9328f fuchsia=d9379a orange=f08a35 apricot=f7b583 peach=fbbf9c terracotta=c4623f rust=a8492a
    amber=f2a830 gold=e2ae3c golden=e2ae3c yellow=f5cf4a mustard=d1a02f ochre=c58a35 cream=f5e6c8 beige=e3d2b0
    brown=7b4f35 copper=b8683f bronze=9b6a3a green=3f9460 emerald=17855f olive=84893f sage=9cb494 mint=a5dcc0
    lime=a8cf45 jade=2f9c78 teal=1c8785 turquoise=38b8b5 cyan=35c2dc aqua=5fcfd2 blue=2f6fc4 navy=1d2f66
    azure=4a9be0 cobalt=2450b0 indigo=3a349c violet=7350b8 purple=6f3d9c lavender=b3a3dc lilac=c3a6d8 plum=6b2f63
    mauve=a98399 white=f6f4ee black=17171c grey=8a8d93 gray=8a8d93 silver=bcc3cb charcoal=3a3d44
"""
NAMED = {word[:-7]: hex_colour(word[-6:]) for word in _COLOUR_WORDS.split()}


def toned(palette: Palette, colours: Sequence[Colour]) -> Palette:
    """`palette` pulled to the named colours: each part keeps about its lightness and takes their hue.

    The darker of the colours goes to the zenith and the foreground, the lighter to the horizon and the distance.
    """
    if not colours:
        return palette
    order = sorted(colours, key=lightness)
    dark, pale = order[0], order[-1]
    middle = order[len(order) // 2] if len(order) > 2 else mix(dark, pale, 0.4)

    def pull(base: Colour, target: Colour, hue: float, light: float) -> Colour:
        own, aim = to_lab(base), to_lab(target)
        share = np.array([light, hue, hue])
        return from_lab(own * (1 - share) + aim * share)

    return Palette(
        top=pull(palette.top, dark, 0.9, 0.35),
        low=pull(palette.low, pale, 0.75, 0.25),
        far=pull(palette.far, pale, 0.95, 0.6),
        mid=pull(palette.mid, middle, 0.9, 0.4),
        near=pull(palette.near, dark, 0.75, 0.1),
        light=pull(palette.light, pale, 0.25, 0.0),
    )


def nudged(palette: Palette, rng: np.random.Generator) -> Palette:
    """A slight turn of all hues and a slight change of lightness, so that each wording has its own shade."""
    angle, lift = rng.uniform(-0.16, 0.16), rng.uniform(-0.025, 0.025)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    shaded = palette.each(lambda lab: turn @ lab + np.array([lift, 0, 0]))
    return replace(shaded, light=palette.light)
