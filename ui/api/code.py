"""The route of "Use it from code": examples for the controls' settings, and the visitor's own token on request."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict

from services.code.own_api import examples
from services.playground import Playground
from services.request import parse_request
from ui.visitors import token_of


class Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    request: dict[str, Any]
    address: str
    """The app's address as this browser sees it: behind a proxy the server does not know it."""
    with_token: bool = False


def code_routes(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.post("/code")
    async def code(request: Request, response: Response, body: Wanted) -> dict[str, Any]:
        """`own_history`: whether visitors have histories of their own. With a shared one, no token is given."""
        response.headers["Cache-Control"] = "no-store"
        own = playground.settings.history_mode == "visitor"
        token = token_of(request.headers) if own and body.with_token else None
        made = examples(parse_request(body.request), body.address, token)
        return {"examples": [asdict(example) for example in made], "own_history": own}

    return router
