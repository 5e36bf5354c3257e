"""Who is asking: a browser with our cookie, or a caller with the header `X-Playground-Visitor`.

The token is a secret of 32 or more URL-safe characters. Only its hash is kept, as the visitor's name in the history.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import Any, Protocol

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "playground_visitor"
HEADER = "x-playground-visitor"
TOKEN = re.compile(r"[A-Za-z0-9_-]{32,128}")
YEAR_SECONDS = 365 * 24 * 3600


class HasHeaders(Protocol):
    """Starlette's Request and gr.Request alike."""

    @property
    def headers(self) -> Any: ...


def visitor_of(request: HasHeaders | None) -> str | None:
    """The visitor's name in the history; None for callers without a token."""
    token = token_of(request.headers) if request is not None else None
    return hashlib.sha256(token.encode()).hexdigest()[:32] if token else None


def token_of(headers: Mapping[str, str]) -> str | None:
    """The secret token from the header, else from the cookie; None where neither holds a well-formed one."""
    for candidate in (headers.get(HEADER), _cookie(headers.get("cookie"))):
        if candidate and TOKEN.fullmatch(candidate):
            return candidate
    return None


def _cookie(header: str | None) -> str | None:
    try:
        found = SimpleCookie(header or "").get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


def has_cookie(headers: Mapping[str, str]) -> bool:
    """Whether a browser sent our cookie, whatever is in it."""
    return _cookie(headers.get("cookie")) is not None


class VisitorCookie:
    """ASGI middleware: sets the cookie with a new token where a browser opens the page without one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        opens_page = scope["type"] == "http" and scope["method"] == "GET" and scope["path"] == "/"
        if not opens_page or token_of(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return

        async def send_with_cookie(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).append("set-cookie", _new_cookie(scope["scheme"] == "https"))
            await send(message)

        await self._app(scope, receive, send_with_cookie)


def _new_cookie(https: bool) -> str:
    return _set_cookie(secrets.token_urlsafe(32), YEAR_SECONDS, https)


def expired_cookie(https: bool) -> str:
    """A Set-Cookie header that makes a browser delete its token."""
    return _set_cookie("", 0, https)


def _set_cookie(token: str, seconds: int, https: bool) -> str:
    """A Set-Cookie header. Over HTTPS the page may be in another site's iframe (Spaces), where browsers keep only
    partitioned cookies."""
    reach = "SameSite=None; Secure; Partitioned" if https else "SameSite=Lax"
    return f"{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; {reach}"
