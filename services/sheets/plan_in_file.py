"""A grid's plan in its exports: written as JSON under one key, and read back from files that may come from anybody."""

from __future__ import annotations

import json
from typing import Any

from services.metadata import png
from services.metadata.record import TEXT_MAX, parse_json

PLAN_KEY = "flux_playground_grid"
"""PNG keyword, id of the script element in the HTML page, and the first key of the JSON itself."""
FORMATS = (1, 2)
"""Those that are read; 2 is written where a plan holds settings that the readers of 1 do not know."""
HTML_START = f'<script type="application/json" id="{PLAN_KEY}">'
PDF_FILE = f"{PLAN_KEY}.json"
"""Name of the file attached to a PDF."""
FILE_MAX = 256 * 2**20
"""Bytes; a larger file is not looked at."""


def plan_text(plan: dict[str, Any], format_: int) -> str:
    """The plan, which GridPlan wrote in that format, as JSON in one line of ASCII, which each kind of file can hold."""
    return json.dumps({PLAN_KEY: format_, "plan": plan}, ensure_ascii=True, separators=(",", ":"), allow_nan=False)


def html_safe(text: str) -> str:
    """JSON with the same value that cannot close a script element or open a comment."""
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def read_plan(data: bytes) -> dict[str, Any] | None:
    """The plan in the bytes of a contact sheet (PNG or PDF) or an HTML page; None where there is none.

    The caller has to check the plan: anybody may have written it. Nothing is executed and no pixel is decoded.
    """
    if len(data) > FILE_MAX:
        return None
    found = parse_json(_text(data))
    if not isinstance(found, dict) or found.get(PLAN_KEY) not in FORMATS:
        return None
    plan = found.get("plan")
    return plan if isinstance(plan, dict) else None


def _text(data: bytes) -> str | None:
    if data.startswith(png.SIGNATURE):
        return png.embedded(data).texts.get(PLAN_KEY)
    if data.startswith(b"%PDF-"):
        return _between(data, f'stream\n{{"{PLAN_KEY}":'.encode(), b"\nendstream", skip=len("stream\n"))
    if data[:200].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(b"<!doctype html"):
        return _between(data, HTML_START.encode(), b"</script>", skip=len(HTML_START))
    return None


def _between(data: bytes, start: bytes, end: bytes, *, skip: int) -> str | None:
    """The text from `skip` bytes after the beginning of `start` up to `end`; None where these are not found."""
    at = data.find(start)
    stop = data.find(end, at, at + TEXT_MAX) if at >= 0 else -1
    if stop < 0:
        return None
    return data[at + skip : stop].decode("utf-8", "replace")
