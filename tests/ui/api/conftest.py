from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from gradio_client import Client
from support.server import AppServer


@pytest.fixture
def visitor() -> dict[str, str]:
    """The header that makes a call a certain visitor's."""
    return {"X-Playground-Visitor": secrets.token_urlsafe(32)}


@pytest.fixture
def client(server: AppServer, visitor: dict[str, str], tmp_path: Path) -> Iterator[Client]:
    with_visitor = Client(server.url, headers=visitor, download_files=tmp_path, verbose=False)
    yield with_visitor
    with_visitor.close()
