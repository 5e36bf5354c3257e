"""The Chromium that the browser tests drive: the system's, else one that is installed now. Never a skipped test."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from filelock import FileLock

NAMES = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
"""The shell without windows opens a page in two thirds of the time."""
PACKAGES = NAMES[:2]
"""Debian's; the first is of its newer releases."""
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
INSTALL_SECONDS = 600
INSTALLING = Path(tempfile.gettempdir()) / "playground-tests-chromium.lock"


def find_chromium() -> Path | None:
    """The executable to start; None where Playwright's own is to be used. Raises RuntimeError when there is none."""
    with FileLock(INSTALLING):  # two test processes must not install it at once
        return _on_path() or _install()


def _install() -> Path | None:
    tried = []
    for attempt in (*(partial(_install_with_apt, package) for package in PACKAGES), _install_with_playwright):
        complaint = attempt()
        if complaint is None:
            return _on_path()
        tried.append(complaint)
    raise RuntimeError(
        "The browser tests need Chromium, and none could be found or installed. "
        "Install it by hand, for example with `apt-get install chromium`.\n" + "\n".join(tried)
    )


def _on_path() -> Path | None:
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    return Path(found) if found else None


def _install_with_apt(package: str) -> str | None:
    """None when it worked, else what to tell."""
    if not shutil.which("apt-get"):
        return "apt-get: there is none here."
    if os.geteuid() != 0:
        return "apt-get: only root can install with it."
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
        complaint = _run(command, environment)
        if complaint:
            return complaint
    return None if _on_path() else f"apt-get: installed {package}, and yet there is no such command."


def _install_with_playwright() -> str | None:
    return _run([sys.executable, "-m", "playwright", "install", "chromium"], dict(os.environ))


def _run(command: list[str], environment: dict[str, str]) -> str | None:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{' '.join(command)}: {error}"
    return None if done.returncode == 0 else f"{' '.join(command)}: {(done.stderr or done.stdout)[-500:]}"
