"""Lint, format and types of the whole tree."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).parent.parent
TYPES = Path(tempfile.gettempdir()) / "playground-tests-mypy"


def test_lint() -> None:
    run("ruff", "check", ".")


def test_format() -> None:
    run("ruff", "format", "--check", ".")


def test_types() -> None:
    """What is checked, and how strictly, stands in .mypy.ini. What mypy found out about unchanged files is kept for the
    next run, in whichever checkout: that takes a second instead of twenty."""
    with FileLock(f"{TYPES}.lock"):
        run("mypy", "--cache-dir", str(TYPES))


def run(*command: str) -> None:
    """Run a tool of this interpreter's environment at the root; its complaints are the failure's text."""
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
