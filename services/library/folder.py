"""The data folder: checks that it is writable, and locks it for one server."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from services.errors import StartupError

log = logging.getLogger(__name__)

LOCK = "in-use.lock"


def prepare(folder: Path) -> None:
    """Create the folder if it is missing, for this user alone. Raises StartupError if nothing can be written there."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(13, "not writable")
    except OSError as error:
        raise StartupError(
            f"The data folder {folder} cannot be written ({error.strerror}). Make it writable, or set "
            "PLAYGROUND_DATA_DIR to another folder."
        ) from error


def keep_files_private() -> None:
    """From now on, what this process creates can be read by its user alone: prompts and pictures are nobody else's."""
    os.umask(0o077)


def create_private(file: Path) -> None:
    """Create an empty file that its user alone may read, if it is missing. SQLite gives its log the same mode."""
    if not file.exists():
        os.close(os.open(file, os.O_CREAT | os.O_RDWR, 0o600))


def _warn_if_open(folder: Path) -> None:
    mode = stat.S_IMODE(folder.stat().st_mode)
    if os.name != "nt" and mode & 0o077:
        log.warning(
            "other users of this machine can look into the data folder %s (permissions %o): `chmod 700 %s` closes it",
            folder, mode, folder,
        )  # fmt: skip


def claim(folder: Path) -> BaseFileLock:
    """Lock the folder for this process. Raises StartupError if another process has locked it.

    Two servers on one history would both send and follow its unfinished runs. The operating system releases the lock
    when the process ends, however it ends.
    """
    prepare(folder)
    _warn_if_open(folder)
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
