"""The middlewares before every route: alone, and around the whole application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from support.whole import WholeApp, routes_of, whole_app

from ui.web.guard import Guard, KnownProxies

ROOT = Path(__file__).parents[3]
COOKIE = {"Cookie": "playground_visitor=" + "a" * 40}
ELSEWHERE = {"Origin": "https://evil.example"}
OURS = {"Origin": "https://page.example"}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Tells how a request looks from inside."""
    request = Request(scope, receive)
    told = {"scheme": scope["scheme"], "client": scope["client"][0], "headers": dict(request.headers)}
    allow = {"Access-Control-Allow-Credentials": "true", "Access-Control-Allow-Origin": "https://evil.example"}
    await JSONResponse(told, headers=allow)(scope, receive, send)


async def ask(
    app: ASGIApp, method: str = "POST", path: str = "/key", *, host: str = "page.example", peer: str = "10.0.0.9",
    **headers: str,
) -> httpx.Response:  # fmt: skip
    transport = httpx.ASGITransport(app, client=(peer, 1))  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url=f"http://{host}") as client:
        return await client.request(method, path, headers=headers)


class TestHeaders:
    @pytest.mark.parametrize("path", ["/", "/media/x", "/gradio_api/upload", "/key"])
    async def test_every_answer_carries_them(self, path):
        response = await ask(Guard(echo, on_spaces=False), path=path, **COOKIE, **ELSEWHERE)
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "same-origin"
        policy = dict(part.strip().split(" ", 1) for part in response.headers["content-security-policy"].split(";"))
        assert policy["default-src"] == policy["base-uri"] == policy["form-action"] == "'self'"
        assert policy["object-src"] == "'none'"
        assert policy["frame-ancestors"] == "'self'"
        assert not [source for sources in policy.values() for source in sources.split() if "http" in source]

    async def test_spaces_may_show_it_in_a_frame(self):
        response = await ask(Guard(echo, on_spaces=True), "GET")
        assert (
            "frame-ancestors 'self' https://huggingface.co https://*.hf.space"
            in (response.headers["content-security-policy"])
        )

    async def test_on_spaces_gradio_may_ask_whether_the_space_is_awake(self):
        for on_spaces in (True, False):
            response = await ask(Guard(echo, on_spaces=on_spaces), "GET")
            asked = response.headers["content-security-policy"].split("connect-src ")[1].split(";")[0]
            assert ("https://huggingface.co" in asked.split()) == on_spaces

    async def test_no_other_site_reads_an_answer_given_to_our_cookie(self):
        response = await ask(Guard(echo, on_spaces=False), "GET", **ELSEWHERE)
        assert "access-control-allow-credentials" not in response.headers


