"""How often a request's status is asked for until its picture is there, and how late its end is noticed."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field

import httpx
from benchmarks.direct import InProcessClient
from support.bench import show

from services.engines.demo.asgi import build_app
from services.engines.demo.queue import DemoQueue
from services.engines.fal.gateway import FalGateway
from services.models.flux_2_flex import MODEL, Flux2FlexRequest

STEPS = 28
SECONDS = (1.0, 4.0, 16.0)


@dataclass
class Counting(httpx.AsyncBaseTransport):
    """The way to a demo queue that counts looks at the status, and can leave the log lines out of the replies."""

    inner: httpx.AsyncBaseTransport
    logs: bool = True
    looks: list[float] = field(default_factory=list)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        if not request.url.path.endswith("/status"):
            return response
        self.looks.append(time.perf_counter())
        body = json.loads(await response.aread())
        return httpx.Response(response.status_code, json=body if self.logs else {**body, "logs": None}, request=request)


@dataclass(frozen=True)
class Seen:
    looks: int
    late_ms: float
    """From the end of the work to the answer that told it."""


def way_to_queue(seconds: float, *, logs: bool = True) -> Counting:
    """To a queue of its own, which takes `seconds` for a picture and paints none."""
    queue = DemoQueue(step_seconds=seconds / STEPS, paint=lambda **_: b"picture")
    return Counting(httpx.ASGITransport(build_app(queue)), logs)


async def by_the_client(seconds: float) -> Seen:
    counting = way_to_queue(seconds)
    handle = await InProcessClient(counting).submit(MODEL.endpoint, Flux2FlexRequest(prompt="x").payload())
    begun = time.perf_counter()
    async for _ in handle.iter_events():
        pass
    return Seen(len(counting.looks), 1000 * (counting.looks[-1] - begun - seconds))


async def by_the_gateway(seconds: float, *, logs: bool) -> Seen:
    counting = way_to_queue(seconds, logs=logs)
    gateway = FalGateway("demo", transport=counting)
    ticket = await gateway.submit(Flux2FlexRequest(prompt="x"))
    begun = time.perf_counter()
    async for _ in gateway.follow(ticket):
        pass
    await gateway.aclose()
    return Seen(len(counting.looks), 1000 * (counting.looks[-1] - begun - seconds))


async def test_status_requests() -> None:
    rows = []
    for seconds in SECONDS:
        client = await by_the_client(seconds)
        with_logs = await by_the_gateway(seconds, logs=True)
        without = await by_the_gateway(seconds, logs=False)
        assert min(client.looks, with_logs.looks, without.looks) > 1
        rows.append(
            (
                f"{seconds:g} s",
                *(f"{seen.looks} (end seen {seen.late_ms:.0f} ms late)" for seen in (client, with_logs, without)),
                f"{with_logs.looks / client.looks:.2f} and {without.looks / client.looks:.2f}",
            )
        )
    heads = ("a picture of", "fal_client's default", "the playground", "the same, where fal sends no logs", "ratios")
    show("Status requests for one picture", heads, rows)
