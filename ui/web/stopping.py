"""A server that is told to stop: who waits for something hears of it, and open streams end as streams do.

Left alone, uvicorn waits for them in vain and then cuts them off in the middle, each with a traceback in the log.
"""

from __future__ import annotations

import asyncio
import gc
import socket

import uvicorn
from sse_starlette.sse import AppStatus
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.playground import Playground

LAST_WORDS_SECONDS = 0.5
"""For the errors that waiting callers are given; then streams end."""


class Server(uvicorn.Server):
    """uvicorn's, that begins with a clean slate and ends what waits before it closes connections."""

    def __init__(self, config: uvicorn.Config, playground: Playground, streams: Streams) -> None:
        super().__init__(config)
        self._playground, self._streams = playground, streams
        self._settling: asyncio.Task[None] | None = None
        # Left to itself, sse-starlette cuts its streams off at the signal, at times before they have been ended here.
        AppStatus.disable_automatic_graceful_drain()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        _set_aside()
        self._settling = asyncio.create_task(self._settle())

    async def _settle(self) -> None:
        await self._playground.warmed()
        _set_aside()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._playground.changes.close()
        await asyncio.sleep(LAST_WORDS_SECONDS)
        self._streams.end()
        await super().shutdown(sockets)


def _set_aside() -> None:
    """What was made by now stays: looking through it again and again for garbage would stall every page."""
    gc.collect()
    gc.freeze()


class Streams:
    """ASGI middleware, the outermost: `end` tells each request that was read to its end that its caller has gone. Then
    an answer that was begun is ended properly."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._ending = asyncio.Event()

    def end(self) -> None:
        self._ending.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        was_read, open_answer = False, False

        async def receive_or_end() -> Message:
            nonlocal was_read
            message = await (self._unless_ending(receive) if was_read else receive())
            was_read = was_read or not message.get("more_body")
            return message

        async def send_and_note(message: Message) -> None:
            nonlocal open_answer
            await send(message)
            open_answer = message["type"] == "http.response.start" or message.get("more_body", False)

        await self._app(scope, receive_or_end, send_and_note)
        if open_answer and self._ending.is_set():
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _unless_ending(self, receive: Receive) -> Message:
        message, ending = asyncio.ensure_future(receive()), asyncio.create_task(self._ending.wait())
        try:
            await asyncio.wait((message, ending), return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else {"type": "http.disconnect"}
        finally:
            message.cancel()
            ending.cancel()
