"""A damaged history is set aside before it is opened, so that a new one can be begun."""

from __future__ import annotations

import logging
import os
from datetime import datetime
from pathlib import Path

from services.errors import StartupError
from services.library.dialect import damage_in

log = logging.getLogger(__name__)

CHECKED_BYTES = 64 * 2**20
"""A history up to this size is checked whole at each start (a few ms for 10 MB); a larger one only after a server that
did not close it."""


def set_aside_if_damaged(file: Path) -> Path | None:
    """Where a damaged history lies now; None where `file` is sound, is not there, or cannot be read just now.

    Raises StartupError where it is damaged and cannot be renamed.
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
    """What is wrong with the file; None where nothing is, or where another program holds it."""
    left_open = file.with_name(f"{file.name}-wal").exists()
    return damage_in(file, thorough=left_open or file.stat().st_size < CHECKED_BYTES)
