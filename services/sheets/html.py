"""A grid as one HTML page that works offline from a file: embedded pictures, sticky labels, all settings of a cell.

All text is escaped, and a content security policy allows only this page's own style and script (by hash) and pictures
as data URIs: no network, no other script. The page is written piece by piece, so that only a few pictures are in memory
at once.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from html import escape
from pathlib import Path
from typing import IO

from PIL import Image

from services.compare.diff import RESULTS
from services.library.media import THUMB_SIDE
from services.models.registry import PARAMETERS
from services.request import value_text
from services.run import Run, RunState
from services.sheets.items import shape_of
from services.sheets.layout import AxisLabels, GridLayout, Place
from services.sheets.pictures import Wanted, fitted
from services.sheets.plan_in_file import HTML_START, html_safe, plan_text
from services.sheets.words import NOTHING_SAID, UNREADABLE, SheetWords, setting, varying, words_of

ASSETS = Path(__file__).parents[2] / "assets" / "export"
SIDES = ((48, 1024), (150, 768))
"""(largest number of pictures, their long side in pixels), so that a page stays near 10 MB. If there are more, they
have the size of thumbnails."""
QUALITY = 80
"""Of the WebP pictures."""
LONG = 48
"""An axis value of more characters than this has a style of its own, and is cut in the name of a cell."""


def write_page(layout: GridLayout, out: Path | IO[bytes]) -> None:
    """Write the page, UTF-8, to a path or an open file."""
    with out.open("wb") if isinstance(out, Path) else nullcontext(out) as file:
        for part in _parts(layout):
            # a lone surrogate, which UTF-8 cannot encode, becomes a question mark
            file.write(part.encode("utf-8", "replace"))


def _parts(layout: GridLayout) -> Iterator[str]:
    words = words_of(layout, "technical")
    runs = [cell.run for cell in layout.cells.values() if cell.run is not None]
    yield _head(layout, runs)
    yield _header(words)
    pictures = _pictures(layout)
    for z in range(layout.counts[2]):
        if words.z:
            yield f"<h2 dir=auto>{_text(f'{words.z.title}: {words.z.values[z]}')}</h2>\n"
        for columns in _bands(layout):
            yield _table_head(words, columns)
            for y in range(layout.counts[1]):
                yield f"<tr>{_row_label(words.y, y)}\n"
                for x in columns:
                    yield _cell(layout, words, (x, y, z), pictures)
                yield "</tr>\n"
            yield "</tbody></table>\n"
    yield f"</main>\n<footer>{_text(' '.join(words.foot))}</footer>\n{_DIALOG}"
    yield f"<script>{_script()}</script>\n</body></html>\n"


# -- frame -----------------------------------------------------------------------------------------------------------

_DIALOG = """<dialog aria-label="Picture"><figure></figure><aside><nav><button class=previous>Previous</button>
<button class=next>Next</button><button class=close>Close</button></nav><h3 dir=auto></h3><dl></dl></aside></dialog>
"""


def _head(layout: GridLayout, runs: list[Run]) -> str:
    own = f"--columns: {len(_bands(layout)[0])};" + ("" if layout.y else " --labels: 0px;")
    style = f"{(ASSETS / 'page.css').read_text('utf-8')}:root {{ {own} }}\n"
    policy = (
        f"default-src 'none'; img-src data:; style-src {_hash(style)}; script-src {_hash(_script())}; "
        "base-uri 'none'; form-action 'none'"
    )
    on_axes = varying(layout, runs)
    labels = {
        "labels": [parameter.label for parameter in PARAMETERS.values()] + [label for label, _ in RESULTS.values()],
        "varies": [name in on_axes for name in PARAMETERS] + [False] * len(RESULTS),
    }
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="referrer" content="no-referrer">
<title>{_text(layout.title)}</title>
{HTML_START}{html_safe(plan_text(layout.plan, layout.plan_format))}</script>
<script type="application/json" id="labels">{html_safe(json.dumps(labels))}</script>
<style>{style}</style></head>
"""


def _script() -> str:
    return (ASSETS / "page.js").read_text("utf-8")


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"


