"""Where pictures are kept, as a protocol: by kind and name, without paths, renames or patterns.

A folder implements it today (`media_folder.py`); an object store can do the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, Protocol

MediaKind = Literal["media", "thumbs"]
"""Originals, and their thumbnails."""
KINDS: tuple[MediaKind, ...] = ("media", "thumbs")
Opener = Callable[[], BinaryIO]
"""Opens a picture when it is needed. Raises FileNotFoundError where it is gone by then."""


class Store(Protocol):
    """Methods block, and raise OSError where the disk or the network fails. Names are plain file names."""

    def read(self, kind: MediaKind, name: str) -> bytes | None:
        """All of it; None where there is none."""

    def open(self, kind: MediaKind, name: str) -> BinaryIO:
        """To be read block by block, and closed by the caller. Raises FileNotFoundError."""

    def put(self, kind: MediaKind, name: str, data: bytes, *, sync: bool = True) -> None:
        """Keep all of it or nothing; it replaces what has this name. With `sync` it outlives a power cut."""

    def size(self, kind: MediaKind, name: str) -> int | None:
        """In bytes; None where there is none."""

    def list(self, kind: MediaKind) -> Iterator[tuple[str, int]]:
        """Names and sizes in bytes, in no order."""

    def delete(self, kind: MediaKind, name: str) -> None:
        """Nothing happens where there is none."""
