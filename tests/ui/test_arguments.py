from __future__ import annotations

from pathlib import Path

import pytest

from ui.arguments import parse


def test_without_any_it_serves():
    assert parse([]).restore is None


def test_a_backup_to_restore():
    assert parse(["--restore", "backups/history-20260301.sqlite3"]).restore == Path("backups/history-20260301.sqlite3")


@pytest.mark.parametrize("words", [["--restore"], ["--resto", "x"], ["serve"]])
def test_what_is_not_understood_is_said(words, capsys):
    with pytest.raises(SystemExit) as ended:
        parse(words)
    assert ended.value.code == 2
    assert "usage: app.py" in capsys.readouterr().err


def test_help_names_each_of_them(capsys):
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    assert "--restore FILE" in capsys.readouterr().out
