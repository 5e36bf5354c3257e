"""JPEG: write and read Exif and XMP segments (ITU-T T.81, annex B; Exif 2.32, 4.5.4; XMP part 3, 1.1.3).

A file is FF D8, then segments: FF, a marker, a length (2 bytes, big-endian, counts itself), and data of at most 65,533
bytes. The entropy-coded pixels begin after SOS; nothing from there on is parsed.

Size limits. The `parameters` text takes at most 41 KB, for the longest prompt, and so fits a segment. If the file's own
Exif (a thumbnail) leaves too little room for it, no UserComment is written; the record still contains everything. If
the record does not fit beside the file's own XMP, all of it goes into an ExtendedXMP extension, which is split over
segments. An XMP packet that cannot be extended is kept, and our own packet is added after it.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from services.metadata import exif, xmp
from services.metadata.errors import MetadataError
from services.metadata.record import RECORD_KEY, Embedded

SIGNATURE = b"\xff\xd8\xff"
APP0, APP1, SOS, EOI = 0xE0, 0xE1, 0xDA, 0xD9
DATA_MAX = 65_533
PIECE_MAX = 65_400
"""Bytes of an extension in one segment; the figure is the specification's."""

EXIF = b"Exif\0\0"
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
"""Followed by 32 hex digits (MD5 of the whole extension), its length, this piece's offset (4 bytes each)."""
PIECE_HEAD = len(EXTENSION) + 40


@dataclass(frozen=True)
class _Segment:
    marker: int
    start: int
    """Offset in the file; so is `end`."""
    end: int
    data: bytes
    """The segment without marker and length."""

    def is_(self, signature: bytes) -> bool:
        return self.marker == APP1 and self.data.startswith(signature)


def with_settings(data: bytes, text: str, record: str) -> bytes:
    """The file with UserComment and record after SOI and the JFIF segments; all other segments are unchanged.

    Raises MetadataError if no segment can be read.
    """
    segments = list(_segments(data))
    if not segments:
        raise MetadataError("damaged")
    ours = _exif(segments, text) + _xmp(segments, record)
    head = [data[:2], *(data[part.start : part.end] for part in _leading(segments))]
    kept = segments[len(head) - 1 :]
    body = [data[part.start : part.end] for part in kept if not any(map(part.is_, (EXIF, XMP, EXTENSION)))]
    return b"".join([*head, *(_segment(APP1, part) for part in ours), *body, data[segments[-1].end :]])


def embedded(data: bytes) -> Embedded:
    segments = list(_segments(data))
    found = exif.texts(_joined_exif(segments))
    packets = [part.data[len(XMP) :] for part in segments if part.is_(XMP)]
    for packet in [*packets, *(whole for whole in _extensions(segments).values() if whole is not None)]:
        record = xmp.read_record(packet)
        if record:
            found.setdefault(RECORD_KEY, record)
    return Embedded(found)


def _segments(data: bytes) -> Iterator[_Segment]:
    """The segments before the pixels, up to the first malformed one."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        start = at
        while at + 1 < len(data) and data[at + 1] == 0xFF:  # fill bytes
            at += 1
        if at + 4 > len(data) or data[at + 1] in (SOS, EOI, 0):
            return
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        if length < 2 or end > len(data):
            return
        yield _Segment(data[at + 1], start, end, data[at + 4 : end])
        at = end


def _leading(segments: list[_Segment]) -> list[_Segment]:
    """The JFIF segments (APP0) at the beginning, which must stay first."""
    count = next((place for place, part in enumerate(segments) if part.marker != APP0), len(segments))
    return segments[:count]


def _segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def _joined_exif(segments: list[_Segment]) -> bytes:
    return b"".join(part.data[len(EXIF) :] for part in segments if part.is_(EXIF))


def _exif(segments: list[_Segment], text: str) -> list[bytes]:
    """Data of the Exif segments: one with the comment, or the file's own ones if the comment does not fit."""
    own = [part.data for part in segments if part.is_(EXIF)]
    block = EXIF + exif.with_comment(_joined_exif(segments), text)
    return [block] if len(block) <= DATA_MAX else own


def _xmp(segments: list[_Segment], record: str) -> list[bytes]:
    """Data of the XMP segments: the file's own packet with our record, and its extensions."""
    packets = [part.data[len(XMP) :] for part in segments if part.is_(XMP)]
    pieces = [part.data for part in segments if part.is_(EXTENSION)]
    for place, packet in enumerate(packets):
        with_ours = xmp.with_record(packet, record)
        if with_ours and len(XMP + with_ours) <= DATA_MAX:
            packets[place] = with_ours
            return [XMP + each for each in packets] + pieces
    own = _extensions(segments)
    guid = next((guid for packet in packets if (guid := xmp.extension_of(packet))), None)
    extended = _extended(packets[0] if packets else None, own.get(guid) if guid else None, record)
    if extended:
        rest = [data for data in pieces if not _is_piece_of(data, guid)]
        return [*extended[:1], *(XMP + each for each in packets[1:]), *extended[1:], *rest]
    return [XMP + each for each in packets] + (_extended(None, None, record) or []) + pieces


def _extended(packet: bytes | None, extension: bytes | None, record: str) -> list[bytes] | None:
    """Main packet and extension pieces. The record goes into the extension; without a `packet` it goes into a new main
    packet if it fits. None if `packet` or `extension` cannot be extended.
    """
    alone = None if packet else xmp.with_record(None, record)
    if alone and len(XMP + alone) <= DATA_MAX:
        return [XMP + alone]
    whole = xmp.with_record(extension, record, extension=True)
    if whole is None:
        return None
    guid = hashlib.md5(whole, usedforsecurity=False).hexdigest().upper()
    main = xmp.with_extension(packet, guid)
    if main is None or len(XMP + main) > DATA_MAX:
        return None
    starts = range(0, len(whole), PIECE_MAX)
    head = EXTENSION + guid.encode()
    pieces = [head + struct.pack(">II", len(whole), at) + whole[at : at + PIECE_MAX] for at in starts]
    return [XMP + main, *pieces]


def _is_piece_of(data: bytes, guid: str | None) -> bool:
    return guid is not None and data[len(EXTENSION) :][:32] == guid.encode()


def _extensions(segments: list[_Segment]) -> dict[str, bytes | None]:
    """Digest → whole extension, joined from its pieces; None if a piece is missing."""
    pieces: dict[str, dict[int, bytes]] = {}
    lengths: dict[str, int] = {}
    for part in segments:
        if part.is_(EXTENSION) and len(part.data) >= PIECE_HEAD:
            guid = part.data[len(EXTENSION) :][:32].decode("latin-1")
            lengths[guid], at = struct.unpack_from(">II", part.data, PIECE_HEAD - 8)
            pieces.setdefault(guid, {})[at] = part.data[PIECE_HEAD:]
    found: dict[str, bytes | None] = {}
    for guid, parts in pieces.items():
        whole = b"".join(parts[at] for at in sorted(parts))
        found[guid] = whole if len(whole) == lengths[guid] else None
    return found
