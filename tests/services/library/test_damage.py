"""Damaged and locked histories: set aside, or left alone."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import create_engine
from support.newest import newest

from services.errors import StartupError
from services.library import damage as damage_module
from services.library import dialect as dialect_module
from services.library.damage import set_aside_if_damaged
from services.library.history import History
from services.library.scope import EVERYONE
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Run, new_id, now


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A history with enough runs that the middle of its file lies in none of the first pages."""
    history = History(tmp_path)
    request = Flux2FlexRequest(prompt="a fox " * 200, seed=7)
    run = Run(id=new_id(), visitor=None, engine="demo", key_of="owner", request=request, created_at=now())
    history.add([run.model_copy(update={"id": new_id()}) for _ in range(60)])
    history.close()
    return tmp_path / "history.sqlite3"


def overwrite(file: Path, at: int, count: int) -> bytes:
    with file.open("r+b") as opened:
        opened.seek(at)
        opened.write(b"\xa5" * count)
    return file.read_bytes()


def test_a_sound_one_stays(file, tmp_path):
    before = file.read_bytes()
    assert set_aside_if_damaged(file) is None
    assert file.read_bytes() == before
    assert set_aside_if_damaged(tmp_path / "none") is None


@pytest.mark.parametrize("where", ["the beginning", "the middle", "all of it", "cut off"])
def test_a_damaged_one_is_set_aside_and_a_new_one_begun(file, tmp_path, caplog, where):
    size = file.stat().st_size
    if where == "cut off":
        file.write_bytes(file.read_bytes()[: size // 2 - size // 2 % 4096])
        damaged = file.read_bytes()
    else:
        at = size // 2 - 4096 if where == "the middle" else 0
        damaged = overwrite(file, at, {"the beginning": 100, "the middle": 8192, "all of it": size}[where])
    with caplog.at_level(logging.ERROR):
        history = History(tmp_path)
    assert newest(history, EVERYONE, limit=10) == []
    assert history.set_aside is not None
    assert history.set_aside.name.startswith("history.sqlite3.damaged-2")
    assert history.set_aside.read_bytes() == damaged
    assert "the history is damaged" in caplog.text
    assert history.set_aside.name in caplog.text
    history.close()
    again = History(tmp_path)
    assert again.set_aside is None
    again.close()


def test_what_cannot_be_renamed_is_said(file, monkeypatch):
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    overwrite(file, 0, 4096)
    monkeypatch.setattr(damage_module.os, "replace", refuse)
    with pytest.raises(StartupError, match=r"is damaged \(.*\) and cannot be set aside \(Permission denied\)"):
        set_aside_if_damaged(file)


def test_a_locked_one_is_no_damaged_one_and_is_said(file, tmp_path, monkeypatch):
    real = create_engine
    monkeypatch.setattr(dialect_module, "create_engine", lambda url, **_: real(url, connect_args={"timeout": 0}))
    monkeypatch.setattr(dialect_module, "BUSY_MS", 0)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(StartupError, match="Is another program using it"):
            History(tmp_path)
    finally:
        other.close()
    assert [found.name for found in tmp_path.glob("*damaged*")] == []
