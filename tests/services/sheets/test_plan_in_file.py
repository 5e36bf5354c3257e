"""The plan that rides along in every export, and files that anybody may have made."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pypdf
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from support.grids import NOT_MADE, OURS, axis, grid

from services.sheets import plan_in_file as restore
from services.sheets.html import write_page
from services.sheets.pdf import contact_sheet_pdf
from services.sheets.plan_in_file import PLAN_KEY, html_safe, plan_text, read_plan
from services.sheets.png import contact_sheet

HOSTILE = {
    "prompt": "</script><!-- \u2028 ${x} \\u0041 \ud800 \U0001f98a \nendstream\n",
    "seed": 2**32 - 1,
    "n": [1.5, None],
}


def exports(plan: dict[str, Any]) -> dict[str, bytes]:
    layout = grid(Path("unused"), x=axis("Steps", [10]), instead={(0, 0, 0): NOT_MADE}, plan=plan)
    files = {name: io.BytesIO() for name in ("png", "pdf", "html")}
    contact_sheet(layout, "client", files["png"], fonts=OURS)
    contact_sheet_pdf(layout, "client", files["pdf"], fonts=OURS)
    write_page(layout, files["html"])
    return {name: file.getvalue() for name, file in files.items()}


def with_text(text: str) -> bytes:
    out, info = io.BytesIO(), PngInfo()
    info.add_text(PLAN_KEY, text)
    Image.new("RGB", (1, 1)).save(out, "PNG", pnginfo=info)
    return out.getvalue()


def test_every_export_gives_the_plan_back() -> None:
    files = exports(HOSTILE)

    assert not set("<>&") & set(html_safe(plan_text(HOSTILE, 1)))
    assert {name: read_plan(data) for name, data in files.items()} == dict.fromkeys(files, HOSTILE)
    attached = pypdf.PdfReader(io.BytesIO(files["pdf"])).attachments
    assert json.loads(attached[restore.PDF_FILE][0])["plan"] == HOSTILE


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=30, deadline=None)
@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_any_plan_comes_back_as_it_was(plan: dict[str, Any]) -> None:
    start, end = f"<!doctype html>{restore.HTML_START}", "</script>"
    page = f"{start}{html_safe(plan_text(plan, 1))}{end}"

    assert read_plan(with_text(plan_text(plan, 1))) == read_plan(page.encode()) == plan


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"%PDF-1.7 nothing",
        b"<!doctype html><p>Another page</p>",
        b"<!doctype html>" + restore.HTML_START.encode() + b'{"flux_playground_grid":1,"plan":{',
        f'<!doctype html>{restore.HTML_START}{{"flux_playground_grid":1,"plan":[]}}</script>'.encode(),
        with_text("no JSON"),
        with_text("[" * 100_000),
        with_text('{"plan":{}}'),
        with_text('{"flux_playground_grid":3,"plan":{}}'),
        with_text('{"flux_playground_grid":1,"plan":"' + "x" * (5 * 2**20) + '"}'),
        with_text(plan_text({"a": 1}, 1))[:60],
        b"\xff\xd8\xff\xe0 a JPEG",
    ],
)
def test_what_is_no_plan_is_none(data: bytes) -> None:
    assert read_plan(data) is None


@settings(max_examples=100, deadline=None)
@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"%PDF-", b"<!doctype html>"]), st.binary(max_size=200))
def test_any_bytes_are_read_without_a_fault(start: bytes, rest: bytes) -> None:
    assert read_plan(start + rest) is None
