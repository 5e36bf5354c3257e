from __future__ import annotations

import io
import json
import random
import re
import struct
import zlib
from datetime import datetime, timezone
from typing import Any

import piexif
import piexif.helper
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from services.metadata import MetadataError, read_settings, with_metadata
from services.metadata.infotext import KEYS, infotext
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.kinds.integer import SEED_MAX
from services.models.registry import PARAMETERS
from services.models.sizes import MAX_PIXELS, SIDE_MAX, SIDE_MIN, SIDE_STEP, ImageSize
from services.request import parse_request
from services.run import Run, Ticket
from services.version import PRODUCT, VERSION

ENCODINGS = ("PNG", "JPEG", "WEBP")
XMP = b"http://ns.adobe.com/xap/1.0/\0"
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
TITLE = "<dc:title>Mine &amp; yours</dc:title>"
OWN_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
    f'xmlns:dc="http://purl.org/dc/elements/1.1/">{TITLE}</rdf:Description></rdf:RDF></x:xmpmeta>'
    + " " * 2000
    + '<?xpacket end="w"?>'
).encode()


def picture(encoding: str, mode: str = "RGB", size: tuple[int, int] = (33, 17), **options: Any) -> bytes:
    """Noise, the same each time; an odd size, so that WebP's chunks need padding."""
    out = io.BytesIO()
    noise = random.Random(1).randbytes(size[0] * size[1] * len(Image.new(mode, (1, 1)).tobytes()))
    Image.frombytes(mode, size, noise).save(out, encoding, **options)
    return out.getvalue()


PLAIN = {encoding: picture(encoding) for encoding in ENCODINGS}


def a_run(request: Flux2FlexRequest | None = None, **fields: Any) -> Run:
    request = request or Flux2FlexRequest(prompt="a fox, “quoted”", seed=42)
    return Run(
        id="0" * 32, visitor="somebody", engine="fal", key_of="owner", request=request,
        created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc),
        ticket=Ticket(request_id="req-1", status_url="s", response_url="r", cancel_url="c"), cost_usd=0.05,
    ).model_copy(update=fields)  # fmt: skip


def opened(data: bytes) -> Image.Image:
    """Decoded, all of it."""
    image = Image.open(io.BytesIO(data))
    image.load()
    return image


def same_pixels(one: bytes, other: bytes) -> bool:
    first, second = opened(one), opened(other)
    return (first.mode, first.size, first.tobytes()) == (second.mode, second.size, second.tobytes())


def comment(data: bytes) -> str:
    """UserComment as piexif, and so the field's tools, read it."""
    block = opened(data).info["exif"]
    return piexif.helper.UserComment.load(piexif.load(block)["Exif"][piexif.ExifIFD.UserComment])


def text_of(data: bytes) -> str:
    image = opened(data)
    return image.text["parameters"] if isinstance(image, PngImagePlugin.PngImageFile) else comment(data)


