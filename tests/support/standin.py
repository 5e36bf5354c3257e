"""A scripted stand-in for fal: its queue and its media host, as one pure ASGI app.

In-process, with fal's own client in the path:

    fal = StandIn()
    fal.script("submit", Unsent(httpx.ConnectError("no route")), Reply(429, headers={"retry-after": "2"}))
    gateway = FalGateway("key:secret", transport=fal.transport())

or over TLS: `serve_tls(StandIn(media_host=None), folder)`. Without a script it accepts every submit, answers the first
status call with IN_QUEUE and the second with IN_PROGRESS, and serves a picture of the requested size.
"""

from __future__ import annotations

import base64
import inspect
import io
import json
import re
import threading
import time
import uuid
from collections import defaultdict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Literal, TypeVar

import httpx
import pytest
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from services.clock import SYSTEM, Clock
from services.engines.fal import gateway as gateway_module

Kind = Literal["submit", "status", "result", "cancel", "media", "list", "other"]

ENDPOINT = "/fal-ai/flux-2-flex"
PATHS: tuple[tuple[Kind, str, str], ...] = (
    ("submit", "POST", rf"{ENDPOINT}"),
    ("status", "GET", rf"{ENDPOINT}/requests/[^/]+/status"),
    ("result", "GET", rf"{ENDPOINT}/requests/[^/]+"),
    ("cancel", "PUT", rf"{ENDPOINT}/requests/[^/]+/cancel"),
    ("media", "GET", r"/files/.+"),
    ("list", "GET", r"/v1/models/requests/by-endpoint"),
)
WAITING = {"status": "IN_QUEUE", "queue_position": 0, "logs": None}
WORKING = {"status": "IN_PROGRESS", "logs": [{"message": "14/28", "level": "INFO", "source": "run", "timestamp": ""}]}
COMPLETED = {"status": "COMPLETED", "logs": [], "metrics": {"inference_time": 1.5}}
NGINX = b"<html><head><title>502 Bad Gateway</title></head><body><center>nginx</center></body></html>"


@dataclass(frozen=True)
class Seen:
    """One request as it reached the stand-in."""

    kind: Kind
    method: str
    url: str
    path: str
    headers: Mapping[str, str]
    body: bytes
    at: float

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def host(self) -> str:
        return self.headers["host"]

    @property
    def request_id(self) -> str:
        return self.path.split("/")[4]


@dataclass(frozen=True)
class Reply:
    """A whole answer. Bytes go out as they are, anything else as JSON."""

    status: int = 200
    body: Any = b""
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        if isinstance(self.body, bytes):
            return Response(self.body, self.status, dict(self.headers))
        return Response(json.dumps(self.body), self.status, dict(self.headers), media_type="application/json")


@dataclass(frozen=True)
class Unsent:
    """Fails before the stand-in sees the request. In-process only."""

    error: httpx.HTTPError


@dataclass(frozen=True)
class Lost:
    """The request is taken as usual, and the answer gets lost. In-process only."""

    error: httpx.HTTPError


@dataclass(frozen=True)
class Silent:
    """The request is taken as usual, and nothing is ever answered."""


Step = Reply | Unsent | Lost | Silent | Callable[[Seen], Reply | Awaitable[Reply | None] | None]
"""How a call is answered. A function gets the request and returns the answer; None stands for the usual one."""


@dataclass
class Taken:
    """A submission that was accepted."""

    id: str
    body: dict[str, Any]
    looks: int = 0
    cancelled: bool = False
    finished: bool = False


