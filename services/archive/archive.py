"""Exports and imports, as the page requests them."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import IO
from weakref import WeakValueDictionary

from services.archive.errors import ArchiveError, RestWaits
from services.archive.export import Download, Exporter, Extra, Kind
from services.archive.import_ import Imported, Importer, Tell
from services.archive.ownership import Owner
from services.archive.room import Room
from services.archive.safety import Limits
from services.intake.uploads import Uploads
from services.library.archive_rows import ExportRows
from services.library.bulk import Chosen
from services.library.changes import Changes
from services.library.history import History
from services.library.import_rows import ImportRows
from services.library.media import Media
from services.library.scope import Scope
from services.library.storage import Storage
from services.settings import Settings


class Archive:
    def __init__(
        self, history: History, media: Media, changes: Changes, storage: Storage, uploads: Uploads, settings: Settings,
        incoming: Path,
    ) -> None:  # fmt: skip
        """`incoming`: a folder for nothing but uploads, temporary files of exports and staged pictures."""
        self._uploads, self._room = uploads, Room(incoming.parent, storage, settings)
        self._rows, self._changes, self._settings, self._incoming = ExportRows(history), changes, settings, incoming
        self._pools = history.pools
        self._exporter = Exporter(self._rows, media, incoming)
        self._importer = Importer(ImportRows(history), media, incoming)
        self._one_at_a_time = asyncio.Lock()
        self._turns: WeakValueDictionary[str | None, asyncio.Lock] = WeakValueDictionary()

    def recover(self) -> None:
        """At start: finish or undo an import that a crash interrupted. Blocks."""
        self._importer.recover()

    # -- out ---------------------------------------------------------------------------------------------------------

    async def count(self, scope: Scope, chosen: Chosen | None) -> int:
        """How many runs an export would hold. `chosen` None: everything that the scope sees."""
        return await self._pools.reads(self._rows.count, scope, chosen)

    async def export(
        self,
        scope: Scope,
        chosen: Chosen | None,
        kind: Kind,
        *,
        grid_ids: Sequence[str] = (),
        extras: Sequence[Extra] = (),
    ) -> Download:
        """The caller closes the download.

        It holds a whole grid if the grid is in `grid_ids` and the runs of all its cells are chosen.
        """
        prepare = self._exporter.prepare
        # A visitor's exports are made one after the other: they leave a place to those of others.
        turn = self._turns.setdefault(scope.visitor, asyncio.Lock()) if not scope.everyone else nullcontext()
        async with turn:
            return await self._pools.exports(prepare, scope, chosen, kind, grid_ids=grid_ids, extras=extras)

    # -- in ----------------------------------------------------------------------------------------------------------

    def check_owner(self, visitor: str | None, scope: Scope) -> None:
        """Raises ArchiveError if there is nobody to whom something restored would belong."""
        if visitor is None and not scope.everyone:
            raise ArchiveError("nobody", "Open the page first: what is restored needs somebody to belong to.")

    async def receive(self, parts: AsyncIterator[bytes], size: int | None) -> Path:
        """Write an upload to a new file, which the caller removes. `size`: bytes that the client announced, if it did.

        Raises ArchiveError if the upload is larger than the limit or the disk lacks room for it, and TooSlow.
        """
        self._check_size(size or 0)
        self._incoming.mkdir(parents=True, exist_ok=True)
        # The pictures staged from the upload take as much again.
        with self._room.promised(2 * (size or 0)), _new_file(self._incoming) as whole:
            file = Path(whole.name)
            try:
                received = 0
                async for block in self._uploads.blocks(parts):
                    received += len(block)
                    self._check_size(received)
                    await self._pools.transfers(self._write, whole, block)
            except BaseException:
                self.discard(file)
                raise
        return file

    def discard(self, file: Path) -> None:
        """Remove a received file."""
        file.unlink()

    def _check_size(self, size: int) -> None:
        limit = self._settings.import_limit_bytes
        if limit == 0:
            raise ArchiveError("not_allowed", "Restoring is switched off here (PLAYGROUND_IMPORT_LIMIT_GB is 0).")
        if size > limit:
            raise ArchiveError(
                "too_large",
                f"The file is larger than {limit / 2**30:.3g} GB, the limit here (PLAYGROUND_IMPORT_LIMIT_GB). "
                "Export it in parts.",
            )

    async def import_file(self, file: Path, visitor: str | None, scope: Scope, tell: Tell) -> Imported:
        """Import a received file for a visitor. `tell` is called in another thread. Raises ArchiveError."""
        self.check_owner(visitor, scope)
        owner = Owner(visitor, scope.everyone)
        async with self._one_at_a_time:
            quotas = await self._pools.chores(self._room.quotas, scope)
            limits = Limits(self._settings.import_limit_bytes, quotas=quotas)
            try:
                restored = await self._pools.restores(self._importer.import_file, file, owner, limits, tell)
            except OSError as error:
                words = error.strerror or type(error).__name__
                raise ArchiveError("disk", f"The server could not keep the files ({words}).") from error
            except RestWaits:
                self._changes.tell(visitor)
                raise
        self._changes.tell(visitor)
        return restored

    def _write(self, whole: IO[bytes], block: bytes) -> None:
        self._room.check()
        try:
            whole.write(block)
        except OSError as error:
            raise ArchiveError("no_room", f"The server could not keep the upload ({error.strerror}).") from error


def _new_file(folder: Path) -> tempfile._TemporaryFileWrapper[bytes]:
    return tempfile.NamedTemporaryFile(dir=folder, prefix="upload-", delete=False)
