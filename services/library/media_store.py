"""The protocol of a store for pictures: access by kind and name, without paths, renames or patterns.

Implemented for a folder (`media_folder.py`); an object store could implement it too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO, Literal, Protocol

MediaKind = Literal["media", "thumbs"]
"""Originals, and their thumbnails."""
KINDS: tuple[MediaKind, ...] = ("media", "thumbs")
Opener = Callable[[], BinaryIO]
"""Opens a picture when it is needed. Raises FileNotFoundError if it has been deleted by then."""


class Store(Protocol):
    """Methods block, and raise OSError if the disk or the network fails. Names are file names without folders."""

    def read(self, kind: MediaKind, name: str) -> bytes | None:
        """All bytes of a picture; None if it does not exist."""

    def open(self, kind: MediaKind, name: str) -> BinaryIO:
        """A binary stream of the picture, which the caller closes. Raises FileNotFoundError."""

    def put(self, kind: MediaKind, name: str, data: bytes, *, sync: bool = True) -> None:
        """Store all of it or nothing, replacing what has this name. With `sync`, it survives a power cut."""

    def size(self, kind: MediaKind, name: str) -> int | None:
        """Size in bytes; None if the picture does not exist."""

    def list(self, kind: MediaKind) -> Iterator[tuple[str, int]]:
        """Names and sizes in bytes, in no order."""

    def delete(self, kind: MediaKind, name: str) -> None:
        """Delete a picture; does nothing if it does not exist."""
