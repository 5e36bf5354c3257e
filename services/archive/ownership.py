"""A run from elsewhere as it can stand here: its new owner and names, and an end where it had none."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from services import failures
from services.archive.lines import RunLine
from services.run import AT_FAL_STATES, KeyOf, RunState


@dataclass(frozen=True)
class Owner:
    """For whom an export is restored."""

    visitor: str | None
    shares: bool
    """Whether all runs are one history here: of people who trust each other."""
    budget_since: datetime | None = None
    """From when on runs count against a budget of the owner's key; None where there is no budget."""

    def own_id(self, taken: str) -> str:
        """Instead of an id that another visitor has: always the same one, so that twice restored is once there."""
        return hashlib.sha256(f"{self.visitor}:{taken}".encode()).hexdigest()[:32]

    def changes(self, line: RunLine) -> dict[str, Any]:
        """What is other here than in the line: whose it is, who paid, and how it ended.

        Nothing is ever sent by a restore. What was not sent is cancelled, what was being sent is unanswered, and what
        fal was making failed with a Retry that fetches it. In a history that is not shared nothing is fetched with the
        owner's key on the word of a file.
        """
        key_of = self._key_of(line)
        trusted = self.shares or key_of == "visitor"
        return {"visitor": self.visitor, "key_of": key_of, **_end(line, trusted=trusted)}

    def _key_of(self, line: RunLine) -> KeyOf:
        """A file must not use up what visitors may spend today of the owner's key: here it was paid with another."""
        counts = self.budget_since is not None and line.created_at >= self.budget_since
        return "visitor" if counts else line.key_of


def _end(line: RunLine, *, trusted: bool) -> dict[str, Any]:
    ended = {"queue_position": None, "progress": None, "note": None, "finished_at": line.finished_at or line.created_at}
    if line.state is RunState.PENDING:
        return {**ended, "state": RunState.CANCELLED}
    if line.state is RunState.SUBMITTING or (line.state in AT_FAL_STATES and line.ticket is None):
        return {**ended, "state": RunState.UNKNOWN, "failure": failures.exported_while_submitting()}
    if line.state in AT_FAL_STATES:
        return {**ended, "state": RunState.FAILED, "failure": failures.exported_while_made(refetch=trusted)}
    if line.failure and line.failure.refetch and not trusted:
        return {"failure": line.failure.model_copy(update={"refetch": False})}
    return {}
