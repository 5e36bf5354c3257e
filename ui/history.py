"""The History tab: everything that was made, found again. The page is drawn by assets/js/history*.js."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timezone, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import gradio as gr
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.library.bulk import Bulk, Chosen, Found, Named
from services.library.query import FIELDS, parse
from services.library.search import Search, Sort
from services.playground import Playground
from services.request import PARAMETERS
from ui.cards import card
from ui.visitors import visitor_of
from ui.widgets import widget

PAGE_SIZE = 96
MAX_PAGE = 200


@dataclass(frozen=True)
class HistoryPanel:
    results: gr.HTML


def build_history() -> HistoryPanel:
    return HistoryPanel(results=widget("history"))


class ChosenRuns(BaseModel):
    """Which runs a bulk action means: `ids`, or all that `query` finds up to `newest` but for `but_for`."""

    model_config = ConfigDict(extra="forbid")

    ids: tuple[str, ...] | None = None
    query: str = ""
    zone: str = ""
    newest: int = Field(default=-(2**62), ge=-(2**62), lt=2**63)
    but_for: tuple[str, ...] = ()
    on: bool = True
    """For favourite: whether they become favourites or cease to be."""

    def chosen(self) -> Chosen:
        if self.ids is not None:
            return Named(self.ids)
        return Found(parse(self.query, zone_of(self.zone)), self.newest, self.but_for)


Seq = Annotated[int, Field(gt=-(2**62), lt=2**63)]
"""Below zero for runs that were restored under what was there."""


def history_routes(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/history")
    search = Search(playground.history)

    @router.get("")
    async def page(
        request: Request, query: str = "", sort: Sort = "newest", limit: int = PAGE_SIZE, after: Seq | None = None,
        zone: str = "",
    ) -> dict[str, Any]:  # fmt: skip
        """Cards that match. `after` is the seq of the last one shown; days begin at midnight in `zone` (IANA name)."""
        scope, limit = playground.scope(visitor_of(request)), max(1, min(limit, MAX_PAGE))
        found = parse(query, zone_of(zone))
        entries = await asyncio.to_thread(search.page, scope, found, sort, limit=limit + 1, after=after)
        return {"runs": [card(entry) for entry in entries[:limit]], "more": len(entries) > limit}

    @router.get("/count")
    async def count(request: Request, query: str = "", newer_than: Seq = 0, zone: str = "") -> dict[str, int]:
        """How many match, of how many; with `newer_than`, only those asked for after the run of that seq count."""
        scope = playground.scope(visitor_of(request))
        found = parse(query, zone_of(zone))
        matching = await asyncio.to_thread(search.count, scope, found, newer_than=newer_than)
        if not found.terms and not newer_than:
            return {"count": matching, "total": matching}
        return {"count": matching, "total": await asyncio.to_thread(playground.history.count, scope)}

    @router.get("/fields")
    async def fields() -> dict[str, Any]:
        """What the search box understands, and the parameters in the table's order."""
        return {
            "fields": [
                {"name": field.name, "help": field.help, "examples": field.examples} for field in FIELDS.values()
            ],
            "parameters": [
                {"name": parameter.short, "kind": parameter.kind}
                for parameter in PARAMETERS.values()
                if parameter.kind != "text"
            ],
        }

    _add_bulk_actions(router, playground)
    return router


def _add_bulk_actions(router: APIRouter, playground: Playground) -> None:
    bulk = Bulk(playground.history, playground.changes, playground.cancel)

    @router.post("/favourite")
    async def favourite(request: Request, body: ChosenRuns) -> dict[str, Any]:
        visitor = visitor_of(request)
        return {"ids": await bulk.favourite(visitor, playground.scope(visitor), body.chosen(), body.on)}

    @router.post("/delete")
    async def delete(request: Request, body: ChosenRuns) -> dict[str, Any]:
        visitor = visitor_of(request)
        return {"ids": await bulk.delete(visitor, playground.scope(visitor), body.chosen())}

    @router.post("/restore")
    async def restore(request: Request, body: ChosenRuns) -> dict[str, Any]:
        visitor = visitor_of(request)
        return {"ids": await bulk.restore(visitor, playground.scope(visitor), Named(body.ids or ()))}


def zone_of(name: str) -> tzinfo:
    """A browser's time zone; UTC where this machine does not know it."""
    try:
        return ZoneInfo(name) if name else timezone.utc
    except (KeyError, ValueError, OSError):
        return timezone.utc
