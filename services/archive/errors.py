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


class PicturesWait(PlaygroundError):
    """The entries are restored, but not all of their pictures could be put in place. They wait in a folder beside them;
    the next start puts them there."""

    def __init__(self, why: str) -> None:
        super().__init__(
            f"Everything is restored but some pictures, which could not be put in place yet ({why}). Make room on the "
            "server's disk, then drop the file again or restart the server."
        )
