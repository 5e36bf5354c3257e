"""Tests share profiles and tabs of the browser: what one of them leaves is not met by the next."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from playwright.sync_api import Browser, expect
from support.page import PlaygroundPage
from support.patience import PATIENCE_SECONDS
from support.profile import SharedProfile, SharedProfiles
from support.server import AppServer

Change = Callable[[PlaygroundPage], object]
OF_THE_TAB: dict[str, Change] = {
    "listener": lambda app: app.page.on("request", lambda request: None),
    "route": lambda app: app.page.route("**/runs", lambda route: route.abort()),
    "script": lambda app: app.page.add_init_script("window.mess = 1"),
    "function": lambda app: app.page.expose_function("mess", lambda: 1),
    "window": lambda app: app.page.set_viewport_size({"width": 390, "height": 844}),
    "media": lambda app: app.page.emulate_media(color_scheme="dark"),
    "headers": lambda app: app.page.set_extra_http_headers({"X-Mess": "1"}),
    "key held down": lambda app: app.page.keyboard.down("t"),
    "closed": lambda app: app.page.close(),
}
OF_THE_PROFILE: dict[str, Change] = {
    "clock": lambda app: app.page.clock.install(),
    "offline": lambda app: app.context.set_offline(True),
    "route": lambda app: app.context.route("**/runs", lambda route: route.abort()),
    "script": lambda app: app.context.add_init_script("window.mess = 1"),
    "headers": lambda app: app.context.set_extra_http_headers({"X-Mess": "1"}),
    "session": lambda app: app.context.new_cdp_session(app.page),
}
MESS = """() => {
    document.cookie = "mess=1";
    localStorage.mess = sessionStorage.mess = window.name = "mess";
    history.pushState({}, "", "?mess");
    window.open("/healthz");
    return new Promise((done) => { indexedDB.open("mess").onsuccess = done; }).then(() => 1);
}"""
LEFT = """async () => [
    document.cookie, localStorage.mess, sessionStorage.mess, window.name, location.search,
    (await indexedDB.databases()).length, (await navigator.permissions.query({ name: "notifications" })).state,
]"""


@pytest.fixture
def own(browser: Browser) -> SharedProfiles:
    return SharedProfiles(browser)


def done_with(profiles: SharedProfiles, profile: SharedProfile, *, after_a_failure: bool = False) -> SharedProfile:
    """As at the end of a test. Returns what the next one gets."""
    profile.leave()
    profiles.give_back(profile, after_a_failure=after_a_failure)
    return profiles.take({})


def test_what_a_page_leaves_is_cleared(own: SharedProfiles, server: AppServer) -> None:
    profile = own.take({})
    app = profile.open(server.url)
    app.page.goto(f"{server.url}/healthz")
    clean = app.page.evaluate(LEFT)
    app.open().make()
    profile.context.grant_permissions(["notifications"])
    app.page.evaluate(MESS)
    assert app.page.evaluate(LEFT) != clean

    again = done_with(own, profile)

    assert again is profile
    assert len(again.context.pages) == 1
    fresh = again.open(server.url)
    assert fresh.page is app.page, "the tab is not kept, which costs every test half a second"
    fresh.page.goto(f"{server.url}/healthz")
    assert fresh.page.evaluate(LEFT) == clean
    assert fresh.page.evaluate("history.length") <= 2
    expect(fresh.open().cards()).to_have_count(0)
    again.leave()
    again.context.close()


@pytest.mark.parametrize("change", OF_THE_TAB)
def test_a_tab_that_was_changed_is_not_used_again(own: SharedProfiles, server: AppServer, change: str) -> None:
    profile = own.take({})
    app = profile.open(server.url)
    app.page.goto(f"{server.url}/healthz")
    OF_THE_TAB[change](app)

    again = done_with(own, profile)

    assert again is profile
    assert again.open(server.url).page is not app.page
    assert app.page.is_closed()
    again.context.close()


@pytest.mark.parametrize("change", OF_THE_PROFILE)
def test_a_profile_that_was_changed_is_not_used_again(own: SharedProfiles, server: AppServer, change: str) -> None:
    profile = own.take({})
    OF_THE_PROFILE[change](profile.open(server.url))

    again = done_with(own, profile)

    assert again is not profile
    again.context.close()


def test_nothing_is_used_again_after_a_failure(own: SharedProfiles, server: AppServer) -> None:
    profile = own.take({})
    profile.open(server.url)

    again = done_with(own, profile, after_a_failure=True)

    assert again is not profile
    again.context.close()


@pytest.mark.parametrize(
    "script",
    [
        "fetch('http://example.com/').catch(() => 0)",
        "new Image().src = 'https://192.0.2.1/picture.png'",
        "new WebSocket('ws://example.com/')",
        "location.href = 'http://example.com/'",
    ],
)
def test_what_goes_to_another_host_is_heard(own: SharedProfiles, server: AppServer, script: str) -> None:
    profile = own.take({})
    app = profile.open(server.url)
    app.page.goto(f"{server.url}/healthz")
    app.page.evaluate(f"() => {{ {script} }}")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not app.faults and time.monotonic() < deadline:
        app.page.wait_for_timeout(20)
    profile.context.close()

    with pytest.raises(AssertionError, match=r"example\.com|192\.0\.2\.1"):
        app.assert_sound()
