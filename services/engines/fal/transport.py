"""A transport under fal's client that never lets a submit go out twice.

fal_client repeats a POST up to ten times on a read timeout, a dropped connection, 408, 409, 429 and nginx 502-504.
There is no idempotency key, so a repeated submit may be a second charge. Here every POST ends in one of three ways:
an answer, `NotAccepted` (certainly not taken), or `SubmitUnanswered` (perhaps taken). The last two are no
`httpx.HTTPError`, which is what the client's retry loop looks for.
"""

from __future__ import annotations

import httpx

from services.engines.fal.replies import no_answer, not_reached, retry_after, waiting_for_slot

NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""Failures before the first byte of the request left this machine."""


class SubmitOnceTransport(httpx.AsyncBaseTransport):
    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.method != "POST":
            return await self._inner.handle_async_request(request)
        try:
            response = await self._inner.handle_async_request(request)
            await response.aread()
        except NEVER_SENT as error:
            raise not_reached(error) from error
        except httpx.HTTPError as error:
            raise no_answer(type(error).__name__) from error
        answered_by_fal = "x-fal-request-id" in response.headers
        if response.status_code == 429 or (response.status_code == 503 and not answered_by_fal):
            raise waiting_for_slot(response.status_code, retry_after(response.headers))
        if response.status_code in (408, 409) or (response.status_code in (502, 504) and not answered_by_fal):
            raise no_answer(f"HTTP {response.status_code}")
        return response

    async def aclose(self) -> None:
        await self._inner.aclose()
