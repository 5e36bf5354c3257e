"""How much of the disk imports may take: some of it is left to pictures that are made and paid for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from services.archive.errors import ArchiveError
from services.archive.safety import Quota
from services.library.scope import EVERYONE, Scope
from services.library.storage import Storage
from services.settings import Settings

LEFT_FREE = 2**30
"""Bytes of the disk that no import takes."""
ENTRY_BYTES = 3_000
"""About what a run takes in the history, with its indexes."""


class Room:
    def __init__(self, folder: Path, storage: Storage, settings: Settings) -> None:
        """`folder` is on the disk in question."""
        self._folder, self._storage, self._settings = folder, storage, settings
        self._promised = 0

    @contextmanager
    def promised(self, size: int) -> Iterator[None]:
        """Keep so many bytes for an upload that is on its way. Raises ArchiveError if they are not free."""
        if size > self._free():
            raise ArchiveError("no_room", "The server's disk has no room for it.")
        self._promised += size
        try:
            yield
        finally:
            self._promised -= size

    def check(self) -> None:
        """Raises ArchiveError if nothing more may be written."""
        if shutil.disk_usage(self._folder).free < LEFT_FREE:
            raise ArchiveError("no_room", "The server's disk has no room for it.")

    def quotas(self, scope: Scope) -> tuple[Quota, ...]:
        """What an import into this scope may add. Blocks: it may look at every file."""
        free = self._free()
        found = [Quota(free, f"the server's disk has room for {_gb(free)}.", ENTRY_BYTES)]
        if limit := self._settings.media_limit_bytes:
            left = max(0, limit - self._storage.usage(EVERYONE).originals_bytes)
            rest = f"{_gb(left)} are free within {_gb(limit)}, the limit here (PLAYGROUND_MEDIA_LIMIT_GB)."
            found.append(Quota(left, rest))
        if (limit := self._settings.import_total_bytes) is not None:
            left = max(0, limit - self._storage.usage(scope).originals_bytes)
            rest = f"{_gb(left)} may be added until this history holds {_gb(limit)} (PLAYGROUND_IMPORT_TOTAL_GB)."
            found.append(Quota(left, rest))
        return tuple(found)

    def _free(self) -> int:
        return max(0, shutil.disk_usage(self._folder).free - LEFT_FREE - self._promised)


def _gb(size: int) -> str:
    return f"{size / 2**30:.3g} GB"
