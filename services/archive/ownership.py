"""What an import changes in a run: its visitor, a taken id, whose key it counts for, and how an unfinished run ends."""

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
    """The visitor for whom an export is imported."""

    visitor: str | None
    shares: bool
    """Whether the history is shared: all visitors see all runs, and trust each other."""
    budget_since: datetime | None = None
    """Runs created since then count against a budget of the server owner's key; None where there is no budget."""

    def own_id(self, taken: str) -> str:
        """Replaces an id that another visitor has: a hash, so that a second import finds the rows of the first."""
        return hashlib.sha256(f"{self.visitor}:{taken}".encode()).hexdigest()[:32]

    def changes(self, line: RunLine) -> dict[str, Any]:
        """The fields in which the run differs from its line: visitor, key_of and, if it was unfinished, its end.

        An import never sends a request. A pending run is cancelled, a submitting one becomes unknown, and one that fal
        was making fails with a Retry that fetches its picture. In a history that is not shared, a file cannot make the
        server fetch with its owner's key: there a run of that key gets no Retry that fetches.
        """
        key_of = self._key_of(line)
        trusted = self.shares or key_of == "visitor"
        return {"visitor": self.visitor, "key_of": key_of, **_end(line, trusted=trusted)}

    def _key_of(self, line: RunLine) -> KeyOf:
        """`visitor` for runs that would count against today's budget of the owner's key: a file must not use it up."""
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
