"""The system calls that decide what survives a power cut."""

from __future__ import annotations

import errno
import os
from pathlib import Path

CANNOT_SYNC_FOLDERS = {errno.EINVAL, errno.ENOTSUP}
"""Errors of file systems that do not support fsync of folders, such as some network file systems."""


class Disk:
    """The system calls whose order decides what survives a power cut. Tests record them."""

    def sync_file(self, descriptor: int) -> None:
        os.fsync(descriptor)

    def replace(self, part: Path, file: Path) -> None:
        os.replace(part, file)

    def sync_folder(self, folder: Path) -> None:
        """Sync a folder's entries: only after this does the name of a new file survive a power cut."""
        if os.name == "nt":
            return  # Windows cannot open folders, and writes their entries itself
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in CANNOT_SYNC_FOLDERS:
                raise
        finally:
            os.close(descriptor)

    def put(self, part: Path, file: Path) -> None:
        """Give the finished file `part` the name `file`, in the same folder, so that both survive a power cut."""
        self.sync(part)
        self.replace(part, file)
        self.sync_folder(file.parent)

    def sync(self, file: Path) -> None:
        descriptor = os.open(file, os.O_RDWR)
        try:
            self.sync_file(descriptor)
        finally:
            os.close(descriptor)
