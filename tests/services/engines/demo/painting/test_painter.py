"""The demo painter: same settings same bytes, and every setting does what its name promises."""

from __future__ import annotations

import hashlib
import io
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from services.engines.demo.painting.brief import MOTIFS, read_prompt
from services.engines.demo.painting.painter import SCENES, paint

ROOT = Path(__file__).parents[5]
MOUNTAINS = 'A paper-cut mountain valley at dusk, layered ridges in indigo and coral, poster that says "SLOW TRAVEL"'
PROMPTS = {
    "mountains": MOUNTAINS,
    "sea": "waves of a teal ocean with a small boat",
    "dunes": "golden desert dunes",
    "forest": "a misty forest in the morning",
    "city": "a city skyline at night",
    "space": "a ringed planet in space",
    "botanical": "a garden of flowers, pastel",
    "bauhaus": "bauhaus shapes",
    "ribbons": "flowing ribbons of silk",
    "orbs": "gradient orbs",
}
each_motif = pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS.keys())


def encoded(**changes: Any) -> bytes:
    request = {
        "prompt": MOUNTAINS, "width": 208, "height": 160, "seed": 7, "num_inference_steps": 50,
        "guidance_scale": 3.5, "output_format": "png",
    }  # fmt: skip
    return paint(**request | changes)


def pixels(**changes: Any) -> np.ndarray:
    """The painted picture, (height, width, 3), 0..255."""
    return np.asarray(Image.open(io.BytesIO(encoded(**changes))).convert("RGB"), float)


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a - b) ** 2).mean())


