"""GenerationRequest: the single source of truth about the model's parameters.

Ranges, defaults, labels, help texts and steps are defined only here. The page's controls, validation, fal's payload,
code snippets, captions, the API's signature and the table in assets/docs/reference.md are derived from `PARAMETERS`,
which is built from the model's fields: to add a parameter, add a field here.

Facts: the endpoint's published schema (names, ranges, defaults); custom sizes as the model accepts them: multiples of
16 from 64 to 2560 a side, at most 4 megapixels (1 MP = 2**20 pixels).
"""

from __future__ import annotations

import random
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, Protocol

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    create_model,
    model_validator,
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

from services import keys
from services.errors import InvalidRequest
from services.issues import issues_of, plain

ENDPOINT = "fal-ai/flux-2-flex"
MODEL_NAME = "FLUX.2 [flex]"

MEGAPIXEL = 2**20
SIDE_STEP = 16
SIDE_MIN, SIDE_MAX = 64, 2560
MAX_PIXELS = 4 * MEGAPIXEL
PROMPT_MAX = 10_000
SEED_MAX = 2**32 - 1

ImageSizePreset = Literal["square_hd", "square", "portrait_4_3", "portrait_16_9", "landscape_4_3", "landscape_16_9"]

PRESET_PIXELS: dict[str, tuple[int, int]] = {
    "square_hd": (1024, 1024),
    "square": (512, 512),
    "portrait_4_3": (768, 1024),
    "portrait_16_9": (576, 1024),
    "landscape_4_3": (1024, 768),
    "landscape_16_9": (1024, 576),
}
"""Preset id → (width, height) in pixels. One that fal drops stays here: stored requests name it."""

PRESET_LABELS: dict[str, str] = {
    "square_hd": "Square HD",
    "square": "Square",
    "portrait_4_3": "Portrait 4:3",
    "portrait_16_9": "Portrait 16:9",
    "landscape_4_3": "Landscape 4:3",
    "landscape_16_9": "Landscape 16:9",
}

Kind = Literal["text", "slider", "integer", "switch", "choice", "size"]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**63


def _is_size(value: Any) -> bool:
    sides = isinstance(value, dict) and value.keys() == {"width", "height"}
    return isinstance(value, str) or (sides and all(type(side) is int and 0 < side < 2**20 for side in value.values()))


FITS: dict[Kind, Callable[[Any], bool]] = {
    "text": lambda value: isinstance(value, str),
    "slider": _is_number,
    "integer": lambda value: type(value) is int and abs(value) < 2**63,
    "switch": lambda value: isinstance(value, bool),
    "choice": lambda value: isinstance(value, str),
    "size": _is_size,
}
"""Kind → whether a JSON value has its type, whatever the range."""


@dataclass(frozen=True)
class Control:
    """How the page shows a parameter: the kind of control, its step, and a short name for captions."""

    kind: Kind
    short: str
    step: float | None = None


class ImageSize(BaseModel):
    """A custom size in pixels. The model refuses sides that are not multiples of 16."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    width: int = Field(default=512, title="Width", ge=SIDE_MIN, le=SIDE_MAX)
    height: int = Field(default=512, title="Height", ge=SIDE_MIN, le=SIDE_MAX)

    @model_validator(mode="after")
    def _fits_the_model(self) -> ImageSize:
        for name, side in (("Width", self.width), ("Height", self.height)):
            if side % SIDE_STEP:
                low = side - side % SIDE_STEP
                raise PydanticCustomError(
                    name.lower(),
                    "{name}: {side} is not a multiple of 16; {low} and {high} are.",
                    {"name": name, "side": side, "low": low, "high": low + SIDE_STEP},
                )
        if self.width * self.height > MAX_PIXELS:
            raise PydanticCustomError(
                "megapixels",
                "Image size: {width} × {height} is {mp} MP, above the limit of 4 MP. Make a side smaller.",
                {
                    "width": self.width,
                    "height": self.height,
                    "mp": f"{self.width * self.height / MEGAPIXEL:.2f}",
                },
            )
        return self


def _sound_text(value: object) -> object:
    """Refuse text that fal's JSON or the history cannot hold; keep every other character as typed."""
    if isinstance(value, str):
        if not value.strip():
            raise PydanticCustomError("empty", "Prompt is empty. Describe the picture you want.")
        if "\x00" in value:
            raise PydanticCustomError("nul", "Prompt contains a NUL character (U+0000). Remove it.")
        try:
            value.encode()  # fails on lone surrogates only; takes a few microseconds for 10,000 characters
        except UnicodeEncodeError as error:
            message = "Prompt contains half a character (a lone surrogate). Remove it."
            raise PydanticCustomError("surrogate", message) from error
    return value


