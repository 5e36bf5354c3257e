"""Recognises a history that begins from a copy, and makes sure that a copy sends nothing by itself.

`history.start` beside the database holds a number that each start draws anew, and the revision that the history had
reached. The database holds the number too. A history goes on where the numbers agree and no change that was once
committed is missing. In any other case it is a copy: what waits in it may have been sent by the history that it was
copied from.
"""

from __future__ import annotations

import errno
import logging
import os
import re
import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from sqlalchemy import Connection

from services.library.dialect import copy_into, counter, damage_in, insert_or_update, set_counter
from services.library.disk import Disk
from services.library.tables import counters

log = logging.getLogger(__name__)

FILE = "history.start"
NONE = 0
"""The number of a history that no program with such numbers has started."""
COPY = -1
"""The number in backups and in copies before an update: no start draws it, so they are always recognised."""
SYNCED_BYTES = 4 * 2**20
"""A copy is synced after each 4 MB: writers wait for the disk meanwhile, and a sync of all at the end would be long."""
LINE = re.compile(rb"(\d{20}) (\d{20}) (\d{20})\n")


@dataclass(frozen=True)
class Mark:
    """What `history.start` holds."""

    start: int
    """The number of the last start."""
    before: int
    """The number that the database still has if that start broke off before its commit; else the same as `start`."""
    revision: int
    """The number of the newest change that was committed. Not synced at each change: after a power cut it may be that
    of half a minute before."""

    def line(self) -> bytes:
        return b"%020d %020d %020d\n" % (self.start, self.before, self.revision)


class MarkFile:
    def __init__(self, folder: Path, disk: Disk | None = None) -> None:
        self._file, self._disk = folder / FILE, disk or Disk()
        self._mark: Mark | None = None
        self._descriptor: int | None = None

    def read(self) -> Mark | None:
        """None where there is no file. A file that cannot be understood agrees with no history."""
        try:
            found = LINE.fullmatch(self._file.read_bytes())
        except FileNotFoundError:
            return None
        return Mark(*map(int, found.groups())) if found else Mark(COPY - 1, COPY - 1, 0)

    def write(self, mark: Mark) -> None:
        """Replace the file by one that survives a power cut. Raises OSError."""
        self.close()
        part = self._file.with_name(f"{FILE}.part")
        part.write_bytes(mark.line())
        self._disk.put(part, self._file)
        self._mark = mark

    def reached(self, revision: int) -> None:
        """Note a change that was committed: a few microseconds, since it is not synced."""
        if self._mark is None or revision <= self._mark.revision:
            return
        self._mark = replace(self._mark, revision=revision)
        try:
            if self._descriptor is None:
                self._descriptor = os.open(self._file, os.O_WRONLY | getattr(os, "O_BINARY", 0))
            os.lseek(self._descriptor, 0, os.SEEK_SET)
            os.write(self._descriptor, self._mark.line())
        except OSError as error:  # the change is committed; only an older copy may now pass for this history
            log.warning("%s cannot be written: %s", self._file, error)

    def close(self) -> None:
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


def begin(connection: Connection, file: MarkFile, end_what_waits: Callable[[Connection], None]) -> bool:
    """Draw the number of this start, in one transaction with `end_what_waits` where the history begins from a copy.
    Returns whether it does. After the commit, call `confirm`. Raises OSError.

    The file is written first: after a crash before the commit the next start finds the number of the start before in
    the database, and goes on, or recognises the copy again.
    """
    kept, number, revision = file.read(), counter(connection, "start") or NONE, revision_of(connection)
    copied = is_copy(kept, number, revision)
    drawn = secrets.randbits(62) + 1
    file.write(Mark(drawn, drawn if copied else number, 0 if copied or kept is None else kept.revision))
    connection.execute(insert_or_update(counters, ["name"], "value").values(name="start", value=drawn))
    if copied:
        connection.execute(insert_or_update(counters, ["name"], "value").values(name="epoch", value=new_epoch()))
        end_what_waits(connection)
    return copied


def is_copy(kept: Mark | None, number: int, revision: int) -> bool:
    """Whether a history with this start number and revision is not the one that `history.start` tells of."""
    if revision == 0:
        return False  # it never held a run
    if kept is None:
        return number != NONE  # neither has one: written by a program that drew none
    return number not in (kept.start, kept.before) or revision < kept.revision


def confirm(connection: Connection, file: MarkFile) -> None:
    """The number that `begin` drew is committed. Raises OSError."""
    number = counter(connection, "start") or NONE
    file.write(Mark(number, number, revision_of(connection)))


def revision_of(connection: Connection) -> int:
    return counter(connection, "revision") or 0


def take(source: Path, copy: Path, between: Callable[[], None] = lambda: None, disk: Disk | None = None) -> None:
    """Write a copy of the history `source` that is recognised as one: checked, in one file, all of it or nothing.

    Others may write to `source` meanwhile. `between` is called after each SYNCED_BYTES; what it raises ends the
    copying. Raises OSError or FileError.
    """
    disk, part = disk or Disk(), copy.with_name(f"{copy.name}.part")

    def step() -> None:
        disk.sync(part)
        between()

    part.unlink(missing_ok=True)
    try:
        copy_into(source, part, step, SYNCED_BYTES)
        set_counter(part, "start", COPY)
        if damage := damage_in(part, thorough=True):
            raise OSError(errno.EIO, f"the copy of {source} is damaged: {damage}")
        shutil.copymode(source, part)
        disk.put(part, copy)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def new_epoch() -> int:
    return secrets.randbits(62)
