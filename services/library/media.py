"""Pictures by kind and name: originals byte for byte as fal sent them, and small WebP thumbnails, made again at need.

Names carry 128 random bits, so that whoever knows a name may see the picture and nobody can guess one. Where the bytes
lie is known to the `Store` only: nobody else sees a path.
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
from services.request import GenerationRequest
from services.run import Picture

log = logging.getLogger(__name__)

FORMATS = {"JPEG": ("jpg", "image/jpeg"), "PNG": ("png", "image/png"), "WEBP": ("webp", "image/webp")}
"""Pillow's name → (file ending, media type). Nothing else is ever decoded."""
CONTENT_TYPES = dict(FORMATS.values())
THUMB_SIDE = 384
"""Long side of a thumbnail in pixels."""
MAX_PIXELS = 64 * 2**20
"""More is refused before it is decoded: 16 times what the model can make."""


def open_media(folder: Path) -> Media:
    """The pictures in `folder`. Raises StartupError where they cannot be kept there."""
    try:
        return Media(FolderStore(folder))
    except OSError as error:
        raise StartupError(
            f"Pictures cannot be kept in {folder} ({error.strerror}). Make it writable, or set PLAYGROUND_DATA_DIR."
        ) from error


class Media:
    """The rules of pictures, on top of a store. Methods block.

    `read` and `find` make a thumbnail that is missing; `open`, `size` and `list` tell of what is there. A name that is
    none of ours, as from an address, is a picture that is not there.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def keep(self, data: bytes, request: GenerationRequest) -> Picture:
        """Check that `data` decodes, store it and its thumbnail. Blocks for about 20 ms at one megapixel.

        Raises RequestFailed where the bytes are no whole picture.
        """
        picture = self.keep_original(data, request)
        self.shrunk(picture)
        return picture

    def keep_original(self, data: bytes, request: GenerationRequest) -> Picture:
        """`keep` for who waits for the picture: its thumbnail is made when it is asked for. Blocks for a few ms."""
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
        """The bytes of a picture, whole: they are a few MB. None where there is none."""
        if not _is_name(kind, name):
            return None
        try:
            found = self._store.read(kind, name)
            return self._made(_stem(name)) if found is None and kind == "thumbs" else found
        except OSError as error:  # as a disk too full for a thumbnail
            log.warning("%s/%s cannot be read or made: %s", kind, name, error)
            return None

    def find(self, kind: MediaKind, name: str) -> bool:
        """Whether there is such a picture."""
        return self.size(kind, name) is not None or (
            kind == "thumbs" and _is_name(kind, name) and self._made(_stem(name)) is not None
        )

    def open(self, kind: MediaKind, name: str) -> BinaryIO:
        """To be read block by block, and closed by the caller. Raises FileNotFoundError."""
        if not _is_name(kind, name):
            raise FileNotFoundError(f"{name!r} is no picture's name")
        return self._store.open(kind, name)

    def opener(self, kind: MediaKind, name: str) -> Opener:
        """`open`, for who may need it later."""
        return partial(self.open, kind, name)

    def put(self, kind: MediaKind, name: str, data: bytes, *, sync: bool = True) -> None:
        """Keep all of it or nothing. Without `sync` a power cut may take it, as what can be made again."""
        if not _is_name(kind, name):
            raise ValueError(f"{name!r} is no picture's name")
        self._store.put(kind, name, data, sync=sync)

    def size(self, kind: MediaKind, name: str) -> int | None:
        """In bytes; None where there is none."""
        return self._store.size(kind, name) if _is_name(kind, name) else None

    def list(self, kind: MediaKind) -> Iterator[tuple[str, int]]:
        """Names and sizes in bytes, in no order."""
        return self._store.list(kind)

    def delete(self, kind: MediaKind, name: str) -> None:
        if _is_name(kind, name):
            self._store.delete(kind, name)

    # -- rules of pictures -------------------------------------------------------------------------------------------

    def shrunk(self, picture: Picture) -> bool:
        """Make its thumbnail where there is none yet. False where nothing is left to make it of.

        Blocks for about 10 ms at one megapixel. Raises RequestFailed where the original is damaged.
        """
        return self.find("thumbs", thumb_of(picture.name))

    def _made(self, stem: str) -> bytes | None:
        """A new thumbnail; None where there is no original."""
        for ending in CONTENT_TYPES:
            if (original := self._store.read("media", f"{stem}.{ending}")) is not None:
                small = thumbnail(decode(original)[0])
                self._store.put("thumbs", f"{stem}.webp", small, sync=False)  # it can be made again
                return small
        return None

    def remove_original(self, name: str) -> None:
        """Its thumbnail stays, and is made first where nobody has asked for it yet."""
        if self.size("media", name) is None:
            return
        try:
            self.find("thumbs", thumb_of(name))
        except (OSError, RequestFailed) as error:
            log.warning("no thumbnail could be made of %s: %s", name, error)
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
    """The whole picture, decoded, and its file ending. Raises RequestFailed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked just below
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
    # A JPEG that holds a second picture, as cameras write them, calls itself MPO.
    return image, FORMATS["JPEG" if image.format == "MPO" else str(image.format)][0]


def _difference(image: Image.Image, ending: str, request: GenerationRequest) -> str | None:
    """What to say where the picture is not as asked for."""
    asked_size, asked_type = request.pixels, f"image/{request.output_format}"
    found = []
    if (image.width, image.height) != asked_size:
        found.append(f"{image.width} × {image.height} instead of {asked_size[0]} × {asked_size[1]}")
    if CONTENT_TYPES[ending] != asked_type:
        found.append(f"{ending} instead of {request.output_format}")
    return f"fal sent {' and '.join(found)}." if found else None


def thumbnail(image: Image.Image) -> bytes:
    """A WebP of THUMB_SIDE pixels at most."""
    colours = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
    scale = min(1.0, THUMB_SIDE / max(image.size))
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    small = colours.resize(size, Image.Resampling.BICUBIC, reducing_gap=1.1)
    out = io.BytesIO()
    small.save(out, "WEBP", quality=82, method=0)  # a page waits for this: the quickest method
    return out.getvalue()
