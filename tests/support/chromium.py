"""The Chromium that the browser tests drive: the system's, else one that is installed now, so that none is skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from filelock import FileLock

SHELL = "chromium-headless-shell"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
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


def launch_options(*, whole: bool = False) -> dict[str, Any]:
    """What to give Playwright's `launch`. Raises RuntimeError when there is no Chromium and none can be installed.

    `whole`: the whole browser with windows and settings, as users have it. Else its headless shell is enough, which
    opens a page in two thirds of the time.
    """
    names = BROWSERS if whole else (SHELL, *BROWSERS)
    packages = BROWSERS[:1] if whole else (SHELL, BROWSERS[0])
    with FileLock(INSTALLING):  # two test processes must not install it at once
        found = _on_path(names) or _install(packages, names)
    if found:
        return {"executable_path": found, "args": [*ARGUMENTS]}
    return {"channel": "chromium" if whole else None, "args": [*ARGUMENTS]}  # Playwright's own


def _install(packages: Sequence[str], names: Sequence[str]) -> Path | None:
    """Install Chromium. The executable; None where Playwright installed its own. Raises RuntimeError where all fail."""
    tried = []
    for package in packages:
        complaint = _install_with_apt(package)
        if complaint is None and (found := _on_path(names)):
            return found
        tried.append(complaint or f"apt-get: installed {package}, and yet there is no such command.")
    complaint = _run([sys.executable, "-m", "playwright", "install", "chromium"], dict(os.environ))
    if complaint is None:
        return None
    raise RuntimeError(
        "The browser tests need Chromium, and none could be found or installed. "
        "Install it by hand, for example with `apt-get install chromium`.\n" + "\n".join([*tried, complaint])
    )


def _on_path(names: Sequence[str]) -> Path | None:
    found = next((path for name in names if (path := shutil.which(name))), None)
    return Path(found) if found else None


def _install_with_apt(package: str) -> str | None:
    """None when it worked, else the error message."""
    if not shutil.which("apt-get"):
        return "apt-get: there is none here."
    if os.geteuid() != 0:
        return "apt-get: only root can install with it."
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["apt-get", "update"], ["apt-get", "install", "-y", "--no-install-recommends", package]):
        complaint = _run(command, environment)
        if complaint:
            return complaint
    return None


def _run(command: list[str], environment: dict[str, str]) -> str | None:
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{' '.join(command)}: {error}"
    return None if done.returncode == 0 else f"{' '.join(command)}: {(done.stderr or done.stdout)[-500:]}"
