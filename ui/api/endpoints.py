"""The public API: Gradio endpoints, and MCP tools under the same names.

Their arguments, types and defaults are read off the models. Errors carry the same sentences as the page.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.route_utils import DEFAULT_TEMP_DIR

from services.code.fal_snippets import snippet
from services.library.scope import EVERYONE
from services.models.kind import Parameter
from services.models.registry import MODEL_NAMES, PARAMETERS
from services.playground import Playground
from services.press import Press
from services.request import parse_request
from services.run import Picture, Run, RunState
from ui.api.calls import CANCELLED, Call, Calls, errors_as_sentences, typed
from ui.presses import press_of_call


def add_api(playground: Playground, calls: Calls) -> None:
    """Register the endpoints in the surrounding gr.Blocks."""
    gr.api(_generate(playground, calls), api_name="generate", concurrency_limit=None)
    gr.api(_snippet(), api_name="snippet", concurrency_limit=None)


async def ask(playground: Playground, call: Call, settings: dict[str, Any], press: Press | None) -> Run:
    """Ask for the one picture of a call. Raises what Playground.generate raises."""
    [asked] = await playground.generate(call.visitor, parse_request(settings), press=press)
    await call.asked_for(lambda begun_too: _stop(playground, asked.id, begun_too))
    return asked


async def _stop(playground: Playground, run_id: str, begun_too: bool) -> None:
    run = await playground.pools.reads(playground.history.get, run_id, EVERYONE)
    if not run.state.is_final:
        await (playground.runner.cancel if begun_too else playground.runner.cancel_unbegun)(run)


def _generate(playground: Playground, calls: Calls) -> Callable[..., Any]:
    async def generate(request: gr.Request, **settings: Any) -> dict[str, Any]:
        with calls.begin(request) as call:
            asked = await ask(playground, call, settings, press_of_call(request, "generate", settings))
            run = await playground.finished(None, asked.id)
        if run.state in (RunState.FAILED, RunState.CANCELLED):
            raise gr.Error(run.failure.message if run.failure else CANCELLED, print_exception=False)
        return await playground.pools.pictures(outcome, run, playground)

    return with_signature(
        generate,
        f"Make one picture with {MODEL_NAMES} and wait for it.",
        api_arguments(),
        "run_id, state, request_id, seed, image (file), request, cost_usd (an estimate), seconds, engine. "
        'state is "done", or "unknown" where fal did not answer.',
    )


def outcome(run: Run, playground: Playground) -> dict[str, Any]:
    """A run as API callers get it. Blocks. `image` is null where there is no picture, or its file is gone."""
    return {
        "run_id": run.id,
        "state": run.state.value,
        "request_id": run.ticket.request_id if run.ticket else None,
        "seed": run.seed,
        "image": _image(run.picture, playground) if run.picture else None,
        "request": run.request.but(seed=run.seed).values,
        "cost_usd": run.cost_usd,
        "seconds": run.seconds,
        "engine": run.engine,
    }


def _image(picture: Picture, playground: Playground) -> dict[str, Any] | None:
    """The picture as a file of Gradio's cache: it serves none from the data folder."""
    data = playground.media.read("media", picture.name)
    if data is None:
        return None
    return {
        "path": save_bytes_to_cache(data, picture.name, DEFAULT_TEMP_DIR),
        "orig_name": picture.name,
        "mime_type": picture.content_type,
        "size": picture.bytes,
        "meta": {"_type": "gradio.FileData"},
    }


def _snippet() -> Callable[..., Any]:
    async def snippet_(language: Literal["python", "javascript", "curl"], request: dict) -> str:  # type: ignore[type-arg]
        with errors_as_sentences():
            asked = parse_request(typed("request", request, dict, "object with settings"))
            return snippet(typed("language", language, str, "name of a language"), asked)  # type: ignore[arg-type]

    snippet_.__name__ = "snippet"
    snippet_.__doc__ = """Code that makes a picture with these settings through fal's queue.

    Args:
        language: python, javascript or curl.
        request: The settings by fal's names, prompt at least.

    Returns:
        The code as text. It reads the key from the environment variable FAL_KEY.
    """
    return snippet_


def api_arguments() -> dict[str, tuple[Any, Parameter]]:
    """Name → (type, parameter) of every setting, in the order of the arguments."""
    return {name: (parameter.kind.api_type(parameter), parameter) for name, parameter in PARAMETERS.items()}


def with_signature(
    function: Callable[..., Any], summary: str, arguments: dict[str, tuple[Any, Parameter]], returns: str
) -> Callable[..., Any]:
    """Give `function(request, **settings)` the names, types, defaults and help that Gradio and MCP show."""
    accepts = [
        inspect.Parameter(
            name,
            inspect.Parameter.POSITIONAL_OR_KEYWORD,
            default=inspect.Parameter.empty if parameter.required else parameter.default,
            annotation=kind if parameter.required or parameter.default is not None else kind | None,
        )
        for name, (kind, parameter) in arguments.items()
    ]

    async def api(*values: Any, **named: Any) -> Any:
        bound = signature.bind(*values, **named)
        bound.apply_defaults()
        settings = dict(bound.arguments)
        return await function(settings.pop("request"), **settings)

    # Gradio fills an argument annotated gr.Request itself. It is last, so that positional arguments match the settings.
    request = inspect.Parameter("request", inspect.Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=gr.Request)
    signature = inspect.Signature([*accepts, request], return_annotation=dict[str, Any])
    api.__signature__ = signature  # type: ignore[attr-defined]
    api.__annotations__ = {item.name: item.annotation for item in signature.parameters.values()} | {
        "return": dict[str, Any]
    }
    api.__name__ = function.__name__
    described = [f"    {p.name}: {p.label}. {p.help} Allowed: {p.range_text}." for _, p in arguments.values()]
    api.__doc__ = "\n".join([summary, "", "Args:", *described, "", "Returns:", f"    {returns}"])
    return api
