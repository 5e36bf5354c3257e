"""What is refused is refused with its reason, and leaves the history, the files and the folder as they were."""

from __future__ import annotations

import io
import json
import random
import stat
import struct
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from support.projects import GROUP, LIMITS, Shelf, a_picture, lines_of, packed, parts_of, written

from services.archive import safety
from services.archive.errors import ArchiveError
from services.archive.safety import Limits
from services.run import new_id

Change = Callable[[dict[str, bytes], str], Any]


@pytest.fixture
def export(shelf: Shelf) -> bytes:
    shelf.add("a fox")
    shelf.add("a cat", picture=False)
    return shelf.export()


@pytest.fixture
def refused(other: Shelf) -> Callable[..., str]:
    """`refused(data)`: the reason; whatever was there is still there, and nothing else."""
    other.add("here before")
    before = other.state()

    def restore(data: bytes, limits: Limits = LIMITS) -> str:
        with pytest.raises(ArchiveError) as caught:
            other.restore(data, limits=limits)
        assert other.state() == before
        assert str(caught.value).endswith(" Nothing was restored.")
        assert len(str(caught.value)) < 400
        return caught.value.reason

    return restore


def zip_with(name: str, data: bytes = b"x", *, mode: int = 0, export: bytes = b"") -> bytes:
    """The export with one part more."""
    out = io.BytesIO(export)
    with zipfile.ZipFile(out, "a") as archive:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        archive.writestr(info, data)
    return out.getvalue()


class TestNames:
    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("../evil.png", "elsewhere"),
            (f"media/../../{'a' * 32}.png", "elsewhere"),
            ("media\\..\\..\\evil.png", "elsewhere"),
            ("/etc/passwd", "elsewhere"),
            ("\\\\host\\share", "elsewhere"),
            ("C:\\evil.png", "elsewhere"),
            ("evil.py", "unknown_part"),
            ("media/fox.png", "unknown_part"),
            (f"media/{'a' * 32}.svg", "unknown_part"),
            (f"media/{'A' * 32}.png", "unknown_part"),
            (f"media/sub/{'a' * 32}.png", "unknown_part"),
            ("grid/sub/sheet.png", "unknown_part"),
            ("history.sqlite3", "unknown_part"),
            ("history.jsonl", "twice"),
        ],
    )
    @pytest.mark.filterwarnings("ignore:Duplicate name")
    def test_that_lead_elsewhere_or_are_not_ours(self, export, refused, name, reason):
        assert refused(zip_with(name, export=export)) == reason

    @pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFCHR, stat.S_IFIFO])
    def test_links_and_devices(self, export, refused, kind):
        assert refused(zip_with(f"media/{'a' * 32}.png", b"/etc/passwd", mode=kind | 0o777, export=export)) == "link"

    def test_parts_of_a_grid_and_folders_are_borne(self, export, other):
        for name in ("grid/contact sheet (1).png", "media/", "thumbs/"):
            export = zip_with(name, b"", export=export)
        assert other.restore(export).restored == 2


class TestSize:
    def bomb(self, shelf: Shelf, size: int) -> bytes:
        parts = parts_of(shelf.export())
        return packed({**parts, f"media/{'b' * 32}.png": bytes(size)}, zipfile.ZIP_DEFLATED)

    def test_what_would_grow_beyond_measure(self, shelf, refused):
        data = self.bomb(shelf, 30_000_000)
        assert len(data) < 200_000
        assert refused(data) == "bomb"

    def test_what_lies_about_its_length(self, shelf, refused):
        """Its directory tells of 1,000 bytes, and 30 MB would come out: no more than what is told is read."""
        shelf.add("a fox")
        name = next(iter(shelf.files()))
        parts = {**parts_of(shelf.export()), f"media/{name}": bytes(30_000_000)}
        data = packed(parts, zipfile.ZIP_DEFLATED)
        told, lie = struct.pack("<I", 30_000_000), struct.pack("<I", 1_000)
        assert data.count(told) == 2
        assert refused(data.replace(told, lie)) in ("damaged", "no_picture")

    def test_all_together(self, export, refused):
        assert refused(export, Limits(bytes=1_000)) == "too_large"

    def test_too_many_runs(self, export, refused):
        assert refused(export, Limits(bytes=2**30, runs=1)) == "too_many"

    def test_a_directory_that_fills_the_memory(self, export, refused, monkeypatch):
        monkeypatch.setattr(safety, "DIRECTORY_MAX", 100)
        assert refused(export) == "too_many"

    def test_a_line_without_an_end(self, shelf, refused, monkeypatch):
        monkeypatch.setattr(safety, "LINE_MAX", 10_000)
        assert refused(b"{" + b" " * 20_000) == "bad_line"

    def test_a_picture_of_too_many_pixels(self, shelf, refused):
        """64,000 × 64,000 pixels in 100 bytes: refused by its size before it is decoded."""
        png = (
            b"\x89PNG\r\n\x1a\n" + b"\0\0\0\rIHDR" + struct.pack(">II", 64_000, 64_000) + b"\x08\x02\0\0\0" + bytes(70)
        )
        assert refused(with_picture(shelf, png, width=64_000, height=64_000)) == "no_picture"


