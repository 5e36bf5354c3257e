"""What every answer and every request has to pass: security headers, pages of other sites, Gradio's spare routes.

Two ASGI middlewares, outermost first: `KnownProxies` decides whose `X-Forwarded-…` headers are believed, and `Guard`
stands before our own routes and Gradio's alike.
"""

from __future__ import annotations

from collections.abc import Set
from ipaddress import ip_address
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
    def __init__(self, app: ASGIApp, *, on_spaces: bool, hosts: Set[str] | None = None) -> None:
        """`hosts`: the names that it answers to, besides localhost and every address; None is any."""
        self._app, self._hosts = app, hosts
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

        await (self._refusal(scope) or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        if _is_closed(scope["path"]):
            return JSONResponse({"message": "This server has no such route."}, 404)
        headers = Headers(scope=scope)
        host = _name(headers.get("host", ""))
        if self._hosts is not None and not _is_own(host) and host not in self._hosts:
            message = (
                f"This server does not answer to the name {host}. Open it as localhost, or have its owner add the name "
                "to PLAYGROUND_ALLOWED_HOSTS."
            )
            return JSONResponse({"message": message}, 403)
        if scope["method"] not in SAFE_METHODS and _is_forged(headers):
            message = "This came from a page of another site, so it was refused. Open the playground itself."
            return JSONResponse({"message": message}, 403)
        return None


def _is_closed(path: str) -> bool:
    if path.startswith(GRADIO):
        return not path.removeprefix(GRADIO).startswith(GRADIO_OPEN)
    return path.startswith(CLOSED)


def _name(host: str) -> str:
    """A Host header without its port, in lower case."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host.lower()


def _is_own(name: str) -> bool:
    """What no one else can be behind. Another site's page that has its name point at this machine (DNS rebinding) comes
    with that name; an address is no name, and scripts of old send none."""
    try:
        return name in ("", "localhost") or bool(ip_address(name))
    except ValueError:
        return name.endswith(".localhost")


def _is_forged(headers: Headers) -> bool:
    """Whether another site's page sends this in the name of our visitor. Scripts send neither Origin nor our cookie.

    Without the cookie a public server answers any page, as it answers any script. One on the reader's own machine does
    not: only the reader's browser reaches it, and whoever can use it spends the reader's key.
    """
    own_host = headers.get("x-forwarded-host", headers.get("host", "")).split(",")[0].strip()
    site = headers.get("sec-fetch-site")
    if site is not None:  # browsers alone set it, and no script of a page can
        foreign = site not in ("same-origin", "none")
        on_this_machine = _name(own_host) in LOOPBACK
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
