"""Exif: set and read a picture's UserComment without changing anything else in the block.

An Exif block is a TIFF file (TIFF 6.0, section 2): `MM` or `II` (byte order), 42, the offset of IFD0. An IFD is a
count (2 bytes), entries of 12 bytes in order of their tags (tag 2, type 2, count 4, value or its offset 4), and the
offset of the next IFD. IFD0's entry 0x8769 points to the Exif IFD, whose entry 0x9286 is UserComment (Exif 2.32,
4.6.5): 8 bytes that name the encoding, then the text.

New data are only appended to a block, so that all offsets in it stay valid, including those in maker notes and
thumbnails.
"""

from __future__ import annotations

import struct
from contextlib import suppress

from services.metadata.record import COMMENT_KEY, TEXT_KEY, TEXT_MAX

EXIF_IFD, USER_COMMENT = 0x8769, 0x9286
DESCRIPTION, MAKE, MODEL = 0x010E, 0x010F, 0x0110
BYTE, ASCII, LONG, UNDEFINED = 1, 2, 4, 7

_UNICODE = b"UNICODE\0"
_ENCODINGS = {b"ASCII\0\0\0": "utf-8", b"JIS\0\0\0\0\0": "shift_jis", b"\0" * 8: "utf-8"}
"""UserComment's other prefixes → encoding. ASCII is decoded as its superset UTF-8, which many tools write there."""
_HEADER = {b"MM\0*": ">", b"II*\0": "<"}


def with_comment(tiff: bytes | None, text: str) -> bytes:
    """The block with this UserComment; a new block if there is none or it cannot be read.

    The text is UTF-16, always big-endian, since piexif, which other tools read it with, expects that whatever the
    block's byte order; and of type UNDEFINED, since piexif refuses other types.
    """
    value = _UNICODE + text.encode("utf-16-be")
    if not tiff:
        return _fresh(value)
    try:
        block = _Block(tiff)
        known = block.value(block.exif, USER_COMMENT)
        if known == value:
            return tiff
        return _fresh(value) if known and tiff == _fresh(known) else block.grown(value)
    except (ValueError, struct.error):
        return _fresh(value)


def texts(tiff: bytes) -> dict[str, str]:
    """Texts that generators write into Exif: UserComment; ComfyUI's `prompt:{…}` strings in ImageDescription, Make or
    Model; and the JSON of older SwarmUI versions in Model.
    """
    try:
        block = _Block(tiff.removeprefix(b"Exif\0\0"))
    except (ValueError, struct.error):
        return {}
    found = {}
    comment = block.value(block.exif, USER_COMMENT)
    if comment:
        found[COMMENT_KEY] = decode_comment(comment)
    for tag in (DESCRIPTION, MAKE, MODEL):
        text = (block.value(block.first, tag) or b"").decode("utf-8", "replace").strip("\0 ")
        name, _, rest = text.partition(":")
        if name.lower() in ("prompt", "workflow") and rest.lstrip().startswith("{"):
            found.setdefault(name.lower(), rest)
        elif text.startswith("{"):
            found.setdefault(TEXT_KEY, text)
    return found


def decode_comment(value: bytes) -> str:
    """UserComment as text. The standard does not define the byte order of its UTF-16, and tools differ, so it is
    guessed from the content.
    """
    prefix, body = value[:8], value[8:]
    if prefix != _UNICODE:
        encoding = _ENCODINGS.get(prefix)
        return (body if encoding else value).decode(encoding or "utf-8", "replace").strip("\0")
    if body[:2] in (b"\xfe\xff", b"\xff\xfe"):
        return body.decode("utf-16", "replace").strip("\0")
    orders = [body.decode(encoding, "replace").strip("\0") for encoding in ("utf-16-be", "utf-16-le")]
    for text in orders:
        if "Steps: " in text or text.lstrip().startswith("{"):
            return text
    if b"\0" not in body:  # settings contain ASCII, which has zero bytes in UTF-16: this is mislabelled UTF-8
        return body.decode("utf-8", "replace")
    return orders[0] if body[0::2].count(0) >= body[1::2].count(0) else orders[1]


