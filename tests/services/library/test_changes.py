"""Who is woken by what: pages by every change in their scope, waiting callers by the end of what they wait for."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr
from support.patience import PATIENCE_SECONDS

from services.library.changes import Changes
from services.library.scope import EVERYONE, Scope
from services.models.flux_2_flex import Flux2FlexRequest
from services.playground import Playground
from services.run import Run, RunState, now
from services.settings import Settings
from services.stored import StoredRequest

ANN = "a" * 32


def run(name: str, state: RunState = RunState.DONE, grid: str | None = None) -> Run:
    asked = StoredRequest.of(Flux2FlexRequest(prompt="a fox", seed=7))
    return Run(id=name, visitor=ANN, engine="demo", key_of="owner", request=asked, state=state, grid_id=grid,
               created_at=now())  # fmt: skip


def test_only_the_end_of_a_run_wakes_who_waits_for_it() -> None:
    changes = Changes()
    with changes.wait_for("mine") as mine, changes.wait_for("other") as other, changes.listen(EVERYONE) as page:
        changes.tell(ANN, [run("mine", RunState.RUNNING)])
        assert (page.is_set(), mine.is_set()) == (True, False)
        changes.tell(ANN, [run("mine")])
        assert (mine.is_set(), other.is_set()) == (True, False)


def test_who_waits_for_a_grid_is_woken_by_the_end_of_each_of_its_runs() -> None:
    changes = Changes()
    with changes.wait_for("grid") as grid:
        changes.tell(ANN, [run("cell", RunState.QUEUED, "grid"), run("alone")])
        assert not grid.is_set()
        changes.tell(ANN, [run("cell", RunState.CANCELLED, "grid")])
        assert grid.is_set()


@pytest.mark.parametrize("wake", [lambda changes: changes.tell(ANN), Changes.close], ids=["any change", "stop"])
def test_a_change_of_no_named_run_wakes_all_who_wait(wake: object) -> None:
    changes = Changes()
    with changes.wait_for("one") as one, changes.wait_for("two") as two, changes.wait_for("one") as third:
        wake(changes)  # type: ignore[operator]
        assert [one.is_set(), two.is_set(), third.is_set()] == [True] * 3


def test_nothing_is_kept_of_who_waits_no_more() -> None:
    changes = Changes()
    with changes.wait_for("one"), changes.wait_for("one"):
        pass
    assert not changes._waiting


async def test_many_waiting_calls_read_the_history_twice_each(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not at every change of every run."""
    playground = Playground(Settings(fal_key=SecretStr("a:b"), playground_data_dir=tmp_path))
    monkeypatch.setattr(playground.runner, "take", lambda run: None)  # this test moves them on itself
    runs = await playground.generate(ANN, Flux2FlexRequest(prompt="a fox"), 8)
    waiting = [asyncio.create_task(playground.finished(ANN, run.id)) for run in runs for _ in range(3)]
    reads, get = 0, playground.history.get
    loop, all_wait = asyncio.get_running_loop(), asyncio.Event()

    def count() -> None:
        nonlocal reads
        reads += 1
        if reads == len(waiting):
            all_wait.set()

    def counted(run_id: str, scope: Scope) -> Run:
        found = get(run_id, scope)
        loop.call_soon_threadsafe(count)
        return found

    monkeypatch.setattr(playground.history, "get", counted)
    await asyncio.wait_for(all_wait.wait(), PATIENCE_SECONDS)
    for state in (RunState.SUBMITTING, RunState.SUBMITTED, RunState.QUEUED, RunState.RUNNING, RunState.DONE):
        for one in runs:
            await playground.runner._journal.save(one, state=state)
    assert [ended.state for ended in await asyncio.gather(*waiting)] == [RunState.DONE] * len(waiting)
    assert reads == 2 * len(waiting)
    await playground.stop()
