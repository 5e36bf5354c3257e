"""A data folder with a history, its pictures, and their exporter and importer."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from PIL import Image
from sqlalchemy import Table, insert, select

from services.archive.export import Exporter, Extra, Kind
from services.archive.import_ import Imported, Importer
from services.archive.ownership import Owner
from services.archive.safety import Limits
from services.library.archive_rows import ExportRows
from services.library.bulk import Chosen
from services.library.history import History
from services.library.import_rows import ImportRows
from services.library.media import Media
from services.library.media_folder import FolderStore
from services.library.media_store import MediaKind, Store
from services.library.scope import EVERYONE, Scope
from services.library.tables import ballots, grid_cells, grids, projects, runs
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Run, RunState, new_id, now

LIMITS = Limits(2**30)
GROUP = Owner("ann", shares=True)


class Shelf:
    def __init__(self, folder: Path, store: Store | None = None) -> None:
        """Pictures are kept in `store`, or in the folder."""
        self.folder = folder
        self.history, self.media = History(folder), Media(store or FolderStore(folder))
        self.exporter = Exporter(ExportRows(self.history), self.media, folder / "incoming")
        self.importer = Importer(ImportRows(self.history), self.media, folder / "incoming")

    def close(self) -> None:
        self.history.close()

    # -- what is in it -----------------------------------------------------------------------------------------------

    def add(self, prompt: str = "a fox", *, visitor: str | None = "ann", picture: bool = True, **fields: Any) -> Run:
        request = fields.pop("request", Flux2FlexRequest(prompt=prompt, seed=7, image_size="square"))
        kept = self.media.keep(a_picture(prompt), request) if picture else None
        state = RunState.DONE if picture else RunState.FAILED
        defaults = {"id": new_id(), "visitor": visitor, "engine": "demo", "key_of": "owner", "request": request,
                    "state": state, "created_at": now(), "picture": kept}  # fmt: skip
        return self.history.add([Run(**{**defaults, **fields})])[0]

    def write(self, table: Table, **values: Any) -> None:
        with self.history.writing() as connection:
            connection.execute(insert(table).values(**values))

    def all(self) -> list[Run]:
        """Every run in the order of seq, without the fields that have a meaning on this server only."""
        entries = self.history.rows(select(runs).order_by(runs.c.seq))
        return [entry.run.model_copy(update={"revision": 0, "visitor": None}) for entry in entries]

    def rows(self, table: Table) -> list[dict[str, Any]]:
        found = self.history.records(select(table).order_by(*table.primary_key))
        return [{name: value for name, value in row.items() if name not in ("seq", "visitor")} for row in found]

    def kin(self) -> list[list[dict[str, Any]]]:
        return [self.rows(table) for table in (projects, grids, grid_cells, ballots)]

    def files(self) -> dict[str, bytes]:
        return self._kept("media")

    def state(self) -> Any:
        """Everything that a refused import must leave unchanged."""
        left = sorted(file.name for file in (self.folder / "incoming").glob("*"))
        return self.all(), self.kin(), self.files(), sorted(self.thumbs()), left

    def thumbs(self) -> dict[str, bytes]:
        return self._kept("thumbs")

    def _kept(self, kind: MediaKind) -> dict[str, bytes]:
        return {name: self.media.read(kind, name) or b"" for name, _ in self.media.list(kind)}

    # -- out and in --------------------------------------------------------------------------------------------------

    def export(self, kind: Kind = "zip", scope: Scope = EVERYONE, chosen: Chosen | None = None, *,
               grid_ids: Iterable[str] = (), extras: Iterable[Extra] = ()) -> bytes:  # fmt: skip
        download = self.exporter.prepare(scope, chosen, kind, grid_ids=tuple(grid_ids), extras=tuple(extras))
        data = b"".join(download.blocks)
        download.close()
        assert len(data) == download.size
        return data

    def restore(self, data: bytes, owner: Owner = GROUP, limits: Limits = LIMITS) -> Imported:
        file = self.folder / "dropped"
        file.write_bytes(data)
        return self.importer.import_file(file, owner, limits)


def a_picture(text: str = "a fox", encoding: str = "JPEG", size: tuple[int, int] = (48, 32)) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", size, f"#{zlib.crc32(text.encode()) & 0xFFFFFF:06x}").save(out, encoding)
    return out.getvalue()


def parts_of(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def packed(parts: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", compression) as archive:
        for name, data in parts.items():
            archive.writestr(name, data)
    return out.getvalue()


def lines_of(data: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in data.splitlines()]


def written(lines: Iterable[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)
