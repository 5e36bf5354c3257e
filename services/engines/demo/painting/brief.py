"""What a prompt asks for: the motif, the palette, the size of sun or moon, and the words to letter."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from services.engines.demo.painting.palette import DAY, MOODS, NAMED, NIGHT, Palette, nudged, toned

MOTIFS: dict[str, tuple[str, ...]] = {
    "mountains": (
        "mountain", "valley", "ridge", "peak", "alp", "alps", "alpine", "hill", "summit", "cliff", "canyon", "volcano",
        "landscape", "himalaya", "fjord", "glacier",
    ),
    "sea": (
        "sea", "ocean", "wave", "coast", "beach", "shore", "seaside", "lake", "boat", "sail", "sailing", "ship",
        "island", "harbour", "harbor", "lighthouse", "surf", "bay", "water", "lagoon", "river", "whale", "fish",
    ),
    "dunes": ("dune", "desert", "sahara", "sand", "oasis", "camel", "mars", "arid"),
    "forest": ("forest", "tree", "wood", "woods", "woodland", "pine", "jungle", "misty", "grove", "fir", "deer", "fox"),
    "city": (
        "city", "cities", "skyline", "street", "urban", "skyscraper", "tower", "downtown", "building", "metropolis",
        "town", "tokyo", "manhattan", "rooftop", "cyberpunk", "architecture",
    ),
    "space": (
        "space", "planet", "galaxy", "galaxies", "cosmos", "cosmic", "star", "saturn", "jupiter", "nebula", "astronaut",
        "universe", "orbit", "rocket", "asteroid", "comet", "interstellar",
    ),
    "botanical": (
        "flower", "garden", "botanical", "leaf", "leaves", "plant", "rose", "tulip", "poppy", "poppies", "daisy",
        "daisies", "bloom", "blossom", "bouquet", "floral", "meadow", "fern", "herb", "petal",
    ),
    "bauhaus": ("bauhaus", "geometric", "geometry", "shapes", "grid", "tile", "mosaic", "pattern", "circle"),
    "ribbons": ("ribbon", "flowing", "flow", "fluid", "silk", "abstract", "swirl", "curve", "layers"),
    "orbs": ("orb", "gradient", "bubble", "sphere", "glass", "minimal", "minimalist", "product", "bottle", "perfume"),
}  # fmt: skip
ABSTRACT = ("bauhaus", "ribbons", "orbs")
DARK_MOTIFS = ("city", "space")
SMALL = ("small", "tiny", "little", "distant")
LARGE = ("big", "large", "huge", "giant", "enormous")
MOONS = ("moon", "moonlit", "moonlight", "night", "midnight", "stars", "starry", "crescent")
SUFFIXES = ("s", "es", "y", "ish", "ed", "ing", "like")

_QUOTED = re.compile(r'"([^"]*)"|“([^”]*)”')
_WORD = re.compile(r"[^\W_]+")


@dataclass(frozen=True)
class Brief:
    motif: str
    palette: Palette
    lettering: str
    disc_scale: float  # size of the sun, moon or planet; 1 is normal
    moon: bool  # a night sky: moon and stars
    sail: bool  # a boat is asked for
    key: int  # a number from the words, for choices that follow the wording and not the seed

    def rng(self) -> np.random.Generator:
        """Random choices that depend on the words alone."""
        return np.random.default_rng(self.key)


def read_prompt(prompt: str) -> Brief:
    """Any text is fine; without a word that is known the words' hash chooses."""
    lettering = " ".join(a or b for a, b in _QUOTED.findall(prompt)).strip()
    plain = unicodedata.normalize("NFKC", _QUOTED.sub(" ", prompt)).casefold()
    words = _WORD.findall(plain)
    # "surrogatepass": a lone surrogate is no valid text, yet it may arrive
    digest = hashlib.sha256(" ".join(words).encode("utf-8", "surrogatepass")).digest()
    key = int.from_bytes(digest[:8], "big")
    motif = _motif(words, key)
    return Brief(
        motif=motif,
        palette=_palette(words, motif, key),
        lettering=lettering,
        disc_scale=0.62 if _any(words, SMALL) else 1.5 if _any(words, LARGE) else 1.0,
        moon=_any(words, MOONS) and not _any(words, ("sun",)),
        sail=_any(words, ("boat", "sail", "sailboat", "ship", "yacht")),
        key=key,
    )


def _matches(word: str, stem: str) -> bool:
    """`mountainous` matches `mountain`; short stems match with common endings only (`sea` is not in `season`)."""
    if word == stem or (len(stem) >= 5 and word.startswith(stem)):
        return True
    return word.startswith(stem) and word[len(stem) :] in SUFFIXES


def _any(words: Iterable[str], stems: Iterable[str]) -> bool:
    stems = tuple(stems)
    return any(_matches(word, stem) for word in words for stem in stems)


def _motif(words: list[str], key: int) -> str:
    """The motif most words speak for; the one named first where several tie."""
    named = [motif for word in dict.fromkeys(words) for motif, stems in MOTIFS.items() if _any((word,), stems)]
    return max(dict.fromkeys(named), key=named.count, default=ABSTRACT[key % len(ABSTRACT)])


def _palette(words: list[str], motif: str, key: int) -> Palette:
    unique = list(dict.fromkeys(words))
    moods = [palette for word in unique for stem, palette in MOODS.items() if _matches(word, stem)]
    named = [colour for word in unique for stem, colour in NAMED.items() if _matches(word, stem)]
    curated = NIGHT if motif in DARK_MOTIFS else DAY if motif == "botanical" else DAY + NIGHT[:2]
    base = moods[0] if moods else curated[key // 7 % len(curated)]
    return nudged(toned(base, named[:4]), np.random.default_rng(key))
