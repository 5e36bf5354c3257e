"""fal's error replies, turned into sentences that tell the user what happened and what to do.

The table follows fal's documentation of model errors (`{"detail": [{loc, msg, type}]}`) and infrastructure errors
(`{"detail": "text", "error_type": "…"}`, also in the header `X-Fal-Error-Type`).
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Any

from services.errors import Failure, NotAccepted, RequestFailed, SubmitUnanswered, Unreachable
from services.models.registry import PARAMETERS

REFUSED = "fal's content check refused this prompt. Change the prompt; the same one will be refused again."
NO_PICTURE = "fal ran the prompt and made no picture of it. Change the prompt or the seed."
TEMPORARY = {
    400: "fal could not run this request",
    500: "fal's model failed while making this picture",
    502: "fal's server for this model broke off",
    503: "fal has no free server for this model right now",
    504: "fal gave up waiting for the model",
}


def failure_of(status: int, detail: Any, error_type: str | None, headers: Mapping[str, str]) -> Failure:
    """What an HTTP error means. `detail` is fal's own: a text, or a list of {loc, msg, type}."""
    items = [item for item in detail if isinstance(item, dict)] if isinstance(detail, list) else []
    types = {str(item.get("type", "")) for item in items} | {error_type or ""}
    said = _said(detail, items)
    if status == 401:
        return Failure(
            code="unauthorized",
            message="fal did not accept this key. Check FAL_KEY on the server, or enter one with the Key button.",
            retryable=True,
            refetch=True,
            charged=False,
        )
    if status == 403:
        return Failure(
            code="locked", message=said or "fal refused access.", retryable=True, refetch=True, charged=False
        )
    if "content_policy_violation" in types:
        return Failure(code="content_policy", message=REFUSED, field="prompt")
    if "no_media_generated" in types:
        return Failure(code="no_media", message=NO_PICTURE, field="prompt")
    if status == 422:
        return _validation(items, said)
    if status == 404:
        return Failure(
            code="gone",
            message="fal no longer knows this request: results are kept for about an hour. Generate it again.",
            retryable=True,
        )
    return _temporary(status, said, error_type, headers)


def _said(detail: Any, items: list[dict[str, Any]]) -> str:
    """fal's own words as one line of text."""
    if items:
        return " ".join(str(item.get("msg", "")) for item in items).strip()
    return str(detail).strip()[:500] if isinstance(detail, str) else ""


def _validation(items: list[dict[str, Any]], said: str) -> Failure:
    names = [str(part) for item in items for part in item.get("loc") or ()]
    field = next((name for name in names if name in PARAMETERS), None)
    where = f"{PARAMETERS[field].label}: " if field else ""
    return Failure(
        code="validation",
        message=f"fal did not accept the settings. {where}{said or 'no reason was given'}",
        field=field,
        charged=False,
    )


def _temporary(status: int, said: str, error_type: str | None, headers: Mapping[str, str]) -> Failure:
    what = TEMPORARY.get(status, f"fal answered with an error (HTTP {status})")
    reason = f" ({said})" if said and "<" not in said else ""
    retryable = headers.get("x-fal-retryable", "").lower() != "false"
    advice = "Press Retry." if retryable else "fal says that trying again does not help: change the settings."
    return Failure(
        code=error_type or f"http_{status}",
        message=f"{what}{reason}. {advice}",
        retryable=retryable,
        charged=False if status >= 500 else None,
    )


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait as the header `Retry-After` says, in either of its forms; None without one."""
    text = headers.get("retry-after", "").strip()
    if not text:
        return None
    if text.replace(".", "", 1).isdigit():
        return float(text)
    when = email.utils.parsedate_tz(text)
    return max(0.0, email.utils.mktime_tz(when) - time.time()) if when else None


def waiting_for_slot(status: int, seconds: float | None) -> NotAccepted:
    failure = Failure(
        code="busy",
        message=f"fal had no free slot for a long time (HTTP {status}); nothing was sent. Press Retry.",
        retryable=True,
        charged=False,
    )
    return NotAccepted(failure, waiting_for="waiting for a free slot at fal", retry_after=seconds)


def not_reached(error: Exception) -> NotAccepted:
    failure = Failure(
        code="unreachable",
        message="fal could not be reached, so nothing was sent. Check the network of the machine that runs this "
        f"server, then press Retry. ({type(error).__name__})",
        retryable=True,
        charged=False,
    )
    return NotAccepted(failure, waiting_for="waiting for the network", retry_after=None)


def no_answer(what: str) -> SubmitUnanswered:
    return SubmitUnanswered(
        Failure(
            code="unanswered",
            message="fal may have accepted this; it was not sent again. Look at fal.ai/dashboard/requests, or press "
            f"Send again, which may cost a second picture. ({what})",
            retryable=True,
        )
    )


def reading_failed(what: str) -> Unreachable:
    return Unreachable(
        Failure(
            code="unreachable",
            message="fal could not be reached to follow this picture. It is not lost: press Retry to fetch it, "
            f"which costs nothing. ({what})",
            retryable=True,
            refetch=True,
        )
    )


def picture_failed(code: str, what: str) -> RequestFailed:
    """The result is there and its picture could not be had; it can be fetched again."""
    message = f"{what} Press Retry to fetch it again, which costs nothing."
    return RequestFailed(Failure(code=code, message=message, retryable=True, refetch=True, charged=True))
