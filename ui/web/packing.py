"""Compresses JSON responses with Brotli: a page of the history takes an eighth of its size.

Gradio compresses its own answers, assets are kept compressed, and pictures, archives and event streams gain nothing.
"""

from __future__ import annotations

import brotli
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.pools import Pool

QUALITY = 4
"""Brotli's quality, 0 to 11: about a millisecond for a page of the history."""
SMALLEST = 1000
"""Bytes; a smaller body is not compressed, since it fits into one packet anyway."""
LARGE = 100_000
"""Bytes; a larger body is compressed in a thread, so that other requests are answered meanwhile."""


class PackedJson:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, pool: Pool) -> None:
        """Bodies above LARGE are compressed in `pool`."""
        self._app, self._pool = app, pool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or "br" not in Headers(scope=scope).get("accept-encoding", ""):
            return await self._app(scope, receive, send)
        start: Message | None = None

        async def send_packed(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start" and _is_plain_json(MutableHeaders(scope=message)):
                start = message  # held back until the body's length is known
                return
            if start is not None:
                begun, start = start, None
                body = message.get("body", b"")
                if not message.get("more_body") and len(body) >= SMALLEST:
                    message = {**message, "body": await self._packed(body)}
                    headers = MutableHeaders(scope=begun)
                    headers["content-encoding"] = "br"
                    headers["content-length"] = str(len(message["body"]))
                    headers.add_vary_header("accept-encoding")
                await send(begun)
            await send(message)

        await self._app(scope, receive, send_packed)

    async def _packed(self, body: bytes) -> bytes:
        return await self._pool(_compress, body) if len(body) > LARGE else _compress(body)


def _is_plain_json(headers: Headers) -> bool:
    return headers.get("content-type", "").startswith("application/json") and "content-encoding" not in headers


def _compress(body: bytes) -> bytes:
    return brotli.compress(body, mode=brotli.MODE_TEXT, quality=QUALITY)
