"""A real browser on the real app: one Chromium and one server for all, a fresh visitor for each test."""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ViewportSize, expect, sync_playwright
from support.chromium import launch_options
from support.forked import fork_app
from support.page import NewVisitor, PageWith, PlaygroundPage, Visit
from support.pictures import make_picture
from support.profile import ARGUMENTS, SharedProfile, SharedProfiles
from support.server import AppServer

from ui.visitors import COOKIE

HERE = Path(__file__).parent
DESKTOP: ViewportSize = {"width": 1440, "height": 900}
FAILED = pytest.StashKey[bool]()
NewProfile = Callable[..., SharedProfile]


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
    with fork_app(tmp_path_factory.mktemp("slow"), PLAYGROUND_DEMO_STEP_SECONDS="0.2") as running:
        yield running
        assert "Traceback" not in running.log, running.log


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Note that the test failed: nobody knows what it left in its profiles."""
    report = yield
    if report.failed:
        item.stash[FAILED] = True
    return report


@pytest.fixture(scope="session")
def profiles(browser: Browser) -> SharedProfiles:
    return SharedProfiles(browser)


@pytest.fixture
def new_profile(profiles: SharedProfiles, request: pytest.FixtureRequest) -> Iterator[NewProfile]:
    """`new_profile(**options)`: a fresh visitor's, that no other part of the test uses. Faults in its tabs fail the
    test."""
    taken: list[SharedProfile] = []

    def take(**options: Any) -> SharedProfile:
        taken.append(profiles.take({"viewport": DESKTOP, **options}))
        return taken[-1]

    yield take
    try:
        for profile in taken:
            profile.leave()
    except AssertionError:
        request.node.stash[FAILED] = True
        raise
    finally:
        for profile in taken:
            profiles.give_back(profile, after_a_failure=FAILED in request.node.stash)


@pytest.fixture
def shared_profile(new_profile: NewProfile) -> SharedProfile:
    """The one of most tests: where they open a page, a tab or a second one, it is in this profile."""
    return new_profile()


@pytest.fixture
def profile(shared_profile: SharedProfile) -> BrowserContext:
    return shared_profile.context


@pytest.fixture
def new_visitor(new_profile: NewProfile) -> NewVisitor:
    """`new_visitor(server, **options)`: the page in a profile of its own."""
    return lambda server, **options: new_profile(**options).open(server.url).open()


@pytest.fixture
def new_tab(shared_profile: SharedProfile) -> Visit:
    """`new_tab(server)`: an empty tab of a fresh visitor, in which the test itself opens an address of the page."""
    return lambda server: shared_profile.open(server.url)


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