def with_picture(shelf: Shelf, data: bytes, **told: int) -> bytes:
    """An export whose one picture has these bytes, and an entry that tells so."""
    run = shelf.add("a fox")
    parts = parts_of(shelf.export())
    (line,) = lines_of(parts["history.jsonl"])
    line["picture"] |= {"bytes": len(data), **told}
    return packed({**parts, "history.jsonl": written([line]), f"media/{run.picture.name}": data})


class TestPictures:
    @pytest.mark.parametrize(
        "data",
        [b"", b"#!/bin/sh", b"<svg/>", a_picture()[:-20], a_picture(encoding="GIF"), a_picture(encoding="TIFF")],
        ids=["empty", "script", "svg", "cut", "gif", "tiff"],
    )
    def test_bytes_that_do_not_decode(self, shelf, refused, data):
        assert refused(with_picture(shelf, data)) == "no_picture"

    def test_another_format_than_the_name_says(self, shelf, refused):
        assert refused(with_picture(shelf, a_picture(encoding="PNG"))) == "no_picture"

    def test_another_picture_than_the_entry_tells_of(self, shelf, refused):
        assert refused(with_picture(shelf, a_picture(size=(64, 64)))) == "no_picture"

    def test_a_thumbnail_that_is_none(self, shelf, refused):
        run = shelf.add("a fox")
        parts = parts_of(shelf.export())
        del parts[f"media/{run.picture.name}"]
        assert refused(packed({**parts, f"thumbs/{run.picture.thumb}": b"<svg/>"})) == "no_picture"


