"""StoredRequest: settings as they were written, read by their types and never against today's ranges.

What is kept outlives the rules of its day: a narrower range, a value that is gone or a setting that fal dropped must
not make a history unreadable. Only what is asked for is validated: `asked` and `vary` do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from services import keys
from services.errors import FieldIssue, InvalidRequest
from services.keys import DEFAULT_MODEL, Recorded
from services.models import registry
from services.models.generation_request import GenerationRequest
from services.models.model import Model
from services.models.sizes import PRESET_PIXELS, SIDE_MAX, SIDE_MIN, pixels_of
from services.request import format_value, parse_request

MODEL_ID = re.compile("[a-z0-9][a-z0-9._/-]{0,39}")
RATIO_MAX = SIDE_MAX // SIDE_MIN
"""Between the sides of a place for a picture: what the models' own limits allow."""


@dataclass(frozen=True)
class _Reading:
    """How the stored settings of a model are read. Of one that is not known here everything is kept as it is."""

    recorded: Recorded
    read: tuple[tuple[str, Callable[[Any], bool], Any], ...]
    """Each parameter: name, whether a value has its type, what it is where it was not written."""
    names: Mapping[str, str]
    """Name that a parameter had before → the one it has today."""
    key_names: Mapping[str, str]
    """Name of a renamed parameter → its name in keys and exports."""

    @staticmethod
    def by(model: Model) -> _Reading:
        parameters = model.parameters.values()
        return _Reading(
            recorded=model.recorded,
            read=tuple((one.name, one.kind.fits, registry.recorded(one.name, model)) for one in parameters),
            names={name: today for name, today in model.names.items() if name != today},
            key_names={one.name: one.key_name for one in parameters if one.key_name != one.name},
        )


@cache
def _reading(model_id: str) -> _Reading:
    model = registry.find(model_id)
    return _Reading.by(model) if model else _Reading(Recorded(model_id, {}), (), {}, {})


