"""A page that stays open while the history on the server becomes another one."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.forked import fork_app
from support.page import NewVisitor
from support.server import AppServer


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[AppServer]:
    """One whose data may go."""
    with fork_app(tmp_path) as running:
        yield running


def test_a_history_that_begins_anew_is_said_once_and_the_page_goes_on(
    own_server: AppServer, new_visitor: NewVisitor
) -> None:
    """As on a Space that was restarted without a volume."""
    page = new_visitor(own_server)
    page.allow("Failed to load resource|net::|ERR_")
    page.make("A fox of the old history")
    page.prompt.fill("A thought that is not finished")
    own_server.stop()
    shutil.rmtree(own_server.data_dir)
    own_server.start()

    said = page.toast.filter(has_text="The history on the server began anew")
    expect(said).to_be_visible()
    expect(page.prompt).to_have_value("A thought that is not finished")
    expect(page.cards("done")).to_have_count(0)
    page.make("A fox of the new history")
    page.reload()
    expect(page.cards("done")).to_have_count(1)
    expect(said).to_be_hidden()
