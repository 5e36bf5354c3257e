"""The routes behind the panel that the header opens: what was spent, and the storage that the pictures take."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator, AwareDatetime

from services.library.spending import spending
from services.playground import Playground
from services.run import now
from ui.history.tab import zone_of
from ui.visitors import visitor_of


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(timezone.utc)
    except OverflowError as error:
        raise ValueError("in UTC it lies outside the years 1 to 9999") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


def usage_routes(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/usage")

    @router.get("")
    async def usage(request: Request, zone: str = "") -> dict[str, Any]:
        """The fields of services.library.spending.Spending; `storage` has those of services.library.storage.Usage."""
        scope = playground.scope(visitor_of(request))
        spent = await playground.pools.chores(spending, playground.history, scope, now(), zone_of(zone))
        room = await playground.pools.chores(playground.storage.usage, scope)
        return {**asdict(spent), "storage": asdict(room)}

    @router.get("/removed")
    async def removed(request: Request, since: Annotated[Moment, Query()]) -> dict[str, Any]:
        """The originals removed to save space after `since`; `newest` is the `since` of the next request."""
        scope = playground.scope(visitor_of(request))
        found = await playground.pools.reads(playground.storage.removed, scope, since)
        limit = playground.settings.media_limit_bytes
        newest: datetime | None = found.newest
        return {**asdict(found), "newest": newest.isoformat() if newest else None, "limit_bytes": limit}

    return router
