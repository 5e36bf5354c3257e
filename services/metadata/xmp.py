"""XMP: our record as one property in a picture's XMP packet (XMP specification, parts 1 and 3).

An existing packet keeps its content: our rdf:Description is inserted before its closing </rdf:RDF>.
"""

from __future__ import annotations

import re
from typing import Any
from xml.parsers import expat
from xml.sax.saxutils import escape  # nosec B406: writes, reads nothing

NAMESPACE = "urn:flux-2-flex-playground:1.0/"
PROPERTY = "settings"
KEYWORD = "XML:com.adobe.xmp"
"""The packet's keyword in PNG."""

_NOTE = "http://ns.adobe.com/xmp/note/"
_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_OPEN = f'<rdf:Description rdf:about="" xmlns:playground="{NAMESPACE}">'.encode()
_CLOSE, _END = b"</rdf:Description>", b"</rdf:RDF>"
_PACKET = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"></rdf:RDF></x:xmpmeta>'
    '<?xpacket end="w"?>'
).encode()
_EXTENSION = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="{_RDF}"></rdf:RDF></x:xmpmeta>'.encode()
"""An extension is XMP without the packet's wrapper (part 3, 1.1.3.1)."""
_HAS_EXTENSION = re.compile(
    rb'[\w-]{1,40}:HasExtendedXMP="([0-9A-Fa-f]{32})"'
    rb"|<[\w-]{1,40}:HasExtendedXMP>([0-9A-Fa-f]{32})</[\w-]{1,40}:HasExtendedXMP>"
)


def with_record(packet: bytes | None, record: str, *, extension: bool = False) -> bytes | None:
    """The packet with our record in place of an older one. None if the record cannot be read back from the result:
    the packet is not XMP, or its XML is malformed.
    """
    packet = _without_record(packet) if packet else _EXTENSION if extension else _PACKET
    property_ = f"<playground:{PROPERTY}>{escape(record)}</playground:{PROPERTY}>".encode()
    extended = _inserted(packet, _OPEN + property_ + _CLOSE)
    return extended if extended and read_record(extended) == record else None


def with_extension(packet: bytes | None, guid: str) -> bytes | None:
    """The main packet of a JPEG whose record is in an extension, with a reference to the extension: its MD5 digest
    `guid` (32 hex digits). None if the packet's XML is malformed.
    """
    packet = _without_record(packet) if packet else _PACKET
    if _settings(packet) is None:
        return None
    named = _HAS_EXTENSION.search(packet)
    if named:
        start, end = named.span(1 if named[1] else 2)
        return packet[:start] + guid.encode() + packet[end:]
    note = f'<rdf:Description rdf:about="" xmlns:xmpNote="{_NOTE}" xmpNote:HasExtendedXMP="{guid}"/>'.encode()
    return _inserted(packet, note)


def extension_of(packet: bytes) -> str | None:
    """The digest of the extension that a main packet refers to, if any."""
    found = _HAS_EXTENSION.search(packet)
    return (found[1] or found[2]).decode() if found else None


def read_record(packet: bytes) -> str | None:
    """Our record, as an element or as an attribute: another tool may have rewritten the packet since."""
    return _settings(packet) or None


def _settings(packet: bytes) -> str | None:
    """Our property's text, empty if it is missing; None if the packet cannot be parsed.

    A packet with a document type declaration is refused, so that no entities are expanded.
    """
    name = f"{NAMESPACE} {PROPERTY}"
    inside: list[str] = []
    found: list[str] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        inside.append(tag)
        found.extend(value for attribute, value in attributes.items() if attribute == name)

    def text(data: str) -> None:
        if inside[-1] == name:
            found.append(data)  # expat passes a long text in pieces

    def refuse(*_: Any) -> None:
        raise ValueError("a document type has no place in XMP")

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler, parser.CharacterDataHandler = start, text
    parser.EndElementHandler = lambda _tag: inside.pop()
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(packet.strip(b"\0 \r\n\t"), True)
    except (expat.ExpatError, ValueError):
        return None
    return "".join(found)


def _inserted(packet: bytes, description: bytes) -> bytes | None:
    """The packet with `description` before </rdf:RDF> and without padding for in-place edits. None if it has no RDF."""
    at = packet.rfind(_END)
    if at < 0:
        return None
    head, tail = packet[:at], packet[at:]
    closing = tail.rfind(b"<?xpacket end")
    if closing > 0:
        tail = tail[:closing].rstrip() + tail[closing:]
    return head + description + tail


def _without_record(packet: bytes) -> bytes:
    start = packet.find(_OPEN)
    end = packet.find(_CLOSE, start) if start >= 0 else -1
    return packet[:start] + packet[end + len(_CLOSE) :] if end >= 0 else packet
