"""What every answer and every request has to pass: security headers, pages of other sites, Gradio's spare routes.

Two ASGI middlewares, outermost first: `KnownProxies` decides whose `X-Forwarded-…` headers are believed, and `Guard`
stands before our own routes and Gradio's alike.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ui.visitors import has_cookie

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SPACES = ("https://huggingface.co", "https://*.hf.space")
"""Whose pages may show this one in a frame on Spaces."""
HUB = "https://huggingface.co"
"""Gradio's page asks it on Spaces whether the Space is awake, and shows nothing before it knows."""
GRADIO = "/gradio_api/"
GRADIO_OPEN = ("app_id", "call/", "cancel", "file=", "heartbeat/", "info", "mcp", "openapi.json", "queue/", "reset",
               "run/", "startup-events", "theme.css")  # fmt: skip
"""What the page, gradio_client and MCP ask of Gradio. The rest is closed: uploads, deep links, proxying, recordings,
stored runs, and whatever a later version adds."""
CLOSED = ("/login", "/logout", "/monitoring", "/svelte/")
"""The same outside `/gradio_api`."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def content_security_policy(*, on_spaces: bool) -> str:
    """All from our own host. Gradio 6 writes scripts and styles into its page, and compiles its templates."""
    framed_by = " ".join(["'self'", *(SPACES if on_spaces else ())])
    asked = " ".join(["'self'", "data:", "blob:", *([HUB] if on_spaces else ())])
    return "; ".join(
        (
            "default-src 'self'",
            "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self' data: blob:",
            f"connect-src {asked}",
            "worker-src 'self' blob:",
            "object-src 'none'",
            "base-uri 'self'",
            "form-action 'self'",
            f"frame-ancestors {framed_by}",
        )
    )


class Guard:
    def __init__(self, app: ASGIApp, *, on_spaces: bool) -> None:
        self._app = app
        self._headers = {
            "Content-Security-Policy": content_security_policy(on_spaces=on_spaces),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "same-origin",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(self._headers)
                # Gradio lets any site's page send our cookie along and read the answer. Nothing here needs that.
                del headers["access-control-allow-credentials"]
            await send(message)

        await (_refusal(scope) or self._app)(scope, receive, send_guarded)


def _refusal(scope: Scope) -> ASGIApp | None:
    if _is_closed(scope["path"]):
        return JSONResponse({"message": "This server has no such route."}, 404)
    if scope["method"] not in SAFE_METHODS and _is_forged(Headers(scope=scope)):
        message = "This came from a page of another site, so it was refused. Open the playground itself."
        return JSONResponse({"message": message}, 403)
    return None


def _is_closed(path: str) -> bool:
    if path.startswith(GRADIO):
        return not path.removeprefix(GRADIO).startswith(GRADIO_OPEN)
    return path.startswith(CLOSED)


def _is_forged(headers: Headers) -> bool:
    """Whether another site's page sends this in the name of our visitor. Scripts send neither Origin nor our cookie.

    Without the cookie a public server answers any page, as it answers any script. One on the reader's own machine does
    not: only the reader's browser reaches it, and whoever can use it spends the reader's key.
    """
    own_host = headers.get("x-forwarded-host", headers.get("host", "")).split(",")[0].strip()
    site = headers.get("sec-fetch-site")
    if site is not None:  # browsers alone set it, and no script of a page can
        foreign = site not in ("same-origin", "none")
        on_this_machine = urlsplit(f"//{own_host}").hostname in LOOPBACK
        return foreign and (on_this_machine or has_cookie(headers))
    origin = headers.get("origin")
    foreign = origin is not None and urlsplit(origin).netloc.lower() != own_host.lower()
    return foreign and has_cookie(headers)


class KnownProxies:
    """Believes `X-Forwarded-…` headers of proxies that the operator knows, and drops those of all others.

    uvicorn leaves them in place for the app, where Gradio and its MCP server would take them at their word.
    """

    def __init__(self, app: ASGIApp, *, trusted: str) -> None:
        """`trusted`: addresses and networks separated by commas; `*` is everyone."""
        self._app = app
        self._believing = ProxyHeadersMiddleware(app, trusted)  # type: ignore[arg-type]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        peer = scope["client"][0] if scope.get("client") else None
        if peer in self._believing.trusted_hosts:
            return await self._believing(scope, receive, send)  # type: ignore[arg-type]
        headers = [item for item in scope["headers"] if not item[0].startswith((b"x-forwarded-", b"forwarded"))]
        await self._app({**scope, "headers": headers}, receive, send)
