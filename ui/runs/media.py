"""Serves pictures and thumbnails. Access is not checked: whoever knows an unguessable address may read the file."""

from __future__ import annotations

from fastapi import APIRouter, HTTPException
from fastapi.responses import Response

from services.library.media import CONTENT_TYPES
from services.library.media_store import MediaKind
from services.playground import Playground
from ui.web.assets import FOREVER


def media_routes(playground: Playground) -> APIRouter:
    router = APIRouter()

    async def serve(kind: MediaKind, name: str) -> Response:
        data = await playground.pools.pictures(playground.media.read, kind, name)
        if data is None:
            raise HTTPException(404, "There is no such picture.")
        media_type = CONTENT_TYPES[name.partition(".")[2]]
        return Response(data, media_type=media_type, headers={**FOREVER, "X-Content-Type-Options": "nosniff"})

    @router.get("/media/{name}")
    async def media(name: str) -> Response:
        return await serve("media", name)

    @router.get("/thumbs/{name}")
    async def thumbs(name: str) -> Response:
        return await serve("thumbs", name)

    return router
