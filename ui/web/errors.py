"""Error responses: the error's message, with an HTTP status for its class."""

from __future__ import annotations

import logging

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from services.errors import (
    BudgetExceeded,
    CannotWrite,
    ConfirmNeeded,
    InvalidRequest,
    KeyNeeded,
    KeyReused,
    NotFound,
    OriginalRemoved,
    PlaygroundError,
    StorageBusy,
    TooMuch,
    TooSlow,
    printable,
)

log = logging.getLogger(__name__)

STATUS = {
    InvalidRequest: 422,
    NotFound: 404,
    OriginalRemoved: 410,
    BudgetExceeded: 402,
    KeyNeeded: 401,
    ConfirmNeeded: 409,
    KeyReused: 409,
    TooMuch: 429,
    TooSlow: 408,
    CannotWrite: 507,
    StorageBusy: 507,
}


HALF = "The request holds half a character (a lone surrogate), which no text can keep. Send whole characters."


async def say(_request: Request, error: Exception) -> JSONResponse:
    """The error as `message` and `issues`; an issue's `field` names the control at fault."""
    issues = [issue.model_dump() for issue in error.issues] if isinstance(error, InvalidRequest) else []
    headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooMuch) else None
    return JSONResponse({"message": printable(str(error)), "issues": issues}, STATUS.get(type(error), 400), headers)


async def _say_database(request: Request, error: Exception) -> JSONResponse:
    """For a full disk or a locked database: answer like `say`, and log one line."""
    log.error("%s: the history cannot be read or written (%s)", request.url.path, getattr(error, "reason", error))
    return await say(request, error)


async def _say_unreadable(_request: Request, error: Exception) -> JSONResponse:
    """For a request that fails validation: say where and why, without repeating what was sent."""
    issues = error.errors() if isinstance(error, RequestValidationError) else []
    said = "; ".join(f"{' '.join(map(str, issue['loc']))}: {issue['msg']}" for issue in issues)
    return JSONResponse({"message": printable(f"The request cannot be read ({said})."), "issues": []}, 422)


async def _say_half(_request: Request, _error: Exception) -> JSONResponse:
    """For a text with half a character in it (a lone surrogate): it can be neither kept nor repeated."""
    return JSONResponse({"message": HALF, "issues": []}, 422)


def add_error_answers(app: FastAPI) -> None:
    app.add_exception_handler(PlaygroundError, say)
    app.add_exception_handler(CannotWrite, _say_database)
    app.add_exception_handler(UnicodeEncodeError, _say_half)
    app.add_exception_handler(RequestValidationError, _say_unreadable)
