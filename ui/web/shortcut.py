"""Gradio's own routes, found before ours: a call makes several requests of them, and trying all of ours for each takes
longer than finding theirs."""

from __future__ import annotations

from collections.abc import Container

from starlette.routing import BaseRoute, Match, Mount
from starlette.types import Receive, Scope, Send


class Shortcut(BaseRoute):
    """Leads to a mounted app what begins with `prefix`, but for `ours`, which later routes answer."""

    def __init__(self, mount: Mount, *, prefix: str, ours: Container[str]) -> None:
        self._mount, self._prefix, self._ours = mount, prefix, ours

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        if scope["type"] != "http" or not scope["path"].startswith(self._prefix) or scope["path"] in self._ours:
            return Match.NONE, {}
        return self._mount.matches(scope)

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._mount.handle(scope, receive, send)
