"""The project's exceptions as one tree. The text of each can be shown to the user; its data are attributes.

PlaygroundError
├── InvalidRequest          the settings break a rule          .issues (field, message)
├── MetadataError           a file holds no settings that can be read   .reason  (services/metadata)
├── NotFound                nothing with this id in the visitor's scope    .what
├── OriginalRemoved         the run is kept, the picture's original file is not    .was_here
├── ArchiveError            an export cannot be made or imported   .reason  (services/archive)
├── BudgetExceeded          a limit on spending is reached     .limit_usd .spent_usd .asked_usd
├── KeyReused               an Idempotency-Key came with another request before
├── ConfirmNeeded           the request is large and needs an explicit confirmation    .count .cost_usd
├── TooMuch                 too many pictures or files at once    .retry_after
├── TooSlow                 an upload stopped on its way       .received
├── CannotWrite             the history cannot be written at the moment    .reason
│   └── StorageBusy         another program has locked its file: a retry may succeed
├── KeyNeeded               fal requires a key and none is known
├── Stopping                the server is stopping before a run that a caller waits for has ended
├── StartupError            the server cannot start
└── EngineError             fal, or the connection to it, failed   .failure (a Failure, stored with the run)
    ├── NotAccepted         fal certainly did not accept the request: may be sent again    .retry_after .waiting_for
    ├── SubmitUnanswered    sent without an answer: fal may have accepted it, so it is never resent automatically
    ├── Unreachable         a read-only call failed temporarily: repeating it costs nothing
    └── RequestFailed       final: fal refused the request, or could not make the picture
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict


def printable(text: str) -> str:
    """The text with `?` for halves of characters (lone surrogates), which a message may repeat from what was sent."""
    return text.encode("utf-8", "replace").decode()


Printable = Annotated[str, BeforeValidator(printable)]


class FieldIssue(BaseModel):
    """One rule that one field breaks. `field` is a GenerationRequest name, or `width` / `height`."""

    model_config = ConfigDict(frozen=True)

    field: Printable
    message: Printable


class Failure(BaseModel):
    """Why a run ended without a picture; stored in the history and shown on the card."""

    model_config = ConfigDict(frozen=True)

    code: str
    """A short stable name: `unauthorized`, `locked`, `validation`, `content_policy`, `timeout`, …"""
    message: str
    """A sentence (or two) that says what happened and what to do."""
    field: str | None = None
    """The GenerationRequest field at fault, if fal named one."""
    retryable: bool = False
    """Whether Retry can succeed with unchanged settings."""
    refetch: bool = False
    """Whether Retry fetches the result of the request that fal already accepted, which costs nothing."""
    charged: bool | None = None
    """Whether fal charged for the request; None if unknown."""


class PlaygroundError(Exception):
    """Base of all errors whose text may be shown to a user unchanged."""


class InvalidRequest(PlaygroundError):
    def __init__(self, issues: tuple[FieldIssue, ...]) -> None:
        self.issues = issues
        super().__init__(" ".join(issue.message for issue in issues))


class NotFound(PlaygroundError):
    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"There is no {what} here. It may have been deleted, or belong to another visitor.")


class OriginalRemoved(PlaygroundError):
    """`was_here`: the original was stored here and removed to save space; otherwise its run was imported without it."""

    def __init__(self, *, was_here: bool) -> None:
        self.was_here = was_here
        super().__init__(
            "The original was removed to save space; its entry and a small copy are kept. Reuse its settings and seed "
            "to make it again."
            if was_here
            else "This was restored without its picture. Drop an export that holds it, and it is back."
        )


class BudgetExceeded(PlaygroundError):
    def __init__(self, whose: str, limit_usd: float, spent_usd: float, asked_usd: float) -> None:
        self.limit_usd, self.spent_usd, self.asked_usd = limit_usd, spent_usd, asked_usd
        super().__init__(
            f"{whose} ${limit_usd:.2f} a day; ≈ ${spent_usd:.2f} is used and this would add ≈ ${asked_usd:.2f}. "
            "Make fewer or smaller pictures, enter your own fal key, or come back tomorrow."
        )


class ConfirmNeeded(PlaygroundError):
    def __init__(self, count: int, cost_usd: float) -> None:
        self.count, self.cost_usd = count, cost_usd
        price = f"about ${cost_usd:.2f}" if cost_usd else "$0"
        super().__init__(f"This makes {count:,} new pictures for {price}. Confirm it to go on (confirm: true).")


class KeyReused(PlaygroundError):
    def __init__(self) -> None:
        super().__init__(
            "This Idempotency-Key came with another request within the last day, so nothing was asked for. Send the "
            "same request to hear what came of it, or another key."
        )


class TooMuch(PlaygroundError):
    """More pictures or files at once than are allowed. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int = 60) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class TooSlow(PlaygroundError):
    """`received`: bytes that came in the last minute."""

    def __init__(self, received: int) -> None:
        self.received = received
        super().__init__(
            "The file stopped on its way here: almost nothing of it came in a minute. Nothing was done with it; send "
            "it again."
        )


class CannotWrite(PlaygroundError):
    """The disk is full, or the folder became read-only. `reason` is the database's error text."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"The history cannot be written ({reason}), so nothing was sent. Make room in the data folder or make it "
            "writable, then try again."
        )


class StorageBusy(CannotWrite):
    """Another program has locked the history's file. Nothing is full or broken: a retry may succeed."""


class KeyNeeded(PlaygroundError):
    def __init__(self) -> None:
        super().__init__("This needs a fal key: set FAL_KEY where the server runs, or enter yours with the Key button.")


class Stopping(PlaygroundError):
    """Raised to a caller that waits for a run when the server stops first. The run goes on after the next start."""

    def __init__(self) -> None:
        super().__init__(
            "The server is stopping. What you asked for is kept and goes on when it starts again: look in the history "
            "before you ask for it again."
        )


class StartupError(PlaygroundError):
    """The server cannot start; the text says what to change."""


class EngineError(PlaygroundError):
    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


class NotAccepted(EngineError):
    """fal certainly did not accept the request.

    `retry_after` is in seconds, None if fal gave none. `waiting_for` is the card's text until the request is resent.
    """

    def __init__(self, failure: Failure, *, waiting_for: str, retry_after: float | None = None) -> None:
        super().__init__(failure)
        self.waiting_for = waiting_for
        self.retry_after = retry_after


class SubmitUnanswered(EngineError):
    """The request was sent and not answered: fal may be working on it and may charge for it."""


class Unreachable(EngineError):
    """A read-only call failed temporarily. Nothing is lost; the caller may repeat it later."""


class RequestFailed(EngineError):
    """fal's final answer: it refused the request, or could not make the picture."""