class TestPagesOfOtherSites:
    @pytest.mark.parametrize("path", ["/key", "/runs/x/delete", "/gradio_api/run/predict", "/gradio_api/queue/join"])
    @pytest.mark.parametrize("method", ["POST", "DELETE", "PUT", "PATCH"])
    @pytest.mark.parametrize(
        "headers",
        [
            ELSEWHERE,
            {"Origin": "null"},
            {"Origin": "https://page.example.evil.example"},
            {"Origin": "https://page.example:8443"},
            {"Sec-Fetch-Site": "cross-site", **ELSEWHERE},
            {"Sec-Fetch-Site": "same-site", **OURS},
            {"Sec-Fetch-Site": "cross-site"},
        ],
        ids=lambda headers: " ".join(headers.values()),
    )
    async def test_with_our_cookie_they_are_refused(self, method, path, headers):
        response = await ask(Guard(echo, on_spaces=False), method, path, **COOKIE, **headers)
        assert response.status_code == 403
        assert response.json()["message"].startswith("This came from a page of another site")

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            COOKIE,
            ELSEWHERE,
            {**COOKIE, **OURS},
            {**COOKIE, "Origin": "http://page.example"},
            {**COOKIE, **OURS, "Sec-Fetch-Site": "same-origin"},
            {**COOKIE, "Sec-Fetch-Site": "none"},
            {**ELSEWHERE, "Sec-Fetch-Site": "cross-site"},
        ],
        ids=lambda headers: " ".join(headers.values()) or "a script",
    )
    async def test_our_own_page_and_scripts_go_on(self, headers):
        assert (await ask(Guard(echo, on_spaces=False), **headers)).status_code == 200

    async def test_reading_is_left_to_the_routes(self):
        assert (await ask(Guard(echo, on_spaces=False), "GET", **COOKIE, **ELSEWHERE)).status_code == 200

    @pytest.mark.parametrize("host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860"])
    async def test_on_the_readers_own_machine_they_are_refused_without_the_cookie_too(self, host):
        app = Guard(echo, on_spaces=False)
        for foreign in ({**ELSEWHERE, "Sec-Fetch-Site": "cross-site"}, ELSEWHERE):  # browsers of old send no site
            assert (await ask(app, path="/gradio_api/call/generate", host=host, **foreign)).status_code == 403
        assert (await ask(app, path="/gradio_api/call/generate", host=host)).status_code == 200

    async def test_behind_a_proxy_its_name_is_ours(self):
        app = KnownProxies(Guard(echo, on_spaces=False), trusted="10.0.0.0/8")
        forwarded = {"X-Forwarded-Host": "page.example", **COOKIE}
        assert (await ask(app, host="inner:7860", **forwarded, **OURS)).status_code == 200
        assert (await ask(app, host="inner:7860", **forwarded, **ELSEWHERE)).status_code == 403


class TestNames:
    """A page of another site whose name points at this machine comes with that name."""

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("host", ["evil.example:7860", "localhost.evil.example", "127.0.0.1.evil.example", "[evil"])
    async def test_a_strangers_is_refused_with_what_to_do(self, method, host):
        headers = {"Host": host, "X-Forwarded-Host": "localhost", "Sec-Fetch-Site": "same-origin"}
        response = await ask(Guard(echo, on_spaces=False, hosts=frozenset()), method, "/runs", **headers)
        assert response.status_code == 403
        assert response.json()["message"].endswith("have its owner add the name to PLAYGROUND_ALLOWED_HOSTS.")

    @pytest.mark.parametrize(
        "host", ["localhost:7860", "127.0.0.1:7860", "[::1]:7860", "192.168.1.5", "pg.localhost", "Page.Example:80", ""]
    )
    async def test_ours_and_addresses_are_answered(self, host):
        app = Guard(echo, on_spaces=False, hosts=frozenset({"page.example"}))
        assert (await ask(app, "GET", "/runs", Host=host)).status_code == 200


class TestProxies:
    FORWARDED: ClassVar = {
        "X-Forwarded-Proto": "https",
        "X-Forwarded-For": "1.2.3.4",
        "X-Forwarded-Host": "page.example",
        "Forwarded": "proto=https",
    }

    async def seen(self, trusted: str) -> dict[str, Any]:
        told: dict[str, Any] = (await ask(KnownProxies(echo, trusted=trusted), **self.FORWARDED)).json()
        return told

    @pytest.mark.parametrize("trusted", ["10.0.0.9", "127.0.0.1, 10.0.0.0/8", "*"])
    async def test_a_known_one_is_believed(self, trusted):
        told = await self.seen(trusted)
        assert (told["scheme"], told["client"]) == ("https", "1.2.3.4")
        assert told["headers"]["x-forwarded-host"] == "page.example"

    @pytest.mark.parametrize("trusted", ["127.0.0.1", "10.0.0.8", ""])
    async def test_of_others_nothing_is_left(self, trusted):
        told = await self.seen(trusted)
        assert (told["scheme"], told["client"]) == ("http", "10.0.0.9")
        assert not [name for name in told["headers"] if "forwarded" in name]


# -- around the whole application ------------------------------------------------------------------------------------


@pytest.fixture
async def whole(tmp_path: Path) -> AsyncIterator[WholeApp]:
    async with whole_app(tmp_path / "data") as whole:
        yield whole


