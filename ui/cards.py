"""A run as the page's scripts see it. Everything is plain data; the scripts write it as text, never as HTML."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.library.history import Entry
from services.library.query import INBOX
from services.library.stacks import Stack
from services.request import PARAMETERS, caption, in_words
from services.run import Run, RunState

PROMPT_CUT = 280
"""Characters of a prompt that travel with a card; the details fetch the rest."""

NOTES_CUT = 280
"""The same of the notes."""


def card(entry: Entry) -> dict[str, Any]:
    run = entry.run
    width, height = (run.picture.width, run.picture.height) if run.picture else run.request.pixels
    return {
        "id": run.id,
        "seq": entry.seq,
        "state": run.state.value,
        "seed": run.seed,
        "engine": run.engine,
        "prompt": run.request.prompt[:PROMPT_CUT],
        "prompt_cut": len(run.request.prompt) > PROMPT_CUT,
        "caption": caption(run.request),
        "settings": run.request.model_dump(mode="json", exclude={"prompt"}),
        "facts": _facts(run),
        "width": width,
        "height": height,
        "position": run.queue_position,
        "progress": run.progress,
        "note": run.note,
        "cancelling": run.cancel_asked and not run.state.is_final,
        "failure": _failure(run),
        "media": f"/media/{run.picture.name}" if run.picture else None,
        "thumb": f"/thumbs/{run.picture.thumb}" if run.picture else None,
        "bytes": run.picture.bytes if run.picture else None,
        "content_type": run.picture.content_type if run.picture else None,
        "picture_note": run.picture.note if run.picture else None,
        "favourite": run.favourite,
        "cost_usd": run.cost_usd if run.state is RunState.DONE else None,
        "billed": run.billed_units is not None,
        "seconds": run.seconds,
        "queue_seconds": run.queue_seconds,
        "created_at": run.created_at.isoformat(),
        "submitted_at": run.submitted_at.isoformat() if run.submitted_at else None,
        "deleted": run.deleted_at is not None,
        "grid": run.grid_id,
        "project": run.project_id or INBOX,
        "notes": run.notes[:NOTES_CUT],
        "notes_cut": len(run.notes) > NOTES_CUT,
        "tags": run.tags,
        "repeat_of": run.repeat_of,
    }


def stack_card(stack: Stack) -> dict[str, Any]:
    """A grid's runs as one card."""
    return {**asdict(stack), "thumbs": [f"/thumbs/{name}" for name in stack.thumbs]}


def _facts(run: Run) -> list[tuple[str, str]]:
    """Every parameter but the prompt, as (short name, value in words)."""
    shown = {"seed": str(run.seed), "image_size": " × ".join(map(str, run.request.pixels))}
    return [
        (parameter.short, shown.get(name) or in_words(getattr(run.request, name)))
        for name, parameter in PARAMETERS.items()
        if name != "prompt"
    ]


def _failure(run: Run) -> dict[str, Any] | None:
    """What went wrong and the one button that may help."""
    if run.failure is None:
        return None
    if run.state is RunState.UNKNOWN:
        action = "Send again"
    elif run.failure.field:
        action = "Edit settings"
    elif run.failure.retryable:
        action = "Retry"
    else:
        action = None
    return {
        "message": run.failure.message,
        "field": run.failure.field,
        "action": action,
        "not_charged": run.failure.charged is False,
    }


def details(run: Run) -> dict[str, Any]:
    """The whole request and what fal said of it, for the details panel and Copy link."""
    return {
        "id": run.id,
        "request": run.request.vary(seed=run.seed).model_dump(mode="json"),
        "request_id": run.ticket.request_id if run.ticket else None,
        "notes": run.notes,
    }
