"""Pictures on their way in: checked and staged in a folder of their own, later put to the others."""

from __future__ import annotations

import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from services.archive.errors import ArchiveError
from services.archive.safety import Bundle
from services.errors import PlaygroundError
from services.library.media import Media, decode, thumb_of, thumbnail
from services.library.media_folder import FolderStore
from services.library.media_store import KINDS
from services.run import Picture


class Staging:
    """A folder with the pictures of one restore, under the names that they will have."""

    def __init__(self, folder: Path, media: Media) -> None:
        self._staged, self._media = FolderStore(folder), media
        self.committed = False
        """Whether the history names these pictures: then they are kept until they are put to the others."""

    def original(self, bundle: Bundle, entry: Picture, name: str) -> None:
        """Check an original against what its entry tells, and stage it as `name` with its thumbnail, made again."""
        part = f"media/{entry.name}"
        data = bundle.picture(part)
        image, ending = _decoded(data, part)
        if (len(data), *image.size, ending) != (entry.bytes, entry.width, entry.height, entry.name.partition(".")[2]):
            raise ArchiveError("no_picture", f"{part} is not the picture that its entry tells of.")
        self._staged.put("media", name, data)
        self._staged.put("thumbs", thumb_of(name), thumbnail(image), sync=False)

    def thumbnail(self, bundle: Bundle, entry: Picture, name: str) -> None:
        """The same for a thumbnail whose original is gone."""
        part = f"thumbs/{entry.thumb}"
        data = bundle.picture(part)
        if _decoded(data, part)[1] != "webp":
            raise ArchiveError("no_picture", f"{part} is no WebP picture.")
        self._staged.put("thumbs", thumb_of(name), data)

    def free_name(self, name: str, taken: set[str]) -> str:
        """The name itself where neither `taken` nor a picture has it, else a new one with the same ending."""
        ending = name.partition(".")[2]
        while name in taken or self._is_here(name):
            name = f"{secrets.token_hex(16)}.{ending}"
        return name

    def _is_here(self, name: str) -> bool:
        return any(
            self._media.size(kind, of) is not None for kind, of in zip(KINDS, (name, thumb_of(name)), strict=True)
        )

    def keep_only(self, is_known: Callable[[str], bool]) -> None:
        """Drop what the history does not name."""
        for kind in KINDS:
            for name in [name for name, _ in self._staged.list(kind)]:
                if not is_known(name):
                    self._staged.delete(kind, name)

    def move(self) -> None:
        """To the other pictures, one by one; thumbnails first, so that a page which sees the original finds both.

        What was put is dropped here at once: the disk holds one picture twice, not all of them. After a crash or an
        error between two, the rest is still staged.
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
    """A new folder in `incoming`. It is gone afterwards, but where pictures that the history names are left in it:
    `recover` puts them to the others at the next start."""
    folder = incoming / f"restore-{secrets.token_hex(8)}"
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