def _level(value: object) -> object:
    """Convert an integer level to fal's string ("1" to "5"): people and scripts also write the number."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _number(value: object) -> object:
    """Refuse True and False: bool is a subclass of int in Python, but no number here."""
    if isinstance(value, bool):
        raise PydanticCustomError("not_a_number", "{value} is not a number.", {"value": str(value)})
    return value


class GenerationRequest(BaseModel):
    """One picture's settings, by fal's own names. Frozen: a variation is `request.vary(seed=7)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, loc_by_alias=False)

    prompt: Annotated[str, BeforeValidator(_sound_text), Control("text", "prompt")] = Field(
        title="Prompt",
        description="What the picture shows. Text in quotes is lettered.",
        max_length=PROMPT_MAX,
    )
    image_size: Annotated[
        Annotated[ImageSizePreset, Tag("preset")] | Annotated[ImageSize, Tag("custom")],
        Discriminator(lambda value: "preset" if isinstance(value, str) else "custom"),
        Control("size", "size"),
    ] = Field(
        default="landscape_4_3",
        title="Image size",
        description="A preset, or a custom width and height in pixels: multiples of 16, 64 to 2560 a side, "
        "at most 4 megapixels.",
    )
    seed: Annotated[int | None, BeforeValidator(_number), Control("integer", "seed", step=1)] = Field(
        default=None,
        title="Seed",
        description="Where the noise starts: the same seed and settings ask for the same picture. "
        "Unset, a random one is drawn and kept.",
        ge=0,
        le=SEED_MAX,
    )
    num_inference_steps: Annotated[int, BeforeValidator(_number), Control("slider", "steps", step=1)] = Field(
        default=28,
        title="Steps",
        description="Inference steps. More steps take longer and finish finer detail.",
        ge=2,
        le=50,
    )
    guidance_scale: Annotated[float, BeforeValidator(_number), Control("slider", "guidance", step=0.1)] = Field(
        default=3.5,
        title="Guidance scale",
        description="How strictly the picture follows the prompt.",
        ge=1.5,
        le=10,
    )
    enable_prompt_expansion: Annotated[bool, Control("switch", "expansion")] = Field(
        default=True,
        title="Prompt expansion",
        description="Lets the model add its own detail to the prompt. Switch it off for a fair comparison.",
    )
    safety_tolerance: Annotated[
        Literal["1", "2", "3", "4", "5"], BeforeValidator(_level), Control("choice", "safety")
    ] = Field(
        default="2",
        title="Safety tolerance",
        description="1 is the strictest, 5 the most permissive.",
    )
    enable_safety_checker: Annotated[bool, Control("switch", "checker")] = Field(
        default=True,
        title="Safety checker",
        description="fal checks prompt and picture.",
    )
    output_format: Annotated[Literal["jpeg", "png"], Control("choice", "format")] = Field(
        default="jpeg",
        title="Output format",
        description="jpeg is smaller; png keeps every pixel as it was made.",
    )
    sync_mode: Annotated[bool, Control("switch", "unlisted")] = Field(
        default=False,
        title="Keep out of fal's history",
        description="fal returns the picture inside the reply and does not list it in its request history.",
    )

    @property
    def pixels(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        if isinstance(self.image_size, ImageSize):
            return self.image_size.width, self.image_size.height
        return PRESET_PIXELS[self.image_size]

    def vary(self, **changes: Any) -> GenerationRequest:
        """A validated copy with some fields changed."""
        return parse_request({**self.model_dump(mode="json"), **changes})

    @property
    def values(self) -> dict[str, Any]:
        """Field name → JSON value, of all fields in the model's order."""
        return self.model_dump(mode="json")

    def payload(self) -> dict[str, Any]:
        """The request body for fal."""
        return payload_of(self.values)


def payload_of(values: Mapping[str, Any]) -> dict[str, Any]:
    """Settings as the request body for fal: every field, except defaults that fal may not know or need not get.

    Left out are an unset seed, `sync_mode` when false, and `enable_prompt_expansion` when true (newer copies of fal's
    page do not list it).
    """
    left_out = {"seed": None, "sync_mode": False, "enable_prompt_expansion": True}
    return {name: value for name, value in values.items() if not (name in left_out and value is left_out[name])}


@dataclass(frozen=True)
class Parameter:
    """Metadata of one GenerationRequest field for the rest of the program."""

    name: str
    label: str
    help: str
    kind: Kind
    short: str
    default: Any
    """None where the field has no default (prompt) or may stay unset (seed)."""
    required: bool
    minimum: float | None
    maximum: float | None
    step: float | None
    choices: tuple[str, ...]
    annotation: Any
    aliases: tuple[str, ...] = ()
    """Names that it had before: stored settings are read under them too."""

    @property
    def key_name(self) -> str:
        """Its name in keys and exports, the oldest one: it stays when a parameter is renamed."""
        return next((name for name in (*self.aliases, self.name) if name in keys.BASE or name in keys.LATER), self.name)

    @property
    def range_text(self) -> str:
        """The allowed values as words: `2 to 50`, `jpeg, png`."""
        if self.minimum is not None and self.maximum is not None:
            return f"{self.minimum:g} to {int(self.maximum) if self.maximum == int(self.maximum) else self.maximum}"
        if self.kind == "switch":
            return "true, false"
        if self.kind == "text":
            return f"1 to {PROMPT_MAX:,} characters"
        if self.kind == "size":
            return ", ".join(self.choices) + ", or {width, height}"
        return ", ".join(self.choices)


def _limit(field: FieldInfo, name: str) -> float | None:
    return next((getattr(rule, name) for rule in field.metadata if hasattr(rule, name)), None)


def _literals(annotation: Any) -> tuple[str, ...]:
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, Annotated):
        return tuple(choice for arm in typing.get_args(annotation) for choice in _literals(arm))
    return ()


def _parameter(name: str, field: FieldInfo) -> Parameter:
    control = next(item for item in field.metadata if isinstance(item, Control))
    return Parameter(
        name=name,
        label=field.title or name,
        help=field.description or "",
        kind=control.kind,
        short=control.short,
        default=None if field.is_required() else field.default,
        required=field.is_required(),
        minimum=_limit(field, "ge"),
        maximum=_limit(field, "le"),
        step=control.step,
        choices=_literals(field.annotation),
        annotation=field.annotation,
        aliases=tuple(alias for alias in _aliases(field) if alias != name),
    )


def _aliases(field: FieldInfo) -> tuple[str, ...]:
    choices = field.validation_alias
    return tuple(map(str, choices.choices)) if isinstance(choices, AliasChoices) else ()


PARAMETERS: dict[str, Parameter] = {
    name: _parameter(name, field) for name, field in GenerationRequest.model_fields.items()
}
"""Field name → Parameter, in the model's order."""
NAMES = {alias: name for name, parameter in PARAMETERS.items() for alias in parameter.aliases}
"""Name that a parameter had before → the one it has today."""
KEY_NAMES = {name: parameter.key_name for name, parameter in PARAMETERS.items() if parameter.key_name != name}
"""Name of a renamed parameter → its name in keys and exports."""

_ALLOWED = {name: (parameter.label, parameter.range_text) for name, parameter in PARAMETERS.items()} | {
    side: (side.title(), f"{SIDE_MIN} to {SIDE_MAX}") for side in ("width", "height")
}


def parse_request(values: dict[str, Any]) -> GenerationRequest:
    """Validate settings that came from outside. Raises InvalidRequest with one message for each field at fault."""
    try:
        return GenerationRequest.model_validate(values)
    except ValidationError as error:
        raise InvalidRequest(issues_of(error, _ALLOWED)) from error


def parse_value(name: str, value: Any) -> Any:
    """Validate one parameter's value by its own field and return it as in the request's JSON. Raises InvalidRequest.

    Much faster than validating a whole request. Rules between fields, should there be any, are not checked.
    """
    try:
        return _alone(name).model_validate({name: value}).model_dump(mode="json")[name]
    except ValidationError as error:
        raise InvalidRequest(issues_of(error, _ALLOWED)) from error


@cache
def _alone(name: str) -> type[BaseModel]:
    """A model with this field only: same rules, and errors with the same `loc` as those of GenerationRequest."""
    field = GenerationRequest.model_fields[name]
    fields: dict[str, Any] = {name: (field.annotation, field)}
    return create_model(f"Only_{name}", __config__=GenerationRequest.model_config, **fields)


def snap_side(value: float) -> int:
    """The nearest allowed side length in pixels, a multiple of 16 from 64 to 2560; the larger one in a tie."""
    return max(SIDE_MIN, min(SIDE_MAX, int(value / SIDE_STEP + 0.5) * SIDE_STEP))


def random_seed() -> int:
    return random.SystemRandom().randint(0, SEED_MAX)


class HasValues(Protocol):
    """A request: one to be asked for, or one that was stored."""

    @property
    def values(self) -> dict[str, Any]: ...


def caption(request: HasValues) -> str:
    """Steps, guidance, size and every other setting that is not at its default, in one line by their short names:
    `28 steps · guidance 3.5 · 1024 × 768`. Prompt and seed are left out.
    """
    values = request.values
    words = [
        f"{values['num_inference_steps']} steps",
        f"guidance {plain(values['guidance_scale'])}",
        size_words(values["image_size"]),
    ]
    told_elsewhere = {"prompt", "image_size", "num_inference_steps", "guidance_scale", "seed"}
    words += [
        format_value(name, value)
        for name, value in values.items()
        if name not in told_elsewhere and (name not in PARAMETERS or value != PARAMETERS[name].default)
    ]
    return " · ".join(words)


def format_value(name: str, value: Any) -> str:
    """A setting's short name and value: `steps 28`, `expansion off`. One that the model has no more keeps its name."""
    short = PARAMETERS[name].short if name in PARAMETERS else name
    return f"{short} {in_words(value)}"


def size_words(size: Any) -> str:
    """A size, as JSON has it, in pixels: `1024 × 768`. A preset that is not known here keeps its name."""
    if isinstance(size, dict):
        return f"{size['width']} × {size['height']}"
    return " × ".join(map(str, PRESET_PIXELS[size])) if size in PRESET_PIXELS else str(size)


def in_words(value: Any) -> str:
    """A value as people read it: `on` for True, `3.5`, `28`."""
    if isinstance(value, bool):
        return "on" if value else "off"
    return plain(value) if isinstance(value, float) else str(value)
