"""Browser profiles and tabs that many tests use, one after the other, each as a fresh visitor."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Error, Frame
from support.page import PlaygroundPage, origin_of

ARGUMENTS = (
    "--process-per-site",
    "--js-flags=--no-opt --no-maglev --sparkplug",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)
"""Chromium's. All tabs of a site share a process of the profile; ours are one site, for their ports do not count.
Scripts are compiled but not optimised: a test ends before that pays. No other host can be reached."""

# Playwright's methods whose effect outlives the page that is shown.
LISTENING = ("on", "once", "route", "route_from_har", "route_web_socket", "expose_binding", "expose_function")
OF_A_TAB = (*LISTENING, "add_locator_handler", "emulate_media", "set_viewport_size")
OF_BOTH = (*LISTENING, "add_init_script", "set_extra_http_headers")
OF_A_PROFILE = ("new_cdp_session", "set_geolocation", "set_offline")
OF_ITS_CLOCK = ("install", "pause_at", "set_fixed_time", "set_system_time")
STORED = "local_storage,indexeddb,cache_storage,service_workers"

SHAREABLE = {"viewport", "has_touch", "is_mobile"}
"""Options of a profile that several tests have in common. Others belong to one test."""
MOST_SHARED = 3


class Changes:
    """Whether one of these methods was called."""

    def __init__(self) -> None:
        self.were_made = False

    def watch(self, thing: object, names: Iterable[str]) -> None:
        for name in names:
            setattr(thing, name, self._noting(getattr(thing, name)))

    def _noting(self, method: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(method)
        def noted(*given: Any, **named: Any) -> Any:
            self.were_made = True
            return method(*given, **named)

        return noted


class SharedTab:
    """A tab that stays open. The browser has compiled the app's scripts in it: the page opens in two fifths of the
    processor time that it takes in a new tab."""

    def __init__(self, context: BrowserContext) -> None:
        self._context = context
        self.page = context.new_page()
        self._chromium = context.new_cdp_session(self.page)
        self._origins: set[str] = set()
        self.page.on("framenavigated", self._see_address)
        self._changes = Changes()
        self._changes.watch(self.page, [*OF_BOTH, *OF_A_TAB])
        self._changes.watch(self.page.keyboard, ["down"])
        self._changes.watch(self.page.mouse, ["down"])

    def open(self, url: str) -> PlaygroundPage:
        page = PlaygroundPage(self._context, url, self.page)
        self._changes.were_made = False
        return page

    def empty(self) -> bool:
        """Leave the app and forget what it kept in this tab. False when there is no knowing what is left."""
        if self._changes.were_made or self.page.is_closed():
            return False
        try:
            self.page.mouse.move(-1, -1)
            for origin in self._origins:
                self.page.goto(f"{origin}/healthz", wait_until="commit")
                self.page.evaluate("() => { sessionStorage.clear(); window.name = ''; }")
            self._chromium.send("Page.resetNavigationHistory")
        except Error:  # its server is gone, or the tab has crashed
            return False
        self._origins.clear()
        return True

    def forget_storage(self) -> None:
        """What pages stored in the profile."""
        self._chromium.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": STORED})

    def _see_address(self, frame: Frame) -> None:
        if frame.url.startswith("http"):
            self._origins.add(origin_of(frame.url))


class SharedProfile:
    """Its cache keeps the app's scripts. `clear` makes it a fresh visitor's again, as far as a page can change it;
    what a test changed by Playwright's own methods, a tab or the whole profile, is not used again."""

    def __init__(self, browser: Browser, options: dict[str, Any]) -> None:
        self.options = options
        self.context = browser.new_context(**options)
        self._pages: list[PlaygroundPage] = []
        self._tab = SharedTab(self.context)
        self._changes = Changes()
        self._changes.watch(self.context, [*OF_BOTH, *OF_A_PROFILE])
        self._changes.watch(self.context.clock, OF_ITS_CLOCK)

    def open(self, url: str) -> PlaygroundPage:
        """An empty tab for the app at `url`: for the first one of a test, the tab that stays open."""
        page = PlaygroundPage(self.context, url) if self._pages else self._tab.open(url)
        self._pages.append(page)
        return page

    def leave(self) -> None:
        """Faults of the tabs fail the test."""
        pages, self._pages = self._pages, []
        for page in pages:
            page.leave()
        for page in pages:
            page.assert_sound()

    def clear(self) -> bool:
        """Forget who the visitor was: tabs, cookies, permissions, and what pages stored. False when there is no knowing
        what is left."""
        if self._changes.were_made:
            return False
        if not self._tab.empty():
            self._tab = SharedTab(self.context)  # before the other one is closed: so the browser keeps the process
            self._changes.were_made = False
        for tab in self.context.pages:
            if tab is not self._tab.page:
                tab.close()
        self.context.clear_cookies()
        self.context.clear_permissions()
        self._tab.forget_storage()
        return True


class SharedProfiles:
    """One for each set of options, and more where a test uses several at once."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._free: list[SharedProfile] = []

    def take(self, options: dict[str, Any]) -> SharedProfile:
        """A fresh visitor's profile."""
        for profile in self._free:
            if profile.options == options:
                self._free.remove(profile)
                return profile
        return SharedProfile(self._browser, options)

    def give_back(self, profile: SharedProfile, *, after_a_failure: bool) -> None:
        if not after_a_failure and SHAREABLE.issuperset(profile.options) and profile.clear():
            self._free.insert(0, profile)
        else:
            profile.context.close()
        for unused in self._free[MOST_SHARED:]:
            unused.context.close()
        del self._free[MOST_SHARED:]
