"""The Compare tab: the viewer for two to eight pictures, and its route."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr
from fastapi import APIRouter, Request

from services.compare.diff import PICTURES_MAX, PICTURES_MIN, compare, labels, markdown, prompt_diff, summary
from services.errors import FieldIssue, InvalidRequest, NotFound
from services.playground import Playground
from services.run import Run
from ui.cards import loose_card
from ui.visitors import visitor_of
from ui.widgets import widget


@dataclass(frozen=True)
class ComparePanel:
    views: gr.HTML
    """Switches between the two below."""
    viewer: gr.HTML
    grid: gr.HTML


def build_compare() -> ComparePanel:
    return ComparePanel(views=widget("views"), viewer=widget("viewer"), grid=widget("grid"))


def compare_routes(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.get("/compare")
    async def comparison(request: Request, ids: str) -> dict[str, Any]:
        """Two to eight pictures of this visitor, in the order of `ids`, and what differs between them.

        `missing` lists the ids that this visitor cannot see, or that have no picture (yet).
        """
        wanted = _wanted(ids)
        visitor = visitor_of(request)
        found = await asyncio.gather(*(_picture(playground, visitor, run_id) for run_id in wanted))
        runs = [run for run in found if run]
        missing = [run_id for run_id, run in zip(wanted, found, strict=True) if run is None]
        return {"missing": missing, **await playground.pools.sums(_compared, runs)}

    return router


def _wanted(ids: str) -> list[str]:
    wanted = list(dict.fromkeys(part.strip() for part in ids.split(",") if part.strip()))
    if not PICTURES_MIN <= len(wanted) <= PICTURES_MAX:
        message = f"Compare takes {PICTURES_MIN} to {PICTURES_MAX} pictures, not {len(wanted)}."
        raise InvalidRequest((FieldIssue(field="ids", message=message),))
    return wanted


async def _picture(playground: Playground, visitor: str | None, run_id: str) -> Run | None:
    try:
        run = await playground.run(visitor, run_id)
    except NotFound:
        return None
    return run if run.picture and not run.deleted_at else None


def _compared(runs: list[Run]) -> dict[str, Any]:
    table = compare(runs)
    prompts = [run.request.prompt for run in runs]
    return {
        "pictures": [loose_card(run) for run in runs],
        "table": asdict(table),
        "labels": labels(runs),
        "prompts": [[asdict(token) for token in prompt_diff(prompts[0], prompt)] for prompt in prompts],
        "summary": summary(table),
        "markdown": markdown(table),
    }
