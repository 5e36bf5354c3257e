"""What was spent, and how much room the pictures take: the routes behind the panel that the header opens."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from pydantic import AwareDatetime

from services.library.spending import spending
from services.playground import Playground
from services.run import now
from ui.history.tab import zone_of
from ui.visitors import visitor_of


def usage_routes(playground: Playground) -> APIRouter:
    router = APIRouter(prefix="/usage")

    @router.get("")
    async def usage(request: Request, zone: str = "") -> dict[str, Any]:
        """Sums of services.library.spending.Spending, and `storage`: services.library.storage.Usage."""
        scope = playground.scope(visitor_of(request))
        spent = await asyncio.to_thread(spending, playground.history, scope, now(), zone_of(zone))
        room = await asyncio.to_thread(playground.storage.usage, scope)
        return {**asdict(spent), "storage": asdict(room)}

    @router.get("/removed")
    async def removed(request: Request, since: Annotated[AwareDatetime, Query()]) -> dict[str, Any]:
        """The originals that were removed to save space since then; `newest` is what to ask with the next time."""
        scope = playground.scope(visitor_of(request))
        found = await asyncio.to_thread(playground.storage.removed, scope, since)
        limit = playground.settings.media_limit_bytes
        newest: datetime | None = found.newest
        return {**asdict(found), "newest": newest.isoformat() if newest else None, "limit_bytes": limit}

    return router
