from __future__ import annotations

from pathlib import Path

import pytest
from support.folder import contents


def test_a_file_that_is_renamed_meanwhile_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    part, whole = tmp_path / "b.part", tmp_path / "a.txt"
    part.write_bytes(b"secret")
    read = Path.read_bytes

    def renamed_first(file: Path) -> bytes:
        if part.exists():
            part.rename(whole)
        return read(file)

    monkeypatch.setattr(Path, "read_bytes", renamed_first)
    assert contents(tmp_path) == {"a.txt": b"secret"}