class StoredRequest:
    """Immutable. Its settings are attributes: `stored.guidance_scale`, as JSON has them; None where there is none.

    `model`: the id of the model that it is for, which may be one that this program does not know. `kept`: every setting
    that was written, under today's names; unknown ones stay as they are. A setting that was not written, or whose type
    is not today's, reads as its recorded default.
    """

    def __init__(self, values: Mapping[str, Any], model: str = DEFAULT_MODEL) -> None:
        self.model = model
        self._how = _reading(model)
        self.kept = _renamed(values, self._how.names)

    @staticmethod
    def of(request: GenerationRequest) -> StoredRequest:
        return StoredRequest(request.values, request.model)

    @cached_property
    def values(self) -> dict[str, Any]:
        """Setting → JSON value: all of the model's parameters, in its order, then the others that were kept."""
        values = {}
        for name, fits, recorded in self._how.read:
            value = self.kept.get(name)
            values[name] = value if value is not None and fits(value) else recorded
        return values | self.others

    @property
    def others(self) -> dict[str, Any]:
        """Settings that the model does not have (any more)."""
        known = {name for name, _, _ in self._how.read}
        return {name: value for name, value in self.kept.items() if name not in known}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in registry.PARAMETERS:
            raise AttributeError(f"A request has no setting {name!r}.")
        return self.values.get(name)

    @property
    def prompt(self) -> str:
        return self.values.get("prompt") or ""

    @property
    def pixels(self) -> tuple[int, int] | None:
        """(width, height) in pixels; None where the size is a preset that is not known here."""
        return pixels_of(self.values.get("image_size"))

    @property
    def shape(self) -> tuple[int, int]:
        """(width, height) of a place for the picture: a square where the size is not known, and never more than
        RATIO_MAX times as long as wide or wide as long."""
        width, height = self.pixels or PRESET_PIXELS["square"]
        return max(width, -(-height // RATIO_MAX)), max(height, -(-width // RATIO_MAX))

    @cached_property
    def key(self) -> str:
        return keys.key_of(self.recorded, self._how.recorded)

    @property
    def recorded(self) -> Mapping[str, Any]:
        """`kept` under the names that keys and exports use, which never change."""
        return _renamed(self.kept, self._how.key_names)

    def written(self) -> dict[str, Any]:
        """As exports write it: under names that never change, without what says nothing."""
        return keys.written(self.recorded, self._how.recorded)

    @property
    def is_first(self) -> bool:
        """Whether the first version of the program, which knew one model and its first settings, can read it."""
        return self.model == DEFAULT_MODEL and keys.is_base(self.written())

    def but(self, **changes: Any) -> StoredRequest:
        """A copy with some settings changed, as unchecked as it is itself. It is for another model where this one does
        not have what is changed."""
        model = self.model
        if not changes.keys() <= self.values.keys() and registry.find(model):
            model = registry.model_for({**self.kept, **changes}, model).id
        return StoredRequest({**self.kept, **changes}, model)

    def asked(self) -> GenerationRequest:
        """The same settings, to be asked for now. Raises InvalidRequest that names what is no longer allowed."""
        return self.vary()

    def vary(self, **changes: Any) -> GenerationRequest:
        """A validated copy with some settings changed. Raises InvalidRequest, as `asked` does."""
        model = registry.find(self.model)
        if model is None:
            message = f"It was made with {self.model}, a model that this playground does not have (any more)."
            raise InvalidRequest((FieldIssue(field="model", message=message),))
        gone = {name: value for name, value in self.others.items() if value != model.recorded.of(name)}
        if gone:
            raise InvalidRequest(tuple(_no_such(name, value, model) for name, value in gone.items()))
        meant = {name: value for name, value in {**self.values, **self.kept}.items() if name in model.parameters}
        return parse_request({name: value for name, value in meant.items() if value is not None} | changes, self.model)

    def payload(self) -> dict[str, Any]:
        """The body for fal, as it would have been when these settings were written."""
        return registry.of(self.model).payload(self.kept)

    def __eq__(self, other: object) -> bool:
        """Whether both ask for the same: a StoredRequest, or a GenerationRequest."""
        if isinstance(other, GenerationRequest):
            other = StoredRequest.of(other)
        return isinstance(other, StoredRequest) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"StoredRequest({dict(self.kept)!r}, {self.model!r})"

    @classmethod
    def read(cls, value: object, model: str = DEFAULT_MODEL) -> StoredRequest:
        """From JSON of a request for `model`, or from a request that was validated. Raises ValueError for anything
        else."""
        if isinstance(value, StoredRequest):
            return value
        if isinstance(value, GenerationRequest):
            return cls.of(value)
        if isinstance(value, Mapping):
            return cls(value, model)
        raise ValueError("settings are an object")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        writes = core_schema.plain_serializer_function_ser_schema(lambda stored: dict(stored.kept))
        return core_schema.no_info_plain_validator_function(lambda value: cls.read(value), serialization=writes)


AnyRequest = GenerationRequest | StoredRequest
"""Settings to be shown, written or priced: whether they are allowed today does not matter there."""


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    return {names.get(name, name): value for name, value in values.items()} if names else values


def model_id(text: Any) -> str:
    """A model's id from outside, whether it is known here or not. Raises ValueError."""
    if isinstance(text, str) and MODEL_ID.fullmatch(text):
        return text
    raise ValueError(f"{text!r:.40} is no model's id")


def of_its_model(values: Any, name: str) -> Any:
    """For pydantic models that hold a request as their field `name` and its model's id as `model`: input in which the
    request knows its model, and the other way round."""
    if not isinstance(values, dict):
        return values
    request, model = values.get(name), values.get("model")
    if isinstance(request, StoredRequest | GenerationRequest) and model in (None, request.model):
        return values if model else {**values, "model": request.model}
    if isinstance(request, StoredRequest | GenerationRequest):
        request = StoredRequest.read(request).kept
    if isinstance(request, Mapping) and isinstance(model, str):
        return {**values, name: StoredRequest(request, model)}
    return values


def check_types(request: StoredRequest) -> StoredRequest:
    """For settings from outside, such as a line of an export: raises ValueError that names a setting whose type is none
    that a program of this kind ever wrote."""
    for name, fits, _ in _reading(request.model).read:
        value = request.kept.get(name)
        if value is not None and not fits(value):
            raise ValueError(f"{name} cannot be {value!r:.40}")
    if not request.prompt.strip():
        raise ValueError("prompt is missing")
    return request


def _no_such(name: str, value: Any, model: Model) -> FieldIssue:
    message = f"{format_value(name, value)}: {model.name} has no such setting any more. It cannot be made like this."
    return FieldIssue(field=name, message=message[0].upper() + message[1:])
