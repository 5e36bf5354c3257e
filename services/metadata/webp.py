"""WebP: write and read EXIF and XMP chunks (the WebP container specification, RFC 9649, section 2).

`RIFF`, size (4 bytes, little-endian), `WEBP`, then chunks: type (4), size (4), data, a zero byte where the size is odd.
Metadata needs the extended format: a first chunk VP8X (10 bytes: flags, 3 reserved, width − 1 and height − 1 in 3 bytes
each), which is created if it is missing.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from services.metadata import exif, xmp
from services.metadata.errors import MetadataError
from services.metadata.record import RECORD_KEY, Embedded

CHUNKS_MAX = 100_000
HAS_ALPHA, HAS_EXIF, HAS_XMP = 0x10, 0x08, 0x04

Chunk = tuple[bytes, bytes]
"""(type, data)"""


def is_webp(data: bytes) -> bool:
    return data[:4] == b"RIFF" and data[8:12] == b"WEBP"


def with_settings(data: bytes, text: str, record: str) -> bytes:
    """The file with UserComment and record as its last chunks; the chunks with the pixels are unchanged.

    Raises MetadataError if there are no pixels or the header is damaged.
    """
    chunks, end = _chunks(data)
    kinds = [kind for kind, _ in chunks]
    if not any(kind in kinds for kind in (b"VP8 ", b"VP8L", b"ANMF")):
        raise MetadataError("damaged")
    old_exif = next((body for kind, body in chunks if kind == b"EXIF"), b"").removeprefix(b"Exif\0\0")
    out = [
        _extended_header(chunks),
        *((kind, body) for kind, body in chunks if kind not in (b"VP8X", b"EXIF", b"XMP ")),
        (b"EXIF", exif.with_comment(old_exif, text)),
        *((b"XMP ", packet) for packet in _packets([body for kind, body in chunks if kind == b"XMP "], record)),
    ]
    body = b"WEBP" + b"".join(_packed(chunk) for chunk in out)
    return b"RIFF" + struct.pack("<I", len(body)) + body + data[end:]


def _packets(own: list[bytes], record: str) -> list[bytes]:
    """The file's XMP packets, the first that can be extended with our record in it. If none can, a new packet with the
    record comes before them.
    """
    for place, packet in enumerate(own):
        extended = xmp.with_record(packet, record)
        if extended:
            return [*own[:place], extended, *own[place + 1 :]]
    return [xmp.with_record(None, record) or b"", *own]


def embedded(data: bytes) -> Embedded:
    chunks, _ = _chunks(data)
    found: dict[str, str] = {}
    for kind, body in chunks:
        if kind == b"EXIF":
            found = {**exif.texts(body), **found}
        record = xmp.read_record(body) if kind == b"XMP " else None
        if record:
            found.setdefault(RECORD_KEY, record)
    return Embedded(found)


def _chunks(data: bytes) -> tuple[list[Chunk], int]:
    """The complete chunks, and the offset in the file where they end."""
    chunks, end = [], 12
    for kind, start, stop, following in _places(data):
        chunks.append((kind, data[start:stop]))
        end = following
    return chunks, end


def _places(data: bytes) -> Iterator[tuple[bytes, int, int, int]]:
    """(type, start of its data, end of its data, start of the next chunk) of each complete chunk, as offsets."""
    limit = min(len(data), 8 + struct.unpack_from("<I", data, 4)[0])
    at = 12
    for _ in range(CHUNKS_MAX):
        if at + 8 > limit:
            return
        (size,) = struct.unpack_from("<I", data, at + 4)
        stop = at + 8 + size
        if stop > limit:
            return
        yield data[at : at + 4], at + 8, stop, min(stop + size % 2, len(data))
        at = stop + size % 2


def _packed(chunk: Chunk) -> bytes:
    kind, body = chunk
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _extended_header(chunks: list[Chunk]) -> Chunk:
    """The VP8X chunk with the Exif and XMP flags set: the file's own, or a new one."""
    own = next((body for kind, body in chunks if kind == b"VP8X"), None)
    if own is not None:
        if len(own) < 10:
            raise MetadataError("damaged")
        return b"VP8X", bytes([own[0] | HAS_EXIF | HAS_XMP]) + own[1:]
    width, height, alpha = _canvas(chunks[0])
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return b"VP8X", bytes([HAS_EXIF | HAS_XMP | (HAS_ALPHA if alpha else 0), 0, 0, 0]) + sides


def _canvas(chunk: Chunk) -> tuple[int, int, bool]:
    """(width, height, has alpha) of a VP8 or VP8L chunk; sides in pixels. Raises MetadataError.

    VP8 (RFC 6386, 9.1): a frame tag of 3 bytes, 9D 01 2A, then two times 14 bits of size and 2 of scaling. VP8L (RFC
    9649, 3.4): 2F, then 14 bits width − 1, 14 bits height − 1, 1 bit whether alpha is used.
    """
    kind, body = chunk
    if kind == b"VP8 " and body[3:6] == b"\x9d\x01\x2a" and len(body) >= 10:
        width, height = struct.unpack_from("<HH", body, 6)
        width, height, alpha = width & 0x3FFF, height & 0x3FFF, False
    elif kind == b"VP8L" and body[:1] == b"\x2f" and len(body) >= 5:
        (bits,) = struct.unpack_from("<I", body, 1)
        width, height, alpha = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1, bool(bits >> 28 & 1)
    else:
        raise MetadataError("damaged")
    if not width or not height:
        raise MetadataError("damaged")
    return width, height, alpha
