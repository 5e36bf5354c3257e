"""The demo engine's painter on one processor, beside Pillow encoding the same picture.

Processor time is measured: other work on the machine disturbs it least.
"""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from support.bench import Sample, clean_environment, show
from support.server import ROOT

ROUNDS = 5
TARGET_MS = 200
PROMPTS = {
    "mountains": "a mountain valley at dusk",
    "sea": "waves of a teal ocean with a small boat",
    "dunes": "golden desert dunes",
    "forest": "a misty forest in the morning",
    "city": "a city skyline at night",
    "space": "a ringed planet in space",
    "botanical": "a garden of flowers, pastel",
    "bauhaus": "bauhaus shapes",
    "ribbons": "flowing ribbons of silk",
    "orbs": "gradient orbs",
    "lettered": 'a poster of a mountain valley that says "SLOW TRAVEL"',
}
MEASURE = """
import io, json, os, sys, time
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
from PIL import Image
from services.engines.demo.painting.painter import paint

def painted(prompt, output_format, seed):
    return paint(prompt=prompt, width=1024, height=1024, seed=seed, num_inference_steps=28, guidance_scale=5.0,
                 output_format=output_format)

def milliseconds(work):
    start = time.process_time()
    result = work()
    return 1000 * (time.process_time() - start), result

prompts, output_format, rounds = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
options = {"jpeg": {"quality": 90}, "png": {}}[output_format]
painted("warm up", output_format, 0)
found = {name: {"paint": [], "encode": []} for name in prompts}
for seed in range(rounds):
    for name, prompt in prompts.items():
        took, picture = milliseconds(lambda: painted(prompt, output_format, seed))
        found[name]["paint"].append(took)
        image = Image.open(io.BytesIO(picture))
        image.load()
        assert image.size == (1024, 1024)
        found[name]["encode"].append(milliseconds(lambda: image.save(io.BytesIO(), output_format, **options))[0])
print(json.dumps(found))
"""


@pytest.mark.parametrize("output_format", ["jpeg", "png"])
def test_painter(output_format: str) -> None:
    command = [sys.executable, "-c", MEASURE, json.dumps(PROMPTS), output_format, str(ROUNDS)]
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert set(found) == set(PROMPTS)
    rows = []
    for name, taken in found.items():
        paint, encode = Sample(tuple(taken["paint"])), Sample(tuple(taken["encode"]))
        rows.append((name, paint.told("ms", 0), encode.told("ms", 0), f"{paint.median / encode.median:.2f}"))
    show(
        f"Painting 1024 × 1024 as {output_format} on one processor, {ROUNDS} seeds; target < {TARGET_MS} ms",
        ("motif", "paint and encode", "Pillow's plain encode", "ratio"),
        rows,
    )
