"""fal's queue protocol over HTTP, for the demo queue.

Paths and bodies are those of fal's documentation of the queue API and of what its clients (fal_client 1.0.3,
@fal-ai/client 1.10) read; error bodies are in `refusals`. URLs in replies are built from the request's own scheme and
host, so the app works in-process as https://queue.fal.run and behind a socket on any port.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import wraps
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from services.engines.demo import refusals
from services.engines.demo.queue import DemoQueue, Snapshot
from services.engines.demo.records import Record
from services.engines.demo.refusals import json_response
from services.errors import InvalidRequest
from services.models import registry
from services.models.model import Model
from services.models.registry import MODELS

SHORTEST_LOOK_SECONDS = 0.05
"""The status stream looks once a step, but no more often than this."""

Endpoint = Callable[[Request], Awaitable[Response]]


def build_app(queue: DemoQueue) -> Starlette:
    routes = _Routes(queue)
    return Starlette(
        routes=[
            *(route for model in MODELS for route in _routes_of(model, routes)),
            Route("/files/{key}/{name}", routes.file, methods=["GET"]),
        ],
        exception_handlers={HTTPException: _http_error},
    )


def _routes_of(model: Model, routes: _Routes) -> list[Route]:
    one = f"/{model.endpoint}/requests/{{id}}"

    async def submit(request: Request) -> Response:
        return await routes.submit(request, model)

    return [
        Route(f"/{model.endpoint}", _with_key(submit), methods=["POST"]),
        Route(f"{one}/status", _with_key(routes.status), methods=["GET"]),
        Route(f"{one}/status/stream", _with_key(routes.stream), methods=["GET"]),
        Route(one, _with_key(routes.result), methods=["GET"]),
        Route(f"{one}/response", _with_key(routes.result), methods=["GET"]),
        Route(f"{one}/cancel", _with_key(routes.cancel), methods=["PUT"]),
    ]


class _Routes:
    def __init__(self, queue: DemoQueue) -> None:
        self._queue = queue

    async def submit(self, request: Request, model: Model) -> Response:
        try:
            body = json.loads(await request.body())
        except (ValueError, RecursionError) as error:
            return refusals.unreadable_body(str(error))
        if not isinstance(body, dict):
            return refusals.not_an_object(body)
        try:
            settings = model.request.parse(_known_fields(body, model))
        except InvalidRequest as error:
            return refusals.invalid_request(error)
        snapshot = self._queue.submit(settings)
        return json_response(
            {
                "status": "IN_QUEUE",
                "queue_position": snapshot.position,
                **_addresses(request, snapshot.record),
            },
            headers=_request_id(snapshot.record),
        )

    async def status(self, request: Request) -> Response:
        snapshot = self._queue.look(request.path_params["id"])
        if snapshot is None:
            return refusals.unknown_request()
        return json_response(
            _status_body(request, snapshot),
            status=200 if snapshot.record.ended else 202,
            headers=_request_id(snapshot.record),
        )

    async def stream(self, request: Request) -> Response:
        snapshot = self._queue.look(request.path_params["id"])
        if snapshot is None:
            return refusals.unknown_request()
        return StreamingResponse(
            self._events(request, snapshot),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-cache", **_request_id(snapshot.record)},
        )

    async def _events(self, request: Request, snapshot: Snapshot | None) -> AsyncIterator[str]:
        """An event for each change. Each carries only the log lines that are new: fal's JavaScript client adds up the
        `logs` of the events of a stream."""
        sent, last = 0, None
        while snapshot:
            state = (snapshot.record.outcome, snapshot.position, len(snapshot.logs))
            if state != last:
                body = _status_body(request, snapshot)
                if body["logs"] is not None:
                    body["logs"] = body["logs"][sent:]
                sent, last = len(snapshot.logs), state
                yield f"data: {json.dumps(body)}\n\n"
            if snapshot.record.ended:
                return
            await self._queue.wait(snapshot.record.id, max(self._queue.step_seconds, SHORTEST_LOOK_SECONDS))
            snapshot = self._queue.look(snapshot.record.id)

    async def result(self, request: Request) -> Response:
        snapshot = self._queue.look(request.path_params["id"])
        if snapshot is None:
            return refusals.unknown_request()
        record = snapshot.record
        if not record.ended:
            return refusals.in_progress(record.id)
        if record.outcome != "done":
            return refusals.of_outcome(record)
        picture = await self._queue.picture(record)
        width, height = record.request.shape
        image = {
            "url": _data_uri(record, picture)
            if record.request.sync_mode
            else f"{_origin(request)}/files/{_file_key(record)}/{_file_name(record)}",
            "content_type": _content_type(record),
            "file_name": _file_name(record),
            "file_size": len(picture),
            "width": width,
            "height": height,
        }
        return json_response({"images": [image], "seed": record.request.seed}, headers=_request_id(record))

    async def cancel(self, request: Request) -> Response:
        request_id = request.path_params["id"]
        if self._queue.look(request_id) is None:
            return json_response({"status": "NOT_FOUND"}, status=404)
        if self._queue.cancel(request_id):
            return json_response({"status": "CANCELLATION_REQUESTED"}, status=202)
        return json_response({"status": "ALREADY_COMPLETED"}, status=400)

    async def file(self, request: Request) -> Response:
        """A finished picture, to whoever knows its address. One of sync_mode has none."""
        try:
            request_id = str(uuid.UUID(hex=request.path_params["key"]))
        except ValueError:
            return refusals.unknown_file()
        snapshot = self._queue.look(request_id)
        if snapshot is None or snapshot.record.outcome != "done" or snapshot.record.request.sync_mode:
            return refusals.unknown_file()
        if request.path_params["name"] != _file_name(snapshot.record):
            return refusals.unknown_file()
        picture = await self._queue.picture(snapshot.record)
        return Response(picture, media_type=_content_type(snapshot.record))


def _with_key(endpoint: Endpoint) -> Endpoint:
    @wraps(endpoint)
    async def checked(request: Request) -> Response:
        scheme, _, key = request.headers.get("authorization", "").partition(" ")
        if scheme != "Key" or not key.strip() or "invalid" in key:
            return refusals.unauthorized()
        return await endpoint(request)

    return checked


def _status_body(request: Request, snapshot: Snapshot) -> dict[str, Any]:
    record = snapshot.record
    asked_for_logs = request.query_params.get("logs", "").lower() in ("1", "true")
    body: dict[str, Any] = {"logs": snapshot.logs if asked_for_logs else None, **_addresses(request, record)}
    if snapshot.position is not None:
        return {"status": "IN_QUEUE", "queue_position": snapshot.position, **body}
    if not record.ended:
        return {"status": "IN_PROGRESS", **body}
    body |= {"status": "COMPLETED", "metrics": {"inference_time": record.seconds}}
    if record.outcome != "done":
        reason = refusals.REASONS[record.outcome]
        body |= {"error": reason.message, "error_type": reason.error_type}
    return body


def _addresses(request: Request, record: Record) -> dict[str, str]:
    url = f"{_origin(request)}/{registry.of(record.request.model).endpoint}/requests/{record.id}"
    return {
        "request_id": record.id,
        "response_url": url,
        "status_url": f"{url}/status",
        "cancel_url": f"{url}/cancel",
    }


def _origin(request: Request) -> str:
    return f"{request.url.scheme}://{request.url.netloc}"


def _request_id(record: Record) -> dict[str, str]:
    """fal's JavaScript client reads a result's `requestId` from this header."""
    return {"x-fal-request-id": record.id}


def _known_fields(body: dict[str, Any], model: Model) -> dict[str, Any]:
    """fal's models ignore what they do not know; ours refuse it, so it is left out first."""
    known = {name: value for name, value in body.items() if name in model.names}
    size = known.get("image_size")
    if isinstance(size, dict):
        known["image_size"] = {name: size[name] for name in ("width", "height") if name in size}
    return known


def _content_type(record: Record) -> str:
    return f"image/{_format(record)}"


def _format(record: Record) -> str:
    return record.request.output_format or "jpeg"


def _file_key(record: Record) -> str:
    return uuid.UUID(record.id).hex


def _file_name(record: Record) -> str:
    return f"{_file_key(record)[:16]}.{'jpg' if _format(record) == 'jpeg' else 'png'}"


def _data_uri(record: Record, picture: bytes) -> str:
    return f"data:{_content_type(record)};base64,{base64.b64encode(picture).decode('ascii')}"


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  # nosec B101: tells the type checker
    return json_response({"detail": error.detail}, status=error.status_code, headers=error.headers)
