"""The app as Hugging Face shows it: a Space's environment, behind a proxy with TLS, in a frame of another site's page.

Both sites have their real names, which the browser's arguments map to this machine:

    with serve_space(tmp_path) as space:
        browser = playwright.chromium.launch(args=[*ARGUMENTS, *space.browser_arguments])
        page.goto(space.page_url)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from support.server import AppServer
from support.tls import serve_tls

SPACE_HOST = "someone-playground.hf.space"
HUB_HOST = "huggingface.co"
ENVIRONMENT = {
    "SPACE_ID": "someone/playground",
    "SPACE_HOST": SPACE_HOST,
    "SYSTEM": "spaces",
    # Unset what other tests set and Hugging Face does not.
    "GRADIO_SERVER_NAME": "",
    "PLAYGROUND_HISTORY": "",
}
SANDBOX = "allow-downloads allow-forms allow-modals allow-popups allow-same-origin allow-scripts"
"""The frame's sandbox attribute, as Hugging Face writes it."""
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length", "content-encoding", "host"})


@dataclass(frozen=True)
class Space:
    server: AppServer
    port: int
    """The port of the proxy with TLS."""

    @property
    def url(self) -> str:
        return f"https://{SPACE_HOST}"

    @property
    def page_url(self) -> str:
        """The page of the Hub that shows the Space."""
        return f"https://{HUB_HOST}/spaces/someone/playground"

    @property
    def browser_arguments(self) -> list[str]:
        here = f"127.0.0.1:{self.port}"
        return [f"--host-resolver-rules=MAP {HUB_HOST} {here}, MAP {SPACE_HOST} {here}", "--ignore-certificate-errors"]


@contextmanager
def serve_space(folder: Path, **environment: str) -> Iterator[Space]:
    """The app is stopped before the proxy, so that its event streams end and no connection is left open."""
    server = AppServer(folder, {**ENVIRONMENT, **environment})
    with serve_tls(_front(server.url), folder, SPACE_HOST, HUB_HOST) as tls:
        server.start()
        try:
            yield Space(server, tls.port)
        finally:
            server.stop()


def _front(app_url: str) -> Starlette:
    """Hugging Face's side: the Hub's page, and the proxy before the Space, told apart by the host that was asked."""

    @asynccontextmanager
    async def lifespan(_front: Starlette) -> AsyncIterator[dict[str, httpx.AsyncClient]]:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=app_url, timeout=None, trust_env=False, limits=limits) as client:
            yield {"client": client}

    async def answer(request: Request) -> Response:
        if request.url.path.startswith("/api/spaces/by-subdomain/"):
            awake = {"id": ENVIRONMENT["SPACE_ID"], "runtime": {"stage": "RUNNING"}}
            return JSONResponse(awake, headers={"Access-Control-Allow-Origin": f"https://{SPACE_HOST}"})
        if request.url.hostname == HUB_HOST:
            frame = f'<iframe src="https://{SPACE_HOST}/" sandbox="{SANDBOX}" style="width:100%;height:95vh"></iframe>'
            icon = '<link rel="icon" href="data:,">'
            return HTMLResponse(f"<!doctype html><title>A Space</title>{icon}{frame}")
        return await _forwarded(request, request.state.client)

    methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"]
    return Starlette(routes=[Route("/{path:path}", answer, methods=methods)], lifespan=lifespan)


async def _forwarded(request: Request, client: httpx.AsyncClient) -> Response:
    """The app's answer as it comes, event streams too."""
    kept = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP - {"host"}]
    headers = [*kept, ("x-forwarded-proto", "https"), ("x-forwarded-for", "203.0.113.7")]
    url = httpx.URL(path=request.url.path, query=request.url.query.encode())
    asked = client.build_request(request.method, url, headers=headers, content=await request.body())
    answered = await client.send(asked, stream=True)

    async def body() -> AsyncIterator[bytes]:
        try:
            async for part in answered.aiter_raw():
                yield part
        finally:
            await answered.aclose()

    response = StreamingResponse(body(), answered.status_code)
    passed = [(n, v) for n, v in answered.headers.raw if n.lower() not in {b"transfer-encoding", b"connection"}]
    response.raw_headers = [(n.lower(), v) for n, v in passed]
    return response