def _header(words: SheetWords) -> str:
    notes = "".join(f"<dt>{_text(label)}</dt><dd dir=auto>{_text(text)}</dd>" for label, text in words.notes)
    return (
        f"<body><header><h1 dir=auto>{_text(words.title)}</h1><p>{_text(words.facts)}</p><dl>{notes}</dl></header>\n"
        "<main>\n"
    )


def _bands(layout: GridLayout) -> Sequence[range]:
    """The columns of each table: all of them, unless a long single row is divided into several tables."""
    return shape_of(layout).bands(layout.counts[0])


def _table_head(words: SheetWords, columns: range) -> str:
    labels = "".join(f"<th scope=col>{_label(words.x.values[x])}</th>" for x in columns)
    corner = f'<th class="corner axis" rowspan=2 dir=auto>{_text(words.y.title)}</th>' if words.y else ""
    title = f"<th class=axis colspan={len(columns)} dir=auto>{_text(words.x.title)}</th>"
    first = f"<tr>{corner}{title}</tr>" if words.y or columns.start == 0 else ""  # a divided row has one title
    kind = "grid" if words.y else "grid bare"
    return f'<table class="{kind}"><thead>{first}<tr>{labels}</tr></thead><tbody>\n'


def _row_label(axis: AxisLabels | None, y: int) -> str:
    return f"<th scope=row>{_label(axis.values[y])}</th>" if axis else ""


def _label(value: str) -> str:
    kind = "label long" if len(value) > LONG else "label"
    return f'<span class="{kind}" dir=auto>{_text(value)}</span>'


# -- cells -----------------------------------------------------------------------------------------------------------


def _cell(layout: GridLayout, words: SheetWords, place: Place, pictures: Iterator[str | None]) -> str:
    cell = layout.cell(place)
    name = _name(words, place)
    if cell.original is None and cell.thumb is None:
        inside, kind = _text(cell.words or NOTHING_SAID), " empty"
    else:
        source = next(pictures)
        inside = f'<img src="{source}" alt="{_text(name)}" decoding=async>' if source else _text(UNREADABLE)
        kind = "" if source else " empty"
    if cell.run is None:
        return f'<td><div class="cell{kind}">{inside}</div></td>\n'
    failed = " failed" if cell.run.state in (RunState.FAILED, RunState.UNKNOWN) else ""
    values = _text(json.dumps(_values(cell.run)))
    return (
        f'<td><button class="cell{kind}{failed}" aria-label="{_text(name)}" data-values="{values}">'
        f"{inside}</button></td>\n"
    )


def _name(words: SheetWords, place: Place) -> str:
    """`Steps 10 · Guidance scale 3.5`. Long values are cut: they stand in full at the table and among the settings."""
    axes = ((axis.title, axis.values[at]) for axis, at in zip((words.x, words.y, words.z), place, strict=True) if axis)
    return " · ".join(f"{title} {value[:LONG]}{'…' * (len(value) > LONG)}" for title, value in axes)


def _values(run: Run) -> list[str]:
    """Every parameter and result, in the order of the labels."""
    settings = [value_text(name, setting(run, name)) for name in PARAMETERS]
    return settings + [read(run) for _, read in RESULTS.values()]


def _pictures(layout: GridLayout) -> Iterator[str | None]:
    """The pictures as data URIs in the order of the places; None where a file cannot be read."""
    places = [place for place in layout.places() if layout.cell(place).original or layout.cell(place).thumb]
    side = next((side for count, side in SIDES if len(places) <= count), THUMB_SIDE)
    wanted = (Wanted(place, layout.cell(place), side, side) for place in places)
    return (source for _, source in fitted(wanted, _data_uri))


def _data_uri(picture: Image.Image) -> str:
    encoded = io.BytesIO()
    picture.save(encoded, "WEBP", quality=QUALITY, method=1)
    return f"data:image/webp;base64,{base64.b64encode(encoded.getvalue()).decode()}"


def _text(text: str) -> str:
    """Escaped for text between tags and for quoted attributes."""
    return escape(text, quote=True)
