"""StoredRequest: settings as they were written, read by their types and never against today's ranges.

What is kept outlives the rules of its day: a narrower range, a value that is gone or a setting that fal dropped must
not make a history unreadable. Only what is asked for is validated: `asked` and `vary` do.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from services import keys
from services.errors import FieldIssue, InvalidRequest
from services.request import (
    FITS,
    KEY_NAMES,
    MODEL_NAME,
    NAMES,
    PARAMETERS,
    PRESET_PIXELS,
    SIDE_MAX,
    SIDE_MIN,
    GenerationRequest,
    Parameter,
    format_value,
    parse_request,
    payload_of,
)

RATIO_MAX = SIDE_MAX // SIDE_MIN
"""Between the sides of a place for a picture: what the model's own limits allow."""


def _recorded(parameter: Parameter) -> Any:
    recorded = keys.recorded(parameter.key_name)
    return parameter.default if recorded is None else recorded


READ = [(name, FITS[parameter.kind], _recorded(parameter)) for name, parameter in PARAMETERS.items()]
"""How each parameter is read: name, whether a value has its type, what it is where it was not written."""


class StoredRequest:
    """Immutable. Its settings are attributes: `stored.guidance_scale`, as JSON has them.

    `kept`: every setting that was written, under today's names; unknown ones stay as they are. A setting that was not
    written, or whose type is not today's, reads as its recorded default.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.kept = _renamed(values, NAMES)

    @staticmethod
    def of(request: GenerationRequest) -> StoredRequest:
        return StoredRequest(request.values)

    @cached_property
    def values(self) -> dict[str, Any]:
        """Setting → JSON value: all of the model's parameters, in its order, then the others that were kept."""
        values = {}
        for name, fits, recorded in READ:
            value = self.kept.get(name)
            values[name] = value if value is not None and fits(value) else recorded
        return values | self.others

    @property
    def others(self) -> dict[str, Any]:
        """Settings that the model does not have (any more)."""
        return {name: value for name, value in self.kept.items() if name not in PARAMETERS}

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or name not in PARAMETERS:
            raise AttributeError(f"A request has no setting {name!r}.")
        return self.values[name]

    @property
    def prompt(self) -> str:
        return self.values["prompt"] or ""

    @property
    def pixels(self) -> tuple[int, int] | None:
        """(width, height) in pixels; None where the size is a preset that is not known here."""
        size = self.values["image_size"]
        return (size["width"], size["height"]) if isinstance(size, dict) else PRESET_PIXELS.get(size)

    @property
    def shape(self) -> tuple[int, int]:
        """(width, height) of a place for the picture: a square where the size is not known, and never more than
        RATIO_MAX times as long as wide or wide as long."""
        width, height = self.pixels or PRESET_PIXELS["square"]
        return max(width, -(-height // RATIO_MAX)), max(height, -(-width // RATIO_MAX))

    @cached_property
    def key(self) -> str:
        return keys.key_of(self.recorded)

    @property
    def recorded(self) -> Mapping[str, Any]:
        """`kept` under the names that keys and exports use, which never change."""
        return _renamed(self.kept, KEY_NAMES)

    def but(self, **changes: Any) -> StoredRequest:
        """A copy with some settings changed, as unchecked as it is itself."""
        return StoredRequest({**self.kept, **changes})

    def asked(self) -> GenerationRequest:
        """The same settings, to be asked for now. Raises InvalidRequest that names what is no longer allowed."""
        return self.vary()

    def vary(self, **changes: Any) -> GenerationRequest:
        """A validated copy with some settings changed. Raises InvalidRequest, as `asked` does."""
        gone = {name: value for name, value in self.others.items() if value != keys.recorded(name)}
        if gone:
            raise InvalidRequest(tuple(map(_no_such, gone, gone.values())))
        meant = {name: value for name, value in {**self.values, **self.kept}.items() if name in PARAMETERS}
        return parse_request({name: value for name, value in meant.items() if value is not None} | changes)

    def payload(self) -> dict[str, Any]:
        """The body for fal, as it would have been when these settings were written."""
        return payload_of(self.kept)

    def __eq__(self, other: object) -> bool:
        """Whether both ask for the same: a StoredRequest, or a GenerationRequest."""
        if isinstance(other, GenerationRequest):
            other = StoredRequest.of(other)
        return isinstance(other, StoredRequest) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"StoredRequest({dict(self.kept)!r})"

    @classmethod
    def read(cls, value: object) -> StoredRequest:
        """From JSON, or from a request that was validated. Raises ValueError for anything else."""
        if isinstance(value, StoredRequest):
            return value
        if isinstance(value, GenerationRequest):
            return cls.of(value)
        if isinstance(value, Mapping):
            return cls(value)
        raise ValueError("settings are an object")

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        writes = core_schema.plain_serializer_function_ser_schema(lambda stored: dict(stored.kept))
        return core_schema.no_info_plain_validator_function(cls.read, serialization=writes)


AnyRequest = GenerationRequest | StoredRequest
"""Settings to be shown, written or priced: whether they are allowed today does not matter there."""


def _renamed(values: Mapping[str, Any], names: Mapping[str, str]) -> Mapping[str, Any]:
    return {names.get(name, name): value for name, value in values.items()} if names else values


def check_types(request: StoredRequest) -> StoredRequest:
    """For settings from outside, such as a line of an export: raises ValueError that names a setting whose type is none
    that a program of this kind ever wrote."""
    for name, value in request.kept.items():
        parameter = PARAMETERS.get(name)
        if parameter and value is not None and not FITS[parameter.kind](value):
            raise ValueError(f"{name} cannot be {value!r:.40}")
    if not request.prompt.strip():
        raise ValueError("prompt is missing")
    return request


def _no_such(name: str, value: Any) -> FieldIssue:
    message = f"{format_value(name, value)}: {MODEL_NAME} has no such setting any more. It cannot be made like this."
    return FieldIssue(field=name, message=message[0].upper() + message[1:])
