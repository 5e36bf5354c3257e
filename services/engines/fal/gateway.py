"""The gateway to fal's queue, on fal's own client: submit once, follow, fetch the result, cancel.

The only module that imports fal_client. The demo engine is reached through it too, by an in-process transport.
"""

from __future__ import annotations

import logging
import re
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import fal_client
import httpx
from fal_client.auth import FAL_QUEUE_RUN_HOST
from fal_client.client import USER_AGENT, AsyncBackupDomainTransport, AsyncRequestHandle

from services import failures
from services.clock import SYSTEM, Clock
from services.engines.fal.download import Downloader
from services.engines.fal.pacing import next_interval
from services.engines.fal.replies import failure_of, no_answer, picture_failed, reading_failed
from services.engines.fal.transport import SubmitOnceTransport
from services.errors import Failure, RequestFailed, Unreachable
from services.models import registry
from services.models.kinds.integer import SEED_MAX
from services.models.model import Made, first_image
from services.run import RunState, Ticket
from services.stored import AnyRequest

log = logging.getLogger(__name__)

QUEUE_HOSTS = frozenset({FAL_QUEUE_RUN_HOST, "queue.falrun.com"})
"""The queue, and the backup domain that fal_client itself turns to. The key goes to no other host."""

SECRET_MIN = 8
"""Shorter parts of a key are no secret, and may be words."""
LISTED_PAGES = 5
"""How many pages of fal's list of requests are read, 100 requests each."""
SUBMIT_SECONDS = 60.0
READ_SECONDS = 30.0
STATUS_SECONDS = 45.0
"""For one look with the client's own repeats, which go on for longer than a page should be left without news."""


@dataclass(frozen=True)
class Progress:
    """One look at a request that is not finished. `position` 0 is next; `fraction` runs from 0 to 1."""

    state: RunState
    position: int | None = None
    fraction: float | None = None
    log_line: str | None = None


@dataclass(frozen=True)
class Result:
    """fal's result. `billed_units` are megapixels, None where fal did not say.

    `seed` is None where fal's is missing, or is none that could be asked for again.
    """

    url: str
    seed: int | None
    billed_units: float | None


class _Handle(AsyncRequestHandle):
    """The client's handle, patient with replies that leave `logs` or `queue_position` out."""

    def _parse_status(self, data: dict[str, Any]) -> fal_client.Status:
        known = ("IN_QUEUE", "IN_PROGRESS", "COMPLETED")
        complete = {"logs": None, "queue_position": None, **data}
        if complete.get("status") not in known:
            log.warning("fal reported a status this version does not know: %r", complete.get("status"))
            complete["status"] = "IN_PROGRESS"
        return super()._parse_status(complete)


