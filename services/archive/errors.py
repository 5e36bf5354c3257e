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


class RestWaits(PlaygroundError):
    """The import counts, but not all of it could be put in place. The rest waits in a folder beside the history; the
    next start puts it there, or the next import."""

    def __init__(self, why: str, what: str = "some entries") -> None:
        super().__init__(
            f"Everything is restored but {what}, which could not be put in place yet ({why}). Make room on the "
            "server's disk, then drop the file again or restart the server."
        )


class PicturesWait(RestWaits):
    """The entries are all in place, some pictures are not."""

    def __init__(self, why: str) -> None:
        super().__init__(why, "some pictures")