class StandIn:
    def __init__(self, *, media_host: str | None = "v3.fal.media") -> None:
        """`media_host` None: pictures have addresses on the queue's own host."""
        self.seen: list[Seen] = []
        self.taken: dict[str, Taken] = {}
        self.stages: list[dict[str, Any]] = [WAITING, WORKING]
        """The answers to a request's status calls, in turn, before it is completed."""
        self.finish = threading.Event()
        """While it is not set, requests stay at the last stage."""
        self.finish.set()
        self.stops_on_cancel = True
        """Whether a cancel reaches the work in time."""
        self.result_headers: dict[str, str] = {}
        self.result_seed: Callable[[Taken], Any] = lambda taken: taken.body.get("seed", 1)
        self.picture: Callable[[Taken], bytes] = picture_of
        self._media_host = media_host
        self._scripts: defaultdict[Kind, deque[Step]] = defaultdict(deque)

    def script(self, kind: Kind, *steps: Step) -> None:
        """How the next calls of this kind are answered, one step a call; after that, the usual answers come again."""
        self._scripts[kind].extend(steps)

    def transport(self) -> httpx.AsyncBaseTransport:
        return _InProcess(self)

    # -- what it remembers -----------------------------------------------------------------------------------------

    @property
    def accepted(self) -> int:
        """How many submissions were accepted: each is a picture to pay for."""
        return len(self.taken)

    def calls(self, kind: Kind) -> list[Seen]:
        return [seen for seen in self.seen if seen.kind == kind]

    def count(self, kind: Kind) -> int:
        return len(self.calls(kind))

    # -- the app ---------------------------------------------------------------------------------------------------

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        assert scope["type"] == "http", scope["type"]
        request = Request(scope, receive)
        seen = await _seen(request)
        self.seen.append(seen)
        response = await self._answer(seen, self._next(seen.kind), receive)
        if response is not None:
            await response(scope, receive, send)

    def _next(self, kind: Kind) -> Step | None:
        return self._scripts[kind].popleft() if self._scripts[kind] else None

    def _failing_first(self, kind: Kind) -> httpx.HTTPError | None:
        """The error of an `Unsent` that is next in line."""
        waiting = self._scripts[kind]
        if not (waiting and isinstance(waiting[0], Unsent)):
            return None
        step = waiting.popleft()
        assert isinstance(step, Unsent)
        return step.error

    async def _answer(self, seen: Seen, step: Step | None, receive: Receive) -> Response | None:
        if isinstance(step, Reply):
            return step.response()
        if callable(step):
            reply = step(seen)
            if inspect.isawaitable(reply):
                reply = await reply
            return (reply or self.usual(seen)).response()
        usual = self.usual(seen)
        if isinstance(step, Lost):
            raise step.error
        if isinstance(step, Silent):
            while (await receive())["type"] != "http.disconnect":
                pass
            return None
        return usual.response()

    def usual(self, seen: Seen) -> Reply:
        """The answer where no script says otherwise. For a submit, this also records it in `taken`."""
        usual = {
            "submit": self._submit,
            "status": self._status,
            "result": self._result,
            "cancel": self._cancel,
            "media": self._media,
            "list": self._list,
        }
        return usual[seen.kind](seen) if seen.kind in usual else Reply(404, {"detail": "Not Found"})

    def _submit(self, seen: Seen) -> Reply:
        taken = Taken(str(uuid.uuid4()), seen.json)
        self.taken[taken.id] = taken
        return Reply(200, {"status": "IN_QUEUE", "queue_position": 0, **addresses(seen, taken.id)})

    def _status(self, seen: Seen) -> Reply:
        taken = self.taken.get(seen.request_id)
        if taken is None:
            return Reply(404, {"detail": "Request not found"})
        if taken.cancelled:
            return Reply(200, {**COMPLETED, "error": "Request was cancelled", "error_type": "client_cancelled"})
        look, taken.looks = taken.looks, taken.looks + 1
        if look < len(self.stages):
            return Reply(202, self.stages[look])
        if not self.finish.is_set():
            return Reply(202, self.stages[-1])
        taken.finished = True
        return Reply(200, COMPLETED)

    def _result(self, seen: Seen) -> Reply:
        taken = self.taken.get(seen.request_id)
        if taken is None:
            return Reply(404, {"detail": "Request not found"})
        if taken.cancelled:
            return Reply(499, {"detail": "Request was cancelled", "error_type": "client_cancelled"})
        url = f"https://{self._media_host or seen.host}/files/{taken.id}.jpg"
        if taken.body.get("sync_mode"):
            url = "data:image/jpeg;base64," + base64.b64encode(self.picture(taken)).decode()
        body = {"images": [{"url": url, "content_type": "image/jpeg"}], "seed": self.result_seed(taken)}
        return Reply(200, body, {"x-fal-request-id": taken.id, **self.result_headers})

    def _cancel(self, seen: Seen) -> Reply:
        taken = self.taken.get(seen.request_id)
        if taken is None:
            return Reply(404, {"status": "NOT_FOUND"})
        if taken.finished:
            return Reply(400, {"status": "ALREADY_COMPLETED"})
        taken.cancelled = self.stops_on_cancel
        return Reply(202, {"status": "CANCELLATION_REQUESTED"})

    def _media(self, seen: Seen) -> Reply:
        taken = self.taken.get(seen.path.removeprefix("/files/").removesuffix(".jpg"))
        if taken is None:
            return Reply(404, b"no such file")
        return Reply(200, self.picture(taken), {"content-type": "image/jpeg"})

    def _list(self, seen: Seen) -> Reply:
        """All accepted requests, newest first, in the format of fal's platform API."""
        sent_at = "2026-01-01T00:00:00Z"
        items = [{"request_id": taken.id, "endpoint_id": ENDPOINT[1:], "sent_at": sent_at, "json_input": taken.body}
                 for taken in reversed(self.taken.values())]  # fmt: skip
        return Reply(200, {"items": items, "next_cursor": None, "has_more": False})