class _Block:
    """A parsed TIFF block. `first` (IFD0) and `exif`: tag → its entry's 12 bytes.

    Raises ValueError or struct.error if the block is malformed.
    """

    def __init__(self, data: bytes) -> None:
        if data[:4] not in _HEADER:
            raise ValueError("no TIFF header")
        self._data, self._order = data, _HEADER[data[:4]]
        self._at = self._unpack("I", 4)[0]
        self.first, self._next = self._entries(self._at)
        self.exif: dict[int, bytes] = {}
        self._exif_next = 0
        if EXIF_IFD in self.first:
            (at,) = struct.unpack(self._order + "I", self.first[EXIF_IFD][8:])
            with suppress(ValueError, struct.error):  # `grown` replaces an invalid pointer
                self.exif, self._exif_next = self._entries(at)

    def _unpack(self, form: str, at: int) -> tuple[int, ...]:
        return struct.unpack_from(self._order + form, self._data, at)

    def _entries(self, at: int) -> tuple[dict[int, bytes], int]:
        places, end = self._places(at)
        entries = {tag: self._data[place : place + 12] for tag, place in places.items()}
        return entries, self._unpack("I", end)[0] if end + 4 <= len(self._data) else 0

    def _places(self, at: int) -> tuple[dict[int, int], int]:
        """Tag → where its entry begins, and where an IFD's entries end."""
        (count,) = self._unpack("H", at)
        end = at + 2 + 12 * count
        if end > len(self._data):
            raise ValueError("an IFD that goes beyond the block")
        return {self._unpack("H", place)[0]: place for place in range(at + 2, end, 12)}, end

    def value(self, entries: dict[int, bytes], tag: int) -> bytes | None:
        """The bytes of a text entry; None if it is missing, truncated, of another type or above TEXT_MAX."""
        if tag not in entries:
            return None
        kind, count = struct.unpack(self._order + "HI", entries[tag][2:8])
        if kind not in (BYTE, ASCII, UNDEFINED) or count > TEXT_MAX:
            return None
        if count <= 4:
            return entries[tag][8 : 8 + count]
        (at,) = struct.unpack(self._order + "I", entries[tag][8:])
        return self._data[at : at + count] if at + count <= len(self._data) else None

    def grown(self, comment: bytes) -> bytes:
        """The block with three things appended: the comment, a new Exif IFD that points to it, and, if IFD0 had no
        Exif entry, a new IFD0.
        """
        data = bytearray(self._data + b"\0" * (len(self._data) % 2))
        entry = self._entry(USER_COMMENT, UNDEFINED, len(comment), len(data))
        data += comment
        exif_at = len(data)
        data += self._ifd({**self.exif, USER_COMMENT: entry}, self._exif_next)
        pointer = self._entry(EXIF_IFD, LONG, 1, exif_at)
        if EXIF_IFD in self.first:
            place = self._places(self._at)[0][EXIF_IFD]
            data[place : place + 12] = pointer
        else:
            data[4:8] = struct.pack(self._order + "I", len(data))
            data += self._ifd({**self.first, EXIF_IFD: pointer}, self._next)
        return bytes(data)

    def _entry(self, tag: int, kind: int, count: int, value: int) -> bytes:
        return struct.pack(self._order + "HHII", tag, kind, count, value)

    def _ifd(self, entries: dict[int, bytes], following: int) -> bytes:
        body = b"".join(entry for _, entry in sorted(entries.items()))
        return struct.pack(self._order + "H", len(entries)) + body + struct.pack(self._order + "I", following)


def _fresh(comment: bytes) -> bytes:
    """Header, IFD0 at 8 with one entry, the Exif IFD at 26 with one entry, the comment at 44."""
    return (
        b"MM\0*\0\0\0\x08"
        + struct.pack(">HHHIII", 1, EXIF_IFD, LONG, 1, 26, 0)
        + struct.pack(">HHHIII", 1, USER_COMMENT, UNDEFINED, len(comment), 44, 0)
        + comment
    )
