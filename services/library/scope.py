"""Whose runs are meant. Each query of the history says it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, false, true

from services.library.tables import runs
from services.run import Run


@dataclass(frozen=True)
class Scope:
    """Whose runs are meant: all of them (shared history), or those of one visitor. `visitor` None: of nobody."""

    visitor: str | None
    everyone: bool = False

    def clause(self, visitor: ColumnElement[Any] = runs.c.visitor) -> ColumnElement[bool]:
        if self.everyone:
            return true()
        return visitor == self.visitor if self.visitor else false()

    def holds(self, run: Run) -> bool:
        """What `clause` says, of a run that was read already."""
        return self.everyone or (bool(self.visitor) and run.visitor == self.visitor)


EVERYONE = Scope(None, everyone=True)