class _InProcess(httpx.AsyncBaseTransport):
    """httpx → the stand-in, without a socket."""

    def __init__(self, standin: StandIn) -> None:
        self._standin = standin
        self._inner = httpx.ASGITransport(standin)  # type: ignore[arg-type]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        error = self._standin._failing_first(kind_of(request.method, request.url.path))
        if error is not None:
            raise error
        return await self._inner.handle_async_request(request)


def kind_of(method: str, path: str) -> Kind:
    return next((kind for kind, verb, pattern in PATHS if verb == method and re.fullmatch(pattern, path)), "other")


async def _seen(request: Request) -> Seen:
    return Seen(
        kind=kind_of(request.method, request.url.path),
        method=request.method,
        url=str(request.url),
        path=request.url.path,
        headers=dict(request.headers),
        body=await request.body(),
        at=time.monotonic(),
    )


def addresses(seen: Seen, request_id: str) -> dict[str, str]:
    """The four fields of fal's reply to a submit that tell where the request is."""
    url = f"https://{seen.host}{ENDPOINT}/requests/{request_id}"
    return {
        "request_id": request_id,
        "response_url": url,
        "status_url": f"{url}/status",
        "cancel_url": f"{url}/cancel",
    }


def picture_of(taken: Taken) -> bytes:
    """A plain picture as the request asks for one. Its colour follows from the seed."""
    size = taken.body.get("image_size")
    width, height = (size["width"], size["height"]) if isinstance(size, dict) else (96, 64)
    return picture(width, height, taken.body.get("output_format", "jpeg"), taken.body.get("seed", 0))


@lru_cache(maxsize=64)
def picture(width: int = 64, height: int = 64, encoding: str = "jpeg", seed: int = 0) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (seed % 251, seed % 241, seed % 239)).save(out, encoding)
    return out.getvalue()


Fal = TypeVar("Fal", bound=StandIn)


def lead_gateways_to(fal: Fal, monkeypatch: pytest.MonkeyPatch) -> Fal:
    """Every gateway that is built from now on leads to this stand-in, with the key that it was built with."""
    real = gateway_module.FalGateway

    def lead_here(key: str, *, transport: object, clock: Clock = SYSTEM) -> gateway_module.FalGateway:
        return real(key, transport=fal.transport(), clock=clock)

    monkeypatch.setattr(gateway_module, "FalGateway", lead_here)
    return fal
