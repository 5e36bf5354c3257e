"""The limit on a request's body: JSON is read into memory as a whole before any route can look at it."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_MAX = 4 * 2**20
"""Bytes. The longest that the page sends is a grid whose axes have 100,000 characters each."""
DRAINED_MAX = 64 * 2**20
"""Bytes of a refused body that are read and dropped: a client that is still sending does not look for the answer."""
FILES = ("/archive/imports", "/settings-of-file")
"""Routes whose body is a file. They read it in parts, and have limits of their own."""
SENTENCE = (
    f"This request is larger than {BODY_MAX // 2**20} MB, the most that is taken at once. Send it in smaller parts: "
    "fewer entries, shorter texts."
)


class Bodies:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in FILES:
            return await self._app(scope, receive, send)
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if length.isdecimal() and (len(length) > 15 or int(length) > BODY_MAX):
            return await _refuse(scope, receive, send)
        if "transfer-encoding" not in headers:
            return await self._app(scope, receive, send)
        # The length of a body in chunks is known when it has been read.
        body = bytearray()
        while (message := await receive())["type"] == "http.request":
            body += message.get("body", b"")
            if len(body) > BODY_MAX:
                return await _refuse(scope, receive, send)
            if not message.get("more_body"):
                whole: Message = {"type": "http.request", "body": bytes(body), "more_body": False}
                return await self._app(scope, first(whole, receive), send)


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    dropped, more = 0, True
    while more and dropped < DRAINED_MAX:
        message = await receive()
        dropped += len(message.get("body", b""))
        more = message.get("more_body", False)
    answer = JSONResponse({"message": SENTENCE, "issues": []}, 413, {"Connection": "close"})
    await answer(scope, receive, send)


def first(message: Message, receive: Receive) -> Receive:
    """A receive that gives `message` first."""
    left = [message]

    async def next_message() -> Message:
        return left.pop() if left else await receive()

    return next_message
