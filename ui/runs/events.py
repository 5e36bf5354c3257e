"""The stream of changes that every open page listens to."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.library.scope import Scope
from services.playground import Playground
from services.running.feed import AT_ONCE
from ui.cards import card
from ui.runs.runs import Number
from ui.visitors import visitor_of


def event_routes(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.get("/events")
    async def events(request: Request, after: Number = None) -> EventSourceResponse:
        """Changes of this visitor's runs as they are committed, after the revision in `Last-Event-ID`, else in `after`,
        else after the newest."""
        last_id = request.headers.get("last-event-id", "")
        start = int(last_id) if re.fullmatch(r"[0-9]{1,18}", last_id) else after
        if start is None:
            start = await asyncio.to_thread(playground.history.revision)
        stream = _changes(playground, playground.scope(visitor_of(request)), start)
        return EventSourceResponse(stream, ping=15, headers={"X-Accel-Buffering": "no"})

    return router


async def _changes(playground: Playground, scope: Scope, cursor: int) -> AsyncIterator[ServerSentEvent]:
    """Each change as an event with the fields that differ from what this stream last sent of that run."""
    sent: dict[str, dict[str, Any]] = {}
    with playground.changes.listen(scope) as wake:
        while not playground.changes.closed:
            wake.clear()
            batch = await playground.feed.since(scope, cursor)
            for entry in batch:
                cursor = entry.run.revision
                fresh, before = card(entry), sent.get(entry.run.id, {})
                delta = {name: value for name, value in fresh.items() if name not in before or before[name] != value}
                sent[entry.run.id] = fresh
                if entry.run.state.is_final:
                    del sent[entry.run.id]  # a final run seldom changes again; if it does, it is sent whole
                yield ServerSentEvent(
                    data=json.dumps({**delta, "id": entry.run.id, "seq": entry.seq}), id=str(cursor), event="run"
                )
            if len(batch) < AT_ONCE:
                await wake.wait()
