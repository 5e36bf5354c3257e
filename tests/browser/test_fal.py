"""The page with a fal key, against a stand-in for fal behind TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import expect
from support.forked import fork_app
from support.page import PlaygroundPage, Visit
from support.server import AppServer
from support.tls import TlsServer, serve_tls

from services.engines.demo.asgi import build_app
from services.engines.demo.queue import DemoQueue

SECRET = "c0ffee-of-the-owner"


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with serve_tls(build_app(DemoQueue(step_seconds=0)), tmp_path_factory.mktemp("tls")) as running:
        yield running


@pytest.fixture(scope="module")
def fal_server(fal: TlsServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    with fork_app(tmp_path_factory.mktemp("fal"), **fal.environ(f"owner:{SECRET}")) as running:
        yield running
        assert "Traceback" not in running.log, running.log
        assert SECRET not in running.log


@pytest.fixture
def page(fal_server: AppServer, visit: Visit) -> PlaygroundPage:
    return visit(fal_server)


def test_the_header_says_fal(page: PlaygroundPage) -> None:
    expect(page.badge).to_have_text("fal")


def test_the_button_estimates_the_price_of_the_pictures(page: PlaygroundPage) -> None:
    expect(page.generate).to_have_text("Generate 1 · ≈ $0.05")

    page.choose("Image size", "Square HD")
    page.choose("Images", 4)
    expect(page.generate).to_have_text("Generate 4 · ≈ $0.20")


def test_a_size_that_begins_another_megapixel_is_told(page: PlaygroundPage) -> None:
    hint = page.page.locator("#price-hint")
    expect(hint).to_have_text("")

    page.set_custom_size(1040, 1024)

    expect(page.generate).to_have_text("Generate 1 · ≈ $0.10")
    expect(hint).to_contain_text("would save ≈ $0.05 a picture")
    page.set_custom_size(1024, 1024)
    expect(hint).to_have_text("")
    expect(page.generate).to_have_text("Generate 1 · ≈ $0.05")


def test_each_picture_is_sent_once_and_its_price_is_told(page: PlaygroundPage, fal: TlsServer) -> None:
    before = fal.requests["POST", "submit"]
    page.set_seed(500)

    page.make("Paid for", images=3)

    assert fal.requests["POST", "submit"] == before + 3
    assert sorted(body["seed"] for body in fal.submitted[-3:]) == [500, 501, 502]
    assert {body["prompt"] for body in fal.submitted[-3:]} == {"Paid for"}
    page.expect_details(cost="≈ $0.05")
    expect(page.page.locator(".pg-visit")).to_have_text("≈ $0.15 · 3 pictures")


def test_a_refusal_is_told_on_the_card(page: PlaygroundPage) -> None:
    page.ask("[refuse] this")

    expect(page.cards("failed")).to_contain_text("fal's content check refused this prompt")
    expect(page.cards("failed").get_by_role("button", name="Edit settings")).to_be_visible()


def test_no_key_is_anywhere_on_the_page(page: PlaygroundPage) -> None:
    own = "their-own-id:their-own-secret-key"
    page.button("Key").click()
    page.page.get_by_label("Key", exact=True).fill(own)
    page.button("Use this key").click()
    expect(page.toast).to_contain_text("Your key is in use.")
    page.make()

    stored = page.page.evaluate("JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie])")
    seen = [page.page.content(), stored, page.page.url]
    seen += [
        page.page.request.get(page.url + path).text() for path in ("/", "/config", "/runs", "/history", "/healthz")
    ]
    for secret in (SECRET, "their-own-id", "their-own-secret-key"):
        assert not [text for text in seen if secret in text]
