"""The README and its pages against the code: front matter, tables, commands and examples.

When a table is out of date, print both anew and paste them:

    PYTHONPATH=. .venv/bin/python tests/test_readme.py
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from support.server import AppServer

from services.models.kind import Parameter
from services.models.registry import PARAMETERS
from services.settings import Settings

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "assets" / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
README, REFERENCE, CODE = (
    page.read_text(encoding="utf-8") if page.exists() else ""
    for page in (ROOT / "README.md", DOCS / "reference.md", DOCS / "code.md")
)
LINES_MAX = 120
"""Lines of the README: three screens. What is longer has a page of its own in assets/docs."""
PICTURE_MAX = 900 * 1024
"""Bytes of a picture on a page: it is loaded with every visit to the repository."""
ADDRESS = "http://127.0.0.1:7860"
"""Where the examples expect the app."""


# -- tables ----------------------------------------------------------------------------------------------------------


def parameter_table() -> str:
    rows = [
        (f"`{name}`", parameter.label, _default(parameter), parameter.range_text, parameter.help)
        for name, parameter in PARAMETERS.items()
    ]
    return _table(("Parameter", "On the page", "Default", "Allowed", "What it does"), rows)


def environment_table() -> str:
    rows = [
        (f"`{name.upper()}`", _code(field.get_default()), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
    return _table(("Variable", "Default", "Meaning"), rows)


def _default(parameter: Parameter) -> str:
    return "required" if parameter.required else _code(parameter.default)


def _code(value: Any) -> str:
    """A default as it is written in JSON or in the environment; an en dash where there is none."""
    if value is None:
        return "–"
    assert not isinstance(value, SecretStr)
    return f"`{json.dumps(value) if isinstance(value, bool) else value}`"


def _table(heading: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


@pytest.mark.parametrize("table", [parameter_table, environment_table])
def test_tables_are_those_of_the_code(table: Any) -> None:
    assert table() in REFERENCE, f"Paste this into assets/docs/reference.md:\n\n{table()}\n"


# -- front matter ----------------------------------------------------------------------------------------------------


@pytest.fixture
def front_matter() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load(README.split("---\n")[1])
    return found


def test_the_front_matter_names_the_pinned_gradio(front_matter: dict[str, Any]) -> None:
    pinned = re.search(r"^gradio(?:\[\w+\])?==(\S+)", (ROOT / "requirements.txt").read_text(), re.M)

    assert pinned is not None
    assert front_matter["sdk_version"] == pinned[1]


def test_the_front_matter_is_what_spaces_wants(front_matter: dict[str, Any]) -> None:
    wanted = {"title", "emoji", "colorFrom", "colorTo", "sdk", "sdk_version", "python_version", "app_file", "pinned"}
    assert set(front_matter) == wanted | {"short_description", "fullWidth", "thumbnail"}
    assert front_matter["sdk"] == "gradio"
    assert front_matter["python_version"] == "3.11"
    assert (ROOT / front_matter["app_file"]).is_file()
    assert len(front_matter["short_description"]) <= 60
    colours = {"red", "yellow", "green", "blue", "indigo", "purple", "pink", "gray"}
    assert {front_matter["colorFrom"], front_matter["colorTo"]} <= colours
    assert (ROOT / front_matter["thumbnail"]).is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_pictures_and_files_that_are_named_exist(page: Path) -> None:
    linked = [page.parent / path for path in re.findall(r"\]\((?!https?:|#)([^)#]+)[^)]*\)", page.read_text())]

    assert linked
    assert [path for path in linked if not path.exists()] == []
    assert [path for path in linked if path.suffix == ".png" and path.stat().st_size > PICTURE_MAX] == []


def test_the_readme_is_read_in_three_screens() -> None:
    assert len(README.splitlines()) <= LINES_MAX


def test_every_page_of_the_docs_is_linked_from_the_readme() -> None:
    assert [page.name for page in PAGES[1:] if f"assets/docs/{page.name}" not in README] == []


# -- commands and examples -------------------------------------------------------------------------------------------


def code_blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page, re.M | re.S)


def test_ci_runs_the_test_command_and_nothing_else() -> None:
    script = ROOT / ".ci" / "run"
    *beginning, command = script.read_text().splitlines()

    assert os.access(script, os.X_OK)
    assert beginning == ["#!/usr/bin/env bash", "set -euo pipefail", 'cd "$(dirname "$0")/.."']
    assert f"{command}\n" in code_blocks(README, "bash")
    assert "-m pytest" in command


def test_files_that_the_commands_name_exist() -> None:
    named = re.findall(r"-r (\S+)|bin/python (\w\S*\.py)", "".join(code_blocks(README, "bash")))

    assert len(named) >= 3
    assert [path for pair in named for path in pair if path and not (ROOT / path).is_file()] == []


@pytest.mark.parametrize("page", [README, CODE], ids=["README", "code"])
def test_the_python_example_runs(page: str, server: AppServer, tmp_path: Path) -> None:
    [example] = [block for block in code_blocks(page, "python") if '"/generate"' in block]

    done = subprocess.run(
        [sys.executable, "-c", example.replace(ADDRESS, server.url)], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    seed, picture = done.stdout.split()[-2:]
    assert seed == "7"
    assert Path(picture).stat().st_size > 1000


def test_the_example_of_a_grid_runs(server: AppServer, tmp_path: Path) -> None:
    [example] = [block for block in code_blocks(CODE, "python") if '"/grid"' in block]

    done = subprocess.run(
        [sys.executable, "-c", example.replace(ADDRESS, server.url)], cwd=tmp_path, capture_output=True, text=True
    )

    assert done.returncode == 0, done.stderr
    cells, sheet = done.stdout.split()[-2:]
    assert cells == "6"
    assert Path(sheet).read_bytes().startswith(b"\x89PNG")


def test_the_curl_example_runs(server: AppServer, tmp_path: Path) -> None:
    [example] = [block for block in code_blocks(CODE, "bash") if "gradio_api/call" in block]

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", example.replace(ADDRESS, server.url)],
        cwd=tmp_path,
        env={**os.environ, "NO_PROXY": "*", "no_proxy": "*"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert "event: complete" in done.stdout
    assert '"state": "done"' in done.stdout


def test_the_mcp_example_is_the_address_of_the_server() -> None:
    [example] = code_blocks(CODE, "json")

    [server] = json.loads(example)["mcpServers"].values()
    assert server["url"] == f"{ADDRESS}/gradio_api/mcp/"


if __name__ == "__main__":
    print(parameter_table(), environment_table(), sep="\n\n")
