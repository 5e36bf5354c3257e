"""Graceful shutdown of the server: waiting callers are given an error, and open streams are ended properly.

By default uvicorn waits for open streams in vain and then cuts them off, each with a traceback in the log.
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
"""Time in which waiting callers are sent their errors, before streams are ended."""


class Server(uvicorn.Server):
    """uvicorn's server. It exempts the objects of the start from garbage collection, and at shutdown ends waiting calls
    and streams before it closes connections."""

    def __init__(self, config: uvicorn.Config, playground: Playground, streams: Streams) -> None:
        super().__init__(config)
        self._playground, self._streams = playground, streams
        self._settling: asyncio.Task[None] | None = None
        # By default sse-starlette cuts its streams off at the signal, sometimes before they have been ended here.
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
    """Exempt all present objects from garbage collection: they stay, and scanning them repeatedly would stall pages."""
    gc.collect()
    gc.freeze()


class Streams:
    """ASGI middleware, the outermost. After `end`, the app receives `http.disconnect` for each request whose body it
    has read; a response that it then leaves unfinished is completed here."""

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
