"""The exported page as text; tests/browser/test_page_export.py opens it."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given, settings
from PIL import Image
from support.grids import ANY_TEXT, NOT_MADE, axis, colour_of, failed, grid, made, picture_file

from services.models.registry import PARAMETERS
from services.sheets import html as page_export
from services.sheets.html import write_page
from services.sheets.layout import GridLayout


class Page(HTMLParser):
    """What a parser makes of the page: tags with their attributes, and the text of each element's name."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str, list[str]] = {}
        self._in = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._in = tag

    def handle_data(self, data: str) -> None:
        self.texts.setdefault(self._in, []).append(data)

    def handle_endtag(self, tag: str) -> None:
        self._in = ""


def written(layout: GridLayout) -> str:
    out = io.BytesIO()
    write_page(layout, out)
    return out.getvalue().decode()


def test_pictures_are_inside_at_their_places(tmp_path: Path) -> None:
    absent = {(1, 0, 0): NOT_MADE, (2, 0, 0): failed("timed out")}
    layout = grid(tmp_path, y=axis("Guidance scale", [2, 6]), instead=absent)

    page = Page(written(layout))

    images = [attributes for tag, attributes in page.tags if tag == "img"]
    expected = [place for place in layout.places() if place not in absent]
    for attributes, place in zip(images, expected, strict=True):
        source = str(attributes["src"])
        picture = Image.open(io.BytesIO(base64.b64decode(source.removeprefix("data:image/webp;base64,"))))
        assert all(
            abs(a - b) < 6 for a, b in zip(picture.convert("RGB").getpixel((9, 9)), colour_of(place), strict=True)
        )
        assert attributes["alt"] == f"Steps {layout.x.values[place[0]]} · Guidance scale {('2', '6')[place[1]]}"
    assert "timed out" in page.texts["button"]
    assert "not made" in page.texts["div"]


def test_every_parameter_is_there(tmp_path: Path) -> None:
    source = written(grid(tmp_path))

    assert all(parameter.label in source for parameter in PARAMETERS.values())


def test_the_policy_allows_this_script_and_style_alone(tmp_path: Path) -> None:
    page = Page(written(grid(tmp_path, title="</style><script>alert(1)</script>")))

    policy = next(a["content"] for tag, a in page.tags if tag == "meta" and "http-equiv" in a)
    assert policy is not None
    for name, source in (("style", page.texts["style"][0]), ("script", page.texts["script"][-1])):
        digest = base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{digest}';" in policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert [attributes.get("type") for tag, attributes in page.tags if tag == "script"] == ["application/json"] * 2 + [
        None
    ]
    assert not re.search(r"(src|href)=\"(?!data:)", "".join(str(tag) for tag in page.tags))


def test_many_pictures_are_smaller_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_export, "SIDES", ((2, 1024),))
    cell = made(picture_file(tmp_path, (0, 0, 0), (800, 400)), size=(800, 400))

    page = Page(written(grid(tmp_path, instead={(x, 0, 0): cell for x in range(3)})))

    source = next(str(attributes["src"]) for tag, attributes in page.tags if tag == "img")
    assert Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).size == (384, 192)


@settings(max_examples=40, deadline=None)
@given(ANY_TEXT)
def test_any_text_stays_text(text: str) -> None:
    hostile = f"</script </script>\"'><script>{text}"

    def shaped_by(words: str) -> GridLayout:
        labels = axis(words, [words])
        instead = {(0, 0, 0): failed(words)}
        return grid(Path("unused"), title=words, x=labels, y=labels, instead=instead, plan={"title": words})

    page = Page(written(shaped_by(hostile)))

    assert [tag for tag, _ in page.tags] == [tag for tag, _ in Page(written(shaped_by("calm"))).tags]
