"""The models that can be asked, and what follows from all of them together.

To add a model, write its file beside flux_2_flex.py and put it into MODELS. Which model a request is for follows from
its settings: the first that has them all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from services.keys import DEFAULT_MODEL
from services.models import flux_2_flex
from services.models.kind import Parameter
from services.models.model import HasSettings, Model

MODELS: tuple[Model, ...] = (flux_2_flex.MODEL,)
"""The first one is meant where a request fits several."""
BY_ID = {model.id: model for model in MODELS}
DEFAULT = BY_ID[DEFAULT_MODEL]


def _all_parameters() -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for model in MODELS:
        found |= {name: parameter for name, parameter in model.parameters.items() if name not in found}
    return found


PARAMETERS = _all_parameters()
"""Name → Parameter, of all models, each where the first model that has it puts it. A name means the same kind of thing
in every model."""
MODEL_NAMES = " or ".join(model.name for model in MODELS)
"""As people call them, for sentences."""
NAMES = {name: today for model in reversed(MODELS) for name, today in model.names.items()}
"""Each name that a parameter has or had → the one it has today."""


def find(model_id: str) -> Model | None:
    """None where this program does not know the model: it may have been dropped, or come later."""
    return BY_ID.get(model_id)


def of(model_id: str) -> Model:
    """For estimates, which are better than none: a model that is not known here counts as the default one."""
    return BY_ID.get(model_id, DEFAULT)


def name_of(model_id: str) -> str:
    """As people call the model; the id of one that is not known here."""
    return BY_ID[model_id].name if model_id in BY_ID else model_id


def steps_of(request: HasSettings) -> int:
    """How many steps a picture of this request takes."""
    return of(request.model).steps(request)


def having(name: str) -> tuple[str, ...]:
    """The ids of the models that have this parameter."""
    return tuple(model.id for model in MODELS if name in model.parameters)


def recorded(name: str, model: Model | None = None) -> Any:
    """What a parameter of a model stands for where it was not written: as recorded, else its default. `model` None: the
    first one that has it."""
    model = model or BY_ID[having(name)[0]]
    parameter = model.parameters[name]
    found = model.recorded.of(parameter.key_name)
    return parameter.default if found is None else found


def former_values(parameter: Parameter) -> tuple[str, ...]:
    """Values that a choice ever had, in any model."""
    found = (model.recorded.values.get(parameter.key_name, ()) for model in MODELS)
    return tuple(dict.fromkeys(value for values in found for value in values))


def model_for(values: Mapping[str, Any], like: str = DEFAULT_MODEL) -> Model:
    """The model that has all of these settings, but for those at their defaults: the model `like` where it has, else
    the first one. If none has them all, the one that has most.
    """
    said = [name for name, value in values.items() if not _is_default(name, value)]
    return max((of(like), *MODELS), key=lambda model: sum(name in model.names for name in said))


def _is_default(name: str, value: Any) -> bool:
    """Whether a setting says nothing: a model without it makes the same picture."""
    parameter = PARAMETERS.get(NAMES.get(name, name))
    return parameter is not None and value == parameter.default
