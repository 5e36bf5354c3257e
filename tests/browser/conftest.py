"""A real browser on the real app: one Chromium and one server for all, a fresh visitor for each test."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, expect, sync_playwright
from support.chromium import launch_options
from support.page import NewVisitor, PageWith, PlaygroundPage, Visit
from support.pictures import make_picture
from support.profile import ARGUMENTS, SharedProfile
from support.server import AppServer, serve_app

from ui.visitors import COOKIE

HERE = Path(__file__).parent
DESKTOP: ViewportSize = {"width": 1440, "height": 900}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of this folder, and put them last: Playwright's event loop lives on in the main thread, and
    async tests after it could not start theirs. Of their files the long ones come first, so that all cores end at about
    the same time."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    for item in ours:
        item.add_marker(pytest.mark.browser)
    others = [item for item in items if not item.path.is_relative_to(HERE)]
    length = Counter(item.path for item in ours)
    items[:] = others + sorted(ours, key=lambda item: -length[item.path])


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    options = launch_options()
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(**{**options, "args": [*options["args"], *ARGUMENTS]})
        yield running
        running.close()


@pytest.fixture(scope="session")
def slow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    """The app with a demo engine that takes a fifth of a second for a step: time to press things meanwhile."""
    with serve_app(tmp_path_factory.mktemp("slow"), PLAYGROUND_DEMO_STEP_SECONDS="0.2") as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.fixture(scope="session")
def shared_profile(browser: Browser) -> Iterator[SharedProfile]:
    shared = SharedProfile(browser, DESKTOP)
    yield shared
    shared.close()


@pytest.fixture
def profile(shared_profile: SharedProfile) -> Iterator[BrowserContext]:
    """The shared browser profile, without tabs and as a fresh visitor's."""
    yield shared_profile.clear()
    shared_profile.clear()


@pytest.fixture
def new_visitor(browser: Browser) -> Iterator[NewVisitor]:
    """`new_visitor(server, **options)`: a browser profile of its own with one open page. Faults fail the test."""
    contexts: list[BrowserContext] = []
    pages: list[PlaygroundPage] = []

    def visit(server: AppServer, **options: Any) -> PlaygroundPage:
        contexts.append(browser.new_context(**{"viewport": DESKTOP, **options}))
        pages.append(PlaygroundPage(contexts[-1], server.url))
        return pages[-1].open()

    yield visit
    for context in contexts:
        context.close()
    for page in pages:
        page.assert_sound()


@pytest.fixture
def new_tab(profile: BrowserContext) -> Iterator[Visit]:
    """`new_tab(server)`: an empty tab of a fresh visitor, in which the test itself opens an address of the page. Faults
    fail the test."""
    pages: list[PlaygroundPage] = []

    def open_tab(server: AppServer) -> PlaygroundPage:
        pages.append(PlaygroundPage(profile, server.url))
        return pages[-1]

    yield open_tab
    for page in pages:
        page.page.close()
    for page in pages:
        page.assert_sound()


@pytest.fixture
def visit(new_tab: Visit) -> Visit:
    """`visit(server)`: the page as a fresh visitor sees it; a second call in a test opens another tab of theirs."""
    return lambda server: new_tab(server).open()


@pytest.fixture
def page_with(server: AppServer, profile: BrowserContext, visit: Visit) -> PageWith:
    """`page_with({"prompt": "A fox"}, …)`: the page of a visitor who made these pictures before, the last one first."""

    def open_page(*pictures: dict[str, Any]) -> PlaygroundPage:
        token = secrets.token_urlsafe(32)
        for settings in pictures:
            make_picture(server, token, **settings)
        profile.add_cookies([{"name": COOKIE, "value": token, "url": server.url, "httpOnly": True, "sameSite": "Lax"}])
        page = visit(server)
        expect(page.cards("done")).to_have_count(len(pictures))
        return page

    return open_page


@pytest.fixture
def page(server: AppServer, visit: Visit) -> PlaygroundPage:
    return visit(server)


@pytest.fixture
def slow_page(slow_server: AppServer, visit: Visit) -> PlaygroundPage:
    return visit(slow_server)
