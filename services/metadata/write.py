"""Write a run's settings into a copy of its picture."""

from __future__ import annotations

from services.metadata import jpeg, png, webp
from services.metadata.errors import MetadataError
from services.metadata.infotext import infotext
from services.metadata.record import Record
from services.run import Run


def with_metadata(data: bytes, run: Run) -> bytes:
    """A copy of a PNG, JPEG or WebP file that contains the run's settings twice: as the `parameters` text that other
    tools read, and as our lossless record. Takes about a millisecond; blocks.

    Pixels are neither decoded nor encoded: their bytes and all other parts of the file are copied unchanged. Only
    earlier values in the same places are replaced: PNG texts under our two keywords, and the Exif UserComment. A second
    call with the same run changes nothing.

    A signature over the file's bytes (C2PA) is copied but no longer valid in the copy; the original is not changed.

    Raises MetadataError if the bytes are not such a picture.
    """
    text, record = infotext(run), Record.of(run).to_json()
    if data.startswith(png.SIGNATURE):
        return png.with_settings(data, text, record)
    if data.startswith(jpeg.SIGNATURE):
        return jpeg.with_settings(data, text, record)
    if webp.is_webp(data):
        return webp.with_settings(data, text, record)
    raise MetadataError("not_a_picture")
