"""What was erased or removed for good, kept beside the history: a copy of the history that is put in its place later
still holds it, and it is erased there again.

`erased.jsonl` has a line for each erasure; the history holds the ids of those that were done in it (table `erasures`).
A copy from before lacks the id. A line is kept as long as there is a copy that may be older.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta, timezone
from pathlib import Path

from services.library.disk import Disk
from services.library.rows import stamp
from services.run import new_id

log = logging.getLogger(__name__)

FILE = "erased.jsonl"
COPIES = ("backups/*", "history.sqlite3.*")
"""Copies of the history in the data folder: backups, those before an update, damaged ones that were set aside."""
LEAST = timedelta(days=7)
"""A line is kept so long though there is no copy in the data folder: one may have been put elsewhere."""
MARGIN = timedelta(days=1)
"""A copy holds what the history was when the copy was begun, which may be this long before the date of its file."""


@dataclass(frozen=True)
class Gone:
    """One erasure."""

    id: str
    at: str
    """As `rows.stamp` writes it."""
    visitor: str = ""
    """The SHA-256 of the visitor whose data were erased; empty where single things were removed: their ids."""
    runs: tuple[str, ...] = ()
    grids: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    ballots: tuple[str, ...] = ()


def hashed(visitor: str) -> str:
    """The list does not hold the name under which a visitor's rows are found in a copy."""
    return hashlib.sha256(visitor.encode()).hexdigest()


class GoneList:
    """Methods block, and raise OSError if the disk fails."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._file = folder, folder / FILE
        self._writing = threading.Lock()

    def add(self, moment: datetime, **what: object) -> str:
        """Write a line that survives a power cut, before anything is erased. `what`: the fields of Gone. Returns its
        id.
        """
        gone = Gone(new_id(), stamp(moment), **what)  # type: ignore[arg-type]
        with self._writing:
            self._append(json.dumps(asdict(gone)) + "\n")
        return gone.id

    def all(self) -> list[Gone]:
        """A line that cannot be read is left out: a crash may have cut off the last one."""
        try:
            lines = self._file.read_text("utf-8").splitlines()
        except FileNotFoundError:
            return []
        return [gone for line in lines if (gone := _read(line))]

    def prune(self, moment: datetime) -> set[str]:
        """Drop the lines that are older than every copy of the history. Returns the ids of those that stay."""
        with self._writing:
            lines = self.all()
            oldest = stamp(min([moment - LEAST, *self._copies()]) - MARGIN)
            kept = [gone for gone in lines if gone.at >= oldest]
            if len(kept) < len(lines):
                part = self._file.with_name(f"{FILE}.part")
                part.write_text("".join(json.dumps(asdict(gone)) + "\n" for gone in kept), "utf-8")
                Disk().put(part, self._file)
        return {gone.id for gone in kept}

    def _copies(self) -> Iterable[datetime]:
        for pattern in COPIES:
            for copy in self._folder.glob(pattern):
                yield datetime.fromtimestamp(copy.stat().st_mtime, timezone.utc)

    def _append(self, line: str) -> None:
        begun = self._file.exists()
        with self._file.open("a", encoding="utf-8") as writing:
            if begun and self._file.stat().st_size and not self._file.read_bytes().endswith(b"\n"):
                writing.write("\n")
            writing.write(line)
            writing.flush()
            os.fsync(writing.fileno())
        if not begun:
            Disk().sync_folder(self._folder)


def _read(line: str) -> Gone | None:
    try:
        values = json.loads(line)
        kept = {kind: tuple(map(str, values[kind])) for kind in ("runs", "grids", "projects", "ballots")}
        return Gone(str(values["id"]), str(values["at"]), str(values["visitor"]), **kept)
    except (ValueError, TypeError, KeyError):
        log.warning("a line of %s cannot be read and is left out", FILE)
        return None
