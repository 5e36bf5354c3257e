"""Where tests keep pictures: in a folder as the server does, and in memory as an object store would."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from services.library.media_folder import FolderStore
from services.library.media_store import KINDS, MediaKind, Store


class MemoryStore:
    """A Store without any file: code that relies on a path, a rename or a file name pattern fails with it."""

    def __init__(self) -> None:
        self._kept: dict[MediaKind, dict[str, bytes]] = {kind: {} for kind in KINDS}

    def read(self, kind: MediaKind, name: str) -> bytes | None:
        return self._kept[kind].get(name)

    def open(self, kind: MediaKind, name: str) -> BinaryIO:
        if name not in self._kept[kind]:
            raise FileNotFoundError(name)
        return io.BytesIO(self._kept[kind][name])

    def put(self, kind: MediaKind, name: str, data: bytes, *, sync: bool = True) -> None:
        self._kept[kind][name] = data

    def size(self, kind: MediaKind, name: str) -> int | None:
        return len(self._kept[kind][name]) if name in self._kept[kind] else None

    def list(self, kind: MediaKind) -> Iterator[tuple[str, int]]:
        return iter([(name, len(data)) for name, data in self._kept[kind].items()])

    def delete(self, kind: MediaKind, name: str) -> None:
        self._kept[kind].pop(name, None)


STORES: dict[str, Callable[[Path], Store]] = {"folder": FolderStore, "memory": lambda _folder: MemoryStore()}


def contents(store: Store) -> dict[MediaKind, dict[str, int]]:
    """Names and sizes of all that is kept."""
    return {kind: dict(store.list(kind)) for kind in KINDS}


def opener(file: Path) -> Callable[[], BinaryIO]:
    """An Opener for a picture that a test has as a file."""
    return lambda: file.open("rb")
