"""The public API: Gradio endpoints, and MCP tools under the same names.

Their arguments, types and defaults are read off GenerationRequest. Errors carry the same sentences as the page.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Literal

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.route_utils import DEFAULT_TEMP_DIR

from services.code.fal_snippets import snippet
from services.errors import PlaygroundError
from services.playground import Playground
from services.request import MODEL_NAME, PARAMETERS, Parameter, parse_request
from services.run import Run, RunState
from ui.presses import press_of_call
from ui.visitors import visitor_of


def add_api(playground: Playground) -> None:
    """Register the endpoints in the surrounding gr.Blocks."""
    gr.api(_generate(playground), api_name="generate", concurrency_limit=None)
    gr.api(_snippet(), api_name="snippet", concurrency_limit=None)


def _generate(playground: Playground) -> Callable[..., Any]:
    async def generate(request: gr.Request, **settings: Any) -> dict[str, Any]:
        visitor = visitor_of(request)
        try:
            press = press_of_call(request, "generate", settings)
            [asked] = await playground.generate(visitor, parse_request(settings), press=press)
            run = await playground.finished(visitor, asked.id)
        except PlaygroundError as error:
            raise gr.Error(str(error), print_exception=False) from error
        if run.state in (RunState.FAILED, RunState.CANCELLED):
            said = run.failure.message if run.failure else "The request was cancelled."
            raise gr.Error(said, print_exception=False)
        return await playground.pools.pictures(outcome, run, playground)

    return _with_signature(
        generate,
        f"Make one picture with {MODEL_NAME} and wait for it.",
        {name: (_api_type(parameter), parameter) for name, parameter in PARAMETERS.items()},
        "run_id, state, request_id, seed, image (file), request, cost_usd (an estimate), seconds, engine. "
        'state is "done", or "unknown" where fal did not answer.',
    )


def outcome(run: Run, playground: Playground) -> dict[str, Any]:
    """A finished run as API callers get it. Blocks."""
    image = None
    if run.picture:
        # Gradio serves files from its own cache only, not from the data folder: copy the picture into the cache.
        data = playground.media.read("media", run.picture.name)
        if data is None:
            raise gr.Error("The picture's file is gone.", print_exception=False)
        path = save_bytes_to_cache(data, run.picture.name, DEFAULT_TEMP_DIR)
        image = {"path": path, "orig_name": run.picture.name, "mime_type": run.picture.content_type}
        image |= {"size": run.picture.bytes, "meta": {"_type": "gradio.FileData"}}
    return {
        "run_id": run.id,
        "state": run.state.value,
        "request_id": run.ticket.request_id if run.ticket else None,
        "seed": run.seed,
        "image": image,
        "request": run.request.but(seed=run.seed).values,
        "cost_usd": run.cost_usd,
        "seconds": run.seconds,
        "engine": run.engine,
    }


def _snippet() -> Callable[..., Any]:
    async def snippet_(language: Literal["python", "javascript", "curl"], request: dict) -> str:  # type: ignore[type-arg]
        try:
            return snippet(language, parse_request(request))
        except PlaygroundError as error:
            raise gr.Error(str(error), print_exception=False) from error

    snippet_.__name__ = "snippet"
    snippet_.__doc__ = """Code that makes a picture with these settings through fal's queue.

    Args:
        language: python, javascript or curl.
        request: The settings by fal's names, prompt at least.

    Returns:
        The code as text. It reads the key from the environment variable FAL_KEY.
    """
    return snippet_


def _api_type(parameter: Parameter) -> Any:
    types: dict[str, Any] = {"text": str, "integer": int, "switch": bool, "size": str | dict}
    if parameter.kind == "choice":
        return Literal[parameter.choices]
    if parameter.kind == "slider":
        return int if isinstance(parameter.default, int) else float
    return types[parameter.kind]


def _with_signature(
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
