"""Real processes, killed without warning: what they left is finished or said, and nothing is sent twice."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.patience import PATIENCE_SECONDS
from support.standin import Reply, Silent, StandIn
from support.tls import TlsServer, serve_tls

from services.library.history import EVERYONE, History
from services.library.media import Media
from services.run import Run, RunState

ROOT = Path(__file__).parents[2]
WORKER = ROOT / "tests" / "support" / "worker.py"


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
    started = []

    def start_(*arguments: str) -> subprocess.Popen[bytes]:
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("FAL_", "PLAYGROUND_"))}
        environ |= {
            **address.environ("owner:secret"),
            "PYTHONPATH": str(ROOT),
            "PLAYGROUND_DATA_DIR": str(tmp_path / "data"),
        }
        with (tmp_path / "log.txt").open("ab") as log:
            process = subprocess.Popen([sys.executable, str(WORKER), *arguments], env=environ, stdout=log, stderr=log)
        started.append(process)
        return process

    yield start_
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture
def crash_and_go_on(start, fal: StandIn, tmp_path: Path) -> Callable[..., Run]:
    """Ask for a picture, kill the server once it left the run in `state`, start it again: the run's end."""

    def crash(state: RunState, *, when: Callable[[], object] = lambda: True) -> Run:
        first = start("1")
        wait_until(lambda: stored_state(tmp_path / "data") == state.value and when(), first)
        first.kill()
        first.wait()
        assert stored_state(tmp_path / "data") == state.value
        fal.finish.set()

        second = start()
        assert second.wait(PATIENCE_SECONDS) == 0, (tmp_path / "log.txt").read_text()
        history = History(tmp_path / "data")
        (entry,) = history.page(EVERYONE, limit=10)
        history.close()
        return entry.run

    return crash


def wait_until(condition: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert process.poll() is None, "the server ended by itself"
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


def stored_state(folder: Path) -> str | None:
    """What is committed, read as another process reads it."""
    try:
        connection = sqlite3.connect(f"file:{folder}/history.sqlite3?mode=ro", uri=True)
        try:
            found = connection.execute("SELECT state FROM runs").fetchone()
        finally:
            connection.close()
    except sqlite3.OperationalError:
        return None
    return found[0] if found else None


def is_kept(run: Run, fal: StandIn, folder: Path) -> bool:
    assert run.picture is not None
    (taken,) = fal.taken.values()
    return Media(folder).original(run.picture.name).read_bytes() == fal.picture(taken)


def test_before_the_submit_it_is_sent_after_the_restart(crash_and_go_on, fal, tmp_path):
    fal.script("submit", Reply(429, {"detail": "Too many requests"}, {"retry-after": "60"}))
    run = crash_and_go_on(RunState.PENDING, when=lambda: fal.count("submit") == 1)
    assert run.state is RunState.DONE
    assert fal.accepted == 1
    assert is_kept(run, fal, tmp_path / "data")


def test_while_the_submit_is_unanswered_it_ends_unknown_and_is_not_repeated(crash_and_go_on, fal):
    fal.script("submit", Silent())
    run = crash_and_go_on(RunState.SUBMITTING, when=lambda: fal.accepted == 1)
    assert run.state is RunState.UNKNOWN
    assert run.failure is not None
    assert "fal may have accepted this; it was not sent again" in run.failure.message
    assert fal.count("submit") == 1


def test_after_the_id_was_stored_it_is_followed(crash_and_go_on, fal, tmp_path):
    fal.script("status", Silent())
    run = crash_and_go_on(RunState.SUBMITTED, when=lambda: fal.count("status") == 1)
    assert run.state is RunState.DONE
    assert fal.count("submit") == 1
    assert is_kept(run, fal, tmp_path / "data")


def test_while_running_it_is_followed(crash_and_go_on, fal, tmp_path):
    fal.finish.clear()
    run = crash_and_go_on(RunState.RUNNING)
    assert run.state is RunState.DONE
    assert fal.count("submit") == 1
    assert is_kept(run, fal, tmp_path / "data")


def test_while_the_picture_is_on_its_way_it_is_fetched_again(crash_and_go_on, fal, tmp_path):
    fal.script("media", Silent())
    run = crash_and_go_on(RunState.RUNNING, when=lambda: fal.count("media") == 1)
    assert run.state is RunState.DONE
    assert (fal.count("submit"), fal.count("media")) == (1, 2)
    assert is_kept(run, fal, tmp_path / "data")
    assert [file.suffix for file in (tmp_path / "data" / "media").iterdir()] == [".jpg"]