class TestDamage:
    def test_half_of_it(self, export, refused):
        assert refused(export[: len(export) // 2]) == "cut_off"

    def test_a_changed_byte(self, shelf, export, refused):
        where = export.index(next(iter(shelf.files().values()))) + 300
        assert refused(export[:where] + bytes([export[where] ^ 1]) + export[where + 1 :]) == "damaged"

    @pytest.mark.parametrize("data", [b"", b"P", b"\x89PNG\r\n", b"id,prompt\n", b"PK\x03\x04", b"[]"])
    def test_another_file(self, refused, data):
        assert refused(data) in ("not_an_export", "cut_off")

    def test_another_zip(self, refused):
        assert refused(packed({"README.txt": b"hello"})) == "not_an_export"

    def test_encrypted(self, export, refused):
        """Bit 0 of the flags, in each entry of the directory."""
        data = bytearray(export)
        at = data.index(b"PK\x01\x02")
        data[at + 8] |= 1
        assert refused(bytes(data)) == "encrypted"

    def test_packed_in_another_way(self, export, refused):
        assert refused(packed(parts_of(export), zipfile.ZIP_LZMA)) == "unknown_part"

    def test_packed_again_by_another_program_it_is_taken(self, export, other):
        assert other.restore(packed(parts_of(export), zipfile.ZIP_DEFLATED)).originals == 1

    def test_any_cut_and_any_flip_ends_in_a_sentence_or_in_the_same_entries(self, export, shelf, other):
        dice, sound = random.Random(1), set(shelf.files().values())
        for number in range(200):
            data, before = bytearray(export), other.state()
            for _ in range(dice.randint(1, 4)):
                data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
            if number % 3 == 0:
                del data[dice.randrange(len(data)) :]
            try:
                other.restore(bytes(data))
            except ArchiveError:
                assert other.state() == before
            assert set(other.files().values()) <= sound


def changed(**fields: Any) -> Callable[[dict[str, Any]], dict[str, Any]]:
    return lambda line: {**line, **fields}


LINES: dict[str, tuple[Callable[[dict[str, Any]], Any], str]] = {
    "not JSON": (lambda line: None, "bad_line"),
    "a newer format": (changed(format=3), "newer"),
    "a field of the future": (changed(colour="red"), "bad_line"),
    "another's visitor": (changed(visitor="bob"), "bad_line"),
    "no id": (changed(id="../../etc"), "bad_line"),
    "no prompt": (changed(request={"prompt": " "}), "bad_line"),
    "settings that are none": (changed(request=["x"]), "bad_line"),
    "a parameter of another type": (changed(request={"prompt": "x", "num_inference_steps": "28"}), "bad_line"),
    "a number that no column holds": (changed(request={"prompt": "x", "seed": 2**64}), "bad_line"),
    "a side without an end": (
        changed(request={"prompt": "x", "image_size": {"width": 1, "height": 10**9}}),
        "bad_line",
    ),
    "no model's id": (changed(model="Flux 9"), "bad_line"),
    "no moment": (changed(created_at="yesterday"), "bad_line"),
    "a moment without a zone": (changed(created_at="2026-01-01T00:00:00"), "bad_line"),
    "a moment before time": (changed(created_at="0001-01-01T00:00:00+14:00"), "bad_line"),
    "money without an end": (changed(cost_usd=float("inf")), "bad_line"),
    "money back": (changed(cost_usd=-5), "bad_line"),
    "a seed too large": (changed(seed_used=2**70), "bad_line"),
    "a file elsewhere": (lambda line: {**line, "picture": {**line["picture"], "name": "../x.png"}}, "bad_line"),
    "a thumbnail elsewhere": (lambda line: {**line, "picture": {**line["picture"], "thumb": "../x"}}, "bad_line"),
    "a project without a name": (
        changed(project={"id": "a" * 32, "name": "", "created_at": "2026-01-01T00:00:00Z"}),
        "bad_line",
    ),
    "half a character": (changed(notes="HALF"), "bad_line"),
    "a list": (lambda line: [line], "bad_line"),
}


@pytest.mark.parametrize("name", LINES)
def test_lines_that_are_no_entries(shelf, refused, name):
    run = shelf.add("a fox")
    change, reason = LINES[name]
    parts = parts_of(shelf.export())
    (line,) = lines_of(parts["history.jsonl"])
    sound = {**line, "id": new_id(), "picture": None}
    broken = json.dumps(change(line)).replace("HALF", "\\ud800") if name != "not JSON" else "{"
    parts["history.jsonl"] = written([sound]) + broken.encode() + b"\n"
    assert refused(packed(parts)) == reason
    assert run.picture is not None


def test_the_sentence_names_the_line_and_the_field(shelf, other):
    shelf.add("a fox", picture=False)
    (line,) = lines_of(shelf.export("jsonl"))
    line["request"]["guidance_scale"] = "99"
    with pytest.raises(
        ArchiveError, match=r"^history\.jsonl, line 1: request: .*guidance_scale cannot be '99'\. Nothing"
    ):
        other.restore(written([line]))


def test_a_run_that_stands_in_it_twice(shelf, refused):
    shelf.add("a fox", picture=False)
    assert refused(shelf.export("jsonl") * 2) == "twice"


def test_grids_are_checked_too(export, refused):
    parts = {**parts_of(export), "grids.jsonl": b'{"format": 1, "id": "x"}\n'}
    assert refused(packed(parts)) == "bad_line"


def test_a_broken_grid_after_good_runs_restores_none(export, refused):
    grid = {"format": 1, "id": "a" * 32, "plan": {}, "created_at": "2026-01-01T00:00:00Z", "paused": False,
            "cells": [{"key": "k" * 65, "run_id": "b" * 32}]}  # fmt: skip
    assert refused(packed({**parts_of(export), "grids.jsonl": written([grid])})) == "bad_line"


@pytest.mark.parametrize(
    "plan",
    [{}, {"base": {"prompt": "a"}, "axes": [{"field": "seed", "values": ["x"]}]},
     {"base": {"prompt": "a"}, "axes": [{"field": "prompt_sr", "values": [{"find": "", "replace": "c"}]}]},
     {"base": {"prompt": "a"}, "axes": [{"field": "seed", "values": list(range(1001))}]}],
)  # fmt: skip
def test_a_plan_that_could_not_be_run_is_refused(export, refused, plan):
    grid = {"format": 1, "id": "a" * 32, "plan": plan, "created_at": "2026-01-01T00:00:00Z", "paused": False}
    assert refused(packed({**parts_of(export), "grids.jsonl": written([grid])})) == "bad_line"


def test_the_private_name_it_leans_on_is_there():
    """How ZipFile finds the directory: the same way, or a ZIP could show two of them."""
    end = zipfile._EndRecData(io.BytesIO(packed({"a": b"x"})))  # type: ignore[attr-defined]
    assert end[zipfile._ECD_SIZE] == 47  # type: ignore[attr-defined]
    assert GROUP.shares
