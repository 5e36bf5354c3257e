"""The data folder: checks that it is writable, and locks it for one server."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from services.errors import StartupError

log = logging.getLogger(__name__)

LOCK = "in-use.lock"


def prepare(folder: Path) -> None:
    """Create the folder if it is missing. Raises StartupError if nothing can be written there."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "not writable")
    except OSError as error:
        raise StartupError(
            f"The data folder {folder} cannot be written ({error.strerror}). Make it writable, or set "
            "PLAYGROUND_DATA_DIR to another folder."
        ) from error


def claim(folder: Path) -> BaseFileLock:
    """Lock the folder for this process. Raises StartupError if another process has locked it.

    Two servers on one history would both send and follow its unfinished runs. The operating system releases the lock
    when the process ends, however it ends.
    """
    prepare(folder)
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise StartupError(
            f"Another playground is using the data folder {folder}. Stop it, or set PLAYGROUND_DATA_DIR to another "
            "folder for this one."
        ) from error
    except (OSError, NotImplementedError) as error:
        log.warning("%s cannot be locked (%s): see to it that no other playground uses it", folder, error)
    return lock
