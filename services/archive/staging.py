"""Pictures on their way in: checked and written into a folder of their own, later moved to the others."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image

from services.archive.errors import ArchiveError
from services.archive.safety import Bundle
from services.errors import PlaygroundError
from services.library.media import Media, decode, thumbnail, write
from services.run import Picture

KINDS = ("media", "thumbs")


class Staging:
    """A folder with the files of one restore, under the names that they will have."""

    def __init__(self, folder: Path, media: Media) -> None:
        self.folder, self._media = folder, media

    def original(self, bundle: Bundle, told: Picture, name: str) -> None:
        """Check an original against what its entry tells, and write it as `name` with its thumbnail, made again."""
        part = f"media/{told.name}"
        data = bundle.picture(part)
        image, ending = _decoded(data, part)
        if (len(data), *image.size, ending) != (told.bytes, told.width, told.height, told.name.partition(".")[2]):
            raise ArchiveError("no_picture", f"{part} is not the picture that its entry tells of.")
        write(self.folder / "media" / name, data)
        write(self.folder / "thumbs" / thumb_of(name), thumbnail(image), sync=False)

    def thumbnail(self, bundle: Bundle, told: Picture, name: str) -> None:
        """The same for a thumbnail whose original is gone."""
        part = f"thumbs/{told.thumb}"
        data = bundle.picture(part)
        if _decoded(data, part)[1] != "webp":
            raise ArchiveError("no_picture", f"{part} is no WebP picture.")
        write(self.folder / "thumbs" / thumb_of(name), data)

    def free_name(self, name: str, taken: set[str]) -> str:
        """The name itself where neither `taken` nor a file has it, else a new one with the same ending."""
        ending = name.partition(".")[2]
        while name in taken or self._media.original(name).exists() or self._media.thumb(thumb_of(name)).exists():
            name = f"{secrets.token_hex(16)}.{ending}"
        return name

    def move(self) -> None:
        """To the other pictures; thumbnails first, so that a page which sees the original finds both."""
        for file in self.folder.glob("thumbs/*"):
            os.replace(file, self._media.thumb(file.name))
        for file in self.folder.glob("media/*"):
            os.replace(file, self._media.original(file.name))


@contextmanager
def staging(incoming: Path, media: Media) -> Iterator[Staging]:
    """A new folder in `incoming`, which is on the disk of the other pictures; gone afterwards."""
    folder = incoming / f"restore-{secrets.token_hex(8)}"
    try:
        for kind in KINDS:
            (folder / kind).mkdir(parents=True)
        yield Staging(folder, media)
    finally:
        shutil.rmtree(folder, ignore_errors=True)  # what cannot be removed now is removed at the next start


def thumb_of(name: str) -> str:
    return f"{name.partition('.')[0]}.webp"


def _decoded(data: bytes, part: str) -> tuple[Image.Image, str]:
    try:
        return decode(data)
    except PlaygroundError:
        raise ArchiveError("no_picture", f"{part} is no whole PNG, JPEG or WebP picture.") from None
