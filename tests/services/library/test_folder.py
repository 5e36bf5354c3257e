from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from services.errors import StartupError
from services.library.folder import claim

ROOT = Path(__file__).parents[3]
HOLDER = "import sys, time; from pathlib import Path; from services.library.folder import claim; "
HOLDER += "held = claim(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"


def test_a_folder_is_one_servers_alone_until_it_is_killed(tmp_path):
    environ = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(StartupError, match=r"Another playground is using the data folder .*PLAYGROUND_DATA_DIR"):
            claim(tmp_path)
        other.send_signal(signal.SIGKILL)
        other.wait()
    claim(tmp_path).release()


def test_where_it_cannot_be_locked_it_goes_on_with_a_warning(tmp_path, monkeypatch, caplog):
    def unsupported(*_: object, **__: object) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(FileLock, "acquire", unsupported)
    with caplog.at_level(logging.WARNING):
        claim(tmp_path)
    assert "cannot be locked" in caplog.text
