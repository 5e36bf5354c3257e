"""What stands after `python app.py` on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Arguments:
    restore: Path | None
    """The backup that is to become the history; None: serve."""


def parse(words: Sequence[str]) -> Arguments:
    """Raises SystemExit for `--help` and for what is not understood, which is printed."""
    parser = argparse.ArgumentParser(
        prog="app.py",
        description="FLUX.2 [flex] Playground: serves its page and API. Settings come from environment variables.",
        epilog="Environment variables: assets/docs/reference.md. What is kept and where: assets/docs/operations.md.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "--restore",
        metavar="FILE",
        type=Path,
        help="put this backup in the place of the history, keep the present history aside, and end; stop the server "
        "before",
    )
    found = parser.parse_args(words)
    return Arguments(restore=found.restore)
