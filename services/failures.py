"""Failures that arise in this program, with their texts. Those that fal reports are in `engines/fal/replies.py`."""

from __future__ import annotations

from services.errors import Failure


def stopped_while_submitting() -> Failure:
    return Failure(
        code="unanswered",
        message="The server stopped while this was being sent: fal may have accepted this; it was not sent again. "
        "Look at fal.ai/dashboard/requests, or press Send again, which may cost a second picture.",
        retryable=True,
    )


STOOD_IN_A_COPY = "It stood in a copy; ask again if you want it."
"""Note of a run that waited in a copy of a history: it may have been sent by the history that was copied."""


def copied_while_submitting() -> Failure:
    return Failure(
        code="unanswered",
        message="This was being sent when the copy was made that this history begins from: fal may have accepted this; "
        "it was not sent again. Look at fal.ai/dashboard/requests, or press Send again, which may cost a second "
        "picture.",
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


def unknown_model(model: str) -> Failure:
    return Failure(
        code="unknown_model",
        message=f"It asks for the model {model}, which this playground does not have. Nothing was sent.",
        charged=False,
    )


def our_fault() -> Failure:
    return Failure(
        code="internal",
        message="This program made a mistake; its log tells more. Press Retry: what fal finished is fetched, not paid "
        "for again.",
        retryable=True,
        refetch=True,
    )


def exported_while_submitting() -> Failure:
    return Failure(
        code="unanswered",
        message="This was just being sent when it was exported: fal may have accepted it; it was not sent again. Look "
        "at fal.ai/dashboard/requests, or press Send again, which may cost a second picture.",
        retryable=True,
    )


def exported_while_made(*, refetch: bool) -> Failure:
    """`refetch`: this server may fetch the picture from fal with the key that the request was sent with."""
    way = (
        "Press Retry to fetch it, which costs nothing."
        if refetch
        else "It cannot be fetched from here; Retry makes it anew."
    )
    return Failure(
        code="exported",
        message=f"This was still being made when it was exported. {way}",
        retryable=True,
        refetch=refetch,
    )
