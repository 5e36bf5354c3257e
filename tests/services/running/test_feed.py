"""One read of the history for all who listen, and each hears what the database itself would tell."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.library.history import History
from services.library.rows import Entry
from services.library.scope import EVERYONE, Scope
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Run, RunState, new_id, now
from services.running import feed as feed_module
from services.running.feed import Feed

ANN, BOB, NOBODY = Scope("ann"), Scope("bob"), Scope(None)


class CountedHistory(History):
    reads = 0

    def changed_since(self, scope: Scope, revision: int, *, limit: int = 200) -> list[Entry]:
        self.reads += 1
        return super().changed_since(scope, revision, limit=limit)


@pytest.fixture
def history(tmp_path: Path) -> Iterator[CountedHistory]:
    history = CountedHistory(tmp_path)
    yield history
    history.close()


def add(history: History, visitor: str | None) -> Run:
    request = Flux2FlexRequest(prompt="a fox", seed=1)
    run = Run(id=new_id(), visitor=visitor, engine="demo", key_of="owner", request=request, created_at=now())
    return history.add([run])[0]


async def test_each_scope_hears_its_own_as_the_database_tells_it(history: CountedHistory) -> None:
    feed = Feed(history)
    start = history.revision()
    await feed.since(EVERYONE, start)
    first, _, _ = (add(history, visitor) for visitor in ("ann", "bob", None))
    history.change(first.id, state=RunState.DONE)
    for scope in (EVERYONE, ANN, BOB, NOBODY):
        for revision in range(start, history.revision() + 1):
            assert await feed.since(scope, revision) == history.changed_since(scope, revision), (scope, revision)


async def test_those_who_wait_together_share_a_read(history: CountedHistory) -> None:
    feed = Feed(history)
    start = history.revision()
    await feed.since(EVERYONE, start)
    add(history, "ann")
    before = history.reads
    found = await asyncio.gather(*(feed.since(ANN, start) for _ in range(20)))
    assert {len(entries) for entries in found} == {1}
    assert history.reads == before + 1


async def test_what_was_committed_during_a_read_is_in_the_next_answer(history: CountedHistory) -> None:
    feed = Feed(history)
    start = history.revision()
    await feed.since(EVERYONE, start)
    early = asyncio.create_task(feed.since(ANN, start))
    await asyncio.sleep(0)  # its read has begun
    add(history, "ann")
    assert len(await feed.since(ANN, start)) == 1
    await early


async def test_older_changes_than_are_kept_come_from_the_database(
    history: CountedHistory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "KEPT", 4)
    feed = Feed(history)
    start = history.revision()
    for _ in range(3):
        await feed.since(EVERYONE, history.revision())
        for _ in range(3):
            add(history, "ann")
    for revision in range(start, history.revision() + 1):
        assert await feed.since(ANN, revision) == history.changed_since(ANN, revision)
    for _ in range(9):  # more at once than are kept
        add(history, "ann")
    assert await feed.since(ANN, start) == history.changed_since(ANN, start)
