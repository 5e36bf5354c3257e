"""FLUX.2 [flex]: text to image.

Facts: the endpoint's published schema (names, ranges, defaults).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from services.keys import FLUX_2_FLEX, Recorded
from services.models.generation_request import GenerationRequest, number
from services.models.kind import Control
from services.models.kinds.choice import CHOICE
from services.models.kinds.slider import SLIDER
from services.models.kinds.switch import SWITCH
from services.models.model import STEPS, Model


def _level(value: object) -> object:
    """Convert an integer level to fal's string ("1" to "5"): people and scripts also write the number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


class Flux2FlexRequest(GenerationRequest):
    recorded: ClassVar[Recorded] = FLUX_2_FLEX
    # Newer copies of fal's page do not list enable_prompt_expansion.
    left_out: ClassVar[Mapping[str, Any]] = {"sync_mode": False, "enable_prompt_expansion": True}

    num_inference_steps: Annotated[int, BeforeValidator(number), Control(SLIDER, "steps", step=1)] = Field(
        default=28,
        title="Steps",
        description="Inference steps. More steps take longer and finish finer detail.",
        ge=2,
        le=50,
    )
    guidance_scale: Annotated[float, BeforeValidator(number), Control(SLIDER, "guidance", step=0.1)] = Field(
        default=3.5,
        title="Guidance scale",
        description="How strictly the picture follows the prompt.",
        ge=1.5,
        le=10,
    )
    enable_prompt_expansion: Annotated[bool, Control(SWITCH, "expansion")] = Field(
        default=True,
        title="Prompt expansion",
        description="Lets the model add its own detail to the prompt. Switch it off for a fair comparison.",
    )
    safety_tolerance: Annotated[
        Literal["1", "2", "3", "4", "5"], BeforeValidator(_level), Control(CHOICE, "safety")
    ] = Field(
        default="2",
        title="Safety tolerance",
        description="1 is the strictest, 5 the most permissive.",
    )
    enable_safety_checker: Annotated[bool, Control(SWITCH, "checker")] = Field(
        default=True,
        title="Safety checker",
        description="fal checks prompt and picture.",
    )
    output_format: Annotated[Literal["jpeg", "png"], Control(CHOICE, "format")] = Field(
        default="jpeg",
        title="Output format",
        description="jpeg is smaller; png keeps every pixel as it was made.",
    )
    sync_mode: Annotated[bool, Control(SWITCH, "unlisted")] = Field(
        default=False,
        title="Keep out of fal's history",
        description="fal returns the picture inside the reply and does not list it in its request history.",
    )


MODEL = Model(
    name="FLUX.2 [flex]",
    endpoint="fal-ai/flux-2-flex",
    request=Flux2FlexRequest,
    captioned=("num_inference_steps", "guidance_scale", "image_size"),
    steps=lambda request: request.num_inference_steps or STEPS,
)
