from __future__ import annotations

import errno
import io
import os
import random
import re
import stat
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.stores import contents

from services.errors import RequestFailed
from services.library.disk import Disk
from services.library.media import THUMB_SIDE, Media
from services.library.media_folder import FolderStore
from services.library.media_store import KINDS, Store
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import ImageSize

NOTHING: dict[str, dict[str, int]] = {kind: {} for kind in KINDS}
NAME = re.compile(r"[0-9a-f]{32}\.(jpg|png|webp)")
REQUEST = Flux2FlexRequest(prompt="a fox", image_size=ImageSize(width=128, height=64))


@pytest.fixture
def store(tmp_path: Path, new_store: Callable[[Path], Store]) -> Store:
    return new_store(tmp_path)


@pytest.fixture
def media(store: Store) -> Media:
    return Media(store)


def encoded(size: tuple[int, int] = (128, 64), encoding: str = "JPEG", mode: str = "RGB", **options: Any) -> bytes:
    """Noise, the same each time."""
    out = io.BytesIO()
    noise = random.Random(1).randbytes(size[0] * size[1])
    Image.frombytes("L", size, noise).convert(mode).save(out, encoding, **options)
    return out.getvalue()


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that only claims its size."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"\x00" * 100)) + chunk(b"IEND", b"")


def refused(media: Media, store: Store, data: bytes) -> str:
    """The sentence with which the data is refused. Nothing of it stays."""
    with pytest.raises(RequestFailed) as caught:
        media.keep(data, REQUEST)
    assert contents(store) == NOTHING
    assert caught.value.failure.refetch
    assert caught.value.failure.message.endswith("Press Retry to fetch it again, which costs nothing.")
    return caught.value.failure.message


class TestKeep:
    @pytest.mark.parametrize(
        ("encoding", "ending", "content_type"),
        [("JPEG", "jpg", "image/jpeg"), ("PNG", "png", "image/png"), ("WEBP", "webp", "image/webp")],
    )
    def test_the_original_stays_byte_for_byte(self, media, encoding, ending, content_type):
        data = encoded(encoding=encoding)
        picture = media.keep(data, REQUEST)
        assert media.read("media", picture.name) == data
        assert (picture.content_type, picture.bytes) == (content_type, len(data))
        assert (picture.width, picture.height) == (128, 64)
        assert picture.name.endswith(f".{ending}")

    def test_names_are_random_and_of_one_stem(self, media):
        pictures = [media.keep(encoded(), REQUEST) for _ in range(5)]
        for picture in pictures:
            assert NAME.fullmatch(picture.name)
            assert picture.thumb == picture.name[:32] + ".webp"
        assert len({picture.name for picture in pictures}) == 5

    @pytest.mark.parametrize(
        ("size", "thumb"),
        [((1024, 768), (384, 288)), ((768, 1024), (288, 384)), ((2560, 64), (384, 10)), ((64, 48), (64, 48))],
    )
    def test_thumbnails_are_small_webp_and_never_larger_than_the_picture(self, media, size, thumb):
        picture = media.keep(encoded(size), REQUEST)
        with media.open("thumbs", picture.thumb) as file, Image.open(file) as image:
            assert (image.format, image.size) == ("WEBP", thumb)
            assert max(image.size) <= THUMB_SIDE

    @pytest.mark.parametrize(
        ("encoding", "mode"), [("PNG", "P"), ("PNG", "L"), ("PNG", "RGBA"), ("PNG", "1"), ("PNG", "I;16"),
                               ("JPEG", "CMYK"), ("JPEG", "L")]
    )  # fmt: skip
    def test_every_kind_of_colour_has_a_thumbnail(self, media, encoding, mode):
        picture = media.keep(encoded(encoding=encoding, mode=mode), REQUEST)
        with media.open("thumbs", picture.thumb) as file, Image.open(file) as image:
            image.load()

    @pytest.mark.parametrize(
        ("size", "encoding", "note"),
        [
            ((128, 64), "JPEG", None),
            ((64, 128), "JPEG", "fal sent 64 × 128 instead of 128 × 64."),
            ((128, 64), "PNG", "fal sent png instead of jpeg."),
            ((130, 64), "WEBP", "fal sent 130 × 64 instead of 128 × 64 and webp instead of jpeg."),
        ],
    )
    def test_another_size_or_format_is_kept_and_said(self, media, size, encoding, note):
        assert media.keep(encoded(size, encoding), REQUEST).note == note

    @pytest.mark.parametrize("step", ["sync_file", "replace", "sync_folder"])
    def test_nothing_unfinished_stays_when_the_disk_is_full(self, tmp_path, step):
        def full(*_: Any) -> None:
            raise OSError(28, "No space left on device")

        media = Media(FolderStore(tmp_path, disk := Disk()))
        setattr(disk, step, full)
        with pytest.raises(OSError, match="No space left"):
            media.keep(encoded(), REQUEST)
        assert [file for file in tmp_path.rglob("*") if file.is_file()] == []

    def test_a_thumbnail_is_made_when_it_is_asked_for(self, media):
        picture = media.keep_original(encoded(), REQUEST)
        assert media.size("thumbs", picture.thumb) is None
        made = media.read("thumbs", picture.thumb)
        assert made
        with media.open("thumbs", picture.thumb) as file:
            assert file.read() == made

    def test_where_none_can_be_made_there_is_none_yet(self, media, store, monkeypatch, caplog):
        def full(*_: Any, **__: Any) -> None:
            raise OSError(28, "No space left on device")

        picture = media.keep_original(encoded(), REQUEST)
        with monkeypatch.context() as patched:
            patched.setattr(store, "put", full)
            assert media.read("thumbs", picture.thumb) is None
            assert not media.find("thumbs", picture.thumb)
        assert caplog.text.count("No space left on device") == 2
        assert media.read("thumbs", picture.thumb)

    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"damaged", id="no picture"),
            pytest.param(encoded()[:-200], id="cut off"),
            pytest.param(png_of_size(9000, 9000), id="huge"),
        ],
    )
    def test_a_damaged_original_has_no_thumbnail_and_the_log_names_it(self, media, data, caplog):
        picture = media.keep_original(encoded(), REQUEST)
        media.put("media", picture.name, data)
        assert media.read("thumbs", picture.thumb) is None
        assert not media.find("thumbs", picture.thumb)
        assert not media.shrunk(picture)
        assert media.read("media", picture.name) == data
        assert caplog.text.count(f"no thumbnail could be made of {picture.name}: it is damaged") == 3
        assert "fal" not in caplog.text

    def test_before_an_original_goes_its_thumbnail_is_made(self, media):
        picture = media.keep_original(encoded(), REQUEST)
        media.remove_original(picture.name)
        assert media.read("media", picture.name) is None
        assert media.read("thumbs", picture.thumb)

    def test_a_damaged_original_can_go_too(self, media, caplog):
        picture = media.keep_original(encoded(), REQUEST)
        media.put("media", picture.name, b"damaged")
        media.remove_original(picture.name)
        assert media.size("media", picture.name) is None
        assert "no thumbnail could be made" in caplog.text

    def test_remove_takes_both_files_and_does_not_mind_a_second_time(self, media, store):
        picture = media.keep(encoded(), REQUEST)
        media.remove(picture)
        media.remove(picture)
        assert contents(store) == NOTHING


