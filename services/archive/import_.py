"""Import an export, all of it or nothing.

1. All lines are read and checked.
2. They are read again: pictures are checked and staged in a new folder, new runs are written to the history, hidden.
3. What is left to do is written to the folder. Then the import counts: one small transaction says so.
4. What is left is done, the runs are shown, and the staged pictures are moved to the other pictures.

Each transaction is short, so that runs under way are journaled meanwhile. After a crash `recover` removes what was
hidden, or does what is left if the import counts.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from services.archive.errors import ArchiveError, PicturesWait, RestWaits
from services.archive.lines import RunLine
from services.archive.ownership import Owner
from services.archive.relations import Relations
from services.archive.safety import Bundle, Limits, opened
from services.archive.staging import Staging, staging
from services.errors import CannotWrite
from services.library.import_rows import BATCH, ImportRows, KnownRun, Place, Step, Undelete
from services.library.media import Media, thumb_of
from services.library.scope import Scope
from services.run import Picture, Run, now

Tell = Callable[[int], None]
"""Progress callback: gets the number of pictures checked and staged so far."""


@dataclass(frozen=True)
class Imported:
    restored: int
    """Runs that were added to the history."""
    here: int
    """Runs that the history had already. They stay as they are, but are undeleted, and get a missing original back."""
    originals: int
    """Originals that were stored, including those that runs of the history lacked."""
    without: int
    """Added runs whose original is not in the file."""
    grids: tuple[str, ...] = ()
    """The ids that the file's grids have in this history."""


class Importer:
    """Methods block, `import_file` for about 20 ms a picture."""

    def __init__(self, rows: ImportRows, media: Media, incoming: Path) -> None:
        """Pictures are staged in folders in `incoming`."""
        self._rows, self._media, self._incoming = rows, media, incoming

    def import_file(self, file: Path, owner: Owner, limits: Limits, tell: Tell = lambda _done: None) -> Imported:
        """Raises ArchiveError, CannotWrite or OSError; then nothing has changed. After RestWaits the import counts, but
        not all of it is in place yet: the next start, or the next import, puts it there.
        """
        self._settle()
        with opened(file, limits) as bundle, staging(self._incoming, self._media) as staged:
            restored = _Import(self._rows, self._media, bundle, owner, staged, limits, tell).all()
            try:
                self._finish(staged)
            except CannotWrite as error:
                raise RestWaits(error.reason) from error
            try:
                staged.move()
            except OSError as error:
                raise PicturesWait(error.strerror or type(error).__name__) from error
        return restored

    def recover(self) -> None:
        """Finish or undo imports that a crash interrupted. Empties `incoming`: call it before any export or import."""
        self._settle()
        for left in self._incoming.glob("*"):
            if not left.is_dir():
                left.unlink()
                continue
            staged = Staging(left, self._media)
            staged.keep_only(lambda name: self._rows.has_media(name.partition(".")[0]))
            staged.move()
            shutil.rmtree(left)

    def _settle(self) -> None:
        """Put the entries in place of an earlier import that counts, or remove those of one that does not."""
        if folder := self._rows.decided():
            self._finish(Staging(self._incoming / folder, self._media))
        else:
            self._rows.drop_hidden()

    def _finish(self, staged: Staging) -> None:
        self._rows.do(staged.steps())
        self._rows.show_hidden()


