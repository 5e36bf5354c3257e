"""Pictures as files: originals byte for byte as fal sent them, and small WebP thumbnails, which can be made again.

Names carry 128 random bits, so that whoever knows a name may see the picture and nobody can guess one.
"""

from __future__ import annotations

import io
import logging
import os
import secrets
import tempfile
import warnings
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from services.engines.fal.replies import picture_failed
from services.errors import RequestFailed, StartupError
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
        return Media(folder)
    except OSError as error:
        raise StartupError(
            f"Pictures cannot be kept in {folder} ({error.strerror}). Make it writable, or set PLAYGROUND_DATA_DIR."
        ) from error


class Media:
    def __init__(self, folder: Path) -> None:
        self._originals = folder / "media"
        self._thumbs = folder / "thumbs"
        for place in (self._originals, self._thumbs):
            place.mkdir(parents=True, exist_ok=True)

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
        write(self._originals / picture.name, data)
        return picture

    def original(self, name: str) -> Path:
        return self._originals / name

    def thumb(self, name: str) -> Path:
        return self._thumbs / name

    def find(self, kind: str, name: str) -> Path | None:
        """The file of a name that came from outside; None where there is none. `kind` is media or thumbs."""
        stem, _, ending = name.partition(".")
        sound = len(stem) == 32 and all(char in "0123456789abcdef" for char in stem) and ending in CONTENT_TYPES
        if not sound:
            return None
        if kind == "thumbs":
            return self._shrunk(stem) if ending == "webp" else None
        return file if (file := self._originals / name).is_file() else None

    def read(self, kind: str, name: str) -> bytes | None:
        """The bytes of such a file; None where there is none. Pictures are read whole: they have a few MB."""
        try:
            return file.read_bytes() if (file := self.find(kind, name)) else None
        except FileNotFoundError:  # removed just now
            return None
        except OSError as error:  # as a disk too full for a thumbnail
            log.warning("%s/%s cannot be read or made: %s", kind, name, error)
            return None

    def shrunk(self, picture: Picture) -> Path | None:
        """Its thumbnail, made now where there is none yet; None where nothing is left to make it of.

        Blocks for about 10 ms at one megapixel. Raises RequestFailed where the original is damaged.
        """
        return self._shrunk(Path(picture.name).stem)

    def _shrunk(self, stem: str) -> Path | None:
        thumb = self._thumbs / f"{stem}.webp"
        if thumb.is_file():
            return thumb
        for original in (self._originals / f"{stem}.{ending}" for ending in CONTENT_TYPES):
            if original.is_file():
                image, _ = decode(original.read_bytes())
                write(thumb, thumbnail(image), sync=False)  # it can be made again
                return thumb
        return None

    def remove_original(self, name: str) -> None:
        """Its thumbnail stays, and is made first where nobody has asked for it yet."""
        if (original := self.original(name)).is_file():
            try:
                self._shrunk(original.stem)
            except (OSError, RequestFailed) as error:
                log.warning("no thumbnail could be made of %s: %s", name, error)
            original.unlink(missing_ok=True)

    def remove(self, picture: Picture) -> None:
        self.original(picture.name).unlink(missing_ok=True)
        if picture.thumb:
            self.thumb(picture.thumb).unlink(missing_ok=True)


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


def write(file: Path, data: bytes, *, sync: bool = True) -> None:
    """All of it or nothing: written beside, synced where it must outlive a power cut, then moved into place."""
    file.parent.mkdir(parents=True, exist_ok=True)  # it may have been deleted under the server
    handle, name = tempfile.mkstemp(dir=file.parent, prefix=".part-")
    try:
        with os.fdopen(handle, "wb") as part:
            part.write(data)
            part.flush()
            if sync:
                os.fsync(part.fileno())
        os.replace(name, file)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
