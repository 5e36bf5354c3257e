"""Fetching finished pictures: patient with trouble on the way, strict about where they come from and how large."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import trustme
from support.clock import FakeClock
from support.standin import Lost, Reply, StandIn, Taken, Unsent, picture

from services.engines.fal import download as download_module
from services.engines.fal.download import ATTEMPTS, MAX_BYTES, Downloader
from services.errors import Failure, RequestFailed

ADDRESS = "https://v3.fal.media/files/one.jpg"
PICTURE = picture(64, 64, "png", 3)
MEGABYTE = 2**20


@pytest.fixture(autouse=True)
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def fal() -> StandIn:
    fal = StandIn()
    fal.taken["one"] = Taken("one", {})
    fal.picture = lambda _: PICTURE
    return fal


@pytest.fixture
async def downloader(fal: StandIn, clock: FakeClock) -> AsyncIterator[Downloader]:
    downloader = Downloader(fal.transport(), clock)
    yield downloader
    await downloader.aclose()


async def failure_of(downloader: Downloader, url: str = ADDRESS) -> Failure:
    """Why it failed. Every such failure can be fetched again without paying."""
    with pytest.raises(RequestFailed) as caught:
        await downloader.fetch(url)
    failure = caught.value.failure
    assert failure.retryable
    assert failure.refetch
    assert failure.charged is True
    assert failure.message.endswith("Press Retry to fetch it again, which costs nothing.")
    return failure


class Endless(httpx.AsyncByteStream):
    """A body of so many megabytes that counts how many were taken."""

    def __init__(self, megabytes: int) -> None:
        self.megabytes = megabytes
        self.taken = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        block = bytes(MEGABYTE)
        for _ in range(self.megabytes):
            self.taken += 1
            yield block

    async def aclose(self) -> None:
        self.closed = True


def answering(response: httpx.Response) -> Downloader:
    return Downloader(httpx.MockTransport(lambda request: response))


class TestTrouble:
    async def test_the_bytes_are_those_that_were_sent(self, downloader, fal):
        assert await downloader.fetch(ADDRESS) == PICTURE
        assert fal.count("media") == 1

    @pytest.mark.parametrize("status", [404, 403, 410])
    async def test_gone_is_said_at_once(self, downloader, fal, status):
        fal.script("media", Reply(status, b"gone"))
        failure = await failure_of(downloader)
        assert failure.message.startswith(f"fal's media host answered HTTP {status} for the picture.")
        assert fal.count("media") == 1

    async def test_500_then_fine(self, downloader, fal):
        fal.script("media", Reply(500, b"oops"), Reply(503, b"oops"))
        assert await downloader.fetch(ADDRESS) == PICTURE
        assert fal.count("media") == 3

    @pytest.mark.parametrize(
        "step",
        [Reply(500, b"oops"), Lost(httpx.ReadTimeout("slow")), Unsent(httpx.ConnectError("away"))],
        ids=["500", "read timeout", "connect error"],
    )
    async def test_patience_ends(self, downloader, fal, clock, step):
        fal.script("media", *[step] * ATTEMPTS)
        failure = await failure_of(downloader)
        assert failure.code == "media_unreachable"
        assert clock.sleeps == [pytest.approx(0.6), pytest.approx(1.2)]
        assert await downloader.fetch(ADDRESS) == PICTURE, "a later try is a new one"

    async def test_a_host_that_never_finishes(self, downloader, fal, clock):
        async def never(_: object) -> None:
            clock.advance(download_module.TOTAL_SECONDS)
            await asyncio.Event().wait()

        fal.script("media", never)
        assert (await failure_of(downloader)).code == "media_timeout"


class TestSize:
    async def test_200_megabytes_are_refused_without_taking_them_all(self):
        body = Endless(200)
        downloader = answering(httpx.Response(200, stream=body))
        failure = await failure_of(downloader)
        assert failure.message.startswith("The picture is larger than 64 MB and was not kept.")
        assert body.taken == MAX_BYTES // MEGABYTE + 1
        assert body.closed
        await downloader.aclose()

    async def test_a_large_one_within_the_limit_is_kept(self):
        downloader = answering(httpx.Response(200, stream=Endless(64)))
        assert len(await downloader.fetch(ADDRESS)) == MAX_BYTES
        await downloader.aclose()


class TestTruncated:
    """A body shorter than its Content-Length, over a real connection."""

    @asynccontextmanager
    async def host(self, *bodies: bytes) -> AsyncIterator[tuple[Downloader, str, list[bytes]]]:
        """Each connection promises 1000 bytes and sends the next body."""
        left = list(bodies)

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\nconnection: close\r\n\r\n" + left.pop(0))
            await writer.drain()
            writer.close()

        authority = trustme.CA()
        ours, theirs = ssl.create_default_context(), ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.configure_trust(ours)
        authority.issue_cert("localhost").configure_cert(theirs)
        server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=theirs)
        downloader = Downloader(httpx.AsyncHTTPTransport(verify=ours))
        try:
            yield downloader, f"https://localhost:{server.sockets[0].getsockname()[1]}/one.jpg", left
        finally:
            await downloader.aclose()
            server.close()
            await server.wait_closed()

    async def test_it_is_fetched_again_until_it_is_whole(self):
        async with self.host(b"x" * 400, b"y" * 1000) as (downloader, url, left):
            assert await downloader.fetch(url) == b"y" * 1000
            assert left == []

    async def test_one_that_stays_cut_off_is_not_kept(self):
        async with self.host(*[b"x" * 999] * ATTEMPTS) as (downloader, url, left):
            assert (await failure_of(downloader, url)).code == "media_unreachable"
            assert left == []


class TestAddresses:
    @pytest.mark.parametrize("url", ["http://v3.fal.media/files/one.jpg", "ftp://v3.fal.media/one", "file:///etc/passwd",
                                     "/files/one.jpg", "None", ""])  # fmt: skip
    async def test_only_https_is_fetched(self, downloader, fal, url):
        assert (await failure_of(downloader, url)).code == "media_address"
        assert fal.seen == []

    async def test_a_redirect_is_followed(self, downloader, fal):
        fal.script("media", Reply(302, b"", {"location": "https://storage.example/files/one.jpg"}))
        assert await downloader.fetch(ADDRESS) == PICTURE
        assert [seen.host for seen in fal.seen] == ["v3.fal.media", "storage.example"]

    async def test_a_redirect_away_from_https_is_not(self, downloader, fal):
        fal.script("media", Reply(302, b"", {"location": "http://v3.fal.media/files/one.jpg"}))
        assert (await failure_of(downloader)).code == "media_address"
        assert fal.count("media") == 1

    async def test_redirects_in_a_circle_end(self, downloader, fal):
        fal.script("media", *[Reply(302, b"", {"location": ADDRESS})] * 50)
        await failure_of(downloader)
        assert fal.count("media") <= 4 * ATTEMPTS

    async def test_no_key_and_no_cookie_goes_along(self, downloader, fal):
        fal.script("media", Reply(302, b"", {"location": ADDRESS, "set-cookie": "a=b"}))
        await downloader.fetch(ADDRESS)
        assert not any("authorization" in seen.headers for seen in fal.seen)


class TestDataUri:
    async def test_the_picture_inside_is_decoded(self, downloader, fal):
        uri = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
        assert await downloader.fetch(uri) == PICTURE
        assert fal.seen == []

    @pytest.mark.parametrize(
        "uri", ["data:image/png,plain", "data:image/png;base64,%%%", "data:image/png;base64,abc", "data:"]
    )
    async def test_what_cannot_be_read_is_said(self, downloader, uri):
        failure = await failure_of(downloader, uri)
        assert failure.message.startswith("The picture inside fal's reply cannot be read.")
