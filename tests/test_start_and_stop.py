"""The app as a process: refusing to start, being told to stop, and going on."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from support.bench import clean_environment
from support.server import ROOT, AppServer, serve_app

from services.library.folder import claim

TOKEN = {"X-Playground-Visitor": "a" * 40}
SLOW: dict[str, Any] = {"prompt": "A fox", "image_size": "square", "num_inference_steps": 50}


def cards(server: AppServer) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = httpx.get(f"{server.url}/runs?limit=200", headers=TOKEN).json()["runs"]
    return found


def wait_until_running(server: AppServer, count: int) -> None:
    deadline = time.monotonic() + 30
    while sum(card["state"] == "running" for card in cards(server)) < count:
        assert time.monotonic() < deadline, "they never ran"
        time.sleep(0.05)


def test_a_second_one_on_the_same_folder_refuses(tmp_path: Path) -> None:
    server = AppServer(tmp_path, {})
    held = claim(server.data_dir)
    with pytest.raises(RuntimeError, match="Another playground is using the data folder"):
        server.start()
    assert "Traceback" not in server.log
    held.release()


def test_sigterm_ends_it_within_five_seconds_and_the_next_start_goes_on(tmp_path: Path) -> None:
    """With work under way, an open page, and an API caller that waits and is told."""
    with serve_app(tmp_path, PLAYGROUND_DEMO_STEP_SECONDS="0.1") as server:
        call = f"{server.url}/gradio_api/call"
        events = [httpx.post(f"{call}/v2/generate", json=SLOW, headers=TOKEN).json()["event_id"] for _ in range(5)]
        page = [f"{server.url}/events", f"{server.url}/gradio_api/heartbeat/abc"]
        heard: dict[str, str] = {}
        listeners = [*page, f"{call}/generate/{events[0]}"]
        threads = [threading.Thread(target=listen, args=(address, heard), daemon=True) for address in listeners]
        for thread in threads:
            thread.start()
        wait_until_running(server, 5)

        start = time.monotonic()
        server.stop()
        busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        assert time.monotonic() - start < 5 * busy, "five seconds on a machine that has time for it"

        for thread in threads:
            thread.join(60)
        assert heard.keys() == set(listeners), "every stream ended as streams do"
        assert "The server is stopping. What you asked for is kept" in heard[listeners[-1]]
        assert len(server.log.splitlines()) == 1, server.log

        server.start()
        deadline = time.monotonic() + 60
        while {card["state"] for card in cards(server)} != {"done"}:
            assert time.monotonic() < deadline, cards(server)
            time.sleep(0.1)
        assert len(cards(server)) == 5


def listen(address: str, heard: dict[str, str]) -> None:
    """Until the stream ends; one that breaks off was not heard."""
    with httpx.stream("GET", address, headers=TOKEN, timeout=60) as answer:
        heard[address] = answer.read().decode()


def test_a_data_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    server = AppServer(tmp_path, {"PLAYGROUND_DATA_DIR": str(tmp_path / "file" / "data")})
    with pytest.raises(RuntimeError, match=r"The data folder .* cannot be written"):
        server.start()
    assert "Traceback" not in server.log


@pytest.mark.skipif(os.name == "nt", reason="Windows has other permissions")
def test_a_new_data_folder_is_its_users_alone_and_an_open_one_is_warned_about(tmp_path: Path) -> None:
    before = os.umask(0)
    server = AppServer(tmp_path, {})
    try:
        server.start()
        httpx.post(f"{server.url}/gradio_api/call/v2/generate", json={**SLOW, "num_inference_steps": 2}, headers=TOKEN)
        deadline = time.monotonic() + 30
        while [card["state"] for card in cards(server)] != ["done"]:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert httpx.get(server.url + cards(server)[0]["thumb"]).status_code == 200
        kept = [server.data_dir, *server.data_dir.rglob("*")]
        modes = {str(one.relative_to(tmp_path)): stat.S_IMODE(one.stat().st_mode) for one in kept}
        assert {"history.sqlite3-wal", "history.sqlite3-shm", "media"} <= {Path(name).name for name in modes}
        assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
        assert "can look into the data folder" not in server.log
        server.stop()
        server.data_dir.chmod(0o755)
        server.start()
        assert f"chmod 700 {server.data_dir}" in server.log
    finally:
        os.umask(before)
        server.kill()


def command(server: AppServer, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**clean_environment(), "PLAYGROUND_DATA_DIR": str(server.data_dir)}
    return subprocess.run(
        [sys.executable, "app.py", *words], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )


def test_the_server_backs_up_its_history_and_a_command_restores_it(tmp_path: Path) -> None:
    with serve_app(tmp_path) as server:
        call = f"{server.url}/gradio_api/call/v2/generate"
        httpx.post(call, json={"prompt": "A fox", "image_size": "square"}, headers=TOKEN).raise_for_status()
        deadline = time.monotonic() + 60
        while not (made := list((server.data_dir / "backups").glob("history-*.sqlite3"))):
            assert time.monotonic() < deadline, server.log
            time.sleep(0.1)
        httpx.post(call, json={"prompt": "An owl", "image_size": "square"}, headers=TOKEN).raise_for_status()
        while len([card for card in cards(server) if card["state"] == "done"]) < 2:
            assert time.monotonic() < deadline, cards(server)
            time.sleep(0.05)

        refused = command(server, "--restore", str(made[0]))
        assert (refused.returncode, refused.stdout) == (1, "")
        assert "Another playground is using the data folder" in refused.stderr

        server.stop()
        done = command(server, "--restore", str(made[0]))
        assert (done.returncode, done.stderr) == (0, "")
        assert ": 1 picture, the newest of" in done.stdout
        server.start()
        assert [card["prompt"] for card in cards(server)] == ["A fox"]
        again = command(server, "--restore", str(tmp_path / "none.sqlite3"))
        assert again.returncode == 1


def test_help_is_printed_and_nothing_is_served(tmp_path: Path) -> None:
    done = command(AppServer(tmp_path, {}), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "--restore FILE" in done.stdout
    assert not (tmp_path / "data").exists()
