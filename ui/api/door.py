"""What is asked of Gradio's routes, checked before Gradio sees it.

Gradio ends a call of an unknown function, of wrong arguments or of values of the wrong type in a traceback and a 500
without a word. Here such a call is refused with a sentence: 404 for what is not there, 422 for what cannot be
read, 409 for an Idempotency-Key that came with other arguments before.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

import brotli
import gradio as gr
from gradio.block_function import BlockFunction
from gradio.data_classes import PredictBody
from pydantic import ValidationError
from starlette.datastructures import Headers, QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from services.errors import InvalidRequest, KeyReused, printable
from services.press import Press
from ui.presses import PAYING, press_of_call
from ui.web.bodies import first
from ui.web.errors import HALF

PREFIX = "/gradio_api/"
NUMBER_MAX = 2**53
"""JavaScript's numbers are exact below it."""
DROPPED = {"/": "page", "/pwa_icon": "size"}
"""Path → a parameter that Gradio would take for a page that is not there, or draw an icon of any size for."""
NO_EVENT = "No call has this event id: its answer was fetched, its connection was closed, or the id is wrong."
NO_SESSION = "No call of this session is under way."


@dataclass
class Refused(Exception):
    status: int
    message: str


class Door:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, *, page: gr.Blocks, known: Callable[[Press], Awaitable[object]]) -> None:
        """`known` looks up what came of a press; it raises KeyReused if that was another one."""
        self._app, self._page, self._known = app, page, known

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (name := DROPPED.get(scope["path"])):
            scope = _without(name, scope)
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            return await self._app(scope, receive, send)
        path = scope["path"].removeprefix(PREFIX).rstrip("/")
        way = next((way for way in ("call/v2/", "call/", "run/", "queue/join") if path.startswith(way)), None)
        try:
            if scope["method"] == "POST" and way:
                body = await Request(scope, receive).body()
                name, arguments = self._check(way, path.removeprefix(way), body)
                if way != "queue/join":  # Gradio's clients tell the sentence of an error from their stream only
                    await self._check_key(Request(scope), name, arguments)
                receive = first({"type": "http.request", "body": body, "more_body": False}, receive)
                send = _refusals_as_such(send) if way == "run/" else send
            elif scope["method"] == "GET" and path.startswith("call/"):
                self._check_event(path.rpartition("/")[2])
            elif scope["method"] == "GET" and path == "queue/data":
                self._check_session(QueryParams(scope["query_string"]).get("session_hash"))
        except Refused as refused:
            told = {"message": refused.message, "error": refused.message, "issues": []}
            return await JSONResponse(told, refused.status)(scope, receive, send)
        await self._app(scope, receive, send)

    def _check_event(self, event_id: str) -> None:
        queue = self._page._queue
        pending = any(event_id in ids for ids in queue.pending_event_ids_session.values())
        if not pending and event_id not in queue.event_ids_to_events:
            raise Refused(404, NO_EVENT)

    def _check_session(self, session: str | None) -> None:
        if session is not None and session not in self._page._queue.pending_messages_per_session:
            raise Refused(404, NO_SESSION)

    async def _check_key(self, request: Request, name: str, arguments: dict[str, Any]) -> None:
        """Whether the call's Idempotency-Key came with other arguments before: its function says so too, but Gradio has
        answered 200 by then."""
        if f"/{name}" not in PAYING:
            return
        try:
            if press := press_of_call(request, name, arguments):
                await self._known(press)
        except InvalidRequest as error:
            raise Refused(422, str(error)) from error
        except KeyReused as error:
            raise Refused(409, str(error)) from error

    def _check(self, way: str, name: str, body: bytes) -> tuple[str, dict[str, Any]]:
        """The function that is called, and its arguments by name, those left out by their defaults; none for a function
        that is not the API's."""
        told = _json(body)
        if way == "call/v2/":
            return name, self._check_names(name, told)
        try:
            asked = PredictBody.model_validate(told)
        except ValidationError as error:
            said = "; ".join(f"{' '.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
            raise Refused(422, printable(f"The request cannot be read ({said}).")) from error
        if asked.fn_index is None or way == "call/":
            function = self._named(name, public=False)
        elif (found := self._page.fns.get(asked.fn_index)) is None:
            raise Refused(404, f"There is no function with the number {asked.fn_index}.")
        else:
            function = found
        if asked.batched:
            raise Refused(422, "Calls are taken one at a time: leave batched out.")
        if len(asked.data) != len(function.inputs):
            message = f"data has {len(asked.data)} values, and {function.api_name} takes {len(function.inputs)}."
            raise Refused(422, message)
        if function.api_visibility == "private":
            _check_values(function, asked.data)
            return "", {}
        called = str(function.api_name)
        return called, dict(zip((one["parameter_name"] for one in self._arguments(called)), asked.data, strict=True))

    def _arguments(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._page.get_api_info()["named_endpoints"][f"/{name}"]["parameters"]
        return found

    def _check_names(self, name: str, given: dict[str, Any]) -> dict[str, Any]:
        """The arguments by name, if the function has those that are given and all that it needs are there."""
        self._named(name, public=True)
        arguments = self._arguments(name)
        known = [one["parameter_name"] for one in arguments]
        for argument in given:
            if argument not in known and argument != "oauth_token":
                raise Refused(422, f"There is no argument called “{argument[:40]}”. There are: {', '.join(known)}.")
        for one in arguments:
            if not one["parameter_has_default"] and one["parameter_name"] not in given:
                raise Refused(422, f"The argument {one['parameter_name']} is missing.")
        return {
            one["parameter_name"]: given.get(one["parameter_name"], one.get("parameter_default")) for one in arguments
        }

    def _named(self, name: str, *, public: bool) -> BlockFunction:
        functions = [one for one in self._page.fns.values() if one.api_name and one.api_visibility == "public"]
        known = functions if public else self._page.fns.values()
        for function in known:
            if function.api_name == name:
                return function
        names = ", ".join(sorted(str(one.api_name) for one in functions))
        raise Refused(404, f"There is no function with this name. There are: {names}.")


def _without(name: str, scope: Scope) -> Scope:
    """A request without a parameter of its query."""
    pairs = QueryParams(scope["query_string"]).multi_items()
    kept = [pair for pair in pairs if pair[0] != name]
    return scope if kept == pairs else {**scope, "query_string": urlencode(kept).encode()}


def _json(body: bytes) -> dict[str, Any]:
    """A request's JSON object. Raises Refused, also for what JSON cannot hold and for half characters."""
    try:
        found = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise Refused(422, "The request's body is no JSON.") from error
    if not isinstance(found, dict):
        raise Refused(422, "The request's body is JSON, but no object: write {…}.")
    if b"\\u" in body and not _is_whole(found):
        raise Refused(422, HALF)
    return found


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _is_whole(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def _check_values(function: BlockFunction, values: list[Any]) -> None:
    """Whether a function of the page gets what its controls hold: handlers trust that a Number is a number."""
    controls: list[Any] = list(function.inputs)
    for control, value in zip(controls, values, strict=True):
        if not _fits(control, value):
            raise Refused(422, printable(f"{control.label}: “{str(value)[:40]}” is nothing that this control holds."))


def _fits(control: Any, value: Any) -> bool:
    if isinstance(control, gr.Checkbox):
        return isinstance(value, bool)
    if isinstance(control, gr.Radio):
        return isinstance(value, str) and value in [choice for _, choice in control.choices]
    if isinstance(control, gr.Number | gr.Slider):
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return value is None or (number and abs(value) < NUMBER_MAX)
    return value is None or isinstance(value, str)


def _refusals_as_such(send: Send) -> Send:
    """Gradio answers 500 to an error that has a sentence, if it was not called through its queue: 422 here."""
    start: Message | None = None
    body = b""

    async def send_on(message: Message) -> None:
        nonlocal start, body
        if message["type"] == "http.response.start" and message["status"] == 500:
            start = message
        elif start is None:
            await send(message)
        else:
            body += message.get("body", b"")
            if not message.get("more_body"):
                packed = Headers(raw=start["headers"]).get("content-encoding") == "br"
                said = _sentence(brotli.decompress(body) if packed else body)
                await send({**start, "status": 422 if said else 500})
                await send({"type": "http.response.body", "body": body})

    return send_on


def _sentence(body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        return ""
    return str(found.get("error") or "") if isinstance(found, dict) else ""
