"""What "Use it from code" asks: examples for the settings in the controls, and the visitor's own token on request."""

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
    """Where this browser reaches the app: behind a proxy only the browser knows."""
    with_token: bool = False


def code_routes(playground: Playground) -> APIRouter:
    router = APIRouter()

    @router.post("/code")
    async def code(request: Request, response: Response, body: Wanted) -> dict[str, Any]:
        """`own_history` says whether a token makes a difference: in a shared history there is none to give."""
        response.headers["Cache-Control"] = "no-store"
        own = playground.settings.history_mode == "visitor"
        token = token_of(request.headers) if own and body.with_token else None
        made = examples(parse_request(body.request), body.address, token)
        return {"examples": [asdict(example) for example in made], "own_history": own}

    return router
