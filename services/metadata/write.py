"""Put a run's settings into a copy of its picture."""

from __future__ import annotations

from services.metadata import jpeg, png, webp
from services.metadata.errors import MetadataError
from services.metadata.infotext import infotext
from services.metadata.record import Record
from services.run import Run


def with_metadata(data: bytes, run: Run) -> bytes:
    """A copy of a PNG, JPEG or WebP file that carries the run's settings twice: as the `parameters` text that the
    field's tools read, and as our lossless record. Takes about a millisecond; blocks.

    No pixel is decoded or encoded: the bytes that hold them are copied as they are, and so is every other part of the
    file. Only what stands in the same place goes: PNG texts under our two keywords, the Exif UserComment. Doing it
    twice changes nothing more.

    A signature over the file's bytes (C2PA) stays in the copy but no longer fits it; the original keeps it.

    Raises MetadataError where the bytes are no such picture.
    """
    text, record = infotext(run), Record.of(run).to_json()
    if data.startswith(png.SIGNATURE):
        return png.with_settings(data, text, record)
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.with_settings(data, text, record)
    if webp.is_webp(data):
        return webp.with_settings(data, text, record)
    raise MetadataError("not_a_picture")
