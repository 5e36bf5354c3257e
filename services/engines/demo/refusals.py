"""What the demo queue answers when it has no picture, in fal's two shapes.

Model errors are `{"detail": [{loc, msg, type, url, ctx?, input?}]}` (fal's documentation of model errors);
infrastructure errors are `{"detail": "text", "error_type": "…"}` with the header `X-Fal-Error-Type` (its documentation
of request errors, which names 499 `client_cancelled` for a cancelled request).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core.core_schema import ErrorType
from starlette.responses import Response

from services.engines.demo.records import Record
from services.errors import FieldIssue, InvalidRequest

ERRORS_PAGE = "https://docs.fal.ai/errors#"
SIDES = ("width", "height")
PYDANTIC_TYPES = frozenset(get_args(ErrorType))
"""Error types that a pydantic model of fal's could name; those of our own rules are told as `value_error`."""


@dataclass(frozen=True)
class Reason:
    """Why a request ended without a picture: for its status, and for its result."""

    status: int
    message: str
    error_type: str


REASONS = {
    "cancelled": Reason(499, "Request was cancelled by the client", "client_cancelled"),
    "refused": Reason(
        422,
        "The content could not be processed because it contained material flagged by a content checker.",
        "content_policy_violation",
    ),
    "failed": Reason(500, "Internal server error", "internal_server_error"),
}
"""Outcome of a record → reason."""


def json_response(body: Any, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """ASCII JSON: a lone surrogate in an echoed prompt has no UTF-8."""
    return Response(json.dumps(body), status, headers, media_type="application/json")


def unauthorized() -> Response:
    return _infrastructure(
        401, "No user found for this key. Send the header `Authorization: Key <your key>`.", "unauthorized"
    )


def unknown_request() -> Response:
    return json_response({"detail": "Request not found"}, status=404)


def unknown_file() -> Response:
    return json_response({"detail": "File not found"}, status=404)


def in_progress(request_id: str) -> Response:
    return json_response(
        {"detail": "Request is still in progress"}, status=400, headers={"x-fal-request-id": request_id}
    )


def of_outcome(record: Record) -> Response:
    """The result of a request that ended without a picture."""
    reason = REASONS[record.outcome]
    headers = {"x-fal-request-id": record.id}
    if record.outcome == "cancelled":
        return _infrastructure(reason.status, reason.message, reason.error_type, headers)
    of_prompt = record.outcome == "refused"
    item = _item(["body", "prompt"] if of_prompt else ["body"], reason.message, reason.error_type)
    if of_prompt:
        item["input"] = record.request.prompt
    headers["x-fal-retryable"] = "false" if of_prompt else "true"
    return json_response({"detail": [item]}, status=reason.status, headers=headers)


def invalid_request(error: InvalidRequest) -> Response:
    """422 with an item for each field at fault: our sentence, with pydantic's type, limits and input."""
    cause = error.__cause__
    details = cause.errors(include_url=False) if isinstance(cause, ValidationError) else []
    items = [_issue_item(issue, details) for issue in error.issues]
    return json_response({"detail": items}, status=422)


def unreadable_body(why: str) -> Response:
    item = _item(["body"], "JSON decode error", "json_invalid") | {"ctx": {"error": why}}
    return json_response({"detail": [item]}, status=422)


def not_an_object(body: Any) -> Response:
    message = "Input should be a valid dictionary or object to extract fields from"
    item = _item(["body"], message, "model_attributes_type") | _echo(body)
    return json_response({"detail": [item]}, status=422)


def _issue_item(issue: FieldIssue, details: list[Any]) -> dict[str, Any]:
    path = ["image_size", issue.field] if issue.field in SIDES else [issue.field]
    detail: dict[str, Any] = next((one for one in details if _about(issue.field, one)), {})
    kind = detail["type"] if detail.get("type") in PYDANTIC_TYPES else "value_error"
    item = _item(["body", *path], issue.message, kind)
    if "ctx" in detail:
        item["ctx"] = {name: value for name, value in detail["ctx"].items() if isinstance(value, int | float | str)}
    return item | (_echo(detail["input"]) if "input" in detail else {})


def _about(field: str, detail: Any) -> bool:
    """Whether a pydantic error led to this field's issue. A side that is no multiple of 16 is found by its type."""
    return detail["type"] == field or field in (str(part) for part in detail["loc"])


def _item(loc: list[str], message: str, kind: str) -> dict[str, Any]:
    return {"loc": loc, "msg": message, "type": kind, "url": f"{ERRORS_PAGE}{kind}"}


def _echo(value: Any) -> dict[str, Any]:
    """`input`, unless JSON has no way to say it (Python reads NaN, and 1e999 as infinity)."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return {}
    return {"input": value}


def _infrastructure(status: int, message: str, error_type: str, headers: Mapping[str, str] | None = None) -> Response:
    return json_response(
        {"detail": message, "error_type": error_type},
        status=status,
        headers={"X-Fal-Error-Type": error_type, **(headers or {})},
    )
