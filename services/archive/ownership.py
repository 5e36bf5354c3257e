"""What an import changes in a run: its visitor, a taken id, and how an unfinished run ends."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from services import failures
from services.archive.lines import RunLine
from services.run import AT_FAL_STATES, RunState


@dataclass(frozen=True)
class Owner:
    """The visitor for whom an export is imported."""

    visitor: str | None
    shares: bool
    """Whether the history is shared: all visitors see all runs, and trust each other."""

    def own_id(self, taken: str) -> str:
        """Replaces an id that another visitor has: a hash, so that a second import finds the rows of the first."""
        return hashlib.sha256(f"{self.visitor}:{taken}".encode()).hexdigest()[:32]

    def changes(self, line: RunLine) -> dict[str, Any]:
        """The fields in which the run differs from its line: its visitor and, if it was unfinished, its end.

        An import never sends a request. A pending run is cancelled, a submitting one becomes unknown, and one that fal
        was making fails with a Retry that fetches its picture. In a history that is not shared, a file cannot make the
        server fetch with its owner's key: there a run of that key gets no Retry that fetches.
        """
        trusted = self.shares or line.key_of == "visitor"
        return {"visitor": self.visitor, **_end(line, trusted=trusted)}


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
