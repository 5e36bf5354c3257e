"""PNG: write and read text chunks (PNG specification, third edition, sections 5 and 11.3.3).

A chunk is its length (4 bytes, big-endian), its type (4), its data, and the CRC-32 of type and data (4).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

from services.metadata import exif, xmp
from services.metadata.errors import MetadataError
from services.metadata.record import RECORD_KEY, TEXT_KEY, TEXT_MAX, Embedded

SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXT_TYPES = (b"tEXt", b"zTXt", b"iTXt")
CHUNKS_MAX = 100_000
"""Chunks after this many are ignored. A picture of 64 MB has some thousands."""
TEXTS_MAX = 4 * TEXT_MAX
"""Limit for all texts of a file together, in bytes."""


def with_settings(data: bytes, text: str, record: str) -> bytes:
    """The file with both texts directly after IHDR. Older texts under the same keywords are removed, everything else is
    unchanged. Raises MetadataError if the chunks are damaged.
    """
    parts, end = [SIGNATURE], len(SIGNATURE)
    for kind, start, stop in _chunks(data):
        end = stop
        if kind in TEXT_TYPES and _keyword(data[start + 8 : stop - 4]) in (TEXT_KEY, RECORD_KEY):
            continue
        parts.append(data[start:stop])
        if len(parts) == 2:  # IHDR, the first chunk, was just added
            parts += [_text_chunk(TEXT_KEY, text), _text_chunk(RECORD_KEY, record)]
    if len(parts) < 4 or not parts[1].startswith(b"\0\0\0\rIHDR"):
        raise MetadataError("damaged")
    return b"".join([*parts, data[end:]])


def embedded(data: bytes) -> Embedded:
    """The texts before and after the pixels, which are not decoded. Chunks with a wrong CRC are not used."""
    found: dict[str, str] = {}
    notes: list[str] = []
    left = TEXTS_MAX
    for kind, start, stop in _chunks(data):
        if kind not in (*TEXT_TYPES, b"eXIf"):
            continue
        body = data[start + 8 : stop - 4]
        if zlib.crc32(body, zlib.crc32(kind)) != int.from_bytes(data[stop - 4 : stop], "big"):
            notes.append("A part of the file's metadata is damaged and was not used.")
        elif kind == b"eXIf":
            found = {**exif.texts(body), **found}
        else:
            text = _text(kind, body, min(left, TEXT_MAX))
            left -= min(left, TEXT_MAX) if text is None else len(text)
            if text is None:
                notes.append("A part of the file's metadata is too large or damaged and was not used.")
            else:
                found[_keyword(body)] = text
    record = xmp.read_record(found.get(xmp.KEYWORD, "").encode("utf-8", "replace")) if xmp.KEYWORD in found else None
    if record:
        found.setdefault(RECORD_KEY, record)
    return Embedded(found, tuple(dict.fromkeys(notes)))


def _chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """(type, start, end) of each chunk, as offsets in the file, up to IEND or to the first incomplete chunk."""
    at = len(SIGNATURE)
    for _ in range(CHUNKS_MAX):
        if at + 12 > len(data):
            return
        (length,) = struct.unpack_from(">I", data, at)
        end, kind = at + 12 + length, data[at + 4 : at + 8]
        if end > len(data):
            return
        yield kind, at, end
        if kind == b"IEND":
            return
        at = end


def _text_chunk(keyword: str, text: str) -> bytes:
    """A tEXt chunk if the text fits Latin-1, else iTXt (UTF-8, uncompressed), as Pillow's `add_text` chooses."""
    try:
        kind, body = b"tEXt", keyword.encode() + b"\0" + text.encode("latin-1")
    except UnicodeEncodeError:
        kind, body = b"iTXt", keyword.encode() + b"\0\0\0\0\0" + text.encode()
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(body, zlib.crc32(kind)))


def _keyword(body: bytes) -> str:
    """The keyword of a text chunk: 1 to 79 bytes of Latin-1, terminated by a zero byte."""
    return body[:80].partition(b"\0")[0].decode("latin-1")


def _text(kind: bytes, body: bytes, limit: int) -> str | None:
    """The text of a chunk; None if it is damaged or longer than `limit` bytes."""
    _, _, rest = body.partition(b"\0")
    if kind == b"tEXt":
        return rest.decode("latin-1") if len(rest) <= limit else None
    if kind == b"zTXt":
        plain = _inflated(rest[1:], limit)
        return plain.decode("latin-1") if plain is not None else None
    compressed, fields = rest[:1] == b"\1", rest[2:].split(b"\0", 2)  # language tag, translated keyword, text
    if len(fields) < 3:
        return None
    plain = _inflated(fields[2], limit) if compressed else fields[2]
    return plain.decode("utf-8", "replace") if plain is not None and len(plain) <= limit else None


def _inflated(data: bytes, limit: int) -> bytes | None:
    inflater = zlib.decompressobj()
    try:
        plain = inflater.decompress(data, limit + 1)
    except zlib.error:
        return None
    return plain if len(plain) <= limit and inflater.eof else None
