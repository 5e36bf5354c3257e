"""What is said of a picture that was run again; that the page shows it stands in browser/test_projects.py."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from services.library.history import History
from services.library.media import Media
from services.library.media_store import Store
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize
from services.run import Picture, Run, new_id
from services.running import repeat

REQUEST = Flux2FlexRequest(prompt="a fox", seed=7, image_size=ImageSize(width=64, height=64), output_format="png")


@pytest.fixture
def media(tmp_path: Path, new_store: Callable[[Path], Store]) -> Media:
    return Media(new_store(tmp_path))


def keep(media: Media, colour: str = "red", **options: Any) -> Picture:
    out = io.BytesIO()
    Image.new("RGB", (64, 64), colour).save(out, "png", **options)
    return media.keep(out.getvalue(), REQUEST)


def a_run(**fields: Any) -> Run:
    values = {"visitor": "ann", "engine": "demo", "key_of": "owner", "created_at": datetime.now(timezone.utc), **fields}
    return Run(id=new_id(), request=REQUEST, **values)


def note_of(history: History, media: Media, first: Run, second: Picture) -> str:
    history.add([first])
    return repeat.note_of(history, media, first.id, second)


def test_equal_to_the_byte_to_the_pixel_or_how_far_apart(history, media):
    first = keep(media)
    assert note_of(history, media, a_run(picture=first), keep(media)) == "Run again: equal to the byte."
    packed = note_of(history, media, a_run(picture=keep(media, "red")), keep(media, compress_level=0))
    assert packed == "Run again: equal to the pixel, though not to the byte."
    other = note_of(history, media, a_run(picture=keep(media, "black")), keep(media, "white"))
    assert other == "Run again: different: mean error 255.00 of 255."


def test_a_first_picture_that_is_gone(history, media):
    picture = keep(media)
    assert "is gone" in repeat.note_of(history, media, new_id(), picture)
    assert "left no picture" in note_of(history, media, a_run(), picture)
    lost = keep(media)
    media.remove(lost)
    assert "file is gone" in note_of(history, media, a_run(picture=lost), picture)


@pytest.mark.parametrize("kept", [lambda data: data[:60], lambda data: data[:-20], lambda data: HUGE])
def test_a_first_picture_that_is_damaged_leaves_the_new_one_in_peace(history, media, kept):
    """Else the run whose picture is there, and was paid for, would end as failed."""
    first, second = keep(media), keep(media, "blue")
    media.put("media", first.name, kept(media.read("media", first.name)))
    assert note_of(history, media, a_run(picture=first), second).startswith("Run again: ")


HUGE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
HUGE += struct.pack(">I", zlib.crc32(HUGE[12:])) + b"\x00\x00\x00\x00IDAT" + struct.pack(">I", zlib.crc32(b"IDAT"))
"""The head of a PNG of 3,600 megapixels, which Pillow refuses to open."""
