from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from support.stores import opener

from services.compare import sameness as comparing
from services.compare.sameness import Sameness


def sameness(first: Path, second: Path) -> Sameness:
    return comparing.sameness(opener(first), opener(second))


def picture(
    file: Path, colour: tuple[int, ...] = (10, 20, 30), size: tuple[int, int] = (64, 48), **options: int
) -> Path:
    Image.new("RGBA" if len(colour) == 4 else "RGB", size, colour).save(file, **options)
    return file


def test_the_same_file_twice(tmp_path):
    first = picture(tmp_path / "a.png")
    second = tmp_path / "b.png"
    second.write_bytes(first.read_bytes())
    assert sameness(first, second) == Sameness("bytes", 0.0)
    assert sameness(first, first).words == "equal to the byte"


def test_the_same_pixels_packed_otherwise(tmp_path):
    first, second = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", compress_level=0)
    assert sameness(first, second) == Sameness("pixels", 0.0)
    assert sameness(first, second).words.startswith("equal to the pixel")
    assert sameness(first, picture(tmp_path / "c.png", (10, 20, 30, 255))).kind == "pixels"


def test_other_pixels(tmp_path):
    first, second = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", (13, 20, 36))
    assert sameness(first, second) == Sameness("differ", 3.0)
    assert sameness(first, second).words == "different: mean error 3.00 of 255"
    assert sameness(second, first) == sameness(first, second)


def test_one_pixel_that_is_off_is_not_the_same(tmp_path):
    first = picture(tmp_path / "a.png", size=(1024, 1024))
    with Image.open(first) as image:
        image.putpixel((3, 4), (11, 20, 30))
        image.save(tmp_path / "b.png")
    found = sameness(first, tmp_path / "b.png")
    assert found.kind == "differ"
    assert found.mean_error == pytest.approx(1 / (3 * 1024**2))


def test_only_the_alpha_differs(tmp_path):
    first, second = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", (10, 20, 30, 55))
    assert sameness(first, second) == Sameness("differ", 50.0)


def test_another_size(tmp_path):
    first, second = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", size=(48, 64))
    assert sameness(first, second) == Sameness("differ", None)
    assert sameness(first, second).words == "of another size"


def test_a_file_that_is_missing_or_no_picture(tmp_path):
    first, second = picture(tmp_path / "a.png"), tmp_path / "b.png"
    with pytest.raises(OSError, match=r"b\.png"):
        sameness(first, second)
    second.write_bytes(b"not a picture")
    with pytest.raises(OSError, match="cannot identify"):
        sameness(first, second)