class _Client(fal_client.AsyncClient):
    """fal's client on an httpx client of ours. `_client` is private to fal_client: its version is pinned, and a test
    fails when this seam moves."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        super().__init__(key="held by the httpx client", default_timeout=SUBMIT_SECONDS)
        self._http = http

    @property
    async def _client(self) -> httpx.AsyncClient:
        return self._http


class FalGateway:
    """One key's way to the queue. Build it inside the event loop that uses it."""

    def __init__(self, key: str, *, transport: httpx.AsyncBaseTransport | None = None, clock: Clock = SYSTEM) -> None:
        """`transport` replaces the network, for the demo engine and for tests."""
        self._secrets = tuple(part for part in (key, *key.split(":")) if len(part) >= SECRET_MIN)
        headers = {"Authorization": f"Key {key}", "User-Agent": USER_AGENT}
        self._http = httpx.AsyncClient(
            transport=SubmitOnceTransport(transport or AsyncBackupDomainTransport()),
            headers=headers,
            timeout=READ_SECONDS,
        )
        self._client = _Client(self._http)
        self._clock = clock
        self._downloader = Downloader(transport, clock)

    async def submit(self, request: AnyRequest) -> Ticket:
        """Send the request once. Raises NotAccepted, SubmitUnanswered or RequestFailed."""
        model = registry.find(request.model)
        if model is None:
            raise RequestFailed(failures.unknown_model(request.model))
        try:
            return self._safe_ticket(await self._client.submit(model.endpoint, request.payload()), model.endpoint)
        except fal_client.FalClientHTTPError as error:
            raise RequestFailed(self._without_key(_failure(error))) from error
        except (ValueError, KeyError, TypeError) as error:
            # An answer of 2xx that cannot be read: the request is in, and its id is not known.
            raise no_answer("an unreadable reply") from error

    def _safe_ticket(self, handle: AsyncRequestHandle, endpoint: str) -> Ticket:
        urls = (handle.status_url, handle.response_url, handle.cancel_url)
        if not all(_on_queue_host(url) for url in urls):
            log.warning("fal's reply names another host for request %s; its URLs are not used", handle.request_id)
            handle = AsyncRequestHandle.from_request_id(self._http, endpoint, handle.request_id)
        return Ticket(
            request_id=handle.request_id,
            status_url=handle.status_url,
            response_url=handle.response_url,
            cancel_url=handle.cancel_url,
        )

    async def follow(self, ticket: Ticket) -> AsyncIterator[Progress]:
        """Look at the request at growing intervals until it is completed. Raises Unreachable or RequestFailed."""
        handle = self._handle(ticket)
        start = self._clock.monotonic()
        while not isinstance(status := await self._status(handle), fal_client.Completed):
            progress = _progress(status)
            yield progress
            await self._clock.sleep(next_interval(self._clock.monotonic() - start, progress.fraction))

    async def has_begun(self, ticket: Ticket) -> bool:
        """Whether fal works on the request or has ended it. Raises Unreachable or RequestFailed."""
        return not isinstance(await self._status(self._handle(ticket)), fal_client.Queued)

    async def _status(self, handle: _Handle) -> fal_client.Status:
        try:
            with self._clock.limit(STATUS_SECONDS):
                return await handle.status(with_logs=True)
        except fal_client.FalClientHTTPError as error:
            if error.status_code in (401, 403, 404):
                raise RequestFailed(self._without_key(_failure(error))) from error
            raise reading_failed(f"HTTP {error.status_code}") from error
        except (httpx.HTTPError, TimeoutError, ValueError, KeyError, TypeError) as error:
            raise reading_failed(type(error).__name__) from error

    async def result(self, ticket: Ticket, read: Callable[[Any], Made] = first_image) -> Result:
        """Fetch a completed request's result, which the model's `read` understands. Raises RequestFailed with fal's
        final word, or Unreachable."""
        _check_host(ticket.response_url)
        try:
            response = await self._http.get(ticket.response_url)
        except httpx.HTTPError as error:
            raise reading_failed(type(error).__name__) from error
        if response.is_error:
            raise _result_error(response, self._without_key)
        return _result(response, read)

    async def cancel(self, ticket: Ticket) -> bool:
        """Ask fal to stop. False where it was already completed or is not known. Raises Unreachable."""
        try:
            await self._handle(ticket).cancel()
        except fal_client.FalClientHTTPError as error:
            if error.status_code in (400, 404):
                return False
            raise reading_failed(f"HTTP {error.status_code}") from error
        except httpx.HTTPError as error:
            raise reading_failed(type(error).__name__) from error
        return True

    async def listed(self, host: str, since: datetime, endpoint: str) -> list[tuple[Ticket, dict[str, Any]]]:
        """What was asked of the endpoint since then, newest end first, as fal's list of requests on `host` has it.

        Raises RequestFailed where this key may not read the list, or Unreachable.
        """
        found: list[tuple[Ticket, dict[str, Any]]] = []
        query: dict[str, Any] = {
            "endpoint_id": endpoint,
            "start": since.isoformat(),
            "expand": "payloads",
            "limit": 100,
        }
        for _ in range(LISTED_PAGES):
            try:
                response = await self._http.get(f"https://{host}/v1/models/requests/by-endpoint", params=query)
                if response.status_code in (401, 403, 404):
                    raise RequestFailed(failure_of(response.status_code, "", None, response.headers))
                body = response.raise_for_status().json()
                items = [(str(item["request_id"]), item.get("json_input")) for item in body["items"]]
            except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
                raise reading_failed(type(error).__name__) from error
            handles = [(AsyncRequestHandle.from_request_id(self._http, endpoint, name), sent) for name, sent in items]
            found += [(self._safe_ticket(handle, endpoint), sent) for handle, sent in handles if isinstance(sent, dict)]
            if not (body.get("has_more") and body.get("next_cursor")):
                break
            query["cursor"] = body["next_cursor"]
        return found

    async def download(self, url: str) -> bytes:
        """The picture's bytes as fal sent them. The key is not sent along. Raises RequestFailed or Unreachable."""
        return await self._downloader.fetch(url)

    async def aclose(self) -> None:
        await self._http.aclose()
        await self._downloader.aclose()

    def _without_key(self, failure: Failure) -> Failure:
        """fal's own words are kept and shown; should they repeat the key, it is taken out."""
        said = failure.message
        for secret in self._secrets:
            said = said.replace(secret, "…")
        return failure.model_copy(update={"message": said})

    def _handle(self, ticket: Ticket) -> _Handle:
        for url in (ticket.status_url, ticket.response_url, ticket.cancel_url):
            _check_host(url)
        return _Handle(client=self._http, **ticket.model_dump())


