"""Puts a backup, or another copy, in the place of the history: `python app.py --restore FILE`, while no server runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from sqlalchemy import func, select

from services.errors import StartupError
from services.library import copies
from services.library.database import NEWEST_SCHEMA, OLDER_SCHEMAS
from services.library.dialect import FileError, damage_in, schema_in
from services.library.disk import Disk
from services.library.history import History
from services.library.tables import runs


@dataclass(frozen=True)
class Restored:
    history: Path
    aside: Path | None
    """Where the history that was there before is kept; None if there was none."""
    pictures: int
    """Number of runs in the history."""
    newest: datetime | None
    """When the newest of them was asked for."""

    def __str__(self) -> str:
        pictures = "picture" if self.pictures == 1 else "pictures"
        newest = f", the newest of {self.newest:%Y-%m-%d %H:%M} UTC" if self.newest else ""
        kept = f"The history that was there is kept as {self.aside}.\n" if self.aside else ""
        return (
            f"The backup is now the history {self.history}: {self.pictures:,} {pictures}{newest}.\n{kept}"
            "It sends nothing by itself: what waited in it is cancelled at the next start, which says so. "
            "Start the server: python app.py"
        )


def restore(backup: Path, folder: Path, before_serving: Callable[[History], object] = lambda _: None) -> Restored:
    """Check `backup`, keep the present history aside, and put a copy of the backup in its place. The caller has claimed
    the data folder.

    `before_serving` gets the history when it is in place and has the newest schema, before any server opens it. The
    next start recognises that it begins from a copy (`services/library/copies.py`). Raises StartupError; then nothing
    was changed, unless `before_serving` raised it.
    """
    file = folder / "history.sqlite3"
    _check(backup, file)
    new = file.with_name(f"{file.name}.restored")
    try:
        copies.take(backup, new)
        aside = _keep_aside(file) if file.exists() else None
        Disk().put(new, file)
    except (OSError, FileError) as error:
        new.unlink(missing_ok=True)
        raise StartupError(
            f"{backup} could not be restored ({error}). The history {file} is as it was. Make room in that folder, or "
            "make it writable, and try again."
        ) from error
    with closing(History(folder)) as history:
        before_serving(history)
        (count,) = history.values(select(func.count()).select_from(runs))
        (newest,) = history.values(select(func.max(runs.c.created_at)))
    return Restored(file, aside, count, datetime.fromisoformat(newest) if newest else None)


def _check(backup: Path, file: Path) -> None:
    """Raises StartupError unless `backup` is a sound history that this program can open, and not `file` itself."""
    if not backup.is_file():
        raise StartupError(f"There is no file {backup}. Name a backup, such as backups/history-20260131.sqlite3.")
    if file.exists() and backup.samefile(file):
        raise StartupError(f"{backup} is the history itself. Name a backup of it.")
    damage = damage_in(backup, thorough=True)
    try:
        schema = None if damage else schema_in(backup)
    except FileError as error:
        damage = str(error)
    if damage:
        raise StartupError(f"{backup} cannot be restored: {damage}. The history is as it was; name another backup.")
    if schema is None:
        raise StartupError(f"{backup} holds no history of this program. The history is as it was.")
    if schema not in (*OLDER_SCHEMAS, NEWEST_SCHEMA):
        raise StartupError(f"{backup} was written by a newer version of this program. Restore it with that version.")


def _keep_aside(file: Path) -> Path:
    """Give the present history a second name, `history.sqlite3.before-restore-…`; its first one is taken over next, so
    that at no moment there is none. Raises OSError.
    """
    aside = file.with_name(f"{file.name}.before-restore-{datetime.now():%Y%m%d-%H%M%S}")
    damage_in(file, thorough=False)  # opens and closes it: SQLite then writes the log into the file
    for ending in ("-wal", "-shm"):  # still there if the file is damaged: both belong to it
        left = file.with_name(f"{file.name}{ending}")
        if left.exists():
            os.replace(left, aside.with_name(f"{aside.name}{ending}"))
    try:
        os.link(file, aside)
    except OSError:  # a file system without links
        shutil.copy2(file, aside)
        Disk().sync(aside)
    return aside
