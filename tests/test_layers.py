"""Who may know whom: app → ui → services, inside services from the use cases down to the values, and never back."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOP_LEVEL = {"app.py", "requirements.txt", "ui", "services", "tests", "assets", "README.md"}
KINDS = {"media", "thumbs"}
"""The folders of pictures."""
STAGING = "services/archive/staging.py"
"""It has a store in a folder of its own."""
FAL, SETTINGS = "services/engines/fal/", "services/settings.py"
LIBRARY = "services/library/"
POOLS = "services/pools.py"
ANYBODYS_THREADS = {"to_thread", "run_in_threadpool", "iterate_in_threadpool", "run_sync"}
"""Calls that take a thread of a pool which all kinds of work share."""
SPEAKS_SQLITE = ("services/library/dialect.py", "services/library/migrations/versions/")
SQLITE_FUNCTIONS = {"casefold", "instr", "json_each", "json_extract", "julianday", "literal_column", "match",
                    "on_conflict_do_nothing", "on_conflict_do_update"}  # fmt: skip
"""Called as `func.…`, as methods of a column or a statement, or by name. `literal_column` writes SQL as it stands."""
SQLITE_WORDS = re.compile(
    r"\b(PRAGMA|VACUUM|FTS5|BEGIN (IMMEDIATE|EXCLUSIVE)|json_each|json_extract|julianday)\b"
    r"|\bsqlite_(master|schema|sequence)\b"
    r"|^BEGIN$|\bMATCH \S|^\+\w+\.\w+$|^sqlite:/"
)
"""In a text that is no docstring."""

PACKAGES = (
    "playground", "archive", "sheets", "grids", "running", "compare", "intake",
    "library", "metadata", "engines", "code", "values",
)  # fmt: skip
"""Inside services: imports go to the right only, so there is no cycle. What stands at the root of services is a value,
but for the use cases in playground.py."""


def package_of(module: str) -> str:
    """Which of PACKAGES a module of services belongs to: `services.library.media` → `library`."""
    name = next(iter(module.split(".")[1:2]), "")
    return name if name in PACKAGES else "values"


def goes_back(path: str, module: str) -> bool:
    """Whether the file at `path` imports a module that stands before it in the order of PACKAGES."""
    here = path.removesuffix(".py").replace("/", ".")
    return PACKAGES.index(package_of(module)) < PACKAGES.index(package_of(here))


def breaches(path: str, source: str) -> list[str]:
    """What in this file goes against the layers. `path` is relative to the repository, with slashes."""
    tree = ast.parse(source)
    found = []
    for module in imported(tree):
        top = module.split(".")[0]
        if path.startswith("services/") and top in ("ui", "app", "gradio"):
            found.append(f"{path} imports {module}")
        if path.startswith("services/") and top == "services" and goes_back(path, module):
            found.append(f"{path} imports {module}: {package_of(module)} stands above it")
        if path.startswith("ui/") and top == "app":
            found.append(f"{path} imports {module}")
        if top == "fal_client" and not path.startswith(FAL):
            found.append(f"{path} imports {module}: only {FAL} may")
        if top == "sqlalchemy" and not path.startswith(LIBRARY):
            found.append(f"{path} imports {module}: only {LIBRARY} may")
        if module == "services.library.media_folder" and path != STAGING and not is_media(path):
            found.append(f"{path} imports {module}: pictures are asked of Media")
    if not is_media(path):
        found += [f"{path}:{line} names a picture's path: only Media's store may" for line in picture_paths(tree)]
    if path != SETTINGS:
        found += [f"{path}:{line} reads the environment: only {SETTINGS} may" for line in environment_reads(tree, path)]
    found += [f"{path}:{line} takes a thread of nobody's: only those of {POOLS} are" for line in shared_threads(tree)]
    if not path.startswith(SPEAKS_SQLITE):
        found += [
            f"{path}:{line} speaks SQLite ({word}): only {SPEAKS_SQLITE[0]} may" for line, word in sqlite_in(tree)
        ]
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Modules that are imported anywhere in the file, inside functions and TYPE_CHECKING blocks too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            # A name may be a module of its own: `from services.metadata import png`.
            yield from dict.fromkeys(_module(f"{node.module}.{alias.name}") for alias in node.names)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            yield from (
                arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            )


def _module(name: str) -> str:
    """`name` where it is a module of this tree, else the module that holds it."""
    path = ROOT.joinpath(*name.split("."))
    return name if path.is_dir() or path.with_suffix(".py").is_file() else name.rpartition(".")[0]


def is_media(path: str) -> bool:
    return path.startswith("services/library/media") and path.endswith(".py")


def picture_paths(tree: ast.AST) -> Iterator[int]:
    """Lines that build the path of a picture, or ask Media or its store for one."""
    for node in ast.walk(tree):
        named: list[ast.expr] = []
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div):
            named = [node.right]
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called.endswith(("media.original", "media.thumb")):
                yield node.lineno
            if called.rpartition(".")[2] in ("join", "joinpath", "Path", "glob", "rglob"):
                named = node.args
        elif isinstance(node, ast.Attribute) and ast.unparse(node).endswith("media._store"):
            yield node.lineno
        if any(_begins_with_kind(expression) for expression in named):
            yield node.lineno


def _begins_with_kind(expression: ast.expr) -> bool:
    """`"media"`, `"media/x.jpg"`, `f"thumbs/{name}"`."""
    text = expression.values[0] if isinstance(expression, ast.JoinedStr) and expression.values else expression
    return isinstance(text, ast.Constant) and isinstance(text.value, str) and text.value.split("/")[0] in KINDS


def environment_reads(tree: ast.AST, path: str) -> Iterator[int]:
    """Lines that touch the environment. app.py may set what Gradio reads when it is imported."""
    allowed = set()
    for node in ast.walk(tree):
        if path == "app.py" and isinstance(node, ast.Call) and ast.unparse(node.func) == "os.environ.setdefault":
            allowed |= {id(inner) for inner in ast.walk(node.func)}
    for node in ast.walk(tree):
        if id(node) in allowed:
            continue
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("os.environ", "os.getenv", "os.environb"):
            yield node.lineno
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            names = {alias.name for alias in node.names}
            if names & {"environ", "getenv", "environb"}:
                yield node.lineno


def shared_threads(tree: ast.AST) -> Iterator[int]:
    """Lines that run something in asyncio's own pool, or in Starlette's and anyio's."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and {alias.name for alias in node.names} & ANYBODYS_THREADS:
            yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            name, first = node.func.attr, node.args[0] if node.args else None
            of_none = name == "run_in_executor" and isinstance(first, ast.Constant) and first.value is None
            if of_none or name in ANYBODYS_THREADS:
                yield node.lineno