async def test_the_whole_application_is_guarded(whole: WholeApp) -> None:
    foreign = {**COOKIE, **ELSEWHERE}
    unsafe = {path for method, path in routes_of(whole.app.routes) if method in ("POST", "PUT", "PATCH", "DELETE")}
    for path in unsafe:
        answer = await whole.client.post(path, headers=foreign)
        assert answer.status_code in (403, 404), path
        assert answer.headers["content-security-policy"]
    page = await whole.client.get("/")
    assert page.status_code == 200
    assert page.headers["x-content-type-options"] == "nosniff"


async def test_it_answers_to_the_names_that_its_owner_allows(tmp_path: Path) -> None:
    for allowed, served in ((None, False), ("page.example, other.example", True), ("*", True)):
        async with whole_app(tmp_path, playground_allowed_hosts=allowed) as whole:
            answer = await whole.client.get("/runs", headers={"Host": "page.example"})
            assert (answer.status_code == 200) is served, allowed


async def test_behind_https_the_cookie_says_so_only_where_a_known_proxy_says_so(whole: WholeApp) -> None:
    forwarded = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"}
    known = await whole.client.get("/", headers=forwarded)
    assert "Secure" in known.headers["set-cookie"]
    stranger = await ask(whole.app, "GET", "/", host="localhost:7860", **forwarded)
    assert "Secure" not in stranger.headers["set-cookie"]
    assert "evil.example" not in stranger.text


async def test_what_the_page_does_not_need_of_gradio_is_closed(whole: WholeApp) -> None:
    spare = ("upload", "upload_progress?upload_id=x", "deep_link?session_hash=x", "proxy=https://example.com/",
             "stream/x", "component_server", "dev/reload", "token", "runs", "process_recording", "vibe-code",
             "vibe-edit", "file/README.md")  # fmt: skip
    for path in spare:
        for method in ("GET", "POST"):
            answer = await whole.client.request(method, f"/gradio_api/{path}")
            assert (answer.status_code, answer.json()) == (404, {"message": "This server has no such route."}), path


async def test_gradios_file_route_serves_nothing_of_ours(whole: WholeApp, tmp_path: Path) -> None:
    data = tmp_path / "data"
    assert (data / "history.sqlite3").is_file()
    (data / "media" / ("0" * 32 + ".jpg")).write_bytes(b"a picture")
    paths = [
        data / "history.sqlite3", data / "media" / ("0" * 32 + ".jpg"), ROOT / "app.py", ROOT / "services/settings.py",
        ROOT / "README.md", ROOT / ".git/HEAD", ROOT / "assets/css/style.css", "/etc/passwd", "/proc/self/environ",
        "/proc/self/cmdline", Path.home() / ".bashrc",
    ]  # fmt: skip
    for path in paths:
        for shown in (
            f"{path}",
            f"../../../../../../../..{path}",
            f"{data}/../../{path}",
            str(path).replace("/", "%2f"),
        ):
            answer = await whole.client.get(f"/gradio_api/file={shown}")
            assert answer.status_code in (400, 403, 404), f"{shown}: {answer.status_code}"


async def test_locked_settings_are_shown_as_locked(tmp_path: Path) -> None:
    async with whole_app(tmp_path, playground_lock_safety=True) as whole:
        components = (await whole.client.get("/config")).json()["components"]
        by_id = {component["props"].get("elem_id"): component["props"] for component in components}
        told = [component["props"].get("value") for component in components]
        for field, free in (("safety_tolerance", False), ("enable_safety_checker", False), ("output_format", True)):
            assert by_id[f"field-{field}"].get("interactive") in ((True, None) if free else (False,)), field
        assert told.count("Locked by the owner of this page.") == 2
        asked = {"prompt": "a fox", "safety_tolerance": "5"}
        event = (await whole.client.post("/gradio_api/call/v2/generate", json=asked)).json()["event_id"]
        answer = (await whole.client.get(f"/gradio_api/call/generate/{event}")).text
        assert "Safety tolerance is locked at 2 by this page's owner." in answer
