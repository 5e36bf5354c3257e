"""Checks of every request and response: security headers, requests of other sites' pages, Gradio routes not needed.

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
"""Origins whose pages may show this one in a frame on Spaces."""
HUB = "https://huggingface.co"
"""On Spaces, Gradio's page asks this host whether the Space is awake, and shows nothing before the answer."""
GRADIO = "/gradio_api/"
GRADIO_OPEN = ("app_id", "call/", "cancel", "file=", "heartbeat/", "info", "mcp", "openapi.json", "queue/", "reset",
               "run/", "startup-events", "theme.css")  # fmt: skip
"""Paths below GRADIO that the page, gradio_client and MCP need. All others are closed: uploads, deep links, proxying,
recordings, stored runs, and whatever a later version adds."""
CLOSED = ("/login", "/logout", "/monitoring", "/svelte/")
"""Gradio's closed routes outside `/gradio_api`."""
NAME_MAX = 255
"""Bytes of a part of a path. A longer one is no name that a file can have."""
ICONS = ("/pwa_icon", "/pwa_icon/192", "/pwa_icon/512")
"""Gradio's manifest names these; it would draw any other size, below zero too."""
LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})


def content_security_policy(*, on_spaces: bool) -> str:
    """Allows our own host only. 'unsafe-inline' and 'unsafe-eval' are needed because Gradio 6 writes scripts and styles
    into its page and compiles its templates."""
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
        """`hosts`: host names to answer to, besides localhost and all IP addresses; None: any name."""
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
                # Gradio's CORS headers let any site's page send our cookie and read the answer. Nothing needs that.
                del headers["access-control-allow-credentials"]
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        if _is_closed(scope["path"]) or any(len(part.encode()) > NAME_MAX for part in scope["path"].split("/")):
            return JSONResponse({"message": "This server has no such route."}, 404)
        headers = Headers(scope=scope)
        if not _can_be_read(headers.get("x-forwarded-host", "")):
            return JSONResponse({"message": "X-Forwarded-Host holds no name of a host."}, 400)
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
    if path.startswith("/pwa_icon"):
        return path not in ICONS
    return path.startswith(CLOSED)


def _name(host: str) -> str:
    """A Host header without its port, in lower case."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return host.lower()


def _can_be_read(hosts: str) -> bool:
    """Whether a header holds names of hosts, if anything: Gradio makes an address of them."""
    try:
        return hosts.isascii() and all(urlsplit(f"//{host.strip()}").port != 0 for host in hosts.split(","))
    except ValueError:
        return False


def _is_own(name: str) -> bool:
    """Whether a Host name rules out DNS rebinding, in which another site's page makes its own host name resolve to this
    machine. True for localhost, for IP addresses, and for no Host at all (old scripts)."""
    try:
        return name in ("", "localhost") or bool(ip_address(name))
    except ValueError:
        return name.endswith(".localhost")


def _is_forged(headers: Headers) -> bool:
    """Whether another site's page sends this request on behalf of our visitor. Scripts send neither Origin nor our
    cookie.

    Without the cookie, a public server answers other sites' pages as it answers scripts. A server opened on a loopback
    address refuses them: only its user's browser can reach it, and each of their requests would spend the user's key.
    """
    own_host = headers.get("x-forwarded-host", headers.get("host", "")).split(",")[0].strip()
    site = headers.get("sec-fetch-site")
    if site is not None:  # set by browsers only: a page's script cannot change it
        foreign = site not in ("same-origin", "none")
    else:
        origin = headers.get("origin")
        foreign = origin is not None and _place(origin) != own_host.lower()
    return foreign and (_name(own_host) in LOOPBACK or has_cookie(headers))


def _place(origin: str) -> str | None:
    """Host and port of an Origin header; None where it holds none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


class KnownProxies:
    """Applies `X-Forwarded-…` headers of trusted proxies, and removes those of all other clients.

    uvicorn only ignores the latter and passes them on to the app, where Gradio and its MCP server would believe them.
    """

    def __init__(self, app: ASGIApp, *, trusted: str) -> None:
        """`trusted`: IP addresses and networks separated by commas; `*` trusts every client."""
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
