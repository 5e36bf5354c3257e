"""A run as the page's scripts see it. Everything is plain data; the scripts write it as text, never as HTML."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from services.compare.diff import value_text
from services.library.query import INBOX
from services.library.rows import Entry
from services.library.stacks import Stack
from services.models.registry import PARAMETERS
from services.request import caption
from services.run import Run, RunState

REMOVED = "The original was removed to save space; this small copy of it is kept."
NEVER_HERE = "Restored without its picture. Drop an export that holds it, and it is back."
NO_PICTURE = (
    "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 96 64'%3E%3Cpath fill='none' "
    "stroke='%238d8d9b' d='M30 18h36v28H30zM30 40l10-9 8 7 6-5 12 10M66 14 30 50'/%3E%3C/svg%3E"
)
PROMPT_CUT = 280
"""Characters of a prompt that a card holds; the details have the whole prompt."""

NOTES_CUT = 280
"""Characters of the notes that a card holds; the details have all of them."""


def card(entry: Entry) -> dict[str, Any]:
    run = entry.run
    width, height = (run.picture.width, run.picture.height) if run.picture else run.request.shape
    return {
        "id": run.id,
        "seq": entry.seq,
        "revision": run.revision,
        "state": run.state.value,
        "seed": run.seed,
        "engine": run.engine,
        "prompt": run.request.prompt[:PROMPT_CUT],
        "prompt_cut": len(run.request.prompt) > PROMPT_CUT,
        "caption": caption(run.request),
        "settings": {name: value for name, value in run.request.values.items() if name != "prompt"},
        "facts": _facts(run),
        "width": width,
        "height": height,
        "position": run.queue_position,
        "progress": run.progress,
        "note": run.note,
        "cancelling": run.cancel_asked and not run.state.is_final,
        "failure": _failure(run),
        **_files(run),
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


def loose_card(run: Run) -> dict[str, Any]:
    """A card without `seq`, for a run whose place in the history's order is not needed."""
    return {name: value for name, value in card(Entry(0, run)).items() if name != "seq"}


def _files(run: Run) -> dict[str, Any]:
    """Addresses of the picture and its thumbnail. The thumbnail replaces a removed original, NO_PICTURE a missing
    thumbnail."""
    if run.picture is None:
        return {"media": None, "thumb": None, "gone": None}
    thumb = f"/thumbs/{run.picture.thumb}" if run.picture.thumb else NO_PICTURE
    if run.original_removed_at is None:
        return {"media": f"/media/{run.picture.name}", "thumb": thumb, "gone": None}
    return {"media": thumb, "thumb": thumb, "gone": REMOVED if run.picture.thumb else NEVER_HERE}


def _facts(run: Run) -> list[tuple[str, str]]:
    """Every parameter but the prompt, as (short name, value in words)."""
    values = {**run.request.values, "seed": run.seed}
    return [
        (PARAMETERS[name].short if name in PARAMETERS else name, value_text(name, value))
        for name, value in values.items()
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
    """The whole request, fal's request id and the notes, for the details panel and Copy link."""
    return {
        "id": run.id,
        "request": run.request.but(seed=run.seed).values,
        "request_id": run.ticket.request_id if run.ticket else None,
        "notes": run.notes,
    }
