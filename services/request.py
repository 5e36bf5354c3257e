"""Settings that are asked for, and the words for settings, whatever the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.errors import FieldIssue, InvalidRequest
from services.keys import DEFAULT_MODEL
from services.models import registry
from services.models.generation_request import GenerationRequest
from services.models.kind import in_words
from services.models.model import HasSettings, Model
from services.models.registry import PARAMETERS


def parse_request(values: Mapping[str, Any], like: str = DEFAULT_MODEL) -> GenerationRequest:
    """Validate settings that came from outside, for the model that has them all; `like` where that one does.

    Raises InvalidRequest with one message for each field at fault.
    """
    model = registry.model_for(values, like)
    others = {name: value for name, value in values.items() if name in PARAMETERS and name not in model.names}
    if issues := [_of_another(name, model) for name, value in others.items() if value != PARAMETERS[name].default]:
        raise InvalidRequest(tuple(issues))
    return model.request.parse({name: value for name, value in values.items() if name not in others})


def _of_another(name: str, model: Model) -> FieldIssue:
    having = " and ".join(registry.name_of(other) for other in registry.having(name))
    message = f"{PARAMETERS[name].label} is a setting of {having}, and the others are those of {model.name}."
    return FieldIssue(field=name, message=f"{message} Set it or them back to their defaults.")


def parse_value(name: str, value: Any, like: str = DEFAULT_MODEL) -> Any:
    """Validate one parameter's value by its own field, of the model `like` where that has it, and return it as in the
    request's JSON. Raises InvalidRequest.
    """
    having = [like] if name in registry.of(like).parameters else registry.having(PARAMETERS[name].name)
    return registry.of(having[0]).request.parse_value(name, value)


NOT_KNOWN = "–"


def caption(request: HasSettings) -> str:
    """What the model's captions always name, and every other setting that is not at its default, in one line by their
    short names: `28 steps · guidance 3.5 · 1024 × 768`. Prompt and seed are left out.
    """
    values = request.values
    named = [name for name in registry.of(request.model).captioned if name in values]
    others = [
        name
        for name, value in values.items()
        if name not in ("prompt", "seed", *named) and (name not in PARAMETERS or value != PARAMETERS[name].default)
    ]
    return " · ".join(format_value(name, values[name]) for name in (*named, *others))


def format_value(name: str, value: Any) -> str:
    """A setting's short name and value: `28 steps`, `expansion off`. One that no model has keeps its name."""
    if name not in PARAMETERS or value is None:
        return f"{short_name(name)} {value_text(name, value)}"
    return PARAMETERS[name].kind.label(PARAMETERS[name], value)


def short_name(name: str) -> str:
    return PARAMETERS[name].short if name in PARAMETERS else name


def value_text(name: str, value: Any) -> str:
    """A setting's value, as JSON has it, as people read it: `28`, `on`, `1024 × 768`."""
    if value is None:
        return NOT_KNOWN
    return PARAMETERS[name].kind.words(value) if name in PARAMETERS else in_words(value)
