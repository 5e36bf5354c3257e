"""The visitor's runs: a page of cards, one run's details and download, and what its buttons do."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta, timezone
from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Request
from fastapi.responses import Response

from services.code.fal_snippets import snippet
from services.errors import NotFound, OriginalRemoved
from services.library.query import Query as Search
from services.metadata import MetadataError, with_metadata
from services.playground import Playground
from services.run import AT_FAL_STATES, Run
from services.version import VERSION
from ui.cards import details
from ui.history.page_of_cards import page_of_cards
from ui.history.projects import projects_of
from ui.presses import Pressed
from ui.visitors import visitor_of

PAGE_SIZE = 48
Number = Annotated[int | None, Query(gt=-(2**62), lt=2**62)]
"""A seq or revision. Imported runs that are older than the existing ones may have negative seqs."""
JsonBody = Annotated[dict[str, Any] | None, Body()]


def run_routes(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/runs")

    @router.get("")
    async def page(
        request: Request, limit: int = PAGE_SIZE, before: Number = None, visit: float | None = None
    ) -> dict[str, Any]:
        """Cards of the visitor's project, newest first; for a stacked grid only its newest run's, and `stacks` has the
        stack. `cursor` is the revision after which `/events` goes on; the parameter `visit` is when this visit began,
        in ms since 1970."""
        visitor = visitor_of(request)
        cursor = await playground.pools.reads(playground.history.revision)
        projects = await projects_of(playground, visitor)
        scope, query = playground.scope(visitor), Search(project=projects["project"])
        shown = await page_of_cards(playground, scope, query, limit=max(1, min(limit, 200)), after=before)
        return {
            "cursor": cursor,
            "epoch": playground.history.epoch,
            "version": VERSION,
            **shown,
            **projects,
            "visit": await _visit(playground, visitor, visit),
            "engine": playground.engines.choose(visitor)[0],
            "own_key": playground.engines.has_key(visitor),
            "own_history": playground.settings.history_mode == "visitor",
            "backup_days": playground.settings.playground_backups,
            "notice": _notice(playground),
        }

    @router.get("/visit")
    async def visit(request: Request, since: float) -> dict[str, Any]:
        return await _visit(playground, visitor_of(request), since)

    @router.get("/{run_id}")
    async def one(request: Request, run_id: str) -> dict[str, Any]:
        return details(await playground.run(visitor_of(request), run_id))

    @router.get("/{run_id}/snippet")
    async def code(request: Request, run_id: str, language: str) -> dict[str, str]:
        run = await playground.run(visitor_of(request), run_id)
        return {"code": snippet(language, run.request.but(seed=run.seed))}  # type: ignore[arg-type]

    @router.get("/{run_id}/download")
    async def download(request: Request, run_id: str) -> Response:
        """A copy of the original that carries its settings, under a name of model, time and seed."""
        run = await playground.run(visitor_of(request), run_id)
        data = await playground.pools.pictures(_with_settings, playground, run)
        if data is None and run.picture and run.original_removed_at:
            raise OriginalRemoved(was_here=bool(run.picture.thumb))
        if data is None or run.picture is None:
            raise NotFound("picture file")
        ending = run.picture.name.partition(".")[2]
        name = f"flux-2-flex_{run.created_at:%Y%m%d-%H%M%S}_seed{run.seed}.{ending}"
        attachment = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type=run.picture.content_type, headers=attachment)

    _add_actions(router, playground)
    _add_presses(router, playground)
    return router


def _add_actions(router: APIRouter, playground: Playground) -> None:
    """What changes a run."""

    def action(name: str, do: Callable[[str | None, str, dict[str, Any]], Awaitable[Run]]) -> None:
        @router.post(f"/{{run_id}}/{name}", name=name)
        async def post(request: Request, run_id: str, body: JsonBody = None) -> dict[str, Any]:
            return {"runs": [(await do(visitor_of(request), run_id, body or {})).id]}

    action("cancel", lambda visitor, run_id, body: playground.cancel(visitor, run_id))
    action("delete", lambda visitor, run_id, body: playground.delete(visitor, run_id))
    action("restore", lambda visitor, run_id, body: playground.undelete(visitor, run_id))
    action("notes", lambda visitor, run_id, body: playground.note(visitor, run_id, str(body.get("notes") or "")))
    action("tags", lambda visitor, run_id, body: playground.tag(visitor, run_id, _listed(body.get("tags"))))
    action("favourite", lambda visitor, run_id, body: playground.favourite(visitor, run_id, bool(body.get("on"))))


def _add_presses(router: APIRouter, playground: Playground) -> None:
    """What makes pictures from a run."""

    @router.post("/{run_id}/retry", name="retry")
    async def retry(request: Request, run_id: str, press: Pressed, body: JsonBody = None) -> dict[str, Any]:
        """The run that came of it. `code` is `taken` where fal has the run itself and nothing was sent: `confirm` sends
        it even so."""
        confirm = bool((body or {}).get("confirm"))
        [run] = await playground.retry(visitor_of(request), run_id, confirm=confirm, press=press)
        taken = run.id == run_id and run.state in AT_FAL_STATES
        return {"runs": [run.id], **({"code": "taken"} if taken else {})}

    @router.post("/{run_id}/new-seeds", name="new-seeds")
    async def new_seeds(request: Request, run_id: str, press: Pressed) -> dict[str, Any]:
        return _asked(await playground.new_seeds(visitor_of(request), run_id, press=press))

    @router.post("/{run_id}/nearby", name="nearby")
    async def nearby(request: Request, run_id: str, press: Pressed, body: JsonBody = None) -> dict[str, Any]:
        field = str((body or {}).get("field"))
        return _asked(await playground.nearby(visitor_of(request), run_id, field, press=press))

    @router.post("/{run_id}/repeat", name="repeat")
    async def repeat(request: Request, run_id: str, press: Pressed) -> dict[str, Any]:
        return _asked(await playground.repeat(visitor_of(request), run_id, press=press))


def _asked(runs: list[Run]) -> dict[str, Any]:
    return {"runs": [run.id for run in runs]}


def _listed(value: Any) -> list[str]:
    return [str(one) for one in value] if isinstance(value, list) else []


def _notice(playground: Playground) -> str | None:
    """A notice for all visitors while this server runs; None where there is none."""
    aside, copied = playground.history.set_aside, playground.history.copied
    if aside:
        return (
            f"The history was damaged. It was set aside as {aside.name} in the data folder, and a new one was begun; "
            "the pictures' files are still there."
        )
    if copied and (copied.cancelled or copied.unanswered):
        return (
            "This history was put back from a copy. What waited in the copy to be made was not sent, for it may have "
            "been made since: look, and press Retry or Send again where you still want it."
        )
    return None


async def _visit(playground: Playground, visitor: str | None, since_ms: float | None) -> dict[str, Any]:
    """Pictures and cost since this visit began, but of the last day at most: the browser's clock may be wrong."""
    earliest = datetime.now(timezone.utc) - timedelta(days=1)
    try:
        since = max(earliest, datetime.fromtimestamp((since_ms or 0) / 1000, timezone.utc))
    except (ValueError, OverflowError, OSError):
        since = earliest
    totals = await playground.totals(visitor, since)
    return {"pictures": totals.pictures, "cost_usd": totals.cost_usd}


def _with_settings(playground: Playground, run: Run) -> bytes | None:
    """The original with its settings inside, or unchanged where they cannot be embedded: it was paid for. None where
    its file is gone."""
    data = playground.media.read("media", run.picture.name) if run.picture else None
    if data is None:
        return None
    try:
        return with_metadata(data, run)
    except MetadataError:
        return data