class _Import:
    """The import of one file. The keys of its dicts are run ids as the file has them."""

    def __init__(
        self, rows: ImportRows, media: Media, bundle: Bundle, owner: Owner, staged: Staging, limits: Limits, tell: Tell
    ) -> None:
        self._rows, self._media, self._bundle, self._limits = rows, media, bundle, limits
        self._owner, self._staged, self._tell = owner, staged, tell
        self._scope = Scope(owner.visitor, everyone=owner.shares)
        self._relations = Relations(rows, owner, self._scope)
        self._pictures: dict[str, tuple[str, int]] = {}  # → name and bytes of the original
        self._newest: datetime | None = None
        self._ids: dict[str, str] = {}
        self._here: dict[str, KnownRun] = {}
        self._taken: set[str] = set()
        self._places: list[Place] = []
        self._originals = self._without = 0

    def all(self) -> Imported:
        """Afterwards the import counts. Raises ArchiveError, CannotWrite or OSError; then nothing has changed."""
        self._look()
        self._resolve_ids()
        self._check_room()
        try:
            self._take_in()
            self._staged.write_steps(self._steps())
            self._rows.decide(self._staged.name)
        except BaseException:
            self._rows.drop_hidden()
            raise
        self._staged.committed = True
        return Imported(
            restored=len(self._ids) - len(self._here),
            here=len(self._here),
            originals=self._originals,
            without=self._without,
            grids=self._relations.grids,
        )

    # -- looking -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read and check every line, so that later only a picture can be refused."""
        for line in self._rows.pools.giving_way(self._bundle.runs()):
            if line.id in self._ids:
                raise ArchiveError("twice", f"The run {line.id} stands in it twice.")
            self._ids[line.id] = line.id
            self._newest = max(self._newest or line.created_at, line.created_at)
            if line.picture:
                self._pictures[line.id] = (line.picture.name, line.picture.bytes)
            self._relations.see(line)
        for grid in self._rows.pools.giving_way(self._bundle.grids()):
            self._relations.see(grid)

    def _resolve_ids(self) -> None:
        """Map the file's run ids to ids here: an id that another visitor's run has is replaced (`Owner.own_id`)."""
        found = self._rows.known(self._ids)
        others = {here.id for here in found.values() if not self._is_mine(here)}
        self._ids.update((run_id, self._owner.own_id(run_id)) for run_id in others)
        found = {run_id: here for run_id, here in found.items() if run_id not in others}
        found |= self._rows.known(self._ids[run_id] for run_id in others)
        self._here = {run_id: found[mine] for run_id, mine in self._ids.items() if mine in found}
        self._relations.resolve_ids(self._ids)

    def _is_mine(self, here: KnownRun) -> bool:
        return self._owner.shares or here.visitor == self._owner.visitor

    def _check_room(self) -> None:
        """Raises ArchiveError if the new runs and their originals are more than may be added here."""
        new = [found for run_id, found in self._pictures.items() if run_id not in self._here]
        added = sum(size for name, size in new if name in self._bundle.media)
        self._limits.check_added(added, len(self._ids) - len(self._here))

    # -- taking in ---------------------------------------------------------------------------------------------------

    def _take_in(self) -> None:
        """Stage the pictures that are missing here, and write the new runs, hidden."""
        self._taken = self._rows.media_names(name for name, _ in self._pictures.values())
        new = len(self._ids) - len(self._here)
        seq = self._rows.first_seq(self._scope, self._newest, new) if new else 0
        runs = self._new_runs()
        while batch := list(islice(runs, BATCH)):
            self._rows.add_hidden(batch, seq)
            seq += len(batch)

    def _new_runs(self) -> Iterator[Run]:
        for line in self._rows.pools.giving_way(self._bundle.runs()):
            if here := self._here.get(line.id):
                if line.picture and (name := self._lacking(here, line.picture)):
                    self._places.append(Place(self._ids[line.id], self._staged_picture(line.picture, name)))
            else:
                yield self._run_of(line)

    def _lacking(self, here: KnownRun, picture: Picture) -> str | None:
        """The name of the original that a run of the history lacks and the file has; else None."""
        if here.media_name is None or here.bytes != picture.bytes or picture.name not in self._bundle.media:
            return None
        return here.media_name if self._media.size("media", here.media_name) is None else None

    def _run_of(self, line: RunLine) -> Run:
        picture, lacks = None, False
        if line.picture:
            name = self._staged.free_name(line.picture.name, self._taken)
            picture = self._staged_picture(line.picture, name)
            lacks = line.picture.name not in self._bundle.media
        return line.run(
            **self._owner.changes(line),
            **self._relations.of(line),
            id=self._ids[line.id],
            picture=picture,
            original_removed_at=line.original_removed_at or now() if lacks else None,
        )

    def _staged_picture(self, picture: Picture, name: str) -> Picture:
        """The picture as `name`, what the file has of it checked and staged."""
        self._taken.add(name)
        thumb = thumb_of(name)
        if picture.name in self._bundle.media:
            self._staged.original(self._bundle, picture, name)
            self._originals += 1
            self._tell(self._originals)
        else:
            self._without += 1
            if picture.thumb in self._bundle.thumbs:
                self._staged.thumbnail(self._bundle, picture, name)
            else:
                thumb = ""
        return Picture(**{**picture.model_dump(), "name": name, "thumb": thumb})

    def _steps(self) -> Iterator[Step]:
        """What is left to do when the import counts."""
        yield from self._relations.steps(self._bundle.grids())
        deleted = (here.id for here in self._here.values() if here.deleted)
        while batch := tuple(islice(deleted, BATCH)):
            yield Undelete(batch)
        yield from self._places
