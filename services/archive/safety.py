"""Checks of a file that claims to be an export, before anything in it is used.

Raises ArchiveError for path traversal, links, ZIP bombs, encrypted or unknown parts, and a truncated ZIP. Nothing is
unpacked to a path from the file; a picture's name must match MEDIA or THUMB.
"""

from __future__ import annotations

import io
import re
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from services.archive.errors import ArchiveError
from services.archive.lines import LINE_MAX, GridLine, RunLine, read_line

RUNS, GRIDS = "history.jsonl", "grids.jsonl"
RUNS_MAX = 200_000
DIRECTORY_MAX = 48 * 2**20
"""Bytes of a ZIP's directory, which is read into memory: enough for 200,000 runs."""
RATIO_MAX = 100
"""Largest ratio of a part's size unpacked to its size in the ZIP. Our exports are not compressed; another program that
compresses one makes text about ten times smaller."""
SMALL = 2**20
"""Parts up to this many bytes unpacked may have any ratio."""
PICTURE_MAX = 64 * 2**20

MEDIA = re.compile(r"media/([0-9a-f]{32}\.(?:jpg|png|webp))")
THUMB = re.compile(r"thumbs/([0-9a-f]{32}\.webp)")
OTHERS = re.compile(
    r"README\.txt|history\.csv|history\.jsonl|grids\.jsonl|grid/[\w. ()-]{1,100}|(?:media|thumbs|grid)/"
)


@dataclass(frozen=True)
class Quota:
    """What an import may add to the disk, by one of several limits."""

    bytes: int
    rest: str
    """The end of the sentence that says what is left."""
    an_entry: int = 0
    """Bytes that each new entry counts besides its picture."""


@dataclass(frozen=True)
class Limits:
    bytes: int
    """Of all parts together, unpacked."""
    runs: int = RUNS_MAX
    quotas: tuple[Quota, ...] = ()

    def check_added(self, pictures: int, entries: int) -> None:
        """Raises ArchiveError if so many bytes of pictures and so many entries are more than may be added."""
        for quota in self.quotas:
            if (added := pictures + entries * quota.an_entry) > quota.bytes:
                raise ArchiveError("no_room", f"It would add {added / 2**30:.3g} GB here, and {quota.rest}")


class Bundle:
    """An export whose parts may be read. Each read checks the part's length and its CRC."""

    def __init__(self, archive: zipfile.ZipFile | None, lines: Path | None, limits: Limits) -> None:
        self._archive, self._lines, self._limits = archive, lines, limits
        names = archive.namelist() if archive else []
        self.media = {found[1] for name in names if (found := MEDIA.fullmatch(name))}
        self.thumbs = {found[1] for name in names if (found := THUMB.fullmatch(name))}

    def runs(self) -> Iterator[RunLine]:
        """Each line, checked, in the file's order."""
        for number, line in enumerate(self._lines_of(RUNS), 1):
            if number > self._limits.runs:
                raise ArchiveError("too_many", f"There are more than {self._limits.runs:,} runs in it: too many.")
            yield read_line(RunLine, line, f"{RUNS}, line {number}")

    def grids(self) -> Iterator[GridLine]:
        for number, line in enumerate(self._lines_of(GRIDS), 1):
            yield read_line(GridLine, line, f"{GRIDS}, line {number}")

    def picture(self, name: str) -> bytes:
        """The bytes of `media/<name>` or `thumbs/<name>`, all of them in memory."""
        assert self._archive, "only a ZIP has pictures"  # noqa: S101  # nosec B101: tells the type checker
        with _sound(name):
            return self._archive.read(name)

    def _lines_of(self, part: str) -> Iterator[bytes]:
        with _sound(part), self._opened(part) as file:
            while line := file.readline(LINE_MAX + 1):
                if len(line) > LINE_MAX:
                    raise ArchiveError("bad_line", f"{part} has a line of more than {LINE_MAX // 2**20} MB: too long.")
                if line.strip():
                    yield line

    def _opened(self, part: str) -> IO[bytes]:
        if self._archive is not None:
            return self._archive.open(part) if part in self._archive.namelist() else io.BytesIO()
        return self._lines.open("rb") if part == RUNS and self._lines else io.BytesIO()


