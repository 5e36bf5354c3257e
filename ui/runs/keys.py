"""Routes for a visitor's own fal key, and for deleting everything that is kept of a visitor."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, HTTPException, Request, Response

from services.playground import Playground
from ui.visitors import expired_cookie, visitor_of


def key_routes(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.post("/key")
    async def enter(request: Request) -> dict[str, Any]:
        """Body: `{"key": "…"}`. Not parsed by FastAPI, so that no error message repeats what was sent."""
        visitor = visitor_of(request)
        if visitor is None:
            raise HTTPException(401, "Open the page first: a key is kept for its visitor.")
        try:
            body = await request.json()
        except (ValueError, RecursionError):
            body = None
        key = body.get("key") if isinstance(body, dict) else None
        await playground.enter_key(visitor, key if isinstance(key, str) else "")
        return {"engine": "fal", "own_key": True}

    @router.delete("/key")
    async def forget(request: Request) -> dict[str, Any]:
        visitor = visitor_of(request)
        if visitor is not None:
            playground.forget_key(visitor)
        return {"engine": playground.engines.choose(visitor)[0], "own_key": False}

    @router.delete("/my-data")
    async def delete_everything(request: Request, response: Response) -> dict[str, int]:
        """Delete all that is kept of this visitor, for good, and the browser's cookie: it becomes a new visitor."""
        count = await playground.delete_everything(visitor_of(request))
        response.headers["set-cookie"] = expired_cookie(request.url.scheme == "https")
        response.headers["clear-site-data"] = '"cache"'  # pictures are cached for good
        return {"pictures": count}

    return router