def sqlite_in(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Lines with what only SQLite understands, and what that is."""
    docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            yield from ((node.lineno, name) for name in names if re.match(r"sqlite3\b|sqlalchemy\.dialects\b", name))
        elif isinstance(node, ast.Call) and _called(node) in SQLITE_FUNCTIONS:
            yield node.lineno, _called(node)
        elif isinstance(node, ast.keyword) and (node.arg or "").startswith("sqlite_"):
            yield node.value.lineno, str(node.arg)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield from ((node.lineno, found[0]) for found in SQLITE_WORDS.finditer(node.value))


def _called(node: ast.Call) -> str:
    """The name of what is called, but of methods that Python's own texts and patterns have too."""
    name = ast.unparse(node.func)
    if name.endswith(".match"):
        return "match" if ".c." in name else ""
    if name.endswith(".casefold"):
        return "casefold" if name == "func.casefold" else ""
    return name.rpartition(".")[2]


def sources() -> list[Path]:
    return [ROOT / "app.py", *sorted((ROOT / "services").rglob("*.py")), *sorted((ROOT / "ui").rglob("*.py"))]


@pytest.mark.parametrize("file", sources(), ids=lambda file: file.relative_to(ROOT).as_posix())
def test_no_file_breaks_the_layers(file):
    assert breaches(file.relative_to(ROOT).as_posix(), file.read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("services/running/runner.py", "import gradio as gr"),
        ("services/running/runner.py", "from ui.cards import card"),
        ("services/running/runner.py", "def later():\n    from app import main"),
        ("services/running/runner.py", "import importlib\nimportlib.import_module('ui.cards')"),
        ("ui/create/tab.py", "import app"),
        ("ui/create/tab.py", "from fal_client import submit"),
        ("services/engines/registry.py", "import fal_client.client"),
        ("services/running/runner.py", "import os\nkey = os.environ['FAL_KEY']"),
        ("ui/runs/routes.py", "import os\nkey = os.getenv('FAL_KEY')"),
        ("ui/runs/routes.py", "from os import environ"),
        ("app.py", "import os\nkey = os.environ.get('FAL_KEY')"),
        ("services/library/storage.py", "size = (folder / 'media').stat()"),
        ("services/library/storage.py", "files = list(folder.glob('thumbs/*'))"),
        ("services/archive/export.py", "file = folder / f'media/{name}'"),
        ("services/archive/export.py", "import os\nfile = os.path.join(folder, 'thumbs', name)"),
        ("services/running/repeat.py", "file = self._media.original(name)"),
        ("ui/runs/routes.py", "file = playground.media.thumb(name)"),
        ("ui/runs/routes.py", "data = playground.media._store.read('media', name)"),
        ("services/playground.py", "from services.library.media_folder import FolderStore"),
        ("ui/runs/routes.py", "import os\nos.environ.setdefault('GRADIO_ANALYTICS_ENABLED', 'False')"),
        ("services/archive/export.py", "from sqlalchemy import select"),
        ("services/running/journal.py", "from sqlalchemy.exc import OperationalError"),
        ("ui/runs/routes.py", "def later():\n    import sqlalchemy as sa"),
        ("services/running/journal.py", "import asyncio\nasync def f():\n    await asyncio.to_thread(print)"),
        ("ui/runs/media.py", "async def f():\n    await asyncio.get_running_loop().run_in_executor(None, print)"),
        ("ui/history/archive.py", "from starlette.concurrency import iterate_in_threadpool"),
        ("ui/runs/media.py", "import anyio\nasync def f():\n    await anyio.to_thread.run_sync(print)"),
        ("services/library/damage.py", "import sqlite3"),
        ("services/library/grid_store.py", "from sqlalchemy.dialects.sqlite import insert"),
        ("services/library/bulk.py", "wanted = func.json_each(ids)"),
        ("services/library/projects.py", "same = func.casefold(projects.c.name) == name"),
        ("services/library/stacks.py", "mine = literal_column('runs.visitor')"),
        ("services/library/rules.py", "found = prompts.c.prompt.match('fox')"),
        ("services/library/projects.py", "statement.on_conflict_do_update(index_elements=['visitor'])"),
        ("services/library/tables.py", "Table('runs', metadata, sqlite_autoincrement=True)"),
        ("services/library/history.py", "hint = '+runs.visitor'"),
        ("services/library/database.py", "connection.execute(f'PRAGMA {check}')"),
        ("services/library/storage.py", "connection.exec_driver_sql('VACUUM')"),
        ("services/library/archive_rows.py", "text('SELECT seq FROM sqlite_sequence')"),
        ("services/library/migrations/env.py", "text('SELECT julianday(finished_at)')"),
    ],
)
def test_a_breach_is_found(path, source):
    assert len(breaches(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("services/engines/fal/gateway.py", "import fal_client\nfrom fal_client.client import USER_AGENT"),
        (SETTINGS, "import os\nkey = os.environ['FAL_KEY']"),
        ("app.py", "import os\nfrom ui.web.server import build_server\nos.environ.setdefault('A', 'b')"),
        ("ui/create/tab.py", "import gradio\nfrom services.playground import Playground"),
        ("services/running/runner.py", "import os\nos.replace('a', 'b')"),
        ("services/library/media_folder.py", "file = folder / 'media' / name"),
        ("services/library/media.py", "from services.library.media_folder import FolderStore"),
        (STAGING, "from services.library.media_folder import FolderStore"),
        ("services/archive/export.py", "data = self._media.read('media', name)"),
        ("ui/cards.py", "address = f'/media/{name}'"),
        ("ui/runs/media.py", "async def f():\n    await pools.pictures(print)"),
        ("services/engines/demo/queue.py", "loop.run_in_executor(self._pool, print)"),
        ("services/code/fal_snippets.py", "CODE = 'import fal_client'"),
        ("services/library/stacks.py", "from sqlalchemy import func, select\ncount = func.count()"),
        ("services/library/tables.py", '"""FTS5 keeps it: PRAGMA."""\nX = 1\n"""Read by json_each."""'),
        ("services/library/projects.py", "name.casefold()\nPATTERN.match(name)\nfile = 'history.sqlite3'"),
        ("services/library/dialect.py", "import sqlite3\nfunc.json_each('[]')\ntext('PRAGMA quick_check')"),
        ("services/library/migrations/versions/0009_x.py", "op.execute('SELECT json_extract(a, b)')"),
    ],
)
def test_what_is_allowed_is_let_through(path, source):
    assert breaches(path, source) == []


