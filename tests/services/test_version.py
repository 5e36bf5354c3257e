"""The version stands in one place, and the changelog begins with it."""

from __future__ import annotations

import re
from pathlib import Path

from services.library.database import NEWEST_SCHEMA
from services.version import VERSION

CHANGELOG = Path(__file__).parents[2] / "assets" / "docs" / "CHANGELOG.md"


def test_the_changelog_begins_with_this_version_and_says_how_to_go_back():
    first = CHANGELOG.read_text("utf-8").split("\n## ")[1]
    assert first.splitlines()[0] == VERSION
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)
    assert f"schema {NEWEST_SCHEMA}" in first
    assert "Going back" in first
