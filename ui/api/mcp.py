"""Where Gradio's MCP server finds the app that it stands in."""

from __future__ import annotations

import gradio as gr
from starlette.types import ASGIApp, Receive, Scope, Send

MCP = "/gradio_api/mcp"


class CallsItself:
    """ASGI middleware: Gradio's MCP server calls its tools at the address of our own socket.

    It calls them over HTTP, by one client that is made for the first call and kept. Left alone, that client's address
    is the Host header of that call: who came first would have the prompts and tokens of all later callers sent to a
    machine of their choice. Behind a proxy or in a container that address may not be reachable from here at all.
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
