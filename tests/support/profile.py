"""A browser profile that many tests use, one after the other, each as a fresh visitor."""

from __future__ import annotations

from playwright.sync_api import Browser, BrowserContext, ViewportSize

ARGUMENTS = ("--process-per-site",)
"""Chromium's: all tabs of a site share a process of the profile. Ours are one site, for their ports do not count."""


class SharedProfile:
    """Its cache keeps the app's scripts, and an empty tab keeps the process that has compiled them: a page opens in
    half of the time that it takes in a new profile.

    What a test does to the profile as a whole, beyond what `clear` knows, would be felt by the next one: use a
    profile of its own for that (`new_visitor`), for example for Playwright's clock.
    """

    def __init__(self, browser: Browser, viewport: ViewportSize) -> None:
        self.context = browser.new_context(viewport=viewport)
        self._keeper = self.context.new_page()
        self._keeper.route("**/*", lambda route: route.fulfill(body=""))
        self._keeper.goto("http://127.0.0.1/")
        self._chromium = self.context.new_cdp_session(self._keeper)

    def clear(self) -> BrowserContext:
        """Close its tabs and forget who the visitor was: cookies, permissions, and what pages stored."""
        for tab in self.context.pages:
            if tab is not self._keeper:
                tab.close()
        self.context.clear_cookies()
        self.context.clear_permissions()
        self._chromium.send("Storage.clearDataForOrigin", {"origin": "*", "storageTypes": "local_storage"})
        return self.context

    def close(self) -> None:
        self.context.close()
