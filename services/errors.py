"""Everything that can go wrong, as one tree. Each error has a sentence for the user and carries its data.

PlaygroundError
├── InvalidRequest          the settings break a rule          .issues (field, message)
├── MetadataError           a file holds no settings that can be read   .reason  (services/metadata)
├── NotFound                no such run for this visitor       .what
├── OriginalRemoved         the picture's own file is not kept here    .was_here
├── ArchiveError            an export cannot be made or restored   .reason  (services/archive)
├── BudgetExceeded          a limit on spending is reached     .limit_usd .spent_usd .asked_usd
├── ConfirmNeeded           so much that it needs a second yes .count .cost_usd
├── TooMuch                 too many pictures at once          .retry_after
├── CannotWrite             the history cannot be written just now     .reason
│   └── StorageBusy         another program holds its file: may be tried again in a moment
├── KeyNeeded               fal wants a key and none is known
├── Stopping                the server stops before the end that a caller waits for
├── StartupError            the server cannot start
└── EngineError             fal, or the way to it, failed      .failure (a Failure, kept with the run)
    ├── NotAccepted         certainly not taken: may be sent again     .retry_after .waiting_for
    ├── SubmitUnanswered    sent, and no answer came: may have been taken; is never sent again by itself
    ├── Unreachable         a reading call failed for now: asking again costs nothing
    └── RequestFailed       the final word: fal refused it, or could not make the picture
"""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class FieldIssue(BaseModel):
    """One rule that one field breaks. `field` is a GenerationRequest name, or `width` / `height`."""

    model_config = ConfigDict(frozen=True)

    field: str
    message: str


class Failure(BaseModel):
    """Why a run did not end with a picture; kept in the history and shown on the card."""

    model_config = ConfigDict(frozen=True)

    code: str
    """A short stable name: `unauthorized`, `locked`, `validation`, `content_policy`, `timeout`, …"""
    message: str
    """A sentence (or two) that says what happened and what to do."""
    field: str | None = None
    """The GenerationRequest field at fault, where fal named one."""
    retryable: bool = False
    """Whether pressing Retry can help without changing anything."""
    refetch: bool = False
    """Whether Retry asks for the same, already accepted request again, which costs nothing."""
    charged: bool | None = None
    """Whether fal charged for it; None where that is not known."""


class PlaygroundError(Exception):
    """Base of all errors whose text may be shown to a user as it is."""


class InvalidRequest(PlaygroundError):
    def __init__(self, issues: tuple[FieldIssue, ...]) -> None:
        self.issues = issues
        super().__init__(" ".join(issue.message for issue in issues))


class NotFound(PlaygroundError):
    def __init__(self, what: str) -> None:
        self.what = what
        super().__init__(f"There is no {what} here. It may have been deleted, or belong to another visitor.")


class OriginalRemoved(PlaygroundError):
    """`was_here`: it went to save space; else its entry was restored without it."""

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


class TooMuch(PlaygroundError):
    """More pictures at once than the owner allows. `retry_after` is in seconds."""

    def __init__(self, message: str, retry_after: int = 60) -> None:
        self.retry_after = retry_after
        super().__init__(message)


class CannotWrite(PlaygroundError):
    """A full disk, or a folder that became read-only. `reason` is the database's own word."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(
            f"The history cannot be written ({reason}), so nothing was sent. Make room in the data folder or make it "
            "writable, then try again."
        )


class StorageBusy(CannotWrite):
    """Another program holds the history's file locked. Nothing is full or broken: the same may be tried again."""


class KeyNeeded(PlaygroundError):
    def __init__(self) -> None:
        super().__init__("This needs a fal key: set FAL_KEY where the server runs, or enter yours with the Key button.")


class Stopping(PlaygroundError):
    """Who waits for an end is told that it will come without them."""

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
    """The request certainly was not taken by fal.

    `retry_after` is in seconds, None where fal did not say. `waiting_for` is what the card says meanwhile.
    """

    def __init__(self, failure: Failure, *, waiting_for: str, retry_after: float | None = None) -> None:
        super().__init__(failure)
        self.waiting_for = waiting_for
        self.retry_after = retry_after


class SubmitUnanswered(EngineError):
    """The request was sent and no answer came back: fal may be working on it, and may charge for it."""


class Unreachable(EngineError):
    """A call that only reads failed in a way that may pass. Nothing is lost; ask again later."""


class RequestFailed(EngineError):
    """fal's final word on a request."""
