"""fal's JavaScript client in node, against a stand-in for fal: the pinned package, installed once."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from filelock import FileLock
from support.tls import TlsServer

HERE = Path(__file__).parent / "node"
CACHE = Path(__file__).parents[1] / ".cache" / "node"
INSTALL_SECONDS = 120


def install() -> Path:
    """The folder whose `node_modules` holds what `node/package-lock.json` names. Fails where npm cannot install it."""
    lock = (HERE / "package-lock.json").read_bytes()
    installed = CACHE / hashlib.sha256(lock).hexdigest()[:16]
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / "installing.lock"):  # two test processes must not install it at once
        if not installed.exists():
            _install(installed)
    return installed


def _install(installed: Path) -> None:
    fresh = Path(tempfile.mkdtemp(dir=CACHE))
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, fresh)
    npm = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(npm, cwd=fresh, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    assert done.returncode == 0, f"npm ci failed:\n{done.stdout}{done.stderr}"
    fresh.rename(installed)


def run_module(script: str, folder: Path, fal: TlsServer, *, key: str = "test-key") -> subprocess.CompletedProcess[str]:
    """Run an ES module in `folder` with fal's client at hand; what it sends to fal's queue goes to `fal`."""
    modules = folder / "node_modules"
    if not modules.exists():
        modules.symlink_to(install() / "node_modules")
    path = folder / "script.mjs"
    path.write_text(script, encoding="utf-8")
    return subprocess.run(
        ["node", "--import", (HERE / "preload.mjs").as_uri(), path.name],
        cwd=folder,
        env={**os.environ, **fal.environ(key)},
        capture_output=True,
        text=True,
        timeout=120,
    )
