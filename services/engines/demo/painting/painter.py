"""The demo engine's painter: a procedural picture for any request, as a pure function of its settings.

It is no model, yet comparing settings means something: the prompt's words choose motif and colours, the seed the
composition, more steps bring the picture closer to its finished state, and guidance raises contrast and saturation.
"""

from __future__ import annotations

from typing import Literal

import numpy as np

from services.engines.demo.painting import abstracts, landscapes, scenes
from services.engines.demo.painting.botanical import botanical
from services.engines.demo.painting.brief import read_prompt
from services.engines.demo.painting.canvas import Canvas
from services.engines.demo.painting.encode import encode
from services.engines.demo.painting.finish import grain, guide, soften
from services.engines.demo.painting.lettering import letter

SCENES = {
    "mountains": landscapes.mountains,
    "sea": landscapes.sea,
    "dunes": landscapes.dunes,
    "forest": landscapes.forest,
    "city": scenes.city,
    "space": scenes.space,
    "botanical": botanical,
    "bauhaus": abstracts.bauhaus,
    "ribbons": abstracts.ribbons,
    "orbs": abstracts.orbs,
}


def paint(
    *,
    prompt: str,
    width: int,
    height: int,
    seed: int,
    num_inference_steps: int,
    guidance_scale: float,
    output_format: Literal["jpeg", "png"],
) -> bytes:
    """The encoded picture of `width` × `height` pixels; the same arguments give the same bytes."""
    brief = read_prompt(prompt)
    # a stream each, so that the noise of steps and paper never disturbs the composition
    composition, noise, paper = (np.random.default_rng([stream, abs(seed)]) for stream in range(3))
    canvas = Canvas(width, height)
    SCENES[brief.motif](canvas, brief, composition)
    letter(canvas, brief.lettering, brief.palette)
    picture = soften(canvas.image, num_inference_steps, noise)
    picture = grain(guide(picture, guidance_scale), paper)
    return encode(picture, output_format)
