"""Disk usage of the pictures, and a limit for it.

Above the limit, the originals of the oldest pictures that are not favourites are removed. Their runs and thumbnails
stay; the run records the removal, and the page and the log report it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select

from services.library.changes import Changes
from services.library.dialect import json_value
from services.library.history import History
from services.library.media import Media
from services.library.rows import stamp
from services.library.rules import LIVE
from services.library.scope import Scope
from services.library.tables import grid_cells, runs
from services.run import RunState, now

log = logging.getLogger(__name__)

LOOK_SECONDS = 60.0
KEPT_SHARE = 0.95
"""Originals are removed down to this share of the limit, so that not every new picture triggers a removal."""
BATCH = 500
AT_ONCE = 20_000
"""At most this many originals are removed before usage is measured again."""


@dataclass(frozen=True)
class Usage:
    """Numbers and bytes of files: of the whole server, or of one visitor (without thumbnails and database)."""

    originals: int
    originals_bytes: int
    thumbs_bytes: int | None
    database_bytes: int | None
    limit_bytes: int | None
    removed: int
    """Number of runs whose originals were removed to save space."""


@dataclass(frozen=True)
class Removed:
    """The originals of a scope's runs that were removed to save space."""

    originals: int
    bytes: int
    newest: datetime | None
    """When the last of them was removed."""


