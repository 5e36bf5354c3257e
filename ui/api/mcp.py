"""The address at which Gradio's MCP server calls the app that it is part of."""

from __future__ import annotations

import gradio as gr
from starlette.types import ASGIApp, Receive, Scope, Send

MCP = "/gradio_api/mcp"


class CallsItself:
    """ASGI middleware: Gradio's MCP server calls its tools at the address of our own socket.

    It calls them over HTTP, with one client that it makes at the first call and keeps. By default that client's address
    is the Host header of the first call, so its caller could have the prompts and tokens of all later callers sent to a
    machine of their choice. Behind a proxy or in a container, that address may also be unreachable from here.
    """

    def __init__(self, app: ASGIApp, *, page: gr.Blocks) -> None:
        self._app, self._page = app, page

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        server = self._page.mcp_server_obj
        if scope["type"] == "http" and scope["path"].startswith(MCP) and server and server.local_url is None:
            host, port = scope["server"]
            server._local_url = (
                f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
            )  # as launch() does
        await self._app(scope, receive, send)
