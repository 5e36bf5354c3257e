"""The page as a Hugging Face Space: in a frame of the Hub's page, with the cookie and where it is refused."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Frame, FrameLocator, Page, expect
from support.chromium import launch_options
from support.page import PATIENCE_MS
from support.space import SPACE_HOST, Space, serve_space

COOKIE = "playground_visitor"
STORAGE_AS_OUTSIDE = "--disable-features=MediaRouter"
"""Playwright switches Chromium's partitioned storage off, with which a frame of another site has no storage at all. The
last list of features counts, and this one leaves it on, as it is for everyone."""
NO_THIRD_PARTY_COOKIES = {"profile": {"block_third_party_cookies": True, "cookie_controls_mode": 1}}
NOTHING_IS_KEPT = {"profile": {"default_content_setting_values": {"cookies": 2}}}
"""Chromium's setting that refuses cookies refuses all storage with them."""


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Space]:
    with serve_space(tmp_path_factory.mktemp("space")) as running:
        yield running
        assert "Traceback" not in running.server.log, running.server.log


@contextmanager
def the_hub(
    browser: Browser, space: Space, profile: Path, preferences: dict[str, Any], script: str = ""
) -> Iterator[Page]:
    """The Hub's page in a browser with these preferences. `script` runs before those of each page. Faults fail."""
    (profile / "Default").mkdir(parents=True)
    (profile / "Default" / "Preferences").write_text(json.dumps(preferences))
    options = launch_options(whole=True)  # the shell knows no such settings
    context = browser.browser_type.launch_persistent_context(
        profile,
        **{**options, "args": [*options["args"], STORAGE_AS_OUTSIDE, *space.browser_arguments]},
        ignore_https_errors=True,
        viewport={"width": 1440, "height": 900},
    )
    faults: list[str] = []
    if script:
        context.add_init_script(script)
    page = context.pages[0]
    page.set_default_timeout(PATIENCE_MS)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" else None)
    page.goto(space.page_url)
    yield page
    context.close()
    assert faults == []


def app_in(page: Page) -> FrameLocator:
    app = page.frame_locator("iframe")
    expect(app.locator(".pg-engine")).to_have_text("Demo engine")
    expect(app.get_by_role("button", name=re.compile(r"^Generate \d · "))).to_be_visible()
    return app


def frame_of(page: Page) -> Frame:
    [frame] = [frame for frame in page.frames if SPACE_HOST in frame.url]
    return frame


def make_a_picture(page: Page) -> FrameLocator:
    app = app_in(page)
    app.get_by_role("textbox", name="Prompt", exact=True).fill("A cat on a mat")
    app.get_by_role("button", name=re.compile("^Generate")).click()
    expect(app.locator("#widget-gallery [data-state=done]")).to_have_count(1)
    return app


def expect_it_after_a_reload(page: Page) -> None:
    page.reload()
    app = app_in(page)
    page.screenshot()  # without a window Chromium draws a frame of another site only when it is looked at
    expect(app.locator("#widget-gallery [data-state=done]")).to_have_count(1)


def test_a_partitioned_cookie_is_kept_where_third_party_cookies_are_not(
    browser: Browser, space: Space, tmp_path: Path
) -> None:
    with the_hub(browser, space, tmp_path / "profile", NO_THIRD_PARTY_COOKIES) as page:
        make_a_picture(page)
        [cookie] = [cookie for cookie in page.context.cookies() if cookie["name"] == COOKIE]
        assert cookie["partitionKey"] == "https://huggingface.co"
        assert frame_of(page).evaluate("[playgroundVisitor, document.cookie]") == [{}, ""]

        expect_it_after_a_reload(page)


def test_a_token_in_the_storage_stands_in_for_a_cookie_that_is_refused(
    browser: Browser, space: Space, tmp_path: Path
) -> None:
    refused = "Object.defineProperty(Document.prototype, 'cookie', { get: () => '', set() {} })"
    with the_hub(browser, space, tmp_path / "profile", {}, refused) as page:
        make_a_picture(page)
        token = frame_of(page).evaluate("localStorage.getItem('playground-visitor')")
        assert re.fullmatch("[0-9a-f]{64}", token)

        expect_it_after_a_reload(page)
        assert frame_of(page).evaluate("playgroundVisitor") == {"X-Playground-Visitor": token}


def test_a_browser_that_keeps_nothing_still_makes_and_downloads_pictures(
    browser: Browser, space: Space, tmp_path: Path
) -> None:
    with the_hub(browser, space, tmp_path / "profile", NOTHING_IS_KEPT) as page:
        app = make_a_picture(page)
        assert page.context.cookies() == []

        app.get_by_role("button", name="Favourite").first.click()
        expect(app.get_by_role("button", name="Favourite").first).to_have_attribute("aria-pressed", "true")
        with page.expect_download() as told:
            app.get_by_role("button", name="Download", exact=True).click()
        assert re.fullmatch(r"flux-2-flex_\d{8}-\d{6}_seed\d+\.jpg", told.value.suggested_filename)
        assert b"A cat on a mat" in Path(told.value.path()).read_bytes().replace(b"\0", b"")
