"""Export runs: lines and table are written to temporary files first, pictures are read while the download is sent.

So the size of the download is known before it begins, and memory use does not grow with the number of pictures.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal
from zipfile import ZIP_STORED

from zipstream import ZipStream

from services.archive.belongings import grid_lines, projects_of
from services.archive.csv_rows import Sheet
from services.archive.lines import ProjectLine, json_line, run_line
from services.library.archive_rows import ExportRows
from services.library.bulk import Chosen
from services.library.media import Media
from services.library.media_store import KINDS, Opener
from services.library.scope import Scope
from services.run import Picture, Run, now

Kind = Literal["zip", "csv", "jsonl"]
TYPES: dict[Kind, str] = {"zip": "application/zip", "csv": "text/csv; charset=utf-8", "jsonl": "application/jsonl"}
BLOCK = 1 << 18
"""Bytes that are handed to the network at a time: less costs time, more costs memory."""

README = """\
Exported from the FLUX.2 [flex] Playground on {day}: {runs} runs, {pictures} pictures.

media/         the pictures, byte for byte as they were made
thumbs/        small copies of pictures whose originals were removed to save space
history.jsonl  a line of JSON for each run, with everything that is known about it
history.csv    the same for spreadsheets; text that could run as a formula has an apostrophe before it
grids.jsonl    the grids that runs belong to
grid/          what else belongs to an exported grid

To restore it, drop this ZIP on the page of a playground. Runs that are there already are left as they are.
"""


@dataclass(frozen=True)
class Extra:
    """A file that belongs to a grid, `grid/<name>` in the ZIP. An import ignores it."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Download:
    """A file that is ready to be sent. `blocks` can be iterated once; each step blocks the thread for some ms."""

    name: str
    media_type: str
    size: int
    """In bytes, exactly."""
    runs: int
    pictures: int
    blocks: Iterator[bytes]
    temporary: tuple[IO[bytes], ...]

    def close(self) -> None:
        """Close the temporary files. Call it when the download is sent or abandoned."""
        for whole in self.temporary:
            whole.close()


@dataclass(frozen=True)
class _File:
    name: str
    """In the ZIP."""
    open: Opener
    size: int


@dataclass
class _Parts:
    """What is collected while the runs are written."""

    lines: IO[bytes]
    table: IO[bytes]
    ids: list[str] = field(default_factory=list)
    grid_ids: set[str] = field(default_factory=set)
    files: list[_File] = field(default_factory=list)

    @property
    def pictures(self) -> int:
        return sum(file.name.startswith("media/") for file in self.files)


class Exporter:
    """Methods block; async callers use `Pools.exports`."""

    def __init__(self, rows: ExportRows, media: Media, workplace: Path) -> None:
        """Temporary files are made in the folder `workplace`."""
        self._rows, self._media, self._workplace = rows, media, workplace

    def prepare(
        self,
        scope: Scope,
        chosen: Chosen | None,
        kind: Kind,
        *,
        grid_ids: Sequence[str] = (),
        extras: Sequence[Extra] = (),
    ) -> Download:
        """Export the chosen runs that are not deleted, in the order in which they were requested.

        `chosen` None: everything that the scope sees. `grid_ids`: grids to export even if none of their runs is chosen;
        grids that chosen runs belong to are always exported.
        """
        known = projects_of(self._rows, scope)
        parts = _Parts(self._temporary(), self._temporary(), grid_ids=set(grid_ids))
        sheet = Sheet(known)
        parts.table.write(sheet.head())
        for found in self._rows.runs(scope, chosen):
            parts.lines.writelines(run_line(run, known) for run in found)
            parts.table.write(sheet.rows(found))
            for run in found:
                self._gather(run, parts)
        return self._download(kind, scope, known, parts, extras)

    def _download(
        self, kind: Kind, scope: Scope, known: Mapping[str, ProjectLine], parts: _Parts, extras: Sequence[Extra]
    ) -> Download:
        whole = parts.lines if kind == "jsonl" else parts.table
        size, blocks = whole.tell(), _of_temporary(whole)
        if kind == "zip":
            archive = self._zip(scope, known, parts, extras)
            size, blocks = len(archive), _blocks(archive)
        return Download(
            name=f"flux-2-flex_{now():%Y%m%d-%H%M%S}.{kind}",
            media_type=TYPES[kind],
            size=size,
            runs=len(parts.ids),
            pictures=parts.pictures if kind == "zip" else 0,
            blocks=blocks,
            temporary=(parts.lines, parts.table),
        )

    def _temporary(self) -> IO[bytes]:
        self._workplace.mkdir(parents=True, exist_ok=True)
        return tempfile.TemporaryFile(dir=self._workplace)

    def _gather(self, run: Run, parts: _Parts) -> None:
        parts.ids.append(run.id)
        if run.grid_id:
            parts.grid_ids.add(run.grid_id)
        if run.picture and (found := self._file_of(run.picture)):
            parts.files.append(found)

    def _file_of(self, picture: Picture) -> _File | None:
        """The original; if it was removed, its thumbnail; None if neither is there."""
        for kind, name in zip(KINDS, (picture.name, picture.thumb), strict=True):
            if (size := self._media.size(kind, name)) is not None:
                return _File(f"{kind}/{name}", self._media.opener(kind, name), size)
        return None

    def _zip(self, scope: Scope, known: Mapping[str, ProjectLine], parts: _Parts, extras: Sequence[Extra]) -> ZipStream:
        archive = ZipStream(compress_type=ZIP_STORED, sized=True)
        archive.add(README.format(day=f"{now():%Y-%m-%d}", runs=len(parts.ids), pictures=parts.pictures), "README.txt")
        for name, whole in (("history.jsonl", parts.lines), ("history.csv", parts.table)):
            archive.add(_of_temporary(whole), name, size=whole.tell())
        giving_way = self._rows.pools.giving_way
        grids = grid_lines(self._rows, scope, parts.grid_ids, parts.ids, known)
        if lines := b"".join(map(json_line, giving_way(grids))):
            archive.add(lines, "grids.jsonl")
        for extra in extras:
            archive.add(extra.data, f"grid/{Path(extra.name).name}")
        for file in giving_way(parts.files):
            archive.add(_of_file(file), file.name, size=file.size)
        return archive


def _of_temporary(whole: IO[bytes]) -> Iterator[bytes]:
    whole.seek(0)
    while block := whole.read(BLOCK):
        yield block


def _of_file(file: _File) -> Iterator[bytes]:
    """The file in blocks. A read asks for no more bytes than are left: to allocate a buffer costs time too."""
    left = file.size
    with file.open() as original:
        while left and (block := original.read(min(left, BLOCK))):
            left -= len(block)
            yield block


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Small pieces joined into blocks of at least BLOCK bytes: each block costs a thread call and a network write."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(held)
            held, size = [], 0
    if held:
        yield b"".join(held)
