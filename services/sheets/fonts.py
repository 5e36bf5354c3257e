"""Typefaces for sheets: Inter (in assets/fonts), and for letters that it lacks the fonts installed on this machine."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from fontTools.ttLib import TTCollection, TTFont
from PIL import ImageFont

logger = logging.getLogger(__name__)

OWN_FOLDER = Path(__file__).parents[2] / "assets" / "fonts"
OWN = {False: OWN_FOLDER / "Inter-Regular.ttf", True: OWN_FOLDER / "Inter-SemiBold.ttf"}
"""Bold or not → file."""
FOLDERS = (
    Path("/usr/share/fonts"),
    Path("/usr/local/share/fonts"),
    Path.home() / ".local/share/fonts",
    Path.home() / ".fonts",
    Path("/System/Library/Fonts"),
    Path("/Library/Fonts"),
    Path.home() / "Library/Fonts",
    Path("C:/Windows/Fonts"),
    Path.home() / "AppData/Local/Microsoft/Windows/Fonts",
)
"""Where Linux, macOS and Windows keep their fonts."""
ENDINGS = {".ttf", ".otf", ".ttc", ".otc"}
FILES_MAX = 400
"""No more font files than this are opened to look for letters."""
OUTLINES, BITMAPS = ("glyf", "CFF ", "CFF2"), ("sbix", "CBDT")
"""Font tables. A font with colour bitmaps has them in one size, and its outlines are empty."""


@dataclass(frozen=True)
class Face:
    """One face of a font file. `index` is its number in a collection (.ttc)."""

    path: Path
    index: int = 0
    letters: frozenset[int] = field(default=frozenset(), compare=False, repr=False)
    """Code points that it has."""

    def has(self, text: str) -> bool:
        return all(ord(char) in self.letters for char in text)


class Fonts:
    """The faces to set text with, best first. A file is read when a letter is first looked for, once per process."""

    def __init__(self, folders: Sequence[Path] = FOLDERS) -> None:
        self._folders = tuple(folders)
        self._files: dict[bool, list[Path]] = {}
        self._found: dict[tuple[str, bool], Face | None] = {}

    def face(self, cluster: str, *, bold: bool = False) -> Face | None:
        """The first face that has all of `cluster` (a letter and its marks); None where no font has it."""
        known = (cluster, bold)
        if known not in self._found:
            self._found[known] = next((face for face in self._faces(bold) if face.has(cluster)), None)
        return self._found[known]

    def _faces(self, bold: bool) -> Iterator[Face]:
        yield from _faces_of(OWN[bold])
        if bold not in self._files:
            files = (file for folder in self._folders for file in folder.rglob("*") if file.suffix.lower() in ENDINGS)
            self._files[bold] = sorted(files, key=lambda file: _rank(file, bold))[:FILES_MAX]
        for file in self._files[bold]:
            yield from _faces_of(file)


def _rank(file: Path, bold: bool) -> tuple[bool, bool, bool, str]:
    """Sort key: plain upright sans faces of the wanted weight first, since they match Inter best."""
    name = file.stem.lower()
    odd = re.search(r"mono|ital|obliq|cond|light|thin|black|serif|display|math|medium|extra|semi|demi", name)
    liked = re.match(r"(noto ?sans|dejavu ?sans|segoe|arial|helvetica|liberation ?sans|droid ?sans)", name)
    return odd is not None, liked is None, ("bold" in name) is not bold, name


@cache
def _faces_of(file: Path) -> tuple[Face, ...]:
    """The faces of a file that can be drawn at any size; none if the file is no valid font."""
    try:
        collection = file.suffix.lower() in (".ttc", ".otc")
        with file.open("rb") as data:
            opened = TTCollection(data, lazy=True) if collection else TTFont(data, lazy=True)
            found = tuple(
                Face(file, index, frozenset(font.getBestCmap() or ()))
                for index, font in enumerate(opened.fonts if collection else [opened])
                if _is_outlined(font)
            )
        for face in found:
            ImageFont.truetype(file, 12, index=face.index)
    except Exception as error:  # an installed font may be broken in any way: skip it
        logger.warning("The font %s cannot be read and is not used: %s", file, error)
        return ()
    return found


def _is_outlined(font: TTFont) -> bool:
    """Whether its letters have shapes in one colour, which Pillow and PDF draw at any size."""
    painted = "COLR" in font and font["COLR"].version > 0
    return any(table in font for table in OUTLINES) and not painted and not any(table in font for table in BITMAPS)