def cycles(graph: dict[str, set[str]]) -> list[set[str]]:
    """Modules that lead back to themselves, those of one cycle together."""

    def reach(start: str) -> set[str]:
        found: set[str] = set()
        left = [*graph[start]]
        while left:
            if (module := left.pop()) not in found:
                found.add(module)
                left += graph.get(module, ())
        return found

    leads = {module: reach(module) for module in graph}
    rings = {frozenset(other for other in leads[module] if module in leads.get(other, ())) for module in graph}
    return sorted((set(ring) for ring in rings if ring), key=sorted)


def module_name(file: Path) -> str:
    return ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def test_no_modules_import_each_other():
    """Not even in TYPE_CHECKING blocks or functions: two files that need each other are one, or a third is missing."""
    trees = {module_name(file): ast.parse(file.read_text("utf-8")) for file in sources()}
    graph = {module: {name for name in imported(tree) if name in trees} - {module} for module, tree in trees.items()}
    assert cycles(graph) == []


def test_a_cycle_is_found():
    assert cycles({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == [{"b", "c"}]


def test_the_top_level_holds_what_it_should():
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    names = {line.split("/")[0] for line in listed.stdout.splitlines()}
    assert {name for name in names if not name.startswith(".")} == TOP_LEVEL


def test_importing_a_module_does_not_import_the_page():
    """The services are of use without Gradio, and start without waiting for it."""
    code = (
        "import sys, services.playground; print([m for m in ('gradio', 'fal_client', 'alembic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")
