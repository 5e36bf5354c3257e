"""`/start`, `/run` and `/cancel` of the public API, and the MCP tools of the same names: pictures without waiting."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from services.errors import FieldIssue, InvalidRequest
from services.library.scope import EVERYONE
from services.models.registry import MODEL_NAMES
from services.playground import Playground
from services.run import Run, RunState
from ui.api.calls import Calls, errors_as_sentences
from ui.api.endpoints import api_arguments, ask, outcome, with_signature
from ui.presses import press_of_call
from ui.visitors import visitor_of

NO_SUCH_PICTURE = "There is no such picture."
WAIT_MAX_SECONDS = 3600
CANCEL_SECONDS = 5.0
"""How long `/cancel` waits for fal's word that a run has stopped."""
STATE = (
    "run_id, state (pending, submitting, submitted, queued, running, done, failed, cancelled or unknown), request_id, "
    "seed, image (file, or null), request, cost_usd (an estimate), seconds, engine, error (why it failed, or null), "
    "verdict, rating, favourite, tags, notes."
)


def add_run_api(playground: Playground, calls: Calls) -> None:
    """Register the endpoints in the surrounding gr.Blocks."""
    gr.api(_start(playground, calls), api_name="start", concurrency_limit=None)
    gr.api(_run(playground), api_name="run", concurrency_limit=None)
    gr.api(_cancel(playground), api_name="cancel", concurrency_limit=None)


async def run_of(playground: Playground, visitor: str | None, run_id: Any) -> Run:
    """A run that this caller may see, by its id; without a token, one of nobody's. Raises gr.Error."""
    named = [run_id] if isinstance(run_id, str) and run_id.isascii() else []
    run = (await playground.pools.reads(playground.history.many, named, EVERYONE)).get(run_id) if named else None
    is_own = run and (playground.settings.history_mode == "shared" or run.visitor == visitor)
    if run and is_own and not run.deleted_at:
        return run
    raise gr.Error(NO_SUCH_PICTURE, print_exception=False)


def whole_outcome(run: Run, playground: Playground) -> dict[str, Any]:
    """A run as `/run`, `/cancel` and later functions answer it, whatever has become of it."""
    free = run.state in (RunState.FAILED, RunState.CANCELLED) and not (run.failure and run.failure.charged)
    return {
        **outcome(run, playground),
        "cost_usd": 0.0 if free else run.cost_usd,
        "error": run.failure.message if run.failure else None,
        "verdict": "pick" if run.favourite else "none",
        "rating": 0,
        "favourite": run.favourite,
        "tags": list(run.tags),
        "notes": run.notes,
    }


def _start(playground: Playground, calls: Calls) -> Callable[..., Any]:
    async def start(request: gr.Request, **settings: Any) -> dict[str, Any]:
        with calls.begin(request) as call:
            run = await ask(playground, call, settings, press_of_call(request, "start", settings))
            return {"run_id": run.id, "state": run.state.value}

    return with_signature(
        start,
        f"Ask for one picture with {MODEL_NAMES} and return at once; /run tells what becomes of it.",
        api_arguments(),
        "run_id and state.",
    )


def _run(playground: Playground) -> Callable[..., Any]:
    async def run(run_id: str, wait_seconds: float = 0, request: gr.Request = None) -> dict[str, Any]:  # type: ignore[assignment]
        with errors_as_sentences():
            seconds = _seconds(wait_seconds)
            found = await run_of(playground, visitor_of(request), run_id)
            ended = await _ended_within(playground, found, seconds)
        return await playground.pools.pictures(whole_outcome, ended, playground)

    run.__doc__ = f"""What has become of a picture that was asked for; it may be waited for.

    Args:
        run_id: The id that start or generate returned.
        wait_seconds: How long to wait for its end, 0 to {WAIT_MAX_SECONDS}; 0 answers at once.

    Returns:
        {STATE}
    """
    return run


def _cancel(playground: Playground) -> Callable[..., Any]:
    async def cancel(run_id: str, request: gr.Request = None) -> dict[str, Any]:  # type: ignore[assignment]
        with errors_as_sentences():
            found = await run_of(playground, visitor_of(request), run_id)
            if not found.state.is_final:
                found = await _ended_within(playground, await playground.runner.cancel(found), CANCEL_SECONDS)
        return await playground.pools.pictures(whole_outcome, found, playground)

    cancel.__doc__ = f"""Cancel a picture that was asked for.

    At once if it was not sent, else by asking fal, which may still finish it: then the picture is kept.

    Args:
        run_id: The id that start or generate returned.

    Returns:
        {STATE}
    """
    return cancel


def _seconds(wait_seconds: Any) -> float:
    number = isinstance(wait_seconds, int | float) and not isinstance(wait_seconds, bool)
    if not number or not 0 <= wait_seconds <= WAIT_MAX_SECONDS:
        message = f"wait_seconds: “{str(wait_seconds)[:40]}” is no number from 0 to {WAIT_MAX_SECONDS}."
        raise InvalidRequest((FieldIssue(field="wait_seconds", message=message),))
    return float(wait_seconds)


async def _ended_within(playground: Playground, run: Run, seconds: float) -> Run:
    """The run when it has ended, or as it is after so many seconds."""
    if run.state.is_final or seconds == 0:
        return run
    try:
        with playground.clock.limit(seconds):
            return await playground.finished(None, run.id)
    except TimeoutError:
        return await playground.pools.reads(playground.history.get, run.id, EVERYONE)