def a_value(name: str) -> st.SearchStrategy[Any]:
    """Any allowed value of a parameter other than the prompt, from what the model says about it."""
    parameter = PARAMETERS[name]
    if parameter.kind.name == "switch":
        return st.booleans()
    if parameter.kind.name == "choice":
        return st.sampled_from(parameter.choices)
    if parameter.kind.name == "size":
        side = st.integers(SIDE_MIN // SIDE_STEP, SIDE_MAX // SIDE_STEP).map(lambda steps: steps * SIDE_STEP)
        custom = st.fixed_dictionaries({"width": side, "height": side})
        fits = custom.filter(lambda size: size["width"] * size["height"] <= MAX_PIXELS)
        return st.sampled_from(parameter.choices) | fits
    if parameter.kind.name == "slider" and float in (parameter.annotation, type(parameter.default)):
        return st.floats(parameter.minimum, parameter.maximum)
    number = st.integers(int(parameter.minimum or 0), int(parameter.maximum or 0))
    return number if parameter.default is not None else st.none() | number


LOOKALIKES = [
    *("a fox", "🦊", "", " ", "\\", '"', "<lora:x:1>", "]]></x:xmpmeta>", "Negative prompt: dogs"),
    *("Steps: 1, Seed: 2", "Steps: 3, CFG scale: 1, Seed: 2, Size: 64x64", f"Steps: 9, Seed: 9, Version: {PRODUCT}"),
    '{"sui_image_params": {"seed": 1}}',
]
CHARACTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
PROMPTS = st.one_of(
    st.text(CHARACTERS, max_size=300),
    st.lists(st.sampled_from(LOOKALIKES), max_size=6).map("\n".join),
    st.builds(lambda text, count: text * count, st.text(CHARACTERS, min_size=1, max_size=10), st.integers(1, 1000)),
).filter(lambda prompt: prompt.strip() != "")
REQUESTS = st.fixed_dictionaries(
    {"prompt": PROMPTS} | {name: a_value(name) for name in PARAMETERS if name != "prompt"}
).map(parse_request)
MANY = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


class TestAnyRequest:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    @MANY
    @given(request=REQUESTS)
    @example(request=Flux2FlexRequest(prompt="x\nSteps: 1, Seed: 2, Size: 64x64\nNegative prompt: y\n\n "))
    def test_comes_back_from_the_file(self, encoding: str, request: Flux2FlexRequest) -> None:
        found = read_settings(with_metadata(PLAIN[encoding], a_run(request)))
        assert (found.source, found.request, found.unused, found.notes) == (PRODUCT, request, (), ())
        assert found.values == request.model_dump(mode="json")

    @pytest.mark.parametrize("encoding", ENCODINGS)
    @MANY
    @given(request=REQUESTS)
    def test_stands_in_the_text_as_the_field_reads_it(self, encoding: str, request: Flux2FlexRequest) -> None:
        assert text_of(with_metadata(PLAIN[encoding], a_run(request))) == infotext(a_run(request))

    @MANY
    @given(request=REQUESTS)
    def test_comes_back_from_the_text_alone(self, request: Flux2FlexRequest) -> None:
        info = PngImagePlugin.PngInfo()
        info.add_text("parameters", infotext(a_run(request)))
        found = read_settings(picture("PNG", pnginfo=info))
        assert (found.source, found.request, found.unused) == (PRODUCT, None, ())
        again = parse_request(found.values)
        assert again.pixels == request.pixels
        assert again.vary(image_size="square") == request.vary(image_size="square")


class TestTheBytes:
    """What was in the file is still in it, byte for byte."""

    def test_png_has_two_chunks_more_after_its_header(self) -> None:
        before, after = PLAIN["PNG"], with_metadata(PLAIN["PNG"], a_run())
        head = 8 + 25
        assert after.startswith(before[:head])
        assert after.endswith(before[head:])
        assert [kind for kind, _ in png_chunks(after)][:4] == [b"IHDR", b"iTXt", b"iTXt", b"IDAT"]

    def test_png_writes_latin_text_as_latin_text(self) -> None:
        after = with_metadata(PLAIN["PNG"], a_run(Flux2FlexRequest(prompt="café")))
        assert [kind for kind, _ in png_chunks(after)][:3] == [b"IHDR", b"tEXt", b"tEXt"]

    def test_jpeg_has_two_segments_more_after_jfif(self) -> None:
        before, after = PLAIN["JPEG"], with_metadata(PLAIN["JPEG"], a_run())
        head = 2 + 18
        assert after[:head] == before[:head]
        assert after.endswith(before[head:])
        assert [data[:4] for _, data in jpeg_segments(after)][:3] == [b"JFIF", b"Exif", b"http"]

    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_once_is_as_good_as_twice(self, encoding: str) -> None:
        once = with_metadata(PLAIN[encoding], a_run())
        assert with_metadata(once, a_run()) == once
        other = a_run(Flux2FlexRequest(prompt="another"))
        assert with_metadata(once, other) == with_metadata(PLAIN[encoding], other)

    @pytest.mark.parametrize(
        ("encoding", "mode", "options"),
        [
            ("PNG", "RGB", {}),
            ("PNG", "RGBA", {}),
            ("PNG", "L", {}),
            ("PNG", "P", {"transparency": 3}),
            ("PNG", "I;16", {}),
            ("JPEG", "RGB", {}),
            ("JPEG", "L", {"progressive": True}),
            ("JPEG", "CMYK", {}),
            ("JPEG", "RGB", {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()}),
            ("JPEG", "RGB", {"comment": b"mine"}),
            ("WEBP", "RGB", {}),
            ("WEBP", "RGB", {"lossless": True}),
            ("WEBP", "RGBA", {}),
            ("WEBP", "RGBA", {"lossless": True}),
            ("WEBP", "RGBA", {"lossless": True, "icc_profile": b"icc"}),
        ],
    )
    def test_every_kind_of_picture_keeps_its_pixels(self, encoding: str, mode: str, options: dict[str, Any]) -> None:
        before = picture(encoding, mode, **options)
        after = with_metadata(before, a_run())
        assert same_pixels(before, after)
        assert opened(after).info.get("icc_profile") == options.get("icc_profile")
        assert opened(after).info.get("comment") == options.get("comment")
        assert read_settings(after).request == a_run().request

    @pytest.mark.parametrize("encoding", ["PNG", "WEBP"])
    def test_animations_go_on_moving(self, encoding: str) -> None:
        frames = [Image.new("RGB", (9, 9), colour) for colour in ("red", "green", "blue")]
        out = io.BytesIO()
        frames[0].save(out, encoding, save_all=True, append_images=frames[1:], duration=50)
        after = opened(with_metadata(out.getvalue(), a_run()))
        assert after.n_frames == 3

    def test_webp_announces_what_it_carries(self) -> None:
        """Flags Exif and XMP, alpha as it was, and the canvas's true size."""
        for mode, alpha in (("RGB", 0), ("RGBA", 0x10)):
            bare = picture("WEBP", mode, (33, 17), lossless=True)
            assert bare[12:16] == b"VP8L"
            after = with_metadata(bare, a_run())
            assert after[12:30] == b"VP8X\x0a\0\0\0" + bytes([0x0C | alpha, 0, 0, 0, 32, 0, 0, 16, 0, 0])
            assert struct.unpack("<I", after[4:8]) == (len(after) - 8,)
            assert bare[12:] in after

    def test_other_texts_of_a_png_stay(self) -> None:
        info = PngImagePlugin.PngInfo()
        info.add_text("Software", "mine")
        info.add_text("parameters", "an older text")
        info.add_itxt("Playground", "an older record")
        image = opened(with_metadata(picture("PNG", pnginfo=info, dpi=(72, 72)), a_run()))
        assert image.info["Software"] == "mine"
        assert image.info["parameters"] == infotext(a_run())
        assert "dpi" in image.info


class TestExif:
    def own(self, thumbnail: bytes = b"") -> bytes:
        """What a camera may write: each IFD, a maker note, a thumbnail."""
        blocks: dict[str, Any] = {
            "0th": {piexif.ImageIFD.Orientation: 6, piexif.ImageIFD.Make: b"A camera of some maker"},
            "Exif": {piexif.ExifIFD.MakerNote: b"\1\2\3" * 9, piexif.ExifIFD.UserComment: b"ASCII\0\0\0old"},
            "GPS": {piexif.GPSIFD.GPSLatitudeRef: b"N"},
        }
        if thumbnail:
            blocks |= {"1st": {piexif.ImageIFD.Compression: 6}, "thumbnail": thumbnail}
        return piexif.dump(blocks)

    @pytest.mark.parametrize("encoding", ["JPEG", "WEBP"])
    def test_all_that_is_there_stays_but_the_comment(self, encoding: str) -> None:
        own = self.own(picture("JPEG", size=(8, 8)))
        after = with_metadata(picture(encoding, exif=own), a_run())
        before, now = piexif.load(own), piexif.load(opened(after).info["exif"])
        assert comment(after) == infotext(a_run())
        del before["Exif"][piexif.ExifIFD.UserComment], now["Exif"][piexif.ExifIFD.UserComment]
        del before["0th"][piexif.ImageIFD.ExifTag], now["0th"][piexif.ImageIFD.ExifTag]
        assert now == before

    @pytest.mark.parametrize("encoding", ["JPEG", "WEBP"])
    @pytest.mark.parametrize("order", ["<", ">"])
    def test_orientation_stays_where_there_is_no_exif_ifd(self, encoding: str, order: str) -> None:
        own = Image.Exif()
        own.endian = order
        own[0x0112], own[0x010E] = 8, "a description longer than four bytes"
        after = with_metadata(picture(encoding, exif=own.tobytes()), a_run())
        exif = opened(after).getexif()
        assert (exif[0x0112], exif[0x010E]) == (8, "a description longer than four bytes")
        assert comment(after) == infotext(a_run())

    def test_no_half_comment_is_written_where_the_file_s_own_exif_leaves_no_room(self) -> None:
        own = self.own(picture("JPEG", size=(120, 120), quality=100))
        long = a_run(Flux2FlexRequest(prompt="🦊" * 10_000))
        before = picture("JPEG", exif=own)
        after = with_metadata(before, long)
        assert len(own) > 25_000
        assert opened(after).info["exif"] == opened(before).info["exif"]
        assert read_settings(after).request == long.request

    @pytest.mark.parametrize("junk", [b"MM\0*", b"MM\0*\xff\xff\xff\xff", b"nothing", b"II*\0\x08\0\0\0\xff\xff"])
    def test_a_block_that_nobody_can_read_gives_way(self, junk: bytes) -> None:
        after = with_metadata(picture("JPEG", exif=b"Exif\0\0" + junk), a_run())
        assert comment(after) == infotext(a_run())

    def test_a_pointer_to_nowhere_is_set_anew(self) -> None:
        junk = b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHHHIII", 2, 0x0112, 3, 1, 6, 0, 0x8769, 4, 1, 99_999, 0)
        after = with_metadata(picture("JPEG", exif=b"Exif\0\0" + junk), a_run())
        assert comment(after) == infotext(a_run())
        assert opened(after).getexif()[0x0112] == 6

    def test_entries_that_look_like_the_pointer_where_they_meet_stay(self) -> None:
        pointer = struct.pack(">HHII", 0x8769, 4, 1, 50)
        before_it = struct.pack(">HHI", 0x0111, 4, 1) + pointer + b"\0\0\0\0"  # two entries
        old = struct.pack(">HHHIII", 1, 0x9286, 7, 0, 0, 0)
        own = b"MM\0*\0\0\0\x08" + struct.pack(">H", 3) + before_it + pointer + b"\0\0\0\0" + old
        after = with_metadata(picture("JPEG", exif=b"Exif\0\0" + own), a_run())
        assert before_it in opened(after).info["exif"]
        assert comment(after) == infotext(a_run())


class TestXmp:
    @pytest.mark.parametrize("encoding", ["JPEG", "WEBP"])
    def test_all_that_is_there_stays(self, encoding: str) -> None:
        after = with_metadata(picture(encoding, xmp=OWN_XMP), a_run())
        assert TITLE.encode() in opened(after).info["xmp"]
        assert read_settings(after).request == a_run().request
        assert with_metadata(after, a_run()) == after

    @pytest.mark.parametrize("encoding", ["JPEG", "WEBP"])
    @pytest.mark.parametrize("broken", [b"<no xmp>", b"<a></b></rdf:RDF>"])
    def test_a_packet_that_cannot_be_extended_stays_beside_ours(self, encoding: str, broken: bytes) -> None:
        after = with_metadata(picture(encoding, xmp=broken), a_run())
        assert broken in after
        assert read_settings(after).request == a_run().request
        assert with_metadata(after, a_run()) == after

    def test_it_is_read_after_another_tool_has_written_it_anew(self) -> None:
        packet = bytes(opened(with_metadata(PLAIN["JPEG"], a_run())).info["xmp"])
        record = packet.partition(b"<playground:settings>")[2].partition(b"</playground:settings>")[0]
        attribute = record.replace(b'"', b"&quot;")
        anew = OWN_XMP.replace(
            b'rdf:about=""',
            b'rdf:about="" xmlns:p="urn:flux-2-flex-playground:1.0/" p:settings="' + attribute + b'"',
        )
        assert read_settings(picture("JPEG", xmp=anew)).request == a_run().request
        info = PngImagePlugin.PngInfo()
        info.add_itxt("XML:com.adobe.xmp", anew.decode())
        assert read_settings(picture("PNG", pnginfo=info)).request == a_run().request

    def test_entities_are_not_expanded(self) -> None:
        packet = bytes(opened(with_metadata(PLAIN["JPEG"], a_run())).info["xmp"])
        hostile = packet.replace(b"<x:xmpmeta", b'<!DOCTYPE x [<!ENTITY a "b">]><x:xmpmeta', 1)
        with pytest.raises(MetadataError):
            read_settings(picture("JPEG", xmp=hostile))

    def test_a_record_that_does_not_fit_beside_the_file_s_own_goes_into_an_extension(self) -> None:
        own = OWN_XMP.replace(b"Mine", b"M" * 40_000)
        long = a_run(Flux2FlexRequest(prompt="&" * 10_000))
        after = with_metadata(picture("JPEG", xmp=own), long)
        data = [data for _, data in jpeg_segments(after)]
        assert [part[:29] == XMP for part in data].count(True) == 1
        pieces = [part for part in data if part.startswith(EXTENSION)]
        assert len(pieces) == 1
        assert b'HasExtendedXMP="' + pieces[0][35:67] + b'"' in opened(after).info["xmp"]
        assert b"M" * 40_000 in opened(after).info["xmp"]
        assert read_settings(after).request == long.request
        assert same_pixels(PLAIN["JPEG"], after)
        assert with_metadata(after, long) == after

    def test_the_file_s_own_extension_grows_and_is_split(self) -> None:
        long = a_run(Flux2FlexRequest(prompt="\x01" * 10_000))
        own = OWN_XMP.replace(b"Mine", b"M" * 40_000)
        first = with_metadata(picture("JPEG", xmp=own), long)
        [piece] = [data for _, data in jpeg_segments(first) if data.startswith(EXTENSION)]
        foreign = piece[75:].replace(b"playground", b"another")
        segment = EXTENSION + piece[35:67] + struct.pack(">II", len(foreign), 0) + foreign
        before = first.replace(struct.pack(">H", len(piece) + 2) + piece, struct.pack(">H", len(segment) + 2) + segment)
        after = with_metadata(before, long)
        pieces = [data for _, data in jpeg_segments(after) if data.startswith(EXTENSION)]
        assert len(pieces) == 2
        assert {piece[35:67] for piece in pieces} == {pieces[0][35:67]}
        whole = b"".join(piece[75:] for piece in pieces)
        assert b"another:settings" in whole
        assert opened(after).info["xmp"].count(b"HasExtendedXMP") == 1
        assert read_settings(after).request == long.request


class TestLongPrompts:
    @pytest.mark.parametrize("encoding", ENCODINGS)
    @pytest.mark.parametrize("char", ["🦊", "&", "<", "\x01", "\uffff", "é", '"', "\n"])
    def test_nothing_is_cut(self, encoding: str, char: str) -> None:
        request = Flux2FlexRequest(prompt="a" + char * 9_998 + "b")
        after = with_metadata(PLAIN[encoding], a_run(request))
        assert read_settings(after).request == request
        assert text_of(after) == infotext(a_run(request))
        assert same_pixels(PLAIN[encoding], after)


class TestTheText:
    def test_it_is_the_field_s(self) -> None:
        request = Flux2FlexRequest(
            prompt="a fox\nin snow", image_size="landscape_4_3", seed=7, guidance_scale=3.0, sync_mode=True
        )
        assert infotext(a_run(request, seed_used=42)) == (
            "a fox\nin snow\n"
            "Steps: 28, CFG scale: 3, Seed: 42, Size: 1024x768, Expansion: on, Safety: 2, Checker: on, Format: jpeg, "
            "Unlisted: on, Model: FLUX.2 [flex], Version: FLUX.2 [flex] Playground"
        )

    def test_every_parameter_has_a_key_that_the_field_can_read(self) -> None:
        assert KEYS.keys() == PARAMETERS.keys() - {"prompt"}
        assert len({key.lower() for key in KEYS.values()} - {"model", "version"}) == len(KEYS)
        assert all(re.fullmatch(r"\w[\w \-/]+", key) for key in KEYS.values())


class TestTheRecord:
    def record(self, run: Run) -> dict[str, Any]:
        return json.loads(opened(with_metadata(PLAIN["PNG"], run)).info["Playground"])

    def test_it_says_all_that_is_needed_and_nothing_of_the_visitor(self) -> None:
        run = a_run()
        assert self.record(run) == {
            "product": PRODUCT,
            "format": 1,
            "version": VERSION,
            "model": "flux-2-flex",
            "endpoint": "fal-ai/flux-2-flex",
            "request": run.request.values,
            "seed": 42,
            "request_id": "req-1",
            "engine": "fal",
            "created_at": "2026-01-02T03:04:05Z",
            "cost_usd": 0.05,
        }

    def test_the_seed_used_is_the_one_that_makes_the_picture_again(self) -> None:
        found = read_settings(with_metadata(PLAIN["JPEG"], a_run(seed_used=SEED_MAX)))
        assert found.request == a_run().request.vary(seed=SEED_MAX)
        assert found.notes == (f"The seed asked for was 42; the one used was {SEED_MAX}.",)

    def test_the_demo_engine_is_named(self) -> None:
        found = read_settings(with_metadata(PLAIN["WEBP"], a_run(engine="demo")))
        assert found.notes == ("Made by the demo engine, which is no model.",)
        assert found.record is not None
        assert found.record.engine == "demo"

    def changed(self, **changes: Any) -> bytes:
        info = PngImagePlugin.PngInfo()
        info.add_text("Playground", json.dumps(self.record(a_run()) | changes))
        info.add_text("parameters", infotext(a_run()))
        return picture("PNG", pnginfo=info)

    def test_what_a_newer_version_wrote_is_used_as_far_as_it_goes(self) -> None:
        request = a_run().request.values
        wrote = request | {"num_inference_steps": 60, "loras": [1, 2], "image_size": {"width": 1000, "height": 1000}}
        found = read_settings(self.changed(format=2, request=wrote))
        assert found.request is None
        assert found.values == {
            name: value for name, value in request.items() if name not in ("num_inference_steps", "image_size")
        }
        assert found.unused == (
            "Size 1000x1000: Width: 1000 is not a multiple of 16; 992 and 1008 are. The nearest allowed is 1008x1008.",
            "Steps: 60 is above 50. Allowed are 2 to 50.",
            "loras: 2 items. FLUX.2 [flex] has no such setting.",
        )
        assert found.notes == ("Written by a newer version of this playground, which may know more.",)

    def test_what_an_older_version_wrote_takes_the_defaults(self) -> None:
        found = read_settings(self.changed(request={"prompt": "a fox"}, seed=None))
        assert found.request == Flux2FlexRequest(prompt="a fox")

    @pytest.mark.parametrize(
        "changes",
        [
            {"product": "Another Playground"},
            {"request": [1]},
            {"seed": "many"},
            {"engine": "steam"},
            {"created_at": "yesterday"},
        ],
    )
    def test_a_damaged_one_leaves_the_text(self, changes: dict[str, Any]) -> None:
        found = read_settings(self.changed(**changes))
        assert found.request is None
        assert found.values == a_run().request.values
        assert found.notes == ("Read from the picture's text: its complete record is gone.",)

    def test_a_chunk_whose_checksum_is_wrong_is_not_believed(self) -> None:
        after = with_metadata(PLAIN["PNG"], a_run())
        found = read_settings(after.replace(b'"seed":42,"request_id"', b'"seed":43,"request_id"'))
        assert found.values["seed"] == 42
        assert "A part of the file's metadata is damaged and was not used." in found.notes


class TestErrors:
    @pytest.mark.parametrize("data", [b"", b"GIF89a", b"\xff\xd8", b"RIFF\4\0\0\0WAVE"])
    def test_no_picture(self, data: bytes) -> None:
        for attempt in (lambda: read_settings(data), lambda: with_metadata(data, a_run())):
            with pytest.raises(MetadataError, match="This is no PNG, JPEG or WebP picture") as caught:
                attempt()
            assert caught.value.reason == "not_a_picture"

    @pytest.mark.parametrize(
        "data", [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF\4\0\0\0WEBP", b"RIFF\xff\0\0\0WEBPVP8 \xff\0\0\0"]
    )
    def test_a_picture_that_breaks_off_takes_no_settings(self, data: bytes) -> None:
        with pytest.raises(MetadataError) as caught:
            with_metadata(data, a_run())
        assert caught.value.reason == "damaged"

    @pytest.mark.parametrize("encoding", ENCODINGS)
    def test_no_settings(self, encoding: str) -> None:
        with pytest.raises(MetadataError, match="There are no settings in this picture") as caught:
            read_settings(PLAIN[encoding])
        assert caught.value.reason == "no_settings"

    def test_too_large(self) -> None:
        with pytest.raises(MetadataError, match="larger than 64 MB") as caught:
            read_settings(PLAIN["PNG"] + b"\0" * (64 * 2**20))
        assert caught.value.reason == "too_large"

    def test_a_size_in_the_record_counts_as_what_it_is(self) -> None:
        """A custom size that equals a preset stays custom, as it was asked for."""
        request = Flux2FlexRequest(prompt="x", image_size=ImageSize(width=512, height=512))
        assert read_settings(with_metadata(PLAIN["JPEG"], a_run(request))).request == request


def png_chunks(data: bytes) -> list[tuple[bytes, bytes]]:
    """(type, data) of each chunk; every CRC is checked."""
    found, at = [], 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        body = data[at + 4 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length) == (zlib.crc32(body),)
        found.append((body[:4], body[4:]))
        at += 12 + length
    return found


def jpeg_segments(data: bytes) -> list[tuple[int, bytes]]:
    """(marker, data) of each segment before the pixels."""
    found, at = [], 2
    while data[at + 1] != 0xDA:
        (length,) = struct.unpack_from(">H", data, at + 2)
        found.append((data[at + 1], data[at + 4 : at + 2 + length]))
        at += 2 + length
    return found
