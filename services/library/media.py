"""Pictures by kind and name: originals byte for byte as fal sent them, and small WebP thumbnails, which are made again
when they are missing.

A name contains 128 random bits: it cannot be guessed, and whoever knows it may see the picture. Only the `Store` knows
where the bytes are stored; no other module handles paths.
"""

from __future__ import annotations

import io
import logging
import secrets
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import BinaryIO

from PIL import Image, UnidentifiedImageError

from services.engines.fal.replies import picture_failed
from services.errors import RequestFailed, StartupError
from services.library.media_folder import FolderStore
from services.library.media_store import MediaKind, Opener, Store
from services.run import Picture
from services.stored import AnyRequest

log = logging.getLogger(__name__)

FORMATS = {"JPEG": ("jpg", "image/jpeg"), "PNG": ("png", "image/png"), "WEBP": ("webp", "image/webp")}
"""Pillow's format name → (file ending, media type). Other formats are never decoded."""
CONTENT_TYPES = dict(FORMATS.values())
THUMB_SIDE = 384
"""Long side of a thumbnail in pixels."""
MAX_PIXELS = 64 * 2**20
"""Larger pictures are refused before decoding. 16 times what the model can make."""


def open_media(folder: Path) -> Media:
    """The pictures in `folder`. Raises StartupError if the folder cannot be used."""
    try:
        return Media(FolderStore(folder))
    except OSError as error:
        raise StartupError(
            f"Pictures cannot be kept in {folder} ({error.strerror}). Make it writable, or set PLAYGROUND_DATA_DIR."
        ) from error


class Media:
    """Checks and thumbnails on top of a store. Methods block.

    `read` and `find` make a missing thumbnail; `open`, `size` and `list` only look at what is stored. A thumbnail that
    cannot be made does not exist; the log says why. Names may come from a URL: one that is not of our form is treated
    as a picture that does not exist.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, data: bytes, request: AnyRequest) -> Picture:
        """Check that `data` decodes, and store it and its thumbnail. Blocks for about 20 ms at one megapixel.

        Raises RequestFailed if the bytes are not a complete picture.
        """
        picture = self.keep_original(data, request)
        self.shrunk(picture)
        return picture

    def keep_original(self, data: bytes, request: AnyRequest) -> Picture:
        """`keep` without the thumbnail, so that the picture is available sooner: the thumbnail is made when it is first
        requested. Blocks for a few ms.
        """
        image, ending = decode(data)
        stem = secrets.token_hex(16)
        picture = Picture(
            name=f"{stem}.{ending}",
            thumb=f"{stem}.webp",
            content_type=CONTENT_TYPES[ending],
            bytes=len(data),
            width=image.width,
            height=image.height,
            note=_difference(image, ending, request),
        )
        self.put("media", picture.name, data)
        return picture

    # -- by kind and name --------------------------------------------------------------------------------------------

    def read(self, kind: MediaKind, name: str) -> bytes | None:
        """All bytes of a picture, a few MB; None if it does not exist, or cannot be read or made."""
        if not _is_name(kind, name):
            return None
        try:
            found = self._store.read(kind, name)
        except OSError as error:
            log.warning("%s/%s cannot be read: %s", kind, name, error)
            return None
        return self._made(_stem(name)) if found is None and kind == "thumbs" else found

    def find(self, kind: MediaKind, name: str) -> bool:
        """Whether the picture exists. Makes a missing thumbnail."""
        return self.size(kind, name) is not None or (
            kind == "thumbs" and _is_name(kind, name) and self._made(_stem(name)) is not None
        )

    def open(self, kind: MediaKind, name: str) -> BinaryIO:
        """A binary stream of the picture, which the caller closes. Raises FileNotFoundError."""
        if not _is_name(kind, name):
            raise FileNotFoundError(f"{name!r} is no picture's name")
        return self._store.open(kind, name)

    def opener(self, kind: MediaKind, name: str) -> Opener:
        """A function that calls `open` with these arguments, for callers that may need the picture later."""
        return partial(self.open, kind, name)

    def put(self, kind: MediaKind, name: str, data: bytes, *, sync: bool = True) -> None:
        """Store all of it or nothing. Without `sync` a power cut may lose it: for what can be made again.

        Raises ValueError if `name` is not of our form.
        """
        if not _is_name(kind, name):
            raise ValueError(f"{name!r} is no picture's name")
        self._store.put(kind, name, data, sync=sync)

    def size(self, kind: MediaKind, name: str) -> int | None:
        """Size in bytes; None if the picture does not exist."""
        return self._store.size(kind, name) if _is_name(kind, name) else None

    def list(self, kind: MediaKind) -> Iterator[tuple[str, int]]:
        """Names and sizes in bytes, in no order."""
        return self._store.list(kind)

    def delete(self, kind: MediaKind, name: str) -> None:
        if _is_name(kind, name):
            self._store.delete(kind, name)

    # -- rules of pictures -------------------------------------------------------------------------------------------

    def shrunk(self, picture: Picture) -> bool:
        """Make the picture's thumbnail if it has none yet. False if it has none and none can be made.

        Blocks for about 10 ms at one megapixel.
        """
        return self.find("thumbs", thumb_of(picture.name))

    def _made(self, stem: str) -> bytes | None:
        """Make and store a thumbnail; None if there is no original, or if that fails, which is logged."""
        for name in (f"{stem}.{ending}" for ending in CONTENT_TYPES):
            try:
                if (original := self._store.read("media", name)) is not None:
                    small = thumbnail(decode(original)[0])
                    self._store.put("thumbs", thumb_of(name), small, sync=False)  # it can be made again
                    return small
            except RequestFailed as error:  # its message is about a download
                log.warning("no thumbnail could be made of %s: it is damaged (%s)", name, error.failure.code)
            except OSError as error:  # for example a full disk
                log.warning("no thumbnail could be made of %s: %s", name, error)
        return None

    def remove_original(self, name: str) -> None:
        """Delete an original. Its thumbnail stays, and is made first if it does not exist yet."""
        if self.size("media", name) is None:
            return
        self.find("thumbs", thumb_of(name))
        self.delete("media", name)

    def remove(self, picture: Picture) -> None:
        self.delete("media", picture.name)
        if picture.thumb:
            self.delete("thumbs", picture.thumb)


def thumb_of(name: str) -> str:
    """The name of an original's thumbnail."""
    return f"{_stem(name)}.webp"


