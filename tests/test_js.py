"""The page's modules by themselves, in node: orders of events that a browser meets only now and then."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "js"


@pytest.mark.parametrize(
    "script", sorted(FOLDER.rglob("*.test.mjs")), ids=lambda script: script.relative_to(FOLDER).as_posix()
)
def test_module(script: Path) -> None:
    command = ["node", "--experimental-detect-module", "--test", str(script)]  # the page's modules end in .js
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
