"""Daily backups of the history: `backups/history-YYYYMMDD.sqlite3` in the data folder, named by the day in UTC.

The day's backup is made soon after the server's start, or after midnight. Writers go on meanwhile. Pictures are not in
it.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from sqlalchemy import select

from services.clock import Clock
from services.errors import CannotWrite
from services.library import copies
from services.library.dialect import FileError
from services.library.history import History
from services.library.tables import runs

log = logging.getLogger(__name__)

FOLDER = "backups"
NAME = re.compile(r"history-(\d{4})(\d{2})(\d{2})\.sqlite3")
LOOK_SECONDS = 10.0
AFTER_FAILURE_SECONDS = 600.0
PAUSE_SECONDS = 0.01
"""Pause after each 4 MB: writers get the disk in between."""


class Stopped(Exception):
    """The server stops while a backup is made: it is dropped, and made at the next start."""


class Backups:
    def __init__(self, history: History, folder: Path, days: int, clock: Clock) -> None:
        """`folder` is the data folder. `days`: how long backups are kept; 0 makes none."""
        self._history, self._source, self._folder = history, folder / "history.sqlite3", folder / FOLDER
        self._days, self._clock = days, clock
        self._stopping = False

    async def keep_up(self) -> None:
        """Make the day's backup and remove old ones, as long as the server runs."""
        pause = LOOK_SECONDS
        while True:
            await asyncio.sleep(pause)
            try:
                await self._history.pools.chores(self.look)
                pause = LOOK_SECONDS
            except Stopped:
                return
            except (OSError, FileError, CannotWrite) as error:
                log.error("the day's backup of the history could not be made: %s. It is tried again", error)
                pause = AFTER_FAILURE_SECONDS
            except Exception:  # a mistake of this program: the loop goes on
                log.exception("the day's backup of the history could not be made. It is tried again")
                pause = AFTER_FAILURE_SECONDS

    def stop(self) -> None:
        """End a backup that is being made."""
        self._stopping = True

    def look(self) -> None:
        """Make today's backup if it is missing, then remove those that are too old. Blocks for seconds if it is.

        Nothing is removed before today's is there. Raises OSError, FileError, CannotWrite or Stopped.
        """
        today = self._clock.now().date()
        if self._days and not self._file(today).exists():
            if not self._history.values(select(runs.c.seq).limit(1)):
                return  # nothing is in the history yet: the day's backup waits for it
            self._make(self._file(today))
        for file, day in self._made():
            if (today - day).days >= self._days:
                file.unlink(missing_ok=True)

    def _make(self, file: Path) -> None:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        for left in self._folder.glob("history-*.sqlite3.part"):  # of a server that was killed
            left.unlink()
        start = time.monotonic()
        copies.take(self._source, file, self._between)
        log.info("the history was backed up as %s in %.1f s", file, time.monotonic() - start)

    def _between(self) -> None:
        if self._stopping:
            raise Stopped
        time.sleep(PAUSE_SECONDS)

    def _file(self, day: date) -> Path:
        return self._folder / f"history-{day:%Y%m%d}.sqlite3"

    def _made(self) -> Iterator[tuple[Path, date]]:
        for file in self._folder.glob("history-*.sqlite3"):
            if found := NAME.fullmatch(file.name):
                try:
                    yield file, date(*map(int, found.groups()))
                except ValueError:  # no date: the file is not ours
                    continue