class TestRefused:
    @pytest.mark.parametrize(
        "data",
        [
            pytest.param(b"", id="nothing"),
            pytest.param(b"<!doctype html><html><body>Sign in</body></html>", id="html"),
            pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", id="svg"),
            pytest.param(encoded(encoding="GIF", mode="P"), id="gif"),
            pytest.param(encoded(encoding="BMP"), id="bmp"),
            pytest.param(encoded(encoding="TIFF"), id="tiff"),
            pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", id="eps"),
        ],
    )
    def test_what_is_no_picture_of_the_three_formats(self, media, store, data):
        assert refused(media, store, data).startswith("What fal's media host sent is no PNG, JPEG or WebP picture.")

    @pytest.mark.parametrize("encoding", ["JPEG", "PNG", "WEBP"])
    @pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
    def test_what_is_cut_off(self, media, store, encoding, share):
        data = encoded((256, 256), encoding)
        assert refused(media, store, data[: int(len(data) * share)]).startswith(
            ("The picture arrived damaged or cut off.", "What fal's media host sent is no")
        )

    @pytest.mark.parametrize("side", [9000, 20_000, 60_000])
    def test_what_claims_to_be_huge(self, media, store, side):
        message = refused(media, store, png_of_size(side, side))
        assert message.startswith(("The picture has", "The picture arrived damaged"))

    @settings(
        derandomize=True, deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
    )
    @given(st.data())
    @pytest.mark.filterwarnings("ignore")
    def test_no_damage_is_more_than_a_refusal(self, media, data):
        whole = encoded((48, 48), data.draw(st.sampled_from(["JPEG", "PNG", "WEBP"])))
        damaged = bytearray(whole)
        for place in data.draw(st.lists(st.integers(0, len(whole) - 1), min_size=1, max_size=6)):
            damaged[place] = data.draw(st.integers(0, 255))
        cut = data.draw(st.integers(0, len(whole)))
        try:
            picture = media.keep(bytes(damaged[:cut]), REQUEST)
        except RequestFailed:
            return
        media.remove(picture)


