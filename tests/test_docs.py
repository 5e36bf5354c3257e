"""The docs against the tree: files that are named exist, and packages are told of in the order of their imports."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "assets" / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
ARCHITECTURE = (DOCS / "architecture.md").read_text(encoding="utf-8")

NAMED = re.compile(
    r"(?<![\w./-])((?:ui|services|tests|assets)/[\w./-]*[\w/]|\w+\.(?:py|js|css|mjs)\b)(`? \(to come\))?"
)
"""A path from the root, or a file's name alone; and whether it is marked as one that is not there yet."""
FOLDER = re.compile(r"`((?:ui|services|tests|assets)/[\w/]*?)/?`")


def wrong_names(text: str) -> list[str]:
    """Files that a page names and that are not there, and such as are said to come and are there.

    A file's name without its folder lies at the root, or in a folder that the same line names before.
    """
    found = []
    for line in text.splitlines():
        for match in NAMED.finditer(line):
            name, to_come = match[1], bool(match[2])
            folders = ["", *FOLDER.findall(line[: match.start()])] if "/" not in name else [""]
            if any((ROOT / folder / name).exists() for folder in folders) == to_come:
                found.append(name)
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_that_are_named_exist(page: Path) -> None:
    text = re.sub(r"\]\([^)]*\)|https?://\S+", "", page.read_text(encoding="utf-8"))  # links have a test of their own
    text = re.sub(r"^```python .*$", "", text, flags=re.M)  # a file that a reader is to write

    assert wrong_names(text) == []


@pytest.mark.parametrize(
    "line",
    [
        "| `services/nowhere.py` |",
        "see services/running/runner.js.",
        "`tests/nowhere/`",
        "`runner.py` alone",
        "`services/library/`: `runner.py`",
        "`services/running/runner.py` (to come)",
    ],
)
def test_a_wrong_name_is_found(line: str) -> None:
    assert len(wrong_names(line)) == 1


@pytest.mark.parametrize(
    "line",
    ["`app.py`", "`services/running/`: `runner.py`, `semaphore.py`", "`ui/nowhere/tab.py` (to come)", "a/ui/x.y"],
)
def test_a_right_name_is_let_through(line: str) -> None:
    assert wrong_names(line) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_headings_that_are_linked_exist(page: Path) -> None:
    linked = re.findall(r"\]\((?!https?:)([^)#]*)#([^)]+)\)", page.read_text(encoding="utf-8"))

    assert [(file, name) for file, name in linked if name not in headings(page.parent / file if file else page)] == []


def headings(page: Path) -> set[str]:
    """The anchors that GitHub and Hugging Face give to a page's headings."""
    found = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.M)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in found}


VALUES = {"models"}
"""Packages among the values: all may import them, and they import values only."""


def test_every_package_is_told_of() -> None:
    files = [file for kind in ("services/*/*.py", "ui/*/*.py", "assets/js/*/*.js") for file in ROOT.glob(kind)]
    packages = {file.parent.relative_to(ROOT).as_posix() for file in files}

    assert len(packages) > 20
    assert sorted(package for package in packages if f"`{package}/`" not in ARCHITECTURE) == []


def test_services_import_in_the_order_in_which_they_are_told() -> None:
    order = re.findall(r"^\| `services/(\w+)(?:/|\.py)` \|", ARCHITECTURE, re.M)
    rank = {name: at for at, name in enumerate(order)}
    packages = {file.parent.name for file in ROOT.glob("services/*/__init__.py")}
    assert set(rank) == (packages - VALUES) | {"playground"}

    backwards = [
        f"{file.relative_to(ROOT)} imports services.{name}"
        for own in order
        for file in [*ROOT.glob(f"services/{own}.py"), *ROOT.glob(f"services/{own}/**/*.py")]
        for name in re.findall(r"^\s*(?:from|import) services\.(\w+)", file.read_text(encoding="utf-8"), re.M)
        if rank.get(name, len(order)) < rank[own]
    ]
    values = [
        f"{file.relative_to(ROOT)} imports services.{name}"
        for file in [*ROOT.glob("services/*.py"), *ROOT.glob("services/models/**/*.py")]
        if file.stem not in rank
        for name in re.findall(r"^\s*(?:from|import) services\.(\w+)", file.read_text(encoding="utf-8"), re.M)
        if name in rank
    ]
    assert backwards + values == []
