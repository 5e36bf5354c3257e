"""Why an export cannot be imported, as sentences."""

from __future__ import annotations

from services.errors import PlaygroundError


class ArchiveError(PlaygroundError):
    """An import was refused and changed nothing.

    `reason` is a short stable name: `cut_off`, `unknown_part`, `bomb`, `bad_line`, …
    """

    def __init__(self, reason: str, sentence: str) -> None:
        self.reason = reason
        super().__init__(f"{sentence} Nothing was restored.")
