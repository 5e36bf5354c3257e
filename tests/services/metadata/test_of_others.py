from __future__ import annotations

import io
import json
import struct
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import piexif
import piexif.helper
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, PngImagePlugin

from services.metadata import FoundSettings, MetadataError, read_settings, with_metadata
from services.metadata.validate import OTHERS_MAX
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.registry import PARAMETERS
from services.run import Run, now

DATA = Path(__file__).parents[2] / "data" / "metadata"
NO_SUCH = "FLUX.2 [flex] has no such setting."
A1111 = (
    "a castle, at dusk <lora:castle:0.8>\nSteps: 3, a line of the prompt\nNegative prompt: blurry,\nugly\n"
    "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 12345, Size: 512x768, Model hash: abc123, Model: dreamshaper_8, "
    'Lora hashes: "castle: deadbeef", Note: "one, \\"two\\": three", Version: v1.10.1'
)
FORGE = (
    "a fox\nSteps: 20, Sampler: Euler, Schedule type: Simple, CFG scale: 1, Distilled CFG Scale: 3.5, Seed: 7, "
    "Size: 1024x768, Model: flux1-dev, Version: f2.0.1v1.10.1-previous-1-g1"
)
SWARM = json.dumps(
    {
        "sui_image_params": {
            "prompt": "a 猫", "negativeprompt": "dog", "model": "sd_xl", "seed": 1, "steps": 20, "cfgscale": 7.0,
            "width": 1024, "height": 1024, "swarm_version": "0.9.3.1",
        },
        "sui_extra_data": {"date": "2025-01-25"},
    }
)  # fmt: skip


def file(encoding: str, **options: Any) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "navy").save(out, encoding, **options)
    return out.getvalue()


def png(**texts: str) -> bytes:
    info = PngImagePlugin.PngInfo()
    for keyword, text in texts.items():
        info.add_text(keyword.replace("_dash_", "-"), text)
    return file("PNG", pnginfo=info)


def with_comment(encoding: str, text: str, *, codec: str = "utf-16-be", prefix: bytes = b"UNICODE\0") -> bytes:
    return file(encoding, exif=piexif.dump({"Exif": {piexif.ExifIFD.UserComment: prefix + text.encode(codec)}}))


class TestRealFiles:
    def found(self, name: str) -> FoundSettings:
        return read_settings((DATA / f"{name}_cropped.png").read_bytes())

    def test_automatic1111(self) -> None:
        found = self.found("automatic1111")
        assert (found.source, found.request, found.notes) == ("AUTOMATIC1111", None, ())
        assert found.values == {
            "prompt": "photo of a duck",
            "image_size": {"width": 512, "height": 400},
            "seed": 235284042,
            "num_inference_steps": 15,
            "guidance_scale": 5,
        }
        assert found.unused == (
            f"Negative prompt: monochrome. {NO_SUCH}",
            f"Sampler: UniPC. {NO_SUCH}",
            "Model: realistic_realisticVisionV20_v20. The model here is FLUX.2 [flex].",
        )

    def test_automatic1111_as_jpeg(self) -> None:
        found = read_settings((DATA / "automatic1111_cropped.jpg").read_bytes())
        assert found == self.found("automatic1111")

    def test_novelai(self) -> None:
        found = self.found("novelai1")
        assert found.source == "NovelAI"
        assert found.values == {
            "prompt": "masterpiece, best quality,  cat, space, icon",
            "seed": 2253955223,
            "num_inference_steps": 50,
            "guidance_scale": 10,
        }
        assert f"sampler: k_euler_ancestral. {NO_SUCH}" in found.unused

    def test_fooocus(self) -> None:
        found = self.found("fooocus1")
        assert found.source == "Fooocus"
        assert found.values == {
            "prompt": "a smiling goldfish",
            "image_size": {"width": 768, "height": 1280},
            "num_inference_steps": 30,
            "guidance_scale": 4,
        }
        assert found.unused[0] == "Seed: 6952411511246973023 is above 4294967295. Allowed are 0 to 4294967295."
        assert f"sharpness: 2. {NO_SUCH}" in found.unused
        assert found.notes == (
            "Fooocus added words of its styles to the prompt; the prompt is the one that was typed.",
        )

    def test_comfyui(self) -> None:
        found = self.found("img2img")
        assert found.source == "ComfyUI"
        assert found.values == {
            "prompt": "photograph of victorian woman with wings, sky clouds, meadow grass",
            "num_inference_steps": 20,
            "guidance_scale": 8,
        }
        assert found.unused == (
            "Seed: 280823642470253 is above 4294967295. Allowed are 0 to 4294967295.",
            f"sampler_name: sample_dpmpp_2m. {NO_SUCH}",
            f"scheduler: normal. {NO_SUCH}",
            f"negative prompt: watermark, text. {NO_SUCH}",
        )
        assert found.notes == ("The picture was made from another one (denoise 0.87), which is not in the file.",)

    def test_invokeai(self) -> None:
        found = read_settings((DATA / "invokeai_imeta1.png").read_bytes())
        assert found.source == "InvokeAI"
        assert found.values == {
            "prompt": "digital artwork, oil painting. painterly brushstrokes, holidays,",
            "image_size": "square_hd",
            "seed": 3293022630,
            "num_inference_steps": 35,
            "guidance_scale": 8,
        }
        assert "model: juggernautXL. The model here is FLUX.2 [flex]." in found.unused


