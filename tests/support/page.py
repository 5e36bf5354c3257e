"""The playground's page as tests use it: elements by the names that a user reads. Only this module knows the markup."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Locator, Page, expect
from support.patience import PATIENCE_SECONDS
from support.server import AppServer

PATIENCE_MS = 1000 * PATIENCE_SECONDS
"""The timeout of every wait; long, because the machine may be busy."""
LIVE = ("pending", "submitting", "submitted", "queued", "running")

expect.set_options(timeout=PATIENCE_MS)


def origin_of(url: str) -> str:
    """`scheme://host:port`; of a web socket, that of the page that may open it."""
    parts = urlsplit(url)
    return f"{parts.scheme.replace('ws', 'http')}://{parts.netloc}"


class PlaygroundPage:
    """A browser tab. It collects console errors, uncaught exceptions, requests to other hosts and dialogs;
    `assert_sound` fails on each that was not `allow`ed."""

    def __init__(self, context: BrowserContext, url: str, tab: Page | None = None) -> None:
        """`tab`: an open one of that context; None opens one."""
        self.url = url
        self.context = context
        self.page = tab or context.new_page()
        self.page.set_default_timeout(PATIENCE_MS)
        self.faults: list[str] = []
        self._allowed: list[str] = []
        self._listeners: dict[Any, Callable[..., None]] = {
            "console": self._hear_console,
            "pageerror": lambda error: self.faults.append(f"uncaught: {error}"),
            "requestfailed": lambda request: self._see_address(request.url),
            "framenavigated": lambda frame: self._see_address(frame.url),
            "dialog": self._see_dialog,
        }
        for event, hear in self._listeners.items():
            self.page.on(event, hear)

    # -- what must not happen ----------------------------------------------------------------------------------------

    def allow(self, pattern: str) -> None:
        """Expect a fault of this text in this test: a refused request, a server that is away."""
        self._allowed.append(pattern)

    def assert_sound(self) -> None:
        unexpected = [fault for fault in self.faults if not any(re.search(known, fault) for known in self._allowed)]
        assert not unexpected, "\n".join(unexpected)

    def leave(self) -> None:
        """Hear no more of the tab."""
        for event, hear in self._listeners.items():
            self.page.remove_listener(event, hear)

    def _hear_console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"console: {message.text} ({message.location.get('url', '')})")

    def _see_address(self, url: str) -> None:
        """Of a page, or of a request that failed, as each one to another host does: see `profile.ARGUMENTS`."""
        if urlsplit(url).scheme in ("http", "https", "ws", "wss") and origin_of(url) != origin_of(self.url):
            self.faults.append(f"another host: {url}")

    def _see_dialog(self, dialog: Dialog) -> None:
        self.faults.append(f"dialog: {dialog.message}")
        dialog.dismiss()

    # -- the page ----------------------------------------------------------------------------------------------------

    def open(self, **settings: str) -> PlaygroundPage:
        """Go to the page, with settings in its address, and wait until it can be used."""
        query = f"?{urlencode(settings)}" if settings else ""
        return self.open_address(f"{self.url}/{query}")

    def open_address(self, address: str) -> PlaygroundPage:
        self.page.goto(address)
        return self.wait_until_ready()

    def reload(self) -> PlaygroundPage:
        self.page.reload()
        return self.wait_until_ready()

    def wait_until_ready(self) -> PlaygroundPage:
        """Wait until the header shows the server's answer, and the button its estimate."""
        expect(self.badge).to_be_visible()
        expect(self.generate).to_have_text(re.compile(r"Generate \d · "))
        return self

    @property
    def badge(self) -> Locator:
        return self.page.locator(".pg-engine")

    def button(self, name: str | re.Pattern[str]) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def group(self, name: str) -> Locator:
        return self.page.get_by_role("group", name=name, exact=True)

    @property
    def details(self) -> Locator:
        return self.page.get_by_role("complementary", name="Details")

    @property
    def toast(self) -> Locator:
        return self.page.locator(".pg-toast")

    # -- the controls ------------------------------------------------------------------------------------------------

    @property
    def prompt(self) -> Locator:
        return self.page.get_by_role("textbox", name="Prompt", exact=True)

    @property
    def generate(self) -> Locator:
        return self.page.get_by_role("button", name=re.compile("^Generate"))

    @property
    def steps(self) -> Locator:
        return self.page.get_by_label("number input for Steps")

    @property
    def guidance(self) -> Locator:
        return self.page.get_by_label("number input for Guidance scale")

    @property
    def width(self) -> Locator:
        return self.page.get_by_label("Width", exact=True)

    @property
    def height(self) -> Locator:
        return self.page.get_by_label("Height", exact=True)

    @property
    def seed(self) -> Locator:
        return self.page.get_by_label("Seed", exact=True)

    @property
    def random_seed(self) -> Locator:
        return self.page.get_by_label("Random seed", exact=True)

    @property
    def swap(self) -> Locator:
        return self.page.get_by_role("button", name="Swap width and height")

    @property
    def size_in_words(self) -> Locator:
        return self.page.locator("#size-told")

    def issue(self, field: str) -> Locator:
        """The message at a control; `field` by the API's name."""
        return self.page.locator(f"#field-{field} .pg-issue[role=alert]")

    @property
    def issues(self) -> Locator:
        return self.page.locator(".pg-issue")

    def choose(self, group: str, choice: str | int) -> None:
        self.group(group).get_by_role("radio", name=str(choice), exact=True).check()

    def chosen(self, group: str) -> Locator:
        return self.group(group).get_by_role("radio", checked=True)

    def set_number(self, control: Locator, value: float | str) -> None:
        """Type into the control and leave it, as a user does."""
        control.fill(str(value))
        control.press("Tab")

    def set_seed(self, seed: int) -> None:
        self.random_seed.uncheck()
        self.set_number(self.seed, seed)

    def set_custom_size(self, width: float, height: float) -> None:
        self.choose("Image size", "Custom")
        self.set_number(self.width, width)
        self.set_number(self.height, height)

    def open_advanced(self) -> None:
        self.page.get_by_role("button", name=re.compile("^Advanced")).click()
        expect(self.group("Output format")).to_be_visible()

    # -- the pictures ------------------------------------------------------------------------------------------------

    def ask(
        self, prompt: str = "A cat on a mat", *, size: str = "Square", images: int = 1, steps: int | None = None
    ) -> None:
        """Write a prompt and press Generate; small pictures, so that a test is fast. None leaves Steps as it is."""
        self.prompt.fill(prompt)
        if steps is not None:
            self.set_number(self.steps, steps)
        self.choose("Image size", size)
        self.choose("Images", images)
        self.generate.click()

    def make(
        self, prompt: str = "A cat on a mat", *, size: str = "Square", images: int = 1, steps: int | None = None
    ) -> None:
        """`ask`, and wait until that many more pictures are there."""
        before = self.cards("done").count()
        self.ask(prompt, size=size, images=images, steps=steps)
        expect(self.cards("done")).to_have_count(before + images)

    def cards(self, state: str | None = None) -> Locator:
        """The cards of the gallery, newest first."""
        return self.page.locator("#widget-gallery [data-run-id]" + (f"[data-state={state}]" if state else ""))

    @property
    def live_cards(self) -> Locator:
        return self.page.locator(", ".join(f"#widget-gallery [data-run-id][data-state={state}]" for state in LIVE))

    def seeds(self) -> list[int]:
        """The seeds of the gallery's cards, newest first."""
        return [int(seed) for seed in self.attributes("seed")]

    def run_ids(self) -> list[str]:
        return self.attributes("runId")

    def attributes(self, name: str) -> list[str]:
        found: list[str] = self.cards().evaluate_all("(cards, name) => cards.map((card) => card.dataset[name])", name)
        return found

    def drop(self, name: str, data: bytes) -> None:
        """Drop a file on the page, as a user does."""
        transfer = self.page.evaluate_handle(
            """async ([name, address]) => {
                const transfer = new DataTransfer();
                transfer.items.add(new File([await (await fetch(address)).blob()], name));
                return transfer;
            }""",
            [name, f"data:application/octet-stream;base64,{base64.b64encode(data).decode()}"],
        )
        self.page.dispatch_event("body", "drop", {"dataTransfer": transfer})

    @property
    def stage_picture(self) -> Locator:
        return self.page.locator("#widget-stage img")

    def card(self, run_id: str) -> Locator:
        return self.page.locator(f"#widget-gallery [data-run-id='{run_id}']")

    def show(self, seed: int) -> None:
        """Choose a picture for the stage."""
        self.button(f"Show picture with seed {seed}").click()
        self.expect_details(seed=seed)

    def expect_details(self, **facts: Any) -> None:
        """`expect_details(seed=41, steps=28)`: what the details list."""
        for name, value in facts.items():
            row = self.details.locator("dt").get_by_text(name, exact=True).locator("xpath=following-sibling::dd[1]")
            expect(row).to_have_text(str(value))

    def get_json(self, path: str) -> Any:
        """The JSON that our own route answers to this tab's visitor."""
        answer = self.page.request.get(self.url + path)
        assert answer.ok, f"{path}: {answer.status} {answer.text()}"
        return answer.json()

    def prompts_of(self, runs: Iterable[str]) -> list[str]:
        return [self.get_json(f"/runs/{run}")["request"]["prompt"] for run in runs]


Visit = Callable[[AppServer], PlaygroundPage]
"""`visit(server)`: the page as a fresh visitor sees it; a second call in a test opens another tab of that visitor."""
PageWith = Callable[..., PlaygroundPage]
"""`page_with({"prompt": "A fox"}, …)`: the page of a visitor who made these pictures before."""
NewVisitor = Callable[..., PlaygroundPage]
"""`new_visitor(server, **options)`: the page in a browser profile of its own."""


def expect_decoded(picture: Locator) -> None:
    """The browser has decoded the picture's bytes. One that is not near the window is scrolled to first."""
    picture.scroll_into_view_if_needed()
    expect(picture).to_have_js_property("complete", True)
    expect(picture).not_to_have_js_property("naturalWidth", 0)
