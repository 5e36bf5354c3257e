"""`/history` of the public API, and the MCP tool of the same name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from services.library.query import parse
from services.library.search import Search
from services.playground import Playground
from services.run import Run, RunState
from ui.api.calls import errors_as_sentences, typed
from ui.visitors import visitor_of

MAX_RUNS = 200


def add_history_api(playground: Playground) -> None:
    """Register the endpoint in the surrounding gr.Blocks."""
    gr.api(_history(playground), api_name="history", concurrency_limit=None)


def _history(playground: Playground) -> Callable[..., Any]:
    search = Search(playground.history)

    async def history(query: str = "", limit: int = 20, offset: int = 0, request: gr.Request = None) -> dict[str, Any]:  # type: ignore[assignment]
        scope = playground.scope(visitor_of(request))
        with errors_as_sentences():
            found = parse(typed("query", query, str, "text"))
            size = max(1, min(typed("limit", limit, int, "whole number"), MAX_RUNS))
            skip = max(0, min(typed("offset", offset, int, "whole number"), 2**31))
        entries = await playground.pools.reads(search.page, scope, found, limit=size, skip=skip)
        total = await playground.pools.reads(search.count, scope, found)
        return {"total": total, "runs": [described(entry.run) for entry in entries]}

    history.__doc__ = f"""Find pictures that were made before, newest first.

    Args:
        query: What to find; empty finds all. Words and "phrases" of the prompt, -word to exclude, and fields such as
            steps:>30, guidance:3-5, seed:42, size:1024x768, format:png, is:favourite, is:failed, engine:fal,
            after:2026-01-31, cost:>0.05, took:>10, project:"Slow Travel", tag:poster, notes:"for client", grid:any.
        limit: How many at most, 1 to {MAX_RUNS}.
        offset: How many of the newest to leave out.

    Returns:
        total (how many match) and runs, each with run_id, state, request_id, seed, request, media (the picture's path
        on this server, or null), created_at, cost_usd (an estimate), seconds, engine, favourite, tags, notes, grid_id,
        error.
    """
    return history


def described(run: Run) -> dict[str, Any]:
    """A run as API callers get it, without its file."""
    return {
        "run_id": run.id,
        "state": run.state.value,
        "request_id": run.ticket.request_id if run.ticket else None,
        "seed": run.seed,
        "request": run.request.but(seed=run.seed).values,
        "media": f"/media/{run.picture.name}" if run.picture and not run.original_removed_at else None,
        "created_at": run.created_at.isoformat(),
        "cost_usd": run.cost_usd if run.state is RunState.DONE else None,
        "seconds": run.seconds,
        "engine": run.engine,
        "favourite": run.favourite,
        "tags": list(run.tags),
        "notes": run.notes,
        "grid_id": run.grid_id,
        "error": run.failure.message if run.failure else None,
    }
