"""Pictures as files: `media/<name>` and `thumbs/<name>` in a folder."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from services.library.disk import Disk
from services.library.media_store import KINDS, MediaKind

PART = ".part-"
"""Prefix of the names of files that are being written."""
NO_SUCH_FILE = (FileNotFoundError, NotADirectoryError, IsADirectoryError)


class FolderStore:
    """The `Store` protocol, implemented in a folder."""

    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        """Creates the folders. Raises OSError if that fails."""
        self._disk = disk or Disk()
        self._folders = {kind: folder / kind for kind in KINDS}
        for place in self._folders.values():
            place.mkdir(parents=True, exist_ok=True)
        self._disk.sync_folder(folder)

    def read(self, kind: MediaKind, name: str) -> bytes | None:
        try:
            return self._file(kind, name).read_bytes()
        except NO_SUCH_FILE:
            return None

    def open(self, kind: MediaKind, name: str) -> BinaryIO:
        return self._file(kind, name).open("rb")

    def put(self, kind: MediaKind, name: str, data: bytes, *, sync: bool = True) -> None:
        """Write a temporary file beside the target, sync it, rename it, and sync the folder that holds the name."""
        file = self._file(kind, name)
        self._make(file.parent)
        handle, beside = tempfile.mkstemp(dir=file.parent, prefix=PART)
        part = Path(beside)
        try:
            with os.fdopen(handle, "wb") as writing:
                writing.write(data)
                writing.flush()
                if sync:
                    self._disk.sync_file(writing.fileno())
            self._disk.replace(part, file)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        if sync:
            self._sync_name(file)

    def size(self, kind: MediaKind, name: str) -> int | None:
        try:
            found = self._file(kind, name).stat()
        except NO_SUCH_FILE:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def list(self, kind: MediaKind) -> Iterator[tuple[str, int]]:
        with os.scandir(self._folders[kind]) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):  # renamed or removed since scandir listed it
                    if entry.is_file(follow_symlinks=False) and not entry.name.startswith(PART):
                        yield entry.name, entry.stat().st_size

    def delete(self, kind: MediaKind, name: str) -> None:
        self._file(kind, name).unlink(missing_ok=True)

    def _file(self, kind: MediaKind, name: str) -> Path:
        return self._folders[kind] / name

    def _make(self, folder: Path) -> None:
        """Create the folder again if somebody deleted it while the server runs."""
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            self._disk.sync_folder(folder.parent)

    def _sync_name(self, file: Path) -> None:
        try:
            self._disk.sync_folder(file.parent)
        except BaseException:
            file.unlink(missing_ok=True)  # the caller gets an error, so the file must not stay
            raise