class TestFind:
    def test_what_was_kept_is_found(self, media):
        picture = media.keep(encoded(), REQUEST)
        assert media.find("media", picture.name)
        assert media.find("thumbs", picture.thumb)
        assert not media.find("thumbs", picture.name)

    @pytest.mark.parametrize(
        "name",
        [
            "../history.sqlite3",
            "..%2fhistory.sqlite3",
            "/etc/passwd",
            "a" * 32 + ".jpg/../../secret.jpg",
            "../media/" + "a" * 32 + ".jpg",
            "a" * 32,
            "a" * 32 + ".svg",
            "a" * 32 + ".jpg.html",
            "A" * 32 + ".jpg",
            "a" * 31 + ".jpg",
            "a" * 32 + ".jpg\x00",
            "",
            ".",
            "..",
            ".part-abc",
        ],
    )
    def test_names_from_outside_reach_nothing_else(self, tmp_path, name):
        media = Media(FolderStore(tmp_path))
        for outside in ("history.sqlite3", "secret.jpg"):
            (tmp_path / outside).write_text("secret")
        for inside in ("a" * 32, "a" * 32 + ".svg", "A" * 32 + ".jpg", "a" * 31 + ".jpg", ".part-abc"):
            (tmp_path / "media" / inside).write_text("not to be served")
        (tmp_path / "media" / ("a" * 32 + ".jpg")).write_text("a picture")
        for kind in KINDS:
            assert not media.find(kind, name)
            assert media.read(kind, name) is None
            assert media.size(kind, name) is None
            with pytest.raises(FileNotFoundError):
                media.open(kind, name)
            with pytest.raises(ValueError, match="is no picture's name"):
                media.put(kind, name, b"x")
            media.delete(kind, name)
        assert (tmp_path / "secret.jpg").read_text() == "secret"

    def test_an_absolute_path_is_no_name(self, tmp_path):
        media = Media(FolderStore(tmp_path))
        (tmp_path / "secret.jpg").write_text("secret")
        assert not media.find("media", f"{tmp_path}/secret.jpg")

    def test_a_name_nobody_has(self, media):
        name = "0" * 32 + ".png"
        assert not media.find("media", name)
        assert (media.read("media", name), media.size("media", name)) == (None, None)
        with pytest.raises(FileNotFoundError):
            media.open("media", name)
        media.delete("media", name)


class Recorder(Disk):
    """What was asked of the disk, in order."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, str]] = []

    def sync_file(self, descriptor: int) -> None:
        super().sync_file(descriptor)
        self.calls.append(("sync file", ""))

    def replace(self, part: Path, file: Path) -> None:
        super().replace(part, file)
        self.calls.append(("replace", file.name))

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self.calls.append(("sync folder", folder.name))


class TestPowerCut:
    @pytest.fixture
    def disk(self) -> Recorder:
        return Recorder()

    @pytest.fixture
    def folder(self, tmp_path: Path, disk: Recorder) -> FolderStore:
        store = FolderStore(tmp_path, disk)
        disk.calls.clear()
        return store

    def test_the_file_is_synced_then_moved_then_its_folder_is_synced(self, folder, disk):
        folder.put("media", "one.jpg", b"data")
        assert disk.calls == [("sync file", ""), ("replace", "one.jpg"), ("sync folder", "media")]

    def test_what_can_be_made_again_waits_for_no_disk(self, folder, disk):
        folder.put("thumbs", "one.webp", b"data", sync=False)
        assert disk.calls == [("replace", "one.webp")]

    def test_a_folder_that_is_made_anew_is_synced_too(self, folder, disk, tmp_path):
        (tmp_path / "media").rmdir()
        folder.put("media", "one.jpg", b"data")
        assert disk.calls[0] == ("sync folder", tmp_path.name)
        assert folder.read("media", "one.jpg") == b"data"

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP])
    def test_a_file_system_that_syncs_no_folders_keeps_pictures_all_the_same(self, tmp_path, monkeypatch, number):
        sync = os.fsync

        def refuse_folders(descriptor: int) -> None:
            if stat.S_ISDIR(os.fstat(descriptor).st_mode):
                raise OSError(number, "Invalid argument")
            sync(descriptor)

        monkeypatch.setattr(os, "fsync", refuse_folders)
        store = FolderStore(tmp_path)
        store.put("media", "one.jpg", b"data")
        assert store.read("media", "one.jpg") == b"data"


class TestStore:
    """What every store does."""

    def test_a_second_one_of_a_name_takes_its_place(self, store):
        for data in (b"first", b"second one"):
            store.put("media", "one.jpg", data)
        assert (store.read("media", "one.jpg"), store.size("media", "one.jpg")) == (b"second one", 10)
        assert contents(store) == {"media": {"one.jpg": 10}, "thumbs": {}}

    def test_it_is_read_block_by_block(self, store):
        store.put("media", "one.jpg", b"abcdef")
        with store.open("media", "one.jpg") as file:
            assert [file.read(4), file.read(4), file.read(4)] == [b"abcd", b"ef", b""]

    def test_what_is_not_there(self, store):
        assert (store.read("thumbs", "one.webp"), store.size("thumbs", "one.webp")) == (None, None)
        with pytest.raises(FileNotFoundError):
            store.open("thumbs", "one.webp")
        store.delete("thumbs", "one.webp")

    def test_files_that_are_being_written_are_no_pictures(self, tmp_path):
        store = FolderStore(tmp_path)
        (tmp_path / "media" / ".part-x").write_bytes(b"begun")
        assert contents(store) == NOTHING
