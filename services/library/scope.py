"""Scope: whose runs a query of the history may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, false, true

from services.library.tables import runs
from services.run import Run


@dataclass(frozen=True)
class Scope:
    """Everyone's runs (shared history), or those of one visitor. With `visitor` None and not `everyone`: no runs."""

    visitor: str | None
    everyone: bool = False

    def clause(self, visitor: ColumnElement[Any] = runs.c.visitor) -> ColumnElement[bool]:
        if self.everyone:
            return true()
        return visitor == self.visitor if self.visitor else false()

    def holds(self, run: Run) -> bool:
        """`clause` for a run that is in memory already."""
        return self.everyone or (bool(self.visitor) and run.visitor == self.visitor)


EVERYONE = Scope(None, everyone=True)
