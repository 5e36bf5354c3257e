"""Import an export, all of it or nothing.

1. All lines are read and checked.
2. The pictures are checked and staged in a new folder.
3. One database transaction writes all runs, projects and grids.
4. The staged pictures are moved to the other pictures.

After a crash `recover` moves staged pictures that the history names to the others, and removes the rest.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path

from services.archive.errors import ArchiveError, PicturesWait
from services.archive.lines import RunLine
from services.archive.ownership import Owner
from services.archive.relations import Relations
from services.archive.safety import Bundle, Limits, opened
from services.archive.staging import Staging, staging
from services.library.archive_rows import ImportRows, ImportWriting, KnownRun
from services.library.media import Media, thumb_of
from services.library.scope import Scope
from services.run import Picture, Run, now

BATCH = 500
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
        """Raises ArchiveError or OSError; then nothing has changed. After PicturesWait the history names pictures that
        are not in place yet: the next start, or a second import of the file, puts them in place.
        """
        with opened(file, limits) as bundle, staging(self._incoming, self._media) as staged:
            restored = _Import(self._rows, self._media, bundle, owner, staged, tell).all()
            staged.committed = True
            try:
                staged.move()
            except OSError as error:
                raise PicturesWait(error.strerror or type(error).__name__) from error
        return restored

    def recover(self) -> None:
        """Finish or undo imports that a crash interrupted. Empties `incoming`: call it before any export or import."""
        for left in self._incoming.glob("*"):
            if not left.is_dir():
                left.unlink()
                continue
            staged = Staging(left, self._media)
            staged.keep_only(lambda name: self._rows.has_media(name.partition(".")[0]))
            staged.move()
            shutil.rmtree(left)


class _Import:
    """The import of one file. The keys of its dicts are run ids as the file has them."""

    def __init__(
        self, rows: ImportRows, media: Media, bundle: Bundle, owner: Owner, staged: Staging, tell: Tell
    ) -> None:
        self._rows, self._media, self._bundle = rows, media, bundle
        self._owner, self._staged, self._tell = owner, staged, tell
        self._scope = Scope(owner.visitor, everyone=owner.shares)
        self._relations = Relations(owner, self._scope)
        self._order: list[str] = []
        self._names: list[str] = []
        self._newest: datetime | None = None
        self._ids: dict[str, str] = {}
        self._here: dict[str, KnownRun] = {}
        self._placed: dict[str, tuple[str, str]] = {}  # → names of original and thumbnail; "" where there is none

    def all(self) -> Imported:
        self._look()
        self._resolve_ids()
        originals, without = self._stage()
        with self._rows.writing() as writing:
            self._write(writing)
        new = len(self._order) - len(self._here)
        grids = tuple(self._relations.grids)
        return Imported(restored=new, here=len(self._here), originals=originals, without=without, grids=grids)

    # -- looking -----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        """Read and check every line, so that later only a picture can be refused."""
        for line in self._bundle.runs():
            if line.id in self._ids:
                raise ArchiveError("twice", f"The run {line.id} stands in it twice.")
            self._ids[line.id] = line.id
            self._order.append(line.id)
            self._newest = max(self._newest or line.created_at, line.created_at)
            if line.picture:
                self._names.append(line.picture.name)
            self._relations.see(line)
        for grid in self._bundle.grids():
            self._relations.see(grid)

    def _resolve_ids(self) -> None:
        """Map the file's run ids to ids here: an id that another visitor's run has is replaced (`Owner.own_id`)."""
        found = self._rows.known(self._order)
        others = {here.id for here in found.values() if not self._is_mine(here)}
        self._ids.update((run_id, self._owner.own_id(run_id)) for run_id in others)
        found = {run_id: here for run_id, here in found.items() if run_id not in others}
        found |= self._rows.known(self._ids[run_id] for run_id in others)
        self._here = {run_id: found[mine] for run_id, mine in self._ids.items() if mine in found}

    def _is_mine(self, here: KnownRun) -> bool:
        return self._owner.shares or here.visitor == self._owner.visitor

    # -- pictures ----------------------------------------------------------------------------------------------------

    def _stage(self) -> tuple[int, int]:
        """Check and stage the pictures missing here. Returns (originals staged, added runs without an original)."""
        taken = self._rows.media_names(self._names)
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

    def _lacks(self, here: KnownRun, picture: Picture) -> bool:
        """Whether a run of the history lacks its original, and the file has it."""
        if here.media_name is None or here.bytes != picture.bytes or picture.name not in self._bundle.media:
            return False
        return self._media.size("media", here.media_name) is None

    # -- the history -------------------------------------------------------------------------------------------------

    def _write(self, writing: ImportWriting) -> None:
        """Write all rows in the caller's transaction."""
        self._relations.resolve_ids(writing, self._ids)
        self._write_runs(writing)
        self._relations.write(writing, self._bundle.grids())

    def _write_runs(self, writing: ImportWriting) -> None:
        seq = writing.first_seq(self._scope, self._newest, len(self._order) - len(self._here))
        lines = (line for line in self._bundle.runs() if line.id not in self._here)
        while batch := list(islice(lines, BATCH)):
            writing.put_back([self._run_of(line) for line in batch], seq)
            seq += len(batch)
        writing.show(here.id for here in self._here.values() if here.deleted)
        for line in self._bundle.runs() if self._here else ():
            if line.id in self._here and line.id in self._placed:
                writing.place(self._ids[line.id], self._picture(line))

    def _run_of(self, line: RunLine) -> Run:
        lacks = line.picture is not None and line.picture.name not in self._bundle.media
        return line.run(
            **self._owner.changes(line),
            **self._relations.of(line),
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