def _on_queue_host(url: str) -> bool:
    try:
        parsed = httpx.URL(url)
    except (TypeError, httpx.InvalidURL):  # fal's reply may name anything
        return False
    return parsed.scheme == "https" and parsed.netloc.decode("ascii") in QUEUE_HOSTS


def _check_host(url: str) -> None:
    """The last guard before a key leaves: a ticket may come from an old history or another configuration."""
    if not _on_queue_host(url):
        host = httpx.URL(url).host
        raise RequestFailed(
            Failure(
                code="foreign_host",
                message=f"This picture was requested through {host}, which is not the queue host that is configured "
                f"now ({FAL_QUEUE_RUN_HOST}). Set FAL_QUEUE_RUN_HOST as it was, then press Retry.",
                retryable=True,
                refetch=True,
            )
        )


def _failure(error: fal_client.FalClientHTTPError) -> Failure:
    return failure_of(error.status_code, error.message, error.error_type, error.response_headers)


def _progress(status: fal_client.Status) -> Progress:
    if isinstance(status, fal_client.Queued):
        return Progress(RunState.QUEUED, position=status.position)
    logs = getattr(status, "logs", None) or []
    lines = [str(entry.get("message", "")) for entry in logs if isinstance(entry, dict)]
    fraction = next((found for line in reversed(lines) if (found := _fraction(line)) is not None), None)
    return Progress(RunState.RUNNING, fraction=fraction, log_line=lines[-1] if lines else None)


def _fraction(line: str) -> float | None:
    """0 to 1 as a log line tells it: `62%`, or a count such as `17/28`."""
    if percent := re.search(r"(\d{1,3}(?:\.\d+)?)\s?%", line):
        return min(1.0, float(percent[1]) / 100)
    if count := re.search(r"\b(\d+)/(\d+)\b", line):
        done, total = int(count[1]), int(count[2])
        return done / total if total > 0 and done <= total else None
    return None


def _result_error(response: httpx.Response, shown: Callable[[Failure], Failure]) -> RequestFailed | Unreachable:
    """fal replays the model's error as the result; an error of a proxy on the way is no such word."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return reading_failed(f"HTTP {response.status_code}")
    not_yet = response.status_code == 400 and "in progress" in str(body.get("detail", "")).lower()
    if not_yet or response.status_code in (408, 429):
        return reading_failed(f"HTTP {response.status_code}")
    error_type = body.get("error_type") or response.headers.get("x-fal-error-type")
    return RequestFailed(shown(failure_of(response.status_code, body.get("detail", ""), error_type, response.headers)))


def _result(response: httpx.Response, read: Callable[[Any], Made]) -> Result:
    try:
        made = read(response.json())
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise picture_failed("unreadable_result", "fal's result names no picture that can be read.") from error
    units = response.headers.get("x-fal-billable-units", "")
    return Result(
        url=made.url,
        seed=made.seed if type(made.seed) is int and 0 <= made.seed <= SEED_MAX else None,
        billed_units=float(units) if re.fullmatch(r"\d+(\.\d+)?", units) else None,
    )
