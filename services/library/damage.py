"""Rename a damaged history file before it is opened, so that the server can start with a new one."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from pathlib import Path

from services.errors import StartupError
from services.library.dialect import damage_in

log = logging.getLogger(__name__)

CHECKED_BYTES = 64 * 2**20
"""A history below this size is checked completely at each start (a few ms for 10 MB); a larger one only if the last
server did not close it, which its `-wal` file shows."""


def set_aside_if_damaged(file: Path) -> Path | None:
    """Rename `file` if it is damaged, and return its new path; None if it is sound, missing, or cannot be read now.

    Raises StartupError if it is damaged and cannot be renamed.
    """
    damage = _damage(file) if file.is_file() else None
    if damage is None:
        return None
    aside = file.with_name(f"{file.name}.damaged-{datetime.now():%Y%m%d-%H%M%S}")
    try:
        for ending in ("-wal", "-shm", ""):
            part = file.with_name(f"{file.name}{ending}")
            if part.exists():
                os.replace(part, aside.with_name(f"{aside.name}{ending}"))
    except OSError as error:
        raise StartupError(
            f"The history {file} is damaged ({damage}) and cannot be set aside ({error.strerror}). Move it away and "
            "start again: a new one is begun, and the pictures in the folder stay where they are."
        ) from error
    log.error("the history is damaged (%s): it was set aside as %s, and a new one is begun", damage, aside)
    return aside


def _damage(file: Path) -> str | None:
    """SQLite's error text for the file; None if it is sound or cannot be opened now."""
    left_open = file.with_name(f"{file.name}-wal").exists()
    return damage_in(file, thorough=left_open or file.stat().st_size < CHECKED_BYTES)
