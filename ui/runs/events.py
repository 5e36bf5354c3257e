"""The stream of changes that every open page listens to."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter, Request
from sse_starlette import EventSourceResponse, ServerSentEvent

from services.library.scope import Scope
from services.playground import Playground
from services.running.feed import AT_ONCE
from services.version import VERSION
from ui.cards import card
from ui.visitors import visitor_of


def event_routes(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.get("/events")
    async def events(request: Request, after: str = "") -> EventSourceResponse:
        """Changes of this visitor's runs as they are committed, after the event whose id is in `Last-Event-ID`, else in
        `after`, else after the newest.

        An event's id is `<epoch>.<revision>`. The first event is `hello`, or `anew` where the id is of another history
        or cannot be read: what the page shows may be of a history that is gone, and it is to be read again. Both carry
        `epoch` and `version`.
        """
        last_id = request.headers.get("last-event-id", "") or after
        newest = await playground.pools.reads(playground.history.revision)
        start = _revision(last_id, playground.history.epoch, newest)
        hello = ServerSentEvent(
            data=json.dumps({"epoch": playground.history.epoch, "version": VERSION}),
            event="hello" if start is not None or not last_id else "anew",
        )
        scope = playground.scope(visitor_of(request))
        stream = _changes(playground, scope, newest if start is None else start, hello)
        return EventSourceResponse(stream, ping=15, headers={"X-Accel-Buffering": "no"})

    return router


def _revision(last_id: str, epoch: str, newest: int) -> int | None:
    """The revision in an event's id; None where it is of another history, or no id. A number alone is what the version
    before this one wrote: it is believed unless this history has not come so far."""
    found = re.fullmatch(r"(?:(\w{1,20})\.)?(-?[0-9]{1,18})", last_id, re.ASCII)
    if not found or found[1] not in (None, epoch):
        return None
    revision = int(found[2])
    return revision if revision <= newest else None


async def _changes(
    playground: Playground, scope: Scope, cursor: int, hello: ServerSentEvent
) -> AsyncIterator[ServerSentEvent]:
    """`hello`, then each change as an event with the fields that differ from what this stream last sent of that run."""
    yield hello
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
                data = json.dumps({**delta, "id": entry.run.id, "seq": entry.seq})
                yield ServerSentEvent(data=data, id=f"{playground.history.epoch}.{cursor}", event="run")
            if len(batch) < AT_ONCE:
                await wake.wait()
