"""The History tab: search of all runs, and bulk actions. The scripts in assets/js/history/ draw it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timezone, tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import gradio as gr
from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from services.errors import NotFound
from services.library.bulk import Bulk, Chosen, Matching, Named
from services.library.labels import sound_tags, used_tags
from services.library.query import ALL, FIELDS, INBOX, Query, parse
from services.library.scope import Scope
from services.library.search import Search, Sort
from services.models.registry import PARAMETERS
from services.playground import Playground
from ui.history.page_of_cards import page_of_cards, stacks_of
from ui.visitors import visitor_of
from ui.widgets import widget

PAGE_SIZE = 96
MAX_PAGE = 200
MAX_IDS = 5_000
MAX_TAGS = 30


@dataclass(frozen=True)
class HistoryPanel:
    results: gr.HTML


def build_history() -> HistoryPanel:
    return HistoryPanel(results=widget("history"))


class ChosenRuns(BaseModel):
    """The runs of a bulk action: `ids`, or all that `query` finds up to the seq `newest`, except `but_for`."""

    model_config = ConfigDict(extra="forbid")

    ids: tuple[str, ...] | None = None
    query: str = ""
    zone: str = ""
    project: str = ALL
    """The project that the search looks through."""
    newest: int = Field(default=-(2**62), ge=-(2**62), lt=2**63)
    but_for: tuple[str, ...] = ()
    on: bool = True
    """Only for favourite: whether to mark the runs as favourites or to unmark them."""

    def chosen(self) -> Chosen:
        if self.ids is not None:
            return Named(self.ids)
        return Matching(parse(self.query, zone_of(self.zone)).within(self.project), self.newest, self.but_for)


class MovedRuns(ChosenRuns):
    to: str
    """A project's id, or `inbox`."""


class TaggedRuns(ChosenRuns):
    """Tags to `add` to each run and to `remove` from it; or `tags`, which replace all of its tags."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()
    tags: tuple[str, ...] | None = None

    def changed(self, before: tuple[str, ...]) -> tuple[str, ...]:
        if self.tags is not None:
            return sound_tags(self.tags)
        taken = {tag.casefold() for tag in sound_tags(self.remove)}
        return sound_tags([*(tag for tag in before if tag.casefold() not in taken), *self.add])


Seq = Annotated[int, Field(gt=-(2**62), lt=2**63)]
"""May be negative: imported runs that are older than the existing ones get seqs below theirs."""
SortValue = Annotated[float, Field(allow_inf_nan=False)]
"""What the history is sorted by besides the seq, such as steps. All such orders are by a number."""


def history_routes(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/history")
    search = Search(playground.history)

    def asked(request: Request, query: str, zone: str, project: str) -> tuple[Scope, Query]:
        return playground.scope(visitor_of(request)), parse(query, zone_of(zone)).within(project)

    @router.get("")
    async def page(
        request: Request, query: str = "", sort: Sort = "newest", limit: int = PAGE_SIZE, after: Seq | None = None,
        at: SortValue | None = None, zone: str = "", project: str = ALL,
    ) -> dict[str, Any]:  # fmt: skip
        """Cards that match in a project, the stacks among them, and `next`: the parameters that ask for the next page,
        None if there is none. `after` is the seq of the last card shown and `at` its value in the order, which is
        needed only if that run may be gone by then. Days begin at midnight in `zone` (IANA name)."""
        scope, found = asked(request, query, zone, project)
        limit = max(1, min(limit, MAX_PAGE))
        shown = await page_of_cards(playground, scope, found, sort, limit=limit, after=after, at=at)
        return {**shown, "next": await following(scope, sort, shown["runs"][-1]["seq"]) if shown["more"] else None}

    async def following(scope: Scope, sort: Sort, last: int) -> dict[str, float]:
        value = await playground.pools.reads(search.value_at, scope, sort, last)
        return {"after": last} if value is None else {"after": last, "at": value}

    @router.get("/stacks")
    async def stacks(
        request: Request, ids: str, query: str = "", zone: str = "", project: str = ALL
    ) -> dict[str, Any]:  # fmt: skip
        """The stacks of these grids as they are now, MAX_PAGE at most."""
        scope, found = asked(request, query, zone, project)
        return {"stacks": await stacks_of(playground, scope, found, set(ids.split(",")[:MAX_PAGE]))}

    @router.get("/ids")
    async def ids(
        request: Request, query: str = "", sort: Sort = "newest", limit: int = MAX_IDS, zone: str = "",
        project: str = ALL,
    ) -> dict[str, Any]:  # fmt: skip
        """The ids of all matching runs, every run of a grid included."""
        scope, found = asked(request, query, zone, project)
        limit = max(1, min(limit, MAX_IDS))
        return {"ids": await playground.pools.reads(search.ids, scope, found, sort, limit=limit)}

    @router.get("/tags")
    async def tags(request: Request, project: str = ALL) -> dict[str, Any]:
        """The tags that are used most."""
        scope, found = asked(request, "", "", project)
        used = await playground.pools.reads(used_tags, playground.history, scope, found, limit=MAX_TAGS)
        return {"tags": [asdict(tag) for tag in used]}

    @router.get("/count")
    async def count(
        request: Request, query: str = "", newer_than: Seq = 0, zone: str = "", project: str = ALL
    ) -> dict[str, int]:  # fmt: skip
        """`count`: matching runs, with `newer_than` only those of a greater seq; `total`: all runs of the project."""
        scope, found = asked(request, query, zone, project)
        matching = await playground.pools.reads(search.count, scope, found, newer_than=newer_than)
        if not found.terms and not newer_than:
            return {"count": matching, "total": matching}
        everything = Query(project=found.project)
        return {"count": matching, "total": await playground.pools.reads(search.count, scope, everything)}

    @router.get("/fields")
    async def fields() -> dict[str, Any]:
        """What the search box understands, and the parameters in the table's order."""
        return {
            "fields": [
                {"name": field.name, "help": field.help, "examples": field.examples} for field in FIELDS.values()
            ],
            "parameters": [
                {"name": parameter.short, "kind": parameter.kind.name}
                for parameter in PARAMETERS.values()
                if not parameter.kind.is_long
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
    async def undelete(request: Request, body: ChosenRuns) -> dict[str, Any]:
        visitor = visitor_of(request)
        return {"ids": await bulk.undelete(visitor, playground.scope(visitor), Named(body.ids or ()))}

    @router.post("/move")
    async def move(request: Request, body: MovedRuns) -> dict[str, Any]:
        """`before`: the moved ids grouped by their previous project, for Undo."""
        visitor = visitor_of(request)
        scope = playground.scope(visitor)
        to = await playground.pools.reads(playground.projects.check, scope, body.to)
        if to == ALL:
            raise NotFound("project")
        before = await bulk.move(visitor, scope, body.chosen(), None if to == INBOX else to)
        return {"before": [{"to": project or INBOX, "ids": ids} for project, ids in before.items()]}

    @router.post("/tags")
    async def tags(request: Request, body: TaggedRuns) -> dict[str, Any]:
        """`before`: the changed ids grouped by their previous tags, for Undo."""
        visitor = visitor_of(request)
        before = await bulk.tag(visitor, playground.scope(visitor), body.chosen(), body.changed)
        return {"before": [{"tags": tags, "ids": ids} for tags, ids in before.items()]}


def zone_of(name: str) -> tzinfo:
    """A browser's time zone; UTC where this machine does not know it."""
    try:
        return ZoneInfo(name) if name else timezone.utc
    except (KeyError, ValueError, OSError):
        return timezone.utc
