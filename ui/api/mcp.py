"""What stands before Gradio's MCP server: the address at which it calls the app that it is part of, the notices by
which clients cancel a tool's call, and keys of presses as arguments."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Collection
from typing import Any

import gradio as gr
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.api.calls import MARK, Calls
from ui.presses import HEADER
from ui.visitors import token_of
from ui.web.bodies import first

MCP = "/gradio_api/mcp"
ARGUMENT = "idempotency_key"
KEY_SCHEMA = {
    "type": "string",
    "description": "A name of your choice for this call, 16 to 255 characters. The same call with the same key makes "
    "nothing again and returns the same pictures, for a day: repeat it when no answer came.",
}


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


class CancelNotices:
    """ASGI middleware: MCP's `notifications/cancelled` stops what fal has not begun of the call that it names.

    The notice comes as a request of its own and names a call by the number that its client gave it, which another
    client's call may have too. So a call is marked by who makes it and its number, in a header that Gradio's MCP server
    hands on, and the notice cancels where one call has that mark. In a history for each visitor, callers without a
    token cannot be told apart: their notices do nothing.
    """

    def __init__(self, app: ASGIApp, *, calls: Calls, shared: bool) -> None:
        self._app, self._calls, self._shared = app, calls, shared
        self._salt = secrets.token_bytes(16)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].startswith(MCP):
            return await self._app(scope, receive, send)
        body = await Request(scope, receive).body()
        told = _told(body)
        if told.get("method") == "tools/call" and (mark := self._mark(scope, told.get("id"))):
            headers = [item for item in scope["headers"] if item[0] != MARK.encode()]
            scope = {**scope, "headers": [*headers, (MARK.encode(), mark.encode())]}
        if told.get("method") == "notifications/cancelled" and isinstance(told.get("params"), dict):
            await self._calls.leave_off(self._mark(scope, told["params"].get("requestId")))
        await self._app(scope, first({"type": "http.request", "body": body, "more_body": False}, receive), send)

    def _mark(self, scope: Scope, number: Any) -> str:
        """A name for the call with this number; empty where its caller is not known."""
        headers, query = Headers(scope=scope), QueryParams(scope["query_string"])
        who = token_of(headers) or ("shared" if self._shared else "")
        if not who or not isinstance(number, int | str):
            return ""
        session = headers.get("mcp-session-id") or query.get("session_id") or ""
        parts = json.dumps([who, session, number]).encode()
        return hashlib.blake2b(parts, key=self._salt, digest_size=16).hexdigest()


def _told(body: bytes) -> dict[str, Any]:
    """The JSON-RPC message in a request; empty where it is none."""
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def take_keys(page: gr.Blocks, paying: Collection[str]) -> None:
    """Give the tools of these endpoints an argument `idempotency_key`, for clients that cannot set a call's headers. It
    goes on as that header.

    On two methods of Gradio's MCP server that are not public: a test fails when a later version has others.
    """
    server: Any = page.mcp_server_obj
    if server is None:
        return
    schema_of, prepare = server.get_input_schema, server._prepare_tool_call_args

    def get_input_schema(tool: str, parameters: dict[str, str] | None = None) -> tuple[dict[str, Any], Any]:
        schema, files = schema_of(tool, parameters)
        if server.tool_to_endpoint.get(tool) in paying:
            schema = {**schema, "properties": {**schema["properties"], ARGUMENT: KEY_SCHEMA}}
        return schema, files

    def prepare_tool_call_args(tool: str, arguments: dict[str, Any]) -> tuple[Any, Any, dict[str, str], Any]:
        rest, key = dict(arguments), None
        if server.tool_to_endpoint.get(tool) in paying:
            key = rest.pop(ARGUMENT, None)
        endpoint, values, headers, function = prepare(tool, rest)
        return endpoint, values, {**headers, HEADER: str(key)} if key is not None else headers, function

    server.get_input_schema = get_input_schema
    server._prepare_tool_call_args = prepare_tool_call_args
