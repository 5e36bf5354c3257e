"""GenerationRequest: what every model is asked for, and how a model's own request type adds its parameters.

Ranges, defaults, labels, help texts and steps stand in the fields of a request type and nowhere else. The page's
controls, validation, the payload, code snippets, captions, the API's signature and the table in
assets/docs/reference.md are derived from `parameters_of` it: to add a parameter, add a field.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from functools import cache
from typing import Annotated, Any, ClassVar, Literal

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
)
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError
from typing_extensions import Self

from services.errors import InvalidRequest
from services.issues import Allowed, issues_of
from services.keys import Recorded
from services.models.kind import Control, Parameter
from services.models.kinds.integer import INTEGER, SEED_MAX
from services.models.kinds.size import SIZE
from services.models.kinds.text import TEXT
from services.models.sizes import PRESET_PIXELS, SIDE_MAX, SIDE_MIN, ImageSize, ImageSizePreset

PROMPT_MAX = 10_000


def sound_text(value: object) -> object:
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


def number(value: object) -> object:
    """Refuse True and False: bool is a subclass of int in Python, but no number here."""
    if isinstance(value, bool):
        raise PydanticCustomError("not_a_number", "{value} is not a number.", {"value": str(value)})
    return value


class GenerationRequest(BaseModel):
    """One picture's settings, by fal's own names. Frozen: a variation is `request.vary(seed=7)`.

    A model's request type is a subclass with its own parameters, which follow those that all models have.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, loc_by_alias=False)

    recorded: ClassVar[Recorded]
    """The model's id, and what its settings stand for where they are not written."""
    left_out: ClassVar[Mapping[str, Any]] = {}
    """Setting → value with which it is not sent: fal's default, where fal may not know the setting or need not get
    it. What is not set is never sent."""

    prompt: Annotated[str, BeforeValidator(sound_text), Control(TEXT, "prompt")] = Field(
        title="Prompt",
        description="What the picture shows. Text in quotes is lettered.",
        max_length=PROMPT_MAX,
    )
    image_size: Annotated[
        Annotated[ImageSizePreset, Tag("preset")] | Annotated[ImageSize, Tag("custom")],
        Discriminator(lambda value: "preset" if isinstance(value, str) else "custom"),
        Control(SIZE, "size"),
    ] = Field(
        default="landscape_4_3",
        title="Image size",
        description="A preset, or a custom width and height in pixels: multiples of 16, 64 to 2560 a side, "
        "at most 4 megapixels.",
    )
    seed: Annotated[int | None, BeforeValidator(number), Control(INTEGER, "seed", step=1)] = Field(
        default=None,
        title="Seed",
        description="Where the noise starts: the same seed and settings ask for the same picture. "
        "Unset, a random one is drawn and kept.",
        ge=0,
        le=SEED_MAX,
    )

    @property
    def model(self) -> str:
        """The model's id."""
        return self.recorded.model

    @property
    def pixels(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        if isinstance(self.image_size, ImageSize):
            return self.image_size.width, self.image_size.height
        return PRESET_PIXELS[self.image_size]

    @property
    def values(self) -> dict[str, Any]:
        """Field name → JSON value, of all fields in their order."""
        return self.model_dump(mode="json")

    def vary(self, **changes: Any) -> Self:
        """A validated copy with some fields changed. Raises InvalidRequest."""
        return self.parse({**self.values, **changes})

    def payload(self) -> dict[str, Any]:
        """The request body for fal."""
        return self.payload_of(self.values)

    @classmethod
    def payload_of(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Settings of this model as the request body for fal."""
        left_out = cls.left_out
        return {
            name: value
            for name, value in values.items()
            if not (value is None or (name in left_out and value is left_out[name]))
        }

    @classmethod
    def parse(cls, values: Mapping[str, Any]) -> Self:
        """Validate settings from outside. Raises InvalidRequest with one message for each field at fault."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise InvalidRequest(issues_of(error, _allowed(cls))) from error

    @classmethod
    def parse_value(cls, name: str, value: Any) -> Any:
        """Validate one parameter's value by its own field and return it as in the request's JSON. Raises
        InvalidRequest.

        Much faster than validating a whole request. Rules between fields, should there be any, are not checked.
        """
        try:
            return _alone(cls, name).model_validate({name: value}).model_dump(mode="json")[name]
        except ValidationError as error:
            raise InvalidRequest(issues_of(error, _allowed(cls))) from error


@cache
def parameters_of(request: type[GenerationRequest]) -> Mapping[str, Parameter]:
    """Field name → Parameter, in the order of the fields."""
    return {name: _parameter(name, field, request.recorded) for name, field in request.model_fields.items()}


@cache
def _allowed(request: type[GenerationRequest]) -> Allowed:
    named = {name: (parameter.label, parameter.range_text) for name, parameter in parameters_of(request).items()}
    return named | {side: (side.title(), f"{SIDE_MIN} to {SIDE_MAX}") for side in ("width", "height")}


@cache
def _alone(request: type[GenerationRequest], name: str) -> type[BaseModel]:
    """A model with this field only: same rules, and errors with the same `loc` as those of the whole request."""
    field = request.model_fields[name]
    fields: dict[str, Any] = {name: (field.annotation, field)}
    return create_model(f"Only_{name}", __config__=GenerationRequest.model_config, **fields)


def _parameter(name: str, field: FieldInfo, recorded: Recorded) -> Parameter:
    control = next(item for item in field.metadata if isinstance(item, Control))
    aliases = tuple(alias for alias in _aliases(field) if alias != name)
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
        longest=_limit(field, "max_length"),
        step=control.step,
        choices=_literals(field.annotation),
        annotation=field.annotation,
        aliases=aliases,
        key_name=next((known for known in (*aliases, name) if known in recorded), name),
    )


def _limit(field: FieldInfo, name: str) -> Any:
    return next((getattr(rule, name) for rule in field.metadata if hasattr(rule, name)), None)


def _literals(annotation: Any) -> tuple[str, ...]:
    if typing.get_origin(annotation) is Literal:
        return typing.get_args(annotation)
    if typing.get_origin(annotation) in (typing.Union, types.UnionType, Annotated):
        return tuple(choice for arm in typing.get_args(annotation) for choice in _literals(arm))
    return ()


def _aliases(field: FieldInfo) -> tuple[str, ...]:
    choices = field.validation_alias
    return tuple(map(str, choices.choices)) if isinstance(choices, AliasChoices) else ()