class Storage:
    def __init__(self, history: History, media: Media, changes: Changes, folder: Path, limit_bytes: int | None) -> None:
        self._history, self._media, self._changes = history, media, changes
        self._folder, self._limit = folder, limit_bytes
        self._newest: str | None = None  # cache of `_last`

    def usage(self, scope: Scope) -> Usage:
        """Blocks: it looks at every file, or at every run of a visitor."""
        removed = self.removed(scope).originals
        if not scope.everyone:
            count, size = self._of_entries(_kept(scope.clause()))
            return Usage(count, size, None, None, self._limit, removed)
        sizes = [size for _, size in self._media.list("media")]
        thumbs = sum(size for _, size in self._media.list("thumbs"))
        return Usage(len(sizes), sum(sizes), thumbs, self._database_bytes(), self._limit, removed)

    def _database_bytes(self) -> int:
        found = 0
        for file in self._folder.glob("history.sqlite3*"):
            with suppress(FileNotFoundError):  # removed just now
                found += file.lstat().st_size
        return found

    def removed(self, scope: Scope, since: datetime | None = None) -> Removed:
        """The originals removed after `since`. Runs without a thumbnail are not counted: they were imported without
        their original.

        Answered from memory if nothing was removed since then, because every page calls it when it opens.
        """
        if since and stamp(since) >= self._last():
            return Removed(0, 0, None)
        rules = [scope.clause(), runs.c.deleted_at.is_(None), runs.c.original_removed_at.is_not(None)]
        if since:
            rules.append(runs.c.original_removed_at > stamp(since))
        rule = and_(*rules, json_value(runs.c.picture, "thumb") != "")
        count, size = self._of_entries(rule)
        (newest,) = self._history.values(select(func.max(runs.c.original_removed_at)).where(rule))
        return Removed(count, size, datetime.fromisoformat(newest) if newest else None)

    def _last(self) -> str:
        """When an original was last removed, as `rows.stamp` writes it; empty if never."""
        if self._newest is None:
            (found,) = self._history.values(select(func.max(runs.c.original_removed_at)))
            self._newest = found or ""
        return self._newest

    def _of_entries(self, rule: ColumnElement[bool]) -> tuple[int, int]:
        size = func.coalesce(func.sum(json_value(runs.c.picture, "bytes")), 0)
        (found,) = self._history.records(select(func.count().label("count"), size.label("size")).where(rule))
        return found["count"], found["size"]

    # -- the limit ---------------------------------------------------------------------------------------------------

    async def keep_within(self) -> None:
        """Enforce the limit every LOOK_SECONDS as long as the server runs. Returns at once if there is no limit."""
        if self._limit is None:
            return
        await self._history.pools.chores(self._remove_leftovers)
        while True:
            try:
                await self.make_room()
            except Exception:  # the disk or the database may be busy: the loop tries again
                log.exception("no room could be made for pictures")
            await asyncio.sleep(LOOK_SECONDS)

    async def make_room(self) -> int:
        """Remove originals if they exceed the limit. Returns how many were removed."""
        gone = await self._history.pools.chores(self._make_room)
        for visitor in set(gone.values()):
            self._changes.tell(visitor)
        return len(gone)

    def _make_room(self) -> dict[str, str | None]:
        """Name of each removed original → visitor it belonged to."""
        size = sum(size for _, size in self._media.list("media"))
        if self._limit is None or size <= self._limit:
            return {}
        chosen = self._oldest(size - int(self._limit * KEPT_SHARE))
        gone = {name: visitor for batch in _batches(chosen) for name, visitor in self._remove(batch).items()}
        left = size - sum(chosen[name] for name in gone)
        log.warning(
            "%d originals of the oldest pictures were removed to keep within PLAYGROUND_MEDIA_LIMIT_GB; "
            "their entries and small copies are kept",
            len(gone),
        )
        if left > self._limit:
            log.warning("%.2f GB of originals stay: favourites, and pictures of grids under way", left / 2**30)
        return gone

    def _oldest(self, excess: int) -> dict[str, int]:
        """Name → bytes of removable originals, oldest first, until their sum reaches `excess` bytes."""
        size = json_value(runs.c.picture, "bytes").label("size")
        query = select(runs.c.media_name, size).where(_may_go()).order_by(runs.c.created_at, runs.c.seq).limit(AT_ONCE)
        found: dict[str, int] = {}
        for row in self._history.records(query):
            if excess <= 0:
                break
            found[row["media_name"]] = row["size"]
            excess -= row["size"]
        return found

    def _remove(self, names: list[str]) -> dict[str, str | None]:
        """Remove originals; returns those removed as name → visitor. First the runs are marked, then the files deleted:
        the other order could leave, after a crash, runs that claim to have an original.
        """
        rule = and_(_may_go(), runs.c.media_name.in_(names))
        moment = now()
        ids = self._history.change_all(rule, original_removed_at=moment)
        if ids:
            self._newest = max(self._newest or "", stamp(moment))
        rows = self._history.records(select(runs.c.media_name, runs.c.visitor).where(runs.c.id.in_(ids)))
        for row in rows:
            self._media.remove_original(row["media_name"])
        return {row["media_name"]: row["visitor"] for row in rows}

    def _remove_leftovers(self) -> None:
        """Delete files whose runs are marked as removed: a crash between the two steps of `_remove` leaves them."""
        names = self._history.values(select(runs.c.media_name).where(runs.c.original_removed_at.is_not(None)))
        for name in dict(self._media.list("media")).keys() & set(names):
            self._media.remove_original(name)


def _kept(rule: ColumnElement[bool]) -> ColumnElement[bool]:
    return and_(rule, runs.c.media_name.is_not(None), runs.c.original_removed_at.is_(None))


def _may_go() -> ColumnElement[bool]:
    """The condition for removable originals: not a favourite, not deleted (it may be undeleted), and neither made by a
    grid with unfinished runs nor in one of its cells.
    """
    under_way = select(runs.c.grid_id).where(runs.c.grid_id.is_not(None), runs.c.state.in_(LIVE))
    cells = select(grid_cells.c.run_id).where(grid_cells.c.grid_id.in_(under_way))
    return and_(
        _kept(runs.c.state == RunState.DONE.value),
        runs.c.favourite.is_(False),
        runs.c.deleted_at.is_(None),
        or_(runs.c.grid_id.is_(None), runs.c.grid_id.not_in(under_way)),
        runs.c.id.not_in(cells),
    )


def _batches(names: Iterable[str]) -> Iterable[list[str]]:
    left: Any = iter(names)
    while batch := list(islice(left, BATCH)):
        yield batch