@contextmanager
def opened(file: Path, limits: Limits) -> Iterator[Bundle]:
    """Open and check a ZIP as this playground exports it, or its history.jsonl alone. Raises ArchiveError."""
    with file.open("rb") as begun:
        start = begun.read(4)
    if start[:1] == b"{":
        yield Bundle(None, file, limits)
        return
    if start[:2] != b"PK":
        raise ArchiveError("not_an_export", "This is neither a ZIP nor a history.jsonl of this playground.")
    _check_directory(file)
    with _sound("The ZIP"):
        archive = zipfile.ZipFile(file)
    with archive:
        _check_parts(archive.infolist(), limits)
        yield Bundle(archive, None, limits)


@contextmanager
def _sound(part: str) -> Iterator[None]:
    """Turns errors in reading the ZIP into ArchiveError. `part` begins its sentence."""
    try:
        yield
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        raise ArchiveError(
            "damaged", f"{part} is damaged or cut off ({error}). Copy or download the ZIP again."
        ) from error


def _check_directory(file: Path) -> None:
    """Check the length of the ZIP's directory before it is read: a record at the ZIP's end states it."""
    with _sound("The ZIP"), file.open("rb") as whole:
        end = zipfile._EndRecData(whole)  # type: ignore[attr-defined]  # as ZipFile itself does
    if end is None:
        raise ArchiveError(
            "cut_off", "The end of the ZIP is missing: it was not copied or downloaded whole. Fetch it again."
        )
    if end[zipfile._ECD_SIZE] > DIRECTORY_MAX:  # type: ignore[attr-defined]
        raise ArchiveError("too_many", "The ZIP has too many parts.")


def _check_parts(parts: list[zipfile.ZipInfo], limits: Limits) -> None:
    names = [part.filename for part in parts]
    if len(names) > len(set(names)):
        raise ArchiveError("twice", "The ZIP has two parts of one name.")
    if RUNS not in names:
        raise ArchiveError("not_an_export", f"There is no {RUNS} in this ZIP: it is no export of this playground.")
    for part in parts:
        _check_part(part)
    if (size := sum(part.file_size for part in parts)) > limits.bytes:
        raise ArchiveError(
            "too_large",
            f"Unpacked it would take {size / 2**30:.1f} GB, and {limits.bytes / 2**30:.1f} GB is the limit here "
            "(PLAYGROUND_IMPORT_LIMIT_GB).",
        )


def _check_part(part: zipfile.ZipInfo) -> None:
    name, shown = part.filename, f"“{part.filename[:80]}”"
    if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or re.match(r"[A-Za-z]:", name):
        raise ArchiveError("elsewhere", f"A part is named {shown}, which leads out of the ZIP.")
    if stat.S_IFMT(part.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise ArchiveError("link", f"{shown} is a link or a device, and no file.")
    if not (MEDIA.fullmatch(name) or THUMB.fullmatch(name) or OTHERS.fullmatch(name)):
        raise ArchiveError("unknown_part", f"{shown} is no part of an export of this playground.")
    if part.flag_bits & 0x1:
        raise ArchiveError("encrypted", f"{shown} is encrypted.")
    if part.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ArchiveError("unknown_part", f"{shown} is packed in a way that is not read here.")
    if part.file_size > SMALL and part.file_size > RATIO_MAX * max(1, part.compress_size):
        raise ArchiveError("bomb", f"{shown} would grow to more than {RATIO_MAX} times its size.")
    if name.startswith(("media/", "thumbs/")) and part.file_size > PICTURE_MAX:
        raise ArchiveError("too_large", f"{shown} is larger than {PICTURE_MAX // 2**20} MB.")
