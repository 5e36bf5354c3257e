"""What the history holds, as tests ask for it."""

from __future__ import annotations

from services.library.history import History
from services.library.query import parse
from services.library.rows import Entry
from services.library.scope import Scope
from services.library.search import Search


def newest(history: History, scope: Scope, *, limit: int = 9, after: int | None = None) -> list[Entry]:
    """The newest runs, or those that follow the run of seq `after`. Deleted ones are left out."""
    return Search(history).page(scope, parse(""), limit=limit, after=after)
