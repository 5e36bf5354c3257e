"""Files of the page from memory: the same bytes, compressed for those who can read it, and never stale."""

from __future__ import annotations

import os
import re
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from ui.web.assets import Assets, Mend
from ui.web.server import GRADIO_ASSETS, GRADIO_MENDS

SCRIPT = "export const words = [" + "'fox', " * 500 + "];"
FOREVER = "public, max-age=31536000, immutable"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "js").mkdir()
    (tmp_path / "js" / "page.js").write_text(SCRIPT)
    (tmp_path / "Index-DAx5Uzy2.js").write_text(SCRIPT)
    (tmp_path / "font.woff2").write_bytes(bytes(range(256)))
    return tmp_path


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(Assets(folder)), base_url="http://page") as client:
        yield client


async def test_a_script_is_compressed_for_those_who_can_read_it(client: httpx.AsyncClient) -> None:
    packed = await client.get("/js/page.js", headers={"Accept-Encoding": "gzip, br"})
    assert packed.text == SCRIPT
    assert packed.headers["content-encoding"] == "br"
    assert int(packed.headers["content-length"]) < len(SCRIPT) / 10
    assert packed.headers["content-type"].startswith("text/javascript")
    plain = await client.get("/js/page.js", headers={"Accept-Encoding": "identity"})
    assert plain.text == SCRIPT
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == packed.headers["vary"] == "Accept-Encoding"


async def test_only_names_that_tell_their_content_are_kept_for_good(client: httpx.AsyncClient, folder: Path) -> None:
    assert (await client.get("/Index-DAx5Uzy2.js")).headers["cache-control"] == FOREVER
    assert (await client.get("/js/page.js")).headers["cache-control"] == "no-cache"
    versioned = httpx.ASGITransport(Assets(folder, forever=True))
    async with httpx.AsyncClient(transport=versioned, base_url="http://page") as other:
        assert (await other.get("/js/page.js")).headers["cache-control"] == FOREVER


async def test_other_files_travel_as_they_are(client: httpx.AsyncClient) -> None:
    answer = await client.get("/font.woff2")
    assert answer.content == bytes(range(256))
    assert "content-encoding" not in answer.headers


async def test_a_file_that_is_edited_is_read_again(client: httpx.AsyncClient, folder: Path) -> None:
    await client.get("/js/page.js")
    (folder / "js" / "page.js").write_text("new")
    os.utime(folder / "js" / "page.js", ns=(1, 1))
    assert (await client.get("/js/page.js")).text == "new"
    (folder / "js" / "page.js").unlink()
    assert (await client.get("/js/page.js")).status_code == 404


async def test_several_files_are_served_as_one(folder: Path) -> None:
    for name in ("a", "b"):
        (folder / f"{name}.css").write_text(f".{name} {{ color: red; }}")
    joined = httpx.ASGITransport(Assets(folder, joined={"page.css": ["b.css", "a.css"]}))
    async with httpx.AsyncClient(transport=joined, base_url="http://page") as client:
        assert (await client.get("/page.css")).text == ".b { color: red; }\n.a { color: red; }"
        (folder / "a.css").write_text("edited")
        answer = await client.get("/page.css")
        assert answer.text == ".b { color: red; }\nedited"
        assert answer.headers["content-type"].startswith("text/css")


@pytest.mark.parametrize("path", ["/", "/js", "/missing.js", "/js/../../secret", "/%2e%2e/secret", "/js/%00"])
async def test_nothing_else_is_there(client: httpx.AsyncClient, folder: Path, path: str) -> None:
    (folder.parent / "secret").write_text("secret")
    assert (await client.get(path)).status_code == 404
    assert (await client.post("/js/page.js")).status_code == 405


async def test_a_mend_changes_what_is_served_and_not_the_file(folder: Path) -> None:
    mend = Mend(re.compile(r"Index-\w+\.js"), b"'fox'", b"'hare'")
    transport = httpx.ASGITransport(Assets(folder, mends=[mend]))
    async with httpx.AsyncClient(transport=transport, base_url="http://page") as other:
        assert (await other.get("/Index-DAx5Uzy2.js")).text == SCRIPT.replace("fox", "hare")
        assert (await other.get("/js/page.js")).text == SCRIPT
    assert (folder / "Index-DAx5Uzy2.js").read_text() == SCRIPT


@pytest.mark.parametrize("mend", GRADIO_MENDS, ids=lambda mend: mend.name.pattern)
def test_what_is_mended_in_gradio_is_there(mend: Mend) -> None:
    [file] = [file for file in GRADIO_ASSETS.iterdir() if mend.name.fullmatch(file.name)]
    assert file.read_bytes().count(mend.before) == 1


def test_gradio_keeps_its_scripts_where_they_are_looked_for() -> None:
    assert any(GRADIO_ASSETS.glob("*.js"))
