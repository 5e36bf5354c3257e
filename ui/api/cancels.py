"""The routes to which Gradio's clients send `job.cancel()`. They stand before Gradio's own, which cancel every call of
the same function by the same client."""

from __future__ import annotations

import gradio as gr
from fastapi import APIRouter, HTTPException
from pydantic import BaseModel

from ui.api.calls import Calls

NOT_UNDER_WAY = "No call with this event id is under way: it has ended, or the id is wrong."


class Named(BaseModel):
    """Clients also send the session and the function. The event id is enough: only the call's own client knows it."""

    event_id: str


def cancel_routes(calls: Calls, page: gr.Blocks) -> APIRouter:
    router = APIRouter(prefix="/gradio_api")

    async def cancel(event_id: str) -> bool:
        return await calls.cancel(event_id, page._queue.event_ids_to_events)

    @router.post("/cancel")
    async def cancel_call(body: Named) -> dict[str, bool]:
        """Cancel the pictures that this one call asked for; the call ends when they have."""
        if not await cancel(body.event_id):
            raise HTTPException(404, NOT_UNDER_WAY)
        return {"success": True}

    @router.post("/reset")
    @router.post("/reset/")
    async def reset_call(body: Named) -> dict[str, bool]:
        """What clients send after `/cancel`, and gradio_client instead of it where it did not know the event id yet."""
        await cancel(body.event_id)
        return {"success": True}

    return router
