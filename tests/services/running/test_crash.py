"""Real processes, killed without warning: what they left is finished or said, and nothing is sent twice."""

from __future__ import annotations

import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.newest import newest
from support.patience import PATIENCE_SECONDS
from support.standin import WAITING, Reply, Silent, StandIn
from support.tls import TlsServer, serve_tls
from support.workers import Workers, stored_states, wait_until

from services.library.grid_store import GridStore
from services.library.history import History
from services.library.media import open_media
from services.library.scope import EVERYONE
from services.run import Run, RunState

COUNT = 20
"""Pictures in flight when the server is killed."""


@pytest.fixture
def fal() -> StandIn:
    return StandIn(media_host=None)


@pytest.fixture
def address(fal: StandIn, tmp_path: Path) -> Iterator[TlsServer]:
    folder = tmp_path / "tls"
    folder.mkdir()
    with serve_tls(fal, folder) as server:
        yield server
        fal.finish.set()


@pytest.fixture
def start(address: TlsServer, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    with Workers(address, tmp_path, at_once=COUNT) as workers:
        yield workers.start


@pytest.fixture
def crash_and_go_on(start, fal: StandIn, tmp_path: Path) -> Callable[..., list[Run]]:
    """Ask for COUNT pictures, kill the server once it left all in `state`, start it again: the runs' ends."""

    def crash(
        state: RunState | None,
        *,
        when: Callable[[], object] = lambda: True,
        before_restart: Callable[[], object] = lambda: None,
    ) -> list[Run]:
        """`state` None: kill it as soon as `when` holds, wherever each of them stands."""
        first = start(str(COUNT))
        there = [state.value] * COUNT if state else None
        wait_until(lambda: (there is None or stored_states(tmp_path / "data") == there) and when(), first)
        first.kill()
        first.wait()
        assert there is None or stored_states(tmp_path / "data") == there
        fal.finish.set()
        before_restart()

        second = start()
        assert second.wait(PATIENCE_SECONDS) == 0, (tmp_path / "log.txt").read_text()
        history = History(tmp_path / "data")
        runs = [entry.run for entry in newest(history, EVERYONE, limit=COUNT + 1)]
        history.close()
        assert len(runs) == COUNT
        return runs

    return crash


def check_all_kept(runs: list[Run], fal: StandIn, folder: Path) -> None:
    """Every picture is there, byte for byte; each request was accepted once and belongs to one run."""
    assert [run.state for run in runs] == [RunState.DONE] * COUNT, [run.failure for run in runs]
    assert {run.ticket.request_id for run in runs if run.ticket} == set(fal.taken)
    assert fal.accepted == COUNT
    for run in runs:
        check_kept(run, fal, folder)


def check_kept(run: Run, fal: StandIn, folder: Path) -> None:
    assert run.picture is not None
    assert run.ticket is not None
    assert open_media(folder).read("media", run.picture.name) == fal.picture(fal.taken[run.ticket.request_id])


def test_before_the_submit_it_is_sent_after_the_restart(crash_and_go_on, fal, tmp_path):
    fal.script("submit", *[Reply(429, {"detail": "Too many requests"}, {"retry-after": "60"})] * COUNT)
    runs = crash_and_go_on(RunState.PENDING, when=lambda: fal.count("submit") == COUNT)
    check_all_kept(runs, fal, tmp_path / "data")


def test_while_the_submit_is_unanswered_it_ends_unknown_and_is_not_repeated(crash_and_go_on, fal):
    fal.script("submit", *[Silent()] * COUNT)
    runs = crash_and_go_on(RunState.SUBMITTING, when=lambda: fal.accepted == COUNT)
    for run in runs:
        assert run.state is RunState.UNKNOWN
        assert run.failure is not None
        assert "fal may have accepted this; it was not sent again" in run.failure.message
    assert fal.count("submit") == COUNT


def test_between_the_replies_none_is_lost_and_none_sent_twice(crash_and_go_on, fal, tmp_path):
    """Killed in the middle of it: some were not sent, some not answered, some not yet stored, some followed."""
    runs = crash_and_go_on(None, when=lambda: fal.accepted >= 3)
    assert {run.state for run in runs} <= {RunState.DONE, RunState.UNKNOWN}
    for run in runs:
        if run.state is RunState.DONE:
            check_kept(run, fal, tmp_path / "data")
    followed = {run.ticket.request_id for run in runs if run.ticket}
    unknown = [run for run in runs if run.state is RunState.UNKNOWN]
    assert len(set(fal.taken) - followed) <= len(unknown), "what fal took is followed, or shown as unknown"
    assert fal.count("submit") <= COUNT


def test_after_the_id_was_stored_it_is_followed(crash_and_go_on, fal, tmp_path):
    fal.script("status", *[Silent()] * COUNT)
    runs = crash_and_go_on(RunState.SUBMITTED, when=lambda: fal.count("status") == COUNT)
    check_all_kept(runs, fal, tmp_path / "data")


def test_while_queued_it_is_followed(crash_and_go_on, fal, tmp_path):
    fal.stages = [WAITING]
    fal.finish.clear()
    check_all_kept(crash_and_go_on(RunState.QUEUED), fal, tmp_path / "data")


def test_while_running_it_is_followed(crash_and_go_on, fal, tmp_path):
    fal.finish.clear()
    check_all_kept(crash_and_go_on(RunState.RUNNING), fal, tmp_path / "data")


def test_while_the_picture_is_on_its_way_it_is_fetched_again(crash_and_go_on, fal, tmp_path):
    fal.script("media", *[Silent()] * COUNT)
    runs = crash_and_go_on(RunState.RUNNING, when=lambda: fal.count("media") == COUNT)
    check_all_kept(runs, fal, tmp_path / "data")
    assert fal.count("media") == 2 * COUNT
    assert {file.suffix for file in (tmp_path / "data" / "media").iterdir()} == {".jpg"}


def test_with_the_picture_in_place_and_not_yet_committed_it_is_fetched_again(crash_and_go_on, fal, tmp_path):
    """Another program's lock holds the commit back; the kill falls between the file and its line in the history."""
    fal.finish.clear()
    media, held = tmp_path / "data" / "media", []

    def the_files_are_there() -> bool:
        if not held:
            held.append(sqlite3.connect(tmp_path / "data" / "history.sqlite3", isolation_level=None))
            held[0].execute("BEGIN IMMEDIATE")
            fal.finish.set()
        return len(list(media.glob("*.jpg"))) == COUNT

    runs = crash_and_go_on(RunState.RUNNING, when=the_files_are_there, before_restart=lambda: held[0].close())
    check_all_kept(runs, fal, tmp_path / "data")


def test_while_a_grid_runs_only_what_is_missing_is_made(start, fal, tmp_path):
    """COUNT of its cells are at fal and four were not sent when the server is killed."""
    fal.finish.clear()
    first = start(str(COUNT + 4), "grid")
    wait_until(lambda: stored_states(tmp_path / "data").count("running") == COUNT, first)
    first.kill()
    first.wait()
    assert sorted(set(stored_states(tmp_path / "data"))) == ["pending", "running"]
    fal.finish.set()
    assert start().wait(PATIENCE_SECONDS) == 0, (tmp_path / "log.txt").read_text()

    history = History(tmp_path / "data")
    store = GridStore(history)
    (line,) = store.newest(EVERYONE, limit=2)
    runs = history.many(store.get(line.id, EVERYONE).cells.values(), EVERYONE).values()
    history.close()
    assert [run.state for run in runs] == [RunState.DONE] * (COUNT + 4)
    assert {run.ticket.request_id for run in runs if run.ticket} == set(fal.taken)
    assert fal.accepted == COUNT + 4
