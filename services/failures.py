"""Failures that arise here and not at fal, with their sentences. Those of fal are in `engines/replies.py`."""

from __future__ import annotations

from services.errors import Failure


def stopped_while_submitting() -> Failure:
    return Failure(
        code="unanswered",
        message="The server stopped while this was being sent: fal may have accepted this; it was not sent again. "
        "Look at fal.ai/dashboard/requests, or press Send again, which may cost a second picture.",
        retryable=True,
    )


def broke_off_while_submitting() -> Failure:
    return Failure(
        code="unanswered",
        message="This program made a mistake while this was being sent; its log tells more. fal may have accepted "
        "this; it was not sent again. Look at fal.ai/dashboard/requests, or press Send again, which may cost a second "
        "picture.",
        retryable=True,
    )


def cannot_keep(error: OSError) -> Failure:
    return Failure(
        code="disk",
        message=f"The picture could not be stored ({error.strerror or type(error).__name__}). Make room in the data "
        "folder or make it writable, then press Retry to fetch it again, which costs nothing.",
        retryable=True,
        refetch=True,
        charged=True,
    )


def our_fault() -> Failure:
    return Failure(
        code="internal",
        message="This program made a mistake; its log tells more. Press Retry: what fal finished is fetched, not paid "
        "for again.",
        retryable=True,
        refetch=True,
    )