class TestAutomatic1111:
    @pytest.mark.parametrize(
        "data",
        [
            png(parameters=A1111),
            with_comment("JPEG", A1111),
            with_comment("WEBP", A1111),
            with_comment("JPEG", A1111, codec="utf-16-le"),
            with_comment("WEBP", A1111, codec="utf-16-le"),
            with_comment("JPEG", A1111, codec="utf-16", prefix=b"UNICODE\0"),
            with_comment("JPEG", A1111, codec="ascii", prefix=b"ASCII\0\0\0"),
            with_comment("JPEG", A1111, codec="utf-8", prefix=b"\0" * 8),
            with_comment("JPEG", A1111, codec="utf-8", prefix=b""),
            with_comment("JPEG", A1111, codec="utf-8", prefix=b"UNICODE\0"),
        ],
        ids=["png", "jpeg", "webp", "jpeg-le", "webp-le", "jpeg-bom", "ascii", "undefined", "bare", "misnamed"],
    )
    def test_wherever_it_stands(self, data: bytes) -> None:
        found = read_settings(data)
        assert found.source == "AUTOMATIC1111"
        assert found.values == {
            "prompt": "a castle, at dusk <lora:castle:0.8>\nSteps: 3, a line of the prompt",
            "image_size": {"width": 512, "height": 768},
            "seed": 12345,
            "num_inference_steps": 20,
            "guidance_scale": 7,
        }
        assert found.unused == (
            f"Negative prompt: blurry, ugly. {NO_SUCH}",
            f"Sampler: Euler a. {NO_SUCH}",
            "Model: dreamshaper_8. The model here is FLUX.2 [flex].",
            f'Note: one, "two": three. {NO_SUCH}',
        )
        assert found.notes == ("The prompt names LoRAs, as in “<lora:castle:0.8>”. FLUX.2 [flex] reads that as words.",)

    @pytest.mark.parametrize("encoding", ["JPEG", "WEBP"])
    def test_forge_calls_flux_s_guidance_distilled(self, encoding: str) -> None:
        found = read_settings(with_comment(encoding, FORGE))
        assert (found.source, found.values["guidance_scale"]) == ("Forge", 3.5)
        assert found.values["image_size"] == "landscape_4_3"
        assert f"CFG scale: 1. {NO_SUCH}" in found.unused

    @pytest.mark.parametrize("codec", ["utf-16-be", "utf-16-le"])
    def test_either_byte_order_is_told_by_the_words(self, codec: str) -> None:
        """一 is U+4E00: its zero byte stands where ASCII's does in the other order."""
        text = "一" * 5000 + "\nSteps: 20, CFG scale: 3.5, Seed: 1, Size: 512x512"
        assert read_settings(with_comment("JPEG", text, codec=codec)).values["prompt"] == "一" * 5000

    def test_nothing_is_clamped_or_snapped(self) -> None:
        found = read_settings(png(parameters="x\nSteps: 60, CFG scale: 1, Seed: -1, Size: 1000x1000, Sampler: y"))
        assert found.values == {"prompt": "x"}
        assert found.unused == (
            "Size 1000x1000: Width: 1000 is not a multiple of 16; 992 and 1008 are. The nearest allowed is 1008x1008.",
            "Seed: -1 is below 0. Allowed are 0 to 4294967295.",
            "Steps: 60 is above 50. Allowed are 2 to 50.",
            "Guidance scale: 1 is below 1.5. Allowed are 1.5 to 10.",
            f"Sampler: y. {NO_SUCH}",
        )

    @pytest.mark.parametrize(
        ("text", "sentence"),
        [
            ("Size: 4096x4096", "Size 4096x4096: Width: 4096 is above 2560."),
            ("Size: 2560x2560", "above the limit of 4 MP"),
            ("Size: large", "Image size: “large” is not one of the choices"),
            ("Steps: many", "Steps: “many” is not a number"),
            ("Steps: 2.5", "Steps: 2.5 is not a"),
            ("CFG scale: nan", "Guidance scale: “nan” is not a number"),
            ("Seed: " + "9" * 5000, "is not a number"),
        ],
    )
    def test_what_cannot_be_used_is_said(self, text: str, sentence: str) -> None:
        found = read_settings(png(parameters=f"x\nAaa: b, Bbb: c, {text}"))
        assert found.values == {"prompt": "x"}
        assert sentence in found.unused[0]

    def test_a_prompt_that_is_too_long_is_said(self) -> None:
        found = read_settings(png(parameters="x" * 10_001 + "\nSteps: 20, CFG scale: 3, Seed: 1"))
        assert "prompt" not in found.values
        assert found.unused == ("Prompt: 10,001 characters are too many; at most 10,000 are allowed.",)

    def test_a_png_s_text_without_settings_is_a_prompt(self) -> None:
        assert read_settings(png(parameters="just a fox: red, quick")).values == {"prompt": "just a fox: red, quick"}

    @pytest.mark.parametrize("text", ["Screenshot", "Shot on holidays, with: love", '{"a": "b: c, d: e, f: g"}'])
    def test_a_photo_s_comment_is_none(self, text: str) -> None:
        with pytest.raises(MetadataError) as caught:
            read_settings(with_comment("JPEG", text))
        assert caught.value.reason == "no_settings"


