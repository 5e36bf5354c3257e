"""Restore an export, all of it or nothing.

Everything is looked through first; then the pictures are checked and staged in a folder of their own; then one database
transaction writes every entry; then the staged pictures are put to the others. After a crash `recover` looks at what is
still staged: pictures of entries that the history has are put to the others, the rest is removed.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from sqlalchemy import Connection, func, select, text

from services.archive.belongings import one_of
from services.archive.errors import ArchiveError
from services.archive.lines import RunLine
from services.archive.ownership import Owner
from services.archive.relations import Kin
from services.archive.safety import Bundle, Limits, opened
from services.archive.staging import Staging, staging
from services.library.history import History, change_all, put_back
from services.library.media import Media, thumb_of
from services.library.rows import stamp
from services.library.scope import Scope
from services.library.tables import runs
from services.run import Picture, Run, now

BATCH = 500
Tell = Callable[[int], None]
"""Called with the number of pictures that are checked and staged."""


@dataclass(frozen=True)
class Restored:
    restored: int
    """Entries that were not here."""
    here: int
    """Entries that were here already and are left as they are."""
    originals: int
    """Pictures that were put in place, those of entries that were here without them too."""
    without: int
    """Restored entries that tell of a picture which is not in the file."""
    grids: tuple[str, ...] = ()
    """The ids of the grids in it, as they are here."""


@dataclass(frozen=True)
class _Here:
    """A run that the history has."""

    id: str
    visitor: str | None
    deleted: bool
    media_name: str | None
    bytes: int | None
    """Of its original."""


class Restorer:
    """Methods block, `restore` for about 20 ms a picture."""

    def __init__(self, history: History, media: Media, incoming: Path) -> None:
        """Pictures are staged in folders in `incoming`."""
        self._history, self._media, self._incoming = history, media, incoming

    def restore(self, file: Path, owner: Owner, limits: Limits, tell: Tell = lambda _done: None) -> Restored:
        """Raises ArchiveError; then nothing has changed.

        After an OSError entries may stand without their pictures: the next start, or a second try, gives them these.
        """
        with opened(file, limits) as bundle, staging(self._incoming, self._media) as staged:
            restored = _Restoring(self._history, self._media, bundle, owner, staged, tell).all()
            staged.committed = True
            staged.move()
        return restored

    def recover(self) -> None:
        """Finish or undo what a crash left. To be called at start, before anything is exported or restored."""
        for left in self._incoming.glob("*"):
            if not left.is_dir():
                left.unlink()
                continue
            staged = Staging(left, self._media)
            staged.keep_only(self._is_known)
            staged.move()
            shutil.rmtree(left)

    def _is_known(self, name: str) -> bool:
        stem = name.partition(".")[0]
        rule = (runs.c.media_name > f"{stem}.") & (runs.c.media_name < f"{stem}/")  # "/" follows "."
        return bool(self._history.values(select(runs.c.seq).where(rule).limit(1)))


class _Restoring:
    """One file on its way in. Dicts have the ids as they stand in the file for keys."""

    def __init__(
        self, history: History, media: Media, bundle: Bundle, owner: Owner, staged: Staging, tell: Tell
    ) -> None:
        self._history, self._media, self._bundle = history, media, bundle
        self._owner, self._staged, self._tell = owner, staged, tell
        self._scope = Scope(owner.visitor, everyone=owner.shares)
        self._kin = Kin(owner, self._scope)
        self._order: list[str] = []
        self._names: list[str] = []
        self._newest = ""
        self._ids: dict[str, str] = {}
        self._here: dict[str, _Here] = {}
        self._placed: dict[str, tuple[str, str]] = {}  # → names of original and thumbnail; "" where there is none

    def all(self) -> Restored:
        self._look()
        self._settle_ids()
        originals, without = self._stage()
        with self._history.writing() as connection:
            self._commit(connection)
        new = len(self._order) - len(self._here)
        grids = tuple(self._kin.grids)
        return Restored(restored=new, here=len(self._here), originals=originals, without=without, grids=grids)

    # -- looking -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Every line once, so that nothing is refused later but a picture."""
        for line in self._bundle.runs():
            if line.id in self._ids:
                raise ArchiveError("twice", f"The run {line.id} stands in it twice.")
            self._ids[line.id] = line.id
            self._order.append(line.id)
            self._newest = max(self._newest, stamp(line.created_at))
            if line.picture:
                self._names.append(line.picture.name)
            self._kin.see(line)
        for grid in self._bundle.grids():
            self._kin.see(grid)

    def _settle_ids(self) -> None:
        """An id that belongs to another visitor is replaced by one of this visitor's own."""
        found = self._find(self._order)
        others = {here.id for here in found.values() if not self._is_mine(here)}
        self._ids.update((run_id, self._owner.own_id(run_id)) for run_id in others)
        found = {run_id: here for run_id, here in found.items() if run_id not in others}
        found |= self._find(self._ids[run_id] for run_id in others)
        self._here = {run_id: found[mine] for run_id, mine in self._ids.items() if mine in found}

    def _find(self, ids: Iterable[str]) -> dict[str, _Here]:
        size = func.json_extract(runs.c.picture, "$.bytes")
        columns = select(runs.c.id, runs.c.visitor, runs.c.deleted_at.is_not(None), runs.c.media_name, size)
        rows = (
            row for batch in _batches(ids) for row in self._history.records(columns.where(runs.c.id.in_(one_of(batch))))
        )
        return {row["id"]: _Here(*row.values()) for row in rows}

    def _is_mine(self, here: _Here) -> bool:
        return self._owner.shares or here.visitor == self._owner.visitor

    # -- pictures ----------------------------------------------------------------------------------------------------

    def _stage(self) -> tuple[int, int]:
        """Check and stage the pictures that are not here. Returns (originals, restored entries that lack theirs)."""
        taken = self._taken()
        originals = without = 0
        for line in self._bundle.runs():
            here = self._here.get(line.id)
            if line.picture is None or (here and not self._lacks(here, line.picture)):
                continue
            name = here.media_name if here and here.media_name else self._staged.free_name(line.picture.name, taken)
            taken.add(name)
            if line.picture.name in self._bundle.media:
                self._staged.original(self._bundle, line.picture, name)
                self._placed[line.id] = (name, thumb_of(name))
                originals += 1
                self._tell(originals)
                continue
            without += 1
            has_thumb = line.picture.thumb in self._bundle.thumbs
            self._placed[line.id] = (name, thumb_of(name) if has_thumb else "")
            if has_thumb:
                self._staged.thumbnail(self._bundle, line.picture, name)
        return originals, without

    def _taken(self) -> set[str]:
        """Names of the file's pictures that runs here have."""
        queries = (
            select(runs.c.media_name).where(runs.c.media_name.in_(one_of(batch))) for batch in _batches(self._names)
        )
        return {name for query in queries for name in self._history.values(query)}

    def _lacks(self, here: _Here, picture: Picture) -> bool:
        """Whether an entry that is here lacks its original, and the file has it."""
        if here.media_name is None or here.bytes != picture.bytes or picture.name not in self._bundle.media:
            return False
        return self._media.size("media", here.media_name) is None

    # -- the history -------------------------------------------------------------------------------------------------

    def _commit(self, connection: Connection) -> None:
        """All of it. It can be done again from the start where its transaction was undone."""
        self._kin.settle(connection, self._ids)
        self._write(connection)
        self._kin.write(connection, self._bundle.grids())

    def _write(self, connection: Connection) -> None:
        seq = self._first_seq(connection, len(self._order) - len(self._here))
        lines = (line for line in self._bundle.runs() if line.id not in self._here)
        while batch := list(islice(lines, BATCH)):
            put_back(connection, [self._settled(line) for line in batch], seq)
            seq += len(batch)
        deleted = [here.id for here in self._here.values() if here.deleted]
        for ids in _batches(deleted):
            change_all(connection, runs.c.id.in_(one_of(ids)), deleted_at=None)
        for line in self._bundle.runs() if self._here else ():
            if line.id in self._here and line.id in self._placed:
                mine = runs.c.id == self._ids[line.id]
                change_all(connection, mine, original_removed_at=None, picture=self._picture(line))

    def _settled(self, line: RunLine) -> Run:
        lacks = line.picture is not None and line.picture.name not in self._bundle.media
        return line.run(
            **self._owner.changes(line),
            **self._kin.of(line),
            id=self._ids[line.id],
            picture=self._picture(line),
            original_removed_at=line.original_removed_at or now() if lacks else None,
        )

    def _picture(self, line: RunLine) -> Picture | None:
        """The line's picture under the names that it has here."""
        if line.picture is None:
            return None
        name, thumb = self._placed[line.id]
        return Picture(**{**line.picture.model_dump(), "name": name, "thumb": thumb})

    def _first_seq(self, connection: Connection, count: int) -> int:
        """Below everything where all that is here is younger, else above."""
        here = self._scope.clause() & runs.c.deleted_at.is_(None)
        oldest = connection.execute(select(func.min(runs.c.created_at)).where(here)).scalar()
        lowest = connection.execute(select(func.min(runs.c.seq))).scalar()
        if lowest is not None and (oldest is None or self._newest <= oldest):
            return int(lowest) - count
        used = connection.execute(text("SELECT seq FROM sqlite_sequence WHERE name = 'runs'")).scalar()
        return int(used or 0) + 1


def _batches(values: Iterable[str]) -> Iterator[list[str]]:
    left = iter(values)
    while batch := list(islice(left, BATCH)):
        yield batch
