"""Who may know whom: app → ui → services, and never back."""

from __future__ import annotations

import ast
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
GATEWAY, SETTINGS = "services/engines/fal/gateway.py", "services/settings.py"


def breaches(path: str, source: str) -> list[str]:
    """What in this file goes against the layers. `path` is relative to the repository, with slashes."""
    tree = ast.parse(source)
    found = []
    for module in imported(tree):
        top = module.split(".")[0]
        if path.startswith("services/") and top in ("ui", "app", "gradio"):
            found.append(f"{path} imports {module}")
        if path.startswith("ui/") and top == "app":
            found.append(f"{path} imports {module}")
        if top == "fal_client" and path != GATEWAY:
            found.append(f"{path} imports {module}: only {GATEWAY} may")
        if module == "services.library.media_folder" and path != STAGING and not is_media(path):
            found.append(f"{path} imports {module}: pictures are asked of Media")
    if not is_media(path):
        found += [f"{path}:{line} names a picture's path: only Media's store may" for line in picture_paths(tree)]
    if path != SETTINGS:
        found += [f"{path}:{line} reads the environment: only {SETTINGS} may" for line in environment_reads(tree, path)]
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Modules that are imported anywhere in the file, inside functions and TYPE_CHECKING blocks too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where they lead"
            yield node.module or ""
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ("importlib.import_module", "__import__"):
            yield from (
                arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant) and isinstance(arg.value, str)
            )


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
        ("services/engines/fal/download.py", "import fal_client.client"),
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
    ],
)
def test_a_breach_is_found(path, source):
    assert len(breaches(path, source)) == 1


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (GATEWAY, "import fal_client\nfrom fal_client.client import USER_AGENT"),
        (SETTINGS, "import os\nkey = os.environ['FAL_KEY']"),
        ("app.py", "import os\nfrom ui.web.server import build_server\nos.environ.setdefault('A', 'b')"),
        ("ui/create/tab.py", "import gradio\nfrom services.playground import Playground"),
        ("services/running/runner.py", "import os\nos.replace('a', 'b')"),
        ("services/library/media_folder.py", "file = folder / 'media' / name"),
        ("services/library/media.py", "from services.library.media_folder import FolderStore"),
        (STAGING, "from services.library.media_folder import FolderStore"),
        ("services/archive/export.py", "data = self._media.read('media', name)"),
        ("ui/cards.py", "address = f'/media/{name}'"),
        ("services/code/fal_snippets.py", "CODE = 'import fal_client'"),
    ],
)
def test_what_is_allowed_is_let_through(path, source):
    assert breaches(path, source) == []


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