class TestSwarmUi:
    @pytest.mark.parametrize(
        "data",
        [
            png(parameters=SWARM),
            with_comment("JPEG", SWARM, codec="utf-16-le"),
            with_comment("WEBP", SWARM),
            file("JPEG", exif=piexif.dump({"0th": {piexif.ImageIFD.Model: SWARM.encode()}})),
        ],
        ids=["png", "jpeg", "webp", "model-tag"],
    )
    def test_wherever_it_stands(self, data: bytes) -> None:
        found = read_settings(data)
        assert found.source == "SwarmUI"
        assert found.values == {
            "prompt": "a 猫",
            "image_size": "square_hd",
            "seed": 1,
            "num_inference_steps": 20,
            "guidance_scale": 7,
        }
        assert found.unused == (
            f"negativeprompt: dog. {NO_SUCH}",
            "model: sd_xl. The model here is FLUX.2 [flex].",
        )

    def test_flux_s_guidance_stands_apart(self) -> None:
        text = json.dumps({"sui_image_params": {"prompt": "x", "cfgscale": 1, "fluxguidancescale": 3}})
        found = read_settings(png(parameters=text))
        assert found.values == {"prompt": "x", "guidance_scale": 3}
        assert found.unused == (f"cfgscale: 1. {NO_SUCH}",)


class TestInvokeAi:
    DREAM = '"a "big" fox [dogs, rain]" -s 50 -S 2980747362 -W 512 -H 768 -C 5 -A k_lms -U 4 0.95'
    EXPECTED = {  # noqa: RUF012
        "prompt": 'a "big" fox',
        "image_size": {"width": 512, "height": 768},
        "seed": 2980747362,
        "num_inference_steps": 50,
        "guidance_scale": 5,
    }

    def test_the_first_wrote_its_command(self) -> None:
        found = read_settings(png(Dream=self.DREAM))
        assert (found.source, found.values) == ("InvokeAI", self.EXPECTED)
        assert f"negative prompt: dogs, rain. {NO_SUCH}" in found.unused

    @pytest.mark.parametrize("prompt", [[{"prompt": 'a "big" fox [dogs]', "weight": 1.0}], 'a "big" fox [dogs]'])
    def test_the_second_wrote_sd_metadata(self, prompt: Any) -> None:
        image = {"prompt": prompt, "steps": 50, "cfg_scale": 5, "height": 768, "width": 512, "seed": 2980747362}
        texts = {"sd_dash_metadata": json.dumps({"app_version": "2.3.0", "image": image}), "Dream": self.DREAM}
        found = read_settings(png(**texts))
        assert (found.source, found.values) == ("InvokeAI", self.EXPECTED)
        assert found.unused == (f"negative prompt: dogs. {NO_SUCH}",)

    def test_flux_has_a_guidance_of_its_own(self) -> None:
        text = json.dumps({"positive_prompt": "x", "cfg_scale": 1, "guidance": 4, "model": {"name": "FLUX Dev"}})
        found = read_settings(png(invokeai_metadata=text))
        assert found.values == {"prompt": "x", "guidance_scale": 4}


