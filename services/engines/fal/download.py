"""Fetch a finished picture from the address in fal's result. No key goes along: these addresses are public."""

from __future__ import annotations

import base64
import binascii

import httpx

from services.clock import SYSTEM, Clock
from services.engines.fal.replies import picture_failed

MAX_BYTES = 64 * 2**20
"""Far above any 4-megapixel picture; more is refused before it fills memory."""
ATTEMPTS = 3
TOTAL_SECONDS = 120.0
READ_SECONDS = 30.0


class Downloader:
    def __init__(self, transport: httpx.AsyncBaseTransport | None = None, clock: Clock = SYSTEM) -> None:
        self._clock = clock
        self._http = httpx.AsyncClient(
            transport=transport,
            follow_redirects=True,
            max_redirects=3,
            timeout=READ_SECONDS,
            event_hooks={"request": [_only_https]},
        )

    async def fetch(self, url: str) -> bytes:
        """The bytes at `url`: https, or the data URI of sync_mode. Raises RequestFailed, which can be tried again."""
        if url.startswith("data:"):
            return _from_data_uri(url)
        try:
            with self._clock.limit(TOTAL_SECONDS):
                return await self._fetch_patiently(url)
        except TimeoutError as error:
            raise picture_failed(
                "media_timeout", f"The picture did not arrive within {TOTAL_SECONDS:.0f} s."
            ) from error

    async def _fetch_patiently(self, url: str) -> bytes:
        for attempt in range(1, ATTEMPTS + 1):
            try:
                return await self._fetch_once(url)
            except httpx.HTTPError as error:
                if attempt == ATTEMPTS:
                    what = f"The picture could not be downloaded ({type(error).__name__})."
                    raise picture_failed("media_unreachable", what) from error
            await self._clock.sleep(0.3 * 2**attempt)
        raise AssertionError("the loop returns or raises")

    async def _fetch_once(self, url: str) -> bytes:
        async with self._http.stream("GET", url) as response:
            if response.status_code >= 500:
                response.raise_for_status()
            if response.is_error:
                what = f"fal's media host answered HTTP {response.status_code} for the picture."
                raise picture_failed("media_gone", what)
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    what = f"The picture is larger than {MAX_BYTES // 2**20} MB and was not kept."
                    raise picture_failed("media_too_large", what)
            return bytes(body)

    async def aclose(self) -> None:
        await self._http.aclose()


async def _only_https(request: httpx.Request) -> None:
    """Asked before each request that goes out, those of redirects too."""
    if request.url.scheme != "https":
        raise picture_failed("media_address", "fal's result names an address that is not https.")


def _from_data_uri(uri: str) -> bytes:
    head, _, body = uri.partition(",")
    try:
        if not head.endswith(";base64"):
            raise ValueError("not base64")
        return base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error) as error:
        raise picture_failed("media_unreadable", "The picture inside fal's reply cannot be read.") from error
