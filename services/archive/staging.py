"""What an import keeps until it counts, in a new folder: pictures, checked, and what is left to do then."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from pydantic import TypeAdapter

from services.archive.errors import ArchiveError
from services.archive.safety import Bundle
from services.errors import PlaygroundError
from services.library.import_rows import FOLDER, Step
from services.library.media import Media, decode, thumb_of, thumbnail
from services.library.media_folder import Disk, FolderStore
from services.library.media_store import KINDS
from services.run import Picture

STEPS = "steps.jsonl"
_steps: TypeAdapter[Step] = TypeAdapter(Step)


class Staging:
    """The staging folder of one import: its pictures, under the names that they will keep."""

    def __init__(self, folder: Path, media: Media) -> None:
        self._folder, self._staged, self._media = folder, FolderStore(folder), media
        self.committed = False
        """Whether the import counts: then all stays staged until it is in place."""

    @property
    def name(self) -> str:
        return self._folder.name

    def write_steps(self, steps: Iterable[Step]) -> None:
        """Keep what is left to do when the import counts. It survives a power cut."""
        disk = Disk()
        with (self._folder / STEPS).open("wb") as file:
            file.writelines(_steps.dump_json(step) + b"\n" for step in steps)
            file.flush()
            disk.sync_file(file.fileno())
        disk.sync_folder(self._folder)

    def steps(self) -> Iterator[Step]:
        file = self._folder / STEPS
        if file.is_file():
            with file.open("rb") as lines:
                yield from map(_steps.validate_json, lines)

    def original(self, bundle: Bundle, entry: Picture, name: str) -> None:
        """Check an original against its line, and stage it as `name` with a new thumbnail. Raises ArchiveError."""
        part = f"media/{entry.name}"
        data = bundle.picture(part)
        image, ending = _decoded(data, part)
        if (len(data), *image.size, ending) != (entry.bytes, entry.width, entry.height, entry.name.partition(".")[2]):
            raise ArchiveError("no_picture", f"{part} is not the picture that its entry tells of.")
        self._staged.put("media", name, data)
        self._staged.put("thumbs", thumb_of(name), thumbnail(image), sync=False)

    def thumbnail(self, bundle: Bundle, entry: Picture, name: str) -> None:
        """Check and stage a thumbnail whose original is not in the file. Raises ArchiveError."""
        part = f"thumbs/{entry.thumb}"
        data = bundle.picture(part)
        if _decoded(data, part)[1] != "webp":
            raise ArchiveError("no_picture", f"{part} is no WebP picture.")
        self._staged.put("thumbs", thumb_of(name), data)

    def free_name(self, name: str, taken: set[str]) -> str:
        """`name` if it is neither in `taken` nor the name of a picture here, else a random one with the same ending."""
        ending = name.partition(".")[2]
        while name in taken or self._is_here(name):
            name = f"{secrets.token_hex(16)}.{ending}"
        return name

    def _is_here(self, name: str) -> bool:
        return any(
            self._media.size(kind, of) is not None for kind, of in zip(KINDS, (name, thumb_of(name)), strict=True)
        )

    def keep_only(self, is_known: Callable[[str], bool]) -> None:
        """Delete the staged pictures whose name `is_known` denies."""
        for kind in KINDS:
            for name in [name for name, _ in self._staged.list(kind)]:
                if not is_known(name):
                    self._staged.delete(kind, name)

    def move(self) -> None:
        """Move the pictures to the others, one by one; thumbnails first, so that a page never finds an original alone.

        Each staged file is deleted as soon as its picture is stored: the disk holds one picture twice, not all of them.
        After a crash or an error on the way, the rest is still staged.
        """
        originals = {name.partition(".")[0] for name, _ in self._staged.list("media")}
        for kind in reversed(KINDS):
            for name in [name for name, _ in self._staged.list(kind)]:
                data = self._staged.read(kind, name)
                if data is not None:
                    can_be_made_again = kind == "thumbs" and name.partition(".")[0] in originals
                    self._media.put(kind, name, data, sync=not can_be_made_again)
                    self._staged.delete(kind, name)


@contextmanager
def staging(incoming: Path, media: Media) -> Iterator[Staging]:
    """A new staging folder in `incoming`, removed at the end. After an error it stays if the import counts: `recover`
    puts it in place at the next start."""
    folder = incoming / f"{FOLDER}{secrets.token_hex(8)}"
    staged: Staging | None = None
    try:
        staged = Staging(folder, media)
        yield staged
    except BaseException:
        if staged is None or not staged.committed:
            _remove(folder)
        raise
    _remove(folder)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)  # what cannot be removed now is removed at the next start


def _decoded(data: bytes, part: str) -> tuple[Image.Image, str]:
    try:
        return decode(data)
    except PlaygroundError:
        raise ArchiveError("no_picture", f"{part} is no whole PNG, JPEG or WebP picture.") from None
