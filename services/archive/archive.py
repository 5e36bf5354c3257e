"""Exports and imports, as the page requests them."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import IO

from services.archive.errors import ArchiveError, PicturesWait
from services.archive.export import BLOCK, Download, Exporter, Extra, Kind
from services.archive.import_ import Imported, Importer, Tell
from services.archive.ownership import Owner
from services.archive.safety import Limits
from services.library.archive_rows import ExportRows, ImportRows
from services.library.bulk import Chosen
from services.library.changes import Changes
from services.library.history import History
from services.library.media import Media
from services.library.scope import Scope
from services.run import now
from services.settings import Settings


class Archive:
    def __init__(self, history: History, media: Media, changes: Changes, settings: Settings, incoming: Path) -> None:
        """`incoming`: a folder for nothing but uploads, temporary files of exports and staged pictures."""
        self._rows, self._changes, self._settings, self._incoming = ExportRows(history), changes, settings, incoming
        self._pools = history.pools
        self._exporter = Exporter(self._rows, media, incoming)
        self._importer = Importer(ImportRows(history), media, incoming)
        self._one_at_a_time = asyncio.Lock()

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
        return await self._pools.exports(prepare, scope, chosen, kind, grid_ids=grid_ids, extras=extras)

    # -- in ----------------------------------------------------------------------------------------------------------

    async def receive(self, parts: AsyncIterator[bytes], size: int | None) -> Path:
        """Write an upload to a new file, which the caller removes. `size`: bytes that the client announced, if it did.

        Raises ArchiveError if the upload is larger than the limit or the disk lacks room for it.
        """
        limit = self._settings.import_limit_bytes
        self._check_size(size or 0, limit)
        self._incoming.mkdir(parents=True, exist_ok=True)
        # The pictures staged from the upload take as much again.
        if 2 * (size or 0) > shutil.disk_usage(self._incoming).free:
            raise ArchiveError("no_room", "The server's disk has no room for it.")
        with tempfile.NamedTemporaryFile(dir=self._incoming, prefix="upload-", delete=False) as whole:
            file = Path(whole.name)
            try:
                received, block = 0, bytearray()
                async for part in parts:
                    received += len(part)
                    self._check_size(received, limit)
                    block += part
                    if len(block) >= BLOCK:
                        await self._pools.transfers(_write, whole, bytes(block))
                        block.clear()
                await self._pools.transfers(_write, whole, bytes(block))
            except BaseException:
                self.discard(file)
                raise
        return file

    def discard(self, file: Path) -> None:
        """Remove a received file."""
        file.unlink()

    def _check_size(self, size: int, limit: int) -> None:
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
        if visitor is None and not scope.everyone:
            raise ArchiveError("nobody", "Open the page first: what is restored needs somebody to belong to.")
        owner = Owner(visitor, scope.everyone, self._budget_since())
        limits = Limits(self._settings.import_limit_bytes)
        async with self._one_at_a_time:
            try:
                restored = await self._pools.restores(self._importer.import_file, file, owner, limits, tell)
            except OSError as error:
                words = error.strerror or type(error).__name__
                raise ArchiveError("disk", f"The server could not keep the files ({words}).") from error
            except PicturesWait:
                self._changes.tell(visitor)
                raise
        self._changes.tell(visitor)
        return restored

    def _budget_since(self) -> datetime | None:
        limits = (self._settings.visitor_budget_usd, self._settings.daily_budget_usd)
        midnight = now().replace(hour=0, minute=0, second=0, microsecond=0)
        return None if limits == (None, None) else midnight


def _write(whole: IO[bytes], block: bytes) -> None:
    try:
        whole.write(block)
    except OSError as error:
        raise ArchiveError("no_room", f"The server could not keep the upload ({error.strerror}).") from error
