"""The header `Idempotency-Key`: the same press sent again, from a browser or a script, makes nothing again.

Every route, endpoint and tool that makes pictures takes it: a test walks all of them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import Depends, Request

from services.press import Press, press_of
from ui.visitors import HasHeaders, visitor_of

HEADER = "idempotency-key"
PAYING = ("/generate", "/grid", "/start")
"""The endpoints of the API that make pictures: their MCP tools take the key as an argument too."""


async def press_of_request(request: Request) -> Press | None:
    """The press of a request to one of our routes; None without the header. Raises InvalidRequest."""
    key = request.headers.get(HEADER)
    return None if key is None else press_of(visitor_of(request), request.scope["path"], key, await request.body())


Pressed = Annotated[Press | None, Depends(press_of_request)]
"""A route's parameter."""


def press_of_call(request: HasHeaders | None, endpoint: str, arguments: Mapping[str, Any]) -> Press | None:
    """The press of a call of the API, whichever way it came; None without the header. Raises InvalidRequest.

    `arguments` are all of the endpoint's, those left out by their defaults.
    """
    key = request.headers.get(HEADER) if request is not None else None
    if key is None:
        return None
    return press_of(visitor_of(request), f"/{endpoint}", key, json.dumps(arguments, default=str).encode())
