"""What the program kept opens whatever becomes of the model: each change is made to a copy of the program, and
tests/test_kept_0004.py runs there, on files that were made before.

A test of that file is left out where the change is its subject: each is named with the reason.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
REQUEST, KEYS = "services/models/flux_2_flex.py", "services/keys.py"
SIZES = "services/models/sizes.py"
Edit = Callable[[Path], None]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The program in a folder of its own."""
    for name in ("services", "ui"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests").mkdir()
    for name in ("app.py", "assets", ".pytest.ini", "tests/support", "tests/data", "tests/conftest.py",
                 "tests/test_kept_0004.py"):  # fmt: skip
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def changed(copy: Path, name: str, before: str, after: str) -> None:
    text = (copy / name).read_text("utf-8")
    assert text.count(before) == 1, f"{name} holds {before!r} {text.count(before)} times"
    (copy / name).write_text(text.replace(before, after), "utf-8")


def field(copy: Path, name: str) -> str:
    """The lines of a field of Flux2FlexRequest."""
    text = (copy / REQUEST).read_text("utf-8")
    found = re.search(rf"^    {name}: Annotated\[.*?^    \)\n", text, re.MULTILINE | re.DOTALL)
    assert found, name
    return found[0]


def run_kept_tests(copy: Path, *left_out: str) -> str:
    """Failed tests, one a line; empty where all pass."""
    deselected = [argument for name in left_out for argument in ("--deselect", f"tests/test_kept_0004.py::{name}")]
    command = ["-m", "pytest", "-n0", "-rfE", "--tb=short", "-p", "no:cacheprovider", *deselected]
    done = subprocess.run(
        [sys.executable, *command, "tests/test_kept_0004.py"], cwd=copy, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout[-8000:] + done.stderr[-2000:]


def added(copy: Path) -> None:
    """By the recipe of the documentation, as it stands there."""
    text = (ROOT / "assets" / "docs" / "contributing.md").read_text("utf-8")
    recipe = re.findall(r"^```diff (\S+)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    recipe = [(name, diff) for name, diff in recipe if name in (REQUEST, KEYS)]
    assert [name for name, _ in recipe] == [REQUEST, KEYS]
    for name, diff in recipe:
        lines = diff.splitlines(keepends=True)
        gone, new = ("".join(line[1:] for line in lines if line[0] == sign) for sign in "-+")
        place = gone or field(copy, "sync_mode")  # where it says nothing, the new field comes before another one
        changed(copy, name, place, new if gone else new + place)


def dropped(copy: Path) -> None:
    changed(copy, REQUEST, field(copy, "enable_prompt_expansion"), "")


def renamed(copy: Path) -> None:
    new = field(copy, "enable_safety_checker").replace("enable_safety_checker", "check_safety")
    alias = 'validation_alias=AliasChoices("check_safety", "enable_safety_checker"), default=True,'
    changed(copy, REQUEST, field(copy, "enable_safety_checker"), new.replace("default=True,", alias))
    changed(copy, REQUEST, "from pydantic import ", "from pydantic import AliasChoices, ")


def narrowed(copy: Path) -> None:
    changed(copy, REQUEST, "        le=50,\n", "        le=20,\n")


def another_default(copy: Path) -> None:
    changed(copy, REQUEST, "        default=28,\n", "        default=30,\n")
    changed(copy, REQUEST, "        default=3.5,\n", "        default=4.0,\n")


def values_gone(copy: Path) -> None:
    changed(copy, REQUEST, 'Literal["jpeg", "png"]', 'Literal["jpeg"]')
    changed(copy, SIZES, 'Literal["square_hd", "square", ', 'Literal["square_hd", ')


GRIDS, FILES = "TestGrids", "TestFiles::test_settings_are_read_from_pictures"
READ_TO_BE_USED = (FILES,)
"""Settings read from a file go into the controls: what is not allowed stands among what cannot be used."""
AGAIN = f"{GRIDS}::test_what_is_done_is_not_made_again"
PAUSED, STEPS, WORDS = (
    f"{AGAIN}[fb6dad167a84a16d63d969f59060a192-2-3-5]",
    f"{AGAIN}[e7e022a837252a10afffdedc7f5fc9de-4-2-4]",
    f"{AGAIN}[518bfc75311344588d59526f02b402ba-8-0-8]",
)
"""Their axes are typed anew and checked; nothing is made, for the preview says what is not allowed."""
SENT = ("TestRestart::test_what_was_under_way_goes_on", "TestRestart::test_a_paused_grid_goes_on_when_asked")
"""What waited is sent as it was asked for, and the demo engine refuses what it no longer takes, as fal would."""
NAMED = ("TestHistory::test_searches_find_as_many[expansion:off-10]", f"{GRIDS}::test_they_are_listed",
         f"{GRIDS}::test_words_are_put_in")  # fmt: skip
"""A setting that is gone has no field in the search, no label, and no attribute."""


@pytest.mark.parametrize(
    ("edits", "left_out"),
    [
        ([added, renamed, another_default], ()),
        ([dropped], (*NAMED, *READ_TO_BE_USED, PAUSED, WORDS)),
        ([narrowed, values_gone], (*READ_TO_BE_USED, *SENT, PAUSED, STEPS)),
    ],
    ids=["added, renamed, another default", "dropped", "narrowed, values gone"],
)
def test_what_was_kept_opens(copy: Path, edits: list[Edit], left_out: tuple[str, ...]) -> None:
    for edit in edits:
        edit(copy)
    assert run_kept_tests(copy, *left_out) == ""


def test_a_parameter_that_is_not_recorded_is_noticed(copy: Path) -> None:
    added(copy)
    shutil.copyfile(ROOT / KEYS, copy / KEYS)
    (copy / "tests" / "test_keys.py").symlink_to(ROOT / "tests" / "services" / "test_keys.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-p", "no:cacheprovider", "tests/test_keys.py", "-k", "recorded"],
        cwd=copy, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "test_every_parameter_is_recorded" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 1