def _stem(name: str) -> str:
    return name.partition(".")[0]


def _is_name(kind: MediaKind, name: str) -> bool:
    stem, _, ending = name.partition(".")
    sound = len(stem) == 32 and all(char in "0123456789abcdef" for char in stem)
    return sound and (ending in CONTENT_TYPES if kind == "media" else ending == "webp")


def decode(data: bytes) -> tuple[Image.Image, str]:
    """The decoded picture and its file ending. Raises RequestFailed if `data` is not a complete, supported picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS is checked below instead
            image = Image.open(io.BytesIO(data), formats=tuple(FORMATS))
        if image.width * image.height > MAX_PIXELS:
            raise picture_failed("media_too_large", f"The picture has {image.width} × {image.height} pixels: too many.")
        image.load()
    except UnidentifiedImageError as error:
        raise picture_failed(
            "media_no_picture", "What fal's media host sent is no PNG, JPEG or WebP picture."
        ) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise picture_failed("media_truncated", "The picture arrived damaged or cut off.") from error
    # Pillow reports a JPEG that contains a second picture, as cameras write them, as MPO.
    return image, FORMATS["JPEG" if image.format == "MPO" else str(image.format)][0]


def _difference(image: Image.Image, ending: str, request: AnyRequest) -> str | None:
    """A sentence if the picture's size or format differs from the request; else None."""
    asked_size, asked_format = request.pixels, request.values.get("output_format")
    found = []
    if asked_size and (image.width, image.height) != asked_size:
        found.append(f"{image.width} × {image.height} instead of {asked_size[0]} × {asked_size[1]}")
    if asked_format and CONTENT_TYPES[ending] != f"image/{asked_format}":
        found.append(f"{ending} instead of {asked_format}")
    return f"fal sent {' and '.join(found)}." if found else None


def thumbnail(image: Image.Image) -> bytes:
    """The picture as WebP, its long side at most THUMB_SIDE pixels."""
    colours = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
    scale = min(1.0, THUMB_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = colours.resize(size, Image.Resampling.BICUBIC, reducing_gap=1.1)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=82, method=0)  # the fastest method: a page waits for the thumbnail
    return out.getvalue()
