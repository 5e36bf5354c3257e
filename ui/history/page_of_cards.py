"""A page of runs as the gallery and the History tab show it: cards, and a stack for each grid among them."""

from __future__ import annotations

from typing import Any

from services.library.query import Query
from services.library.scope import Scope
from services.library.search import Search, Sort, stacks
from services.library.stacks import summed_up
from services.playground import Playground
from ui.cards import card, stack_card


async def page_of_cards(
    playground: Playground, scope: Scope, query: Query, sort: Sort = "newest", *, limit: int, after: int | None = None,
    at: float | None = None,
) -> dict[str, Any]:  # fmt: skip
    """`runs`: cards, for a stacked grid only that of its first run; `stacks`: grid id → the stack's card; `more`:
    whether further runs follow."""
    search, read = Search(playground.history), playground.pools.reads
    found = await read(search.page, scope, query, sort, limit=limit + 1, after=after, at=at, stacked=True)
    entries = found[:limit]
    grids = {entry.run.grid_id for entry in entries if entry.run.grid_id} if stacks(query, sort) else set()
    return {
        "runs": [card(entry) for entry in entries],
        "stacks": await stacks_of(playground, scope, query, grids),
        "more": len(found) > limit,
    }


async def stacks_of(playground: Playground, scope: Scope, query: Query, grid_ids: set[str]) -> dict[str, Any]:
    """Grid id → its stack, for those of this scope."""
    if not grid_ids:
        return {}
    found = await playground.pools.reads(summed_up, playground.history, scope, query, grid_ids)
    return {stack.grid_id: stack_card(stack) for stack in found}