def coarse(picture: np.ndarray) -> np.ndarray:
    """Means of 16 × 16 pixels: the composition without its texture."""
    height, width = (side // 16 for side in picture.shape[:2])
    return picture[: height * 16, : width * 16].reshape(height, 16, width, 16, 3).mean(axis=(1, 3))


def test_there_is_a_scene_and_a_prompt_for_each_motif() -> None:
    assert SCENES.keys() == MOTIFS.keys() == PROMPTS.keys()
    assert {name: read_prompt(prompt).motif for name, prompt in PROMPTS.items()} == {name: name for name in PROMPTS}


@each_motif
@pytest.mark.parametrize("output_format", ["jpeg", "png"])
def test_same_settings_give_the_same_bytes(prompt: str, output_format: str) -> None:
    changes = {"prompt": prompt, "output_format": output_format, "num_inference_steps": 10}
    assert encoded(**changes) == encoded(**changes)


def test_another_process_paints_the_same_bytes() -> None:
    code = (
        "import hashlib; from services.engines.demo.painting.painter import paint\n"
        f"for prompt in {[*PROMPTS.values(), 'a quiet portrait']!r}:\n"
        "    print(hashlib.sha256(paint(prompt=prompt, width=128, height=96, seed=3, num_inference_steps=28,"
        " guidance_scale=5.0, output_format='jpeg')).hexdigest())"
    )
    here = [
        hashlib.sha256(
            encoded(prompt=prompt, width=128, height=96, seed=3, num_inference_steps=28, guidance_scale=5.0,
                    output_format="jpeg")
        ).hexdigest()
        for prompt in [*PROMPTS.values(), "a quiet portrait"]
    ]  # fmt: skip
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": str(ROOT)}
    told = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told.stdout.split() == here


@each_motif
@pytest.mark.parametrize("size", [(64, 64), (64, 512), (512, 64)])
@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_any_size_is_painted(prompt: str, size: tuple[int, int], seed: int) -> None:
    data = encoded(prompt=prompt, width=size[0], height=size[1], seed=seed, output_format="jpeg")
    jpeg = Image.open(io.BytesIO(data))
    assert (jpeg.format, jpeg.size, jpeg.mode) == ("JPEG", size, "RGB")
    jpeg.load()


def test_the_largest_size_and_png() -> None:
    png = Image.open(io.BytesIO(encoded(width=2560, height=1632)))
    assert (png.format, png.size, png.mode) == ("PNG", (2560, 1632), "RGB")
    png.load()


@each_motif
@pytest.mark.parametrize(("size", "seed", "output_format"), [((256, 192), 1, "jpeg"), ((144, 256), 2847561092, "png")])
def test_more_steps_come_closer_to_the_finished_picture(
    prompt: str, size: tuple[int, int], seed: int, output_format: str
) -> None:
    same = {"prompt": prompt, "width": size[0], "height": size[1], "seed": seed, "output_format": output_format}
    finished = pixels(**same, num_inference_steps=50)
    errors = [difference(pixels(**same, num_inference_steps=steps), finished) for steps in (2, 4, 10, 28)]
    assert all(more > 1.3 * less for more, less in pairwise(errors)), errors
    assert errors[0] > 250, "two steps must look unfinished"
    assert errors[3] > 1, "28 steps must still differ from 50"


@each_motif
def test_steps_keep_the_composition(prompt: str) -> None:
    sketch, finished = (coarse(pixels(prompt=prompt, num_inference_steps=steps)) for steps in (4, 50))
    assert np.corrcoef(sketch.ravel(), finished.ravel())[0, 1] > 0.8


@each_motif
def test_guidance_raises_contrast_and_saturation(prompt: str) -> None:
    pictures = [pixels(prompt=prompt, guidance_scale=g) for g in (1.5, 2, 3.5, 5, 7, 10)]
    contrast = [float((picture @ [0.299, 0.587, 0.114]).std()) for picture in pictures]
    saturation = [float((picture.max(axis=-1) - picture.min(axis=-1)).mean()) for picture in pictures]
    for values in (contrast, saturation):
        assert all(b > 1.005 * a for a, b in pairwise(values)), values
        assert values[-1] > 1.5 * values[0]


@each_motif
def test_seeds_compose_differently(prompt: str) -> None:
    views = [coarse(pixels(prompt=prompt, seed=seed)) for seed in range(4)]
    apart = [difference(a, b) for i, a in enumerate(views) for b in views[:i]]
    assert min(apart) > 25, apart


def test_seeds_keep_the_palette() -> None:
    means = [pixels(seed=seed).mean(axis=(0, 1)) for seed in range(4)]
    other = pixels(prompt="mountains in green and gold").mean(axis=(0, 1))
    assert max(np.abs(mean - means[0]).max() for mean in means) < np.abs(other - means[0]).max()


@pytest.mark.parametrize(
    ("prompt", "motif"),
    [
        ("a mountainous landscape", "mountains"),
        ("three planets", "space"),
        ("rose garden in full bloom", "botanical"),
        ("the season of seats", None),
        ("MOUNTAINS", "mountains"),
        ("city lights behind a garden of flowers", "botanical"),
    ],
)
def test_words_choose_the_motif(prompt: str, motif: str | None) -> None:
    chosen = read_prompt(prompt).motif
    assert chosen == motif if motif else chosen in ("bauhaus", "ribbons", "orbs")


@pytest.mark.parametrize(("word", "band"), [("red", 0), ("green", 1), ("blue", 2)])
@pytest.mark.parametrize("motif", ["mountains", "ocean waves", "flowing ribbons"])
def test_colour_words_steer_the_palette(word: str, band: int, motif: str) -> None:
    plain, tinted = (pixels(prompt=prompt).mean(axis=(0, 1)) for prompt in (motif, f"{motif} in {word}"))
    assert tinted[band] / tinted.sum() > plain[band] / plain.sum() + 0.02


@each_motif
def test_another_word_changes_the_picture(prompt: str) -> None:
    assert difference(coarse(pixels(prompt=prompt)), coarse(pixels(prompt=f"quiet {prompt}"))) > 2


@each_motif
@pytest.mark.parametrize("quotes", ['"{}"', "“{}”"])
def test_quoted_words_are_lettered(prompt: str, quotes: str) -> None:
    plain, hello, hollow = (
        pixels(prompt=f"{prompt.split('poster')[0]} {quotes.format(text)}") for text in ("", "HELLO", "HOLLOW")
    )
    changed = (np.abs(hello - plain).max(axis=-1) > 40).mean()
    assert 0.003 < changed < 0.35, "letters, and the rest of the picture as it was"
    assert difference(hello, hollow) > 5


def test_letters_stand_out() -> None:
    for seed in range(4):
        plain, lettered = (pixels(prompt=f'mountains "{text}"', seed=seed, width=512) for text in ("", "SLOW"))
        letters = np.abs(lettered - plain).max(axis=-1) > 60
        assert np.abs(lettered - plain)[letters].mean() > 60


def test_a_long_text_stays_inside() -> None:
    plain, lettered = (pixels(prompt=f'desert "{text}"', width=384, height=256) for text in ("", "long words " * 30))
    changed = (np.abs(lettered - plain).max(axis=-1) > 25).nonzero()
    assert changed[0].size > 500
    assert changed[0].min() > 4
    assert changed[0].max() < 252
    assert changed[1].min() > 8
    assert changed[1].max() < 376


@pytest.mark.parametrize(
    "text",
    ["", "   ", "\0", "<script>alert(1)</script>", "🏔️👩‍👩‍👧‍👦", "שלום עולם", "مرحبا", "日本の山", "é" * 9, "\ud800",
     "%s{}", "x" * 10_000, "word " * 2_000, "\n\n\t", "‮abc", "ﷺ" * 50],
)  # fmt: skip
def test_odd_texts_are_painted(text: str) -> None:
    for prompt in (text, f'mountains "{text}"', f"“{text}"):
        Image.open(io.BytesIO(encoded(prompt=prompt, width=64, height=80, output_format="jpeg"))).load()


@settings(max_examples=20, deadline=None)
@given(st.text(), st.integers(0, 2**63), st.integers(4, 12), st.integers(4, 12))
def test_any_request_is_painted(text: str, seed: int, columns: int, rows: int) -> None:
    size = columns * 16, rows * 16
    data = encoded(prompt=f'{text} "{text}"', width=size[0], height=size[1], seed=seed, num_inference_steps=4)
    assert Image.open(io.BytesIO(data)).size == size