class TestNovelAi:
    def test_newer_versions_keep_prompt_and_size_in_the_comment(self) -> None:
        settings = {"prompt": "a fox", "steps": 28, "scale": 5, "seed": 7, "width": 832, "height": 1216, "uc": "dogs"}
        found = read_settings(png(Software="NovelAI", Description="cut off", Comment=json.dumps(settings)))
        assert found.values == {
            "prompt": "a fox",
            "image_size": {"width": 832, "height": 1216},
            "seed": 7,
            "num_inference_steps": 28,
            "guidance_scale": 5,
        }
        assert found.unused == (f"negative prompt: dogs. {NO_SUCH}",)

    @pytest.mark.parametrize("texts", [{"Comment": "{}"}, {"Comment": '{"steps": 1}'}, {"Comment": "[1]"}])
    def test_a_comment_of_another_program_is_none(self, texts: dict[str, str]) -> None:
        with pytest.raises(MetadataError):
            read_settings(png(Title="A photo", **texts))


class TestComfyUi:
    FLUX = {  # noqa: RUF012
        "1": {"class_type": "SamplerCustomAdvanced", "inputs": {
            "noise": ["2", 0], "guider": ["3", 0], "sampler": ["9", 0], "sigmas": ["4", 0], "latent_image": ["5", 0]}},
        "2": {"class_type": "RandomNoise", "inputs": {"noise_seed": 77}},
        "3": {"class_type": "BasicGuider", "inputs": {"model": ["8", 0], "conditioning": ["6", 0]}},
        "4": {"class_type": "BasicScheduler", "inputs": {"steps": 25, "scheduler": "simple", "model": ["8", 0]}},
        "5": {"class_type": "EmptySD3LatentImage", "inputs": {"width": ["10", 0], "height": 768, "batch_size": 1}},
        "6": {"class_type": "FluxGuidance", "inputs": {"guidance": 3.5, "conditioning": ["7", 0]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": ["11", 0], "clip": ["12", 0]}},
        "9": {"class_type": "KSamplerSelect", "inputs": {"sampler_name": "euler"}},
        "10": {"class_type": "PrimitiveInt", "inputs": {"value": 1024}},
        "11": {"class_type": "PrimitiveString", "inputs": {"value": "a fox", "is_changed": [float("nan")]}},
        "13": {"class_type": "VAEDecode", "inputs": {"samples": ["1", 0], "vae": ["12", 2]}},
        "14": {"class_type": "SaveImage", "inputs": {"images": ["13", 0]}},
    }  # fmt: skip

    @pytest.mark.parametrize(
        "data",
        [
            png(prompt=json.dumps(FLUX), workflow="{}"),
            file("WEBP", exif=piexif.dump({"0th": {piexif.ImageIFD.Model: b"prompt:" + json.dumps(FLUX).encode()}})),
        ],
        ids=["png", "webp"],
    )
    def test_a_graph_for_flux(self, data: bytes) -> None:
        found = read_settings(data)
        assert found.source == "ComfyUI"
        assert found.values == {
            "prompt": "a fox",
            "image_size": "landscape_4_3",
            "seed": 77,
            "num_inference_steps": 25,
            "guidance_scale": 3.5,
        }

    def sampler(self, latent: str, **inputs: Any) -> dict[str, Any]:
        links = {"positive": ["p", 0], "negative": ["n", 0], "latent_image": [latent, 0]}
        return {"class_type": "KSampler", "inputs": {**links, "seed": 1, "steps": 20, "cfg": 5, **inputs}}

    def test_of_two_passes_the_first_one_counts(self) -> None:
        graph = {
            "s": {"class_type": "SaveImage", "inputs": {"images": ["two", 0]}},
            "two": self.sampler("up", seed=2, steps=9),
            "up": {"class_type": "LatentUpscale", "inputs": {"width": 2048, "height": 2048, "samples": ["one", 0]}},
            "one": self.sampler("e"),
            "e": {"class_type": "EmptyLatentImage", "inputs": {"width": 512, "height": 512}},
            "p": {"class_type": "ConditioningCombine", "inputs": {"first": ["a", 0], "second": ["b", 0]}},
            "a": {"class_type": "CLIPTextEncode", "inputs": {"text": "a fox"}},
            "b": {"class_type": "CLIPTextEncodeFlux", "inputs": {"clip_l": "snow", "t5xxl": "deep snow"}},
            "n": {"class_type": "CLIPTextEncode", "inputs": {"text": "dogs"}},
            "unused": self.sampler("e", seed=3),
        }  # fmt: skip
        found = read_settings(png(prompt=json.dumps(graph)))
        assert (found.values["seed"], found.values["num_inference_steps"]) == (1, 20)
        assert (found.values["prompt"], found.values["image_size"]) == ("a fox, deep snow", "square")
        assert found.unused == (f"negative prompt: dogs. {NO_SUCH}",)
        assert found.notes == (
            "The workflow has 2 prompts; they are joined in one.",
            "The workflow samples 2 times; the settings are those of its first pass.",
        )

    def test_a_graph_that_bites_its_tail_ends(self) -> None:
        graph = {
            "k": self.sampler("k"),
            "p": {"class_type": "X", "inputs": {"a": ["p", 0], "b": ["k", 0]}},
            "n": {"class_type": "X", "inputs": {"text": ["n", 0]}},
        }
        assert read_settings(png(prompt=json.dumps(graph))).values["seed"] == 1

    def test_plain_settings_beside_the_graph_come_first(self) -> None:
        assert read_settings(png(prompt=json.dumps(self.FLUX), parameters=A1111)).source == "AUTOMATIC1111"

    @pytest.mark.parametrize("text", ["{", "[]", "{}", '{"1": {"class_type": "SaveImage", "inputs": {}}}'])
    def test_a_graph_that_cannot_be_read_is_damaged(self, text: str) -> None:
        with pytest.raises(MetadataError) as caught:
            read_settings(png(prompt=text))
        assert caught.value.reason == "damaged"


class TestWhereTextsStand:
    def test_after_the_pixels_and_compressed(self) -> None:
        whole = file("PNG")
        body = b"parameters\0\0" + zlib.compress(A1111.encode("latin-1"))
        chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
        assert read_settings(whole[:-12] + chunk + whole[-12:]).source == "AUTOMATIC1111"

    def test_compressed_unicode(self) -> None:
        info = PngImagePlugin.PngInfo()
        info.add_itxt("parameters", "狐\nSteps: 20, CFG scale: 3, Seed: 1", zip=True)
        assert read_settings(file("PNG", pnginfo=info)).values["prompt"] == "狐"

    def test_exif_of_a_png(self) -> None:
        block = piexif.dump({"Exif": {piexif.ExifIFD.UserComment: piexif.helper.UserComment.dump(A1111, "unicode")}})
        assert read_settings(file("PNG", exif=block)).source == "AUTOMATIC1111"

    def test_no_pixel_is_decoded(self, monkeypatch: pytest.MonkeyPatch) -> None:
        data = png(parameters=A1111)
        monkeypatch.setattr(Image.Image, "load", lambda *_: pytest.fail("decoded"))
        assert read_settings(data).source == "AUTOMATIC1111"


def swarm(params: str) -> bytes:
    return png(parameters=f'{{"sui_image_params": {params}}}')


DEEP = "[" * 200_000
HOSTILE = {
    "deep": png(parameters=DEEP, prompt=DEEP, Playground=DEEP, invokeai_metadata=DEEP),
    "digits": png(parameters='{"sui_image_params": {"prompt": "x", "seed": ' + "9" * 1_000_000 + "}}"),
    "keys": png(parameters="x\n" + "a" * 900_000),
    "blanks": png(parameters="x\nA" + " " * 900_000 + ": b"),
    "quotes": png(parameters="x\n" + 'aa:"x,' * 100_000),
    "slashes": png(parameters='x\naa:"' + ',aa:\\"' * 100_000),
    "pairs": png(parameters="x\n" + ", ".join(f"key {number}: b" for number in range(50_000))),
    "brackets": png(Dream='"' + "[" * 500_000 + '" -s 5'),
    "switches": png(Dream='"x"' + " -a" * 200_000),
    "dream": png(Dream='"' * 500_000),
    "lora": png(parameters="<lora:" * 100_000),
    "chain": png(prompt=json.dumps({
        str(number): {"class_type": "KSampler", "inputs": {
            "seed": 1, "positive": [str(number + 1), 0], "latent_image": [str(number + 1), 0]}}
        for number in range(8_000)})),
    "surrogates": swarm('{"prompt": "\\ud800", "seed": "\\ud800", "\\ud800": "\\udfff"}'),
    "infinite": swarm('{"prompt": "x", "seed": 1e999, "steps": NaN, "cfgscale": -Infinity}'),
    "shapes": swarm('{"prompt": ["x"], "seed": {"a": []}, "steps": [1], "width": [], "height": 1}'),
}  # fmt: skip


class TestHostileFiles:
    @pytest.mark.parametrize("name", HOSTILE)
    def test_they_take_no_time_and_stay_text(self, name: str) -> None:
        began = time.process_time()
        found = outcome(HOSTILE[name])
        assert time.process_time() - began < 3
        if found:
            assert len(found.unused) <= OTHERS_MAX + 1 + len(PARAMETERS)

    def test_a_bomb_is_not_inflated(self) -> None:
        body = b"parameters\0\0" + zlib.compress(b"x" * 50_000_000)
        chunk = struct.pack(">I", len(body)) + b"zTXt" + body + struct.pack(">I", zlib.crc32(b"zTXt" + body))
        whole = file("PNG")
        with pytest.raises(MetadataError) as caught:
            read_settings(whole[:33] + chunk * 50 + whole[33:])
        assert caught.value.reason == "damaged"


def ours() -> Run:
    request = Flux2FlexRequest(prompt="a fox", seed=1)
    return Run(id="0" * 32, visitor=None, engine="demo", key_of="owner", request=request, created_at=now())


def outcome(data: bytes) -> FoundSettings | None:
    """What is found, if anything; it always fits a reply, and what is usable makes a request."""
    try:
        found = read_settings(data)
    except MetadataError:
        return None
    json.dumps([found.source, found.values, found.unused, found.notes], ensure_ascii=False, allow_nan=False).encode()
    Flux2FlexRequest.model_validate({"prompt": "-", **found.values})
    return found


SAMPLES = [
    *((DATA / name).read_bytes() for name in ("fooocus1_cropped.png", "img2img_cropped.png", "invokeai_imeta1.png")),
    *(with_metadata(file(encoding), ours()) for encoding in ("PNG", "JPEG", "WEBP")),
    with_comment("JPEG", A1111),
    with_comment("WEBP", SWARM, codec="utf-16-le"),
    png(parameters=A1111, Dream=TestInvokeAi.DREAM),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def broken(change: Callable[[bytearray, st.DataObject], bytes]) -> Callable[[st.DataObject], bytes]:
    return lambda data: change(bytearray(data.draw(st.sampled_from(SAMPLES))), data)


def flipped(data: bytearray, source: st.DataObject) -> bytes:
    for _ in range(source.draw(st.integers(1, 8))):
        data[source.draw(st.integers(0, len(data) - 1))] ^= 1 << source.draw(st.integers(0, 7))
    return bytes(data)


def cut(data: bytearray, source: st.DataObject) -> bytes:
    start = source.draw(st.integers(0, len(data)))
    return bytes(data[:start] + data[start + source.draw(st.integers(1, len(data))) :])


MANY = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


class TestBrokenFiles:
    @pytest.mark.parametrize("change", [flipped, cut])
    @MANY
    @given(source=st.data())
    def test_end_in_a_sentence_or_in_settings(
        self, change: Callable[[bytearray, st.DataObject], bytes], source: st.DataObject
    ) -> None:
        data = broken(change)(source)
        outcome(data)
        try:
            again = with_metadata(data, ours())
        except MetadataError:
            return
        outcome(again)

    @MANY
    @given(
        keyword=st.sampled_from(["parameters", "prompt", "sd_dash_metadata", "invokeai_metadata", "Playground"]),
        value=ANYTHING,
        names=st.lists(
            st.sampled_from(["prompt", "image", "sui_image_params", "inputs", "seed", "steps", "width", "request"]),
            max_size=3,
        ),
    )
    def test_json_of_any_shape(self, keyword: str, value: Any, names: list[str]) -> None:
        for name in names:
            value = {name: value, "1": value, "product": "FLUX.2 [flex] Playground", "base_model": 1, "performance": 2}
        outcome(png(**{keyword: json.dumps(value)}))
