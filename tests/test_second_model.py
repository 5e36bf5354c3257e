"""A second model with a parameter of a new kind is a file each, and everything follows: they are put into a copy of the
program, by the documentation's recipe, and its server is asked from outside."""

from __future__ import annotations

import csv
import io
import json
import re
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gradio_client import Client
from PIL import Image
from support.server import AppServer

ROOT = Path(__file__).parent.parent
SECOND, REGISTRY = "services/models/second.py", "services/models/registry.py"
HUE = '''
"""A colour, as #rrggbb."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from services.models.conditions import Exactly, Unreadable
from services.models.kind import Component, Kind, Parameter

_HUE = re.compile("#[0-9a-f]{6}")


class HueKind(Kind):
    name = "hue"

    def fits(self, value: Any) -> bool:
        return isinstance(value, str)

    def component(self, parameter: Parameter) -> Component:
        return Component("ColorPicker", {"value": parameter.default})

    def api_type(self, parameter: Parameter) -> Any:
        return str

    def allowed(self, parameter: Parameter) -> str:
        return "#rrggbb"

    def words(self, value: Any) -> str:
        return f"colour {value.upper()}"

    def label(self, parameter: Parameter, value: Any) -> str:
        return self.words(value)

    def axis_values(self, parameter: Parameter, items: list[Any]) -> list[Any]:
        return [f"#{str(item).strip().lower().removeprefix('#')}" for item in items]

    def condition(self, text: str, choices: tuple[str, ...]) -> Exactly:
        if not _HUE.fullmatch(text.lower()):
            raise Unreadable("a colour")
        return Exactly(text.lower())

    def examples(self, parameter: Parameter) -> tuple[str, ...]:
        return ("#ff0000",)

    def to_file(self, value: Any) -> str:
        return value.upper()

    def from_file(self, value: Any) -> Any:
        return str(value).lower()

    def csv_cells(self, parameter: Parameter) -> dict[str, Callable[[Any], Any]]:
        return {"hue_red": lambda value: int(value[1:3], 16) if value else None}


HUE = HueKind()
'''
FIELD = """
    hue: Annotated[str | None, Control(HUE, "hue")] = Field(
        default=None, title="Hue", description="Colour of the light.", pattern="^#[0-9a-f]{6}$"
    )
"""
SMALL: dict[str, Any] = {"prompt": "a lamp", "image_size": {"width": 96, "height": 64}}


def second_model(copy: Path) -> None:
    """The documentation's recipe, with a field of a new kind beside its slider."""
    recipe = (ROOT / "assets" / "docs" / "contributing.md").read_text("utf-8")
    written = dict(re.findall(r"^```python (\S+)\n(.*?)^```", recipe, re.MULTILINE | re.DOTALL))
    changes = dict(re.findall(r"^```diff (\S+)\n(.*?)^```", recipe, re.MULTILINE | re.DOTALL))
    source = written[SECOND].replace('"grain": 0.0}', '"grain": 0.0, "hue": None}')
    source = source.replace("\n\nMODEL = ", f"{FIELD}\n\nMODEL = ")
    (copy / SECOND).write_text(f"from services.models.kinds.hue import HUE\n{source}", "utf-8")
    (copy / "services/models/kinds/hue.py").write_text(HUE, "utf-8")
    registry = (copy / REGISTRY).read_text("utf-8")
    lines = changes[REGISTRY].splitlines(keepends=True)
    for gone, new in zip(lines[::2], lines[1::2], strict=True):
        assert (gone[0], new[0], registry.count(gone[1:])) == ("-", "+", 1), gone
        registry = registry.replace(gone[1:], new[1:])
    (copy / REGISTRY).write_text(registry, "utf-8")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AppServer]:
    copy = tmp_path_factory.mktemp("copy")
    for name in ("services", "ui"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copyfile(ROOT / "app.py", copy / "app.py")  # Python looks for modules beside the file that a link means
    (copy / "assets").symlink_to(ROOT / "assets")
    second_model(copy)
    running = AppServer(tmp_path_factory.mktemp("app"), {})
    running.root = copy
    running.start()
    yield running
    running.stop()
    assert "Traceback" not in running.log, running.log


@pytest.fixture(scope="module")
def headers() -> dict[str, str]:
    return {"X-Playground-Visitor": secrets.token_urlsafe(32)}


@pytest.fixture(scope="module")
def http(server: AppServer, headers: dict[str, str]) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers=headers, timeout=60, trust_env=False) as client:
        yield client


@pytest.fixture(scope="module")
def client(server: AppServer, headers: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    made = Client(server.url, headers=headers, download_files=tmp_path_factory.mktemp("files"), verbose=False)
    yield made
    made.close()


@pytest.fixture(scope="module")
def made(client: Client) -> dict[str, Any]:
    """A picture of the second model, one that differs from it, and one of the first model."""
    hued = client.predict(**SMALL, seed=7, hue="#ff8000", grain=0.5, api_name="/generate")
    client.predict(**SMALL, seed=7, hue="#0000ff", grain=0.5, api_name="/generate")
    client.predict(**SMALL, seed=7, api_name="/generate")
    return dict(hued)


def found(http: httpx.Client, query: str) -> list[dict[str, Any]]:
    body = http.get("/history", params={"query": query}).raise_for_status().json()
    cards: list[dict[str, Any]] = body["runs"]
    return cards


def export(http: httpx.Client, kind: str) -> bytes:
    address = http.post("/archive/exports", json={"kind": kind, "everything": True}).raise_for_status().json()["url"]
    return http.get(address).raise_for_status().content


def test_the_page_has_its_control(http: httpx.Client) -> None:
    components = http.get("/config").raise_for_status().json()["components"]
    [control] = [one for one in components if one["props"].get("label") == "Hue"]
    assert control["type"] == "colorpicker"
    assert control["props"]["elem_id"] == "field-hue"
    assert "pg-hue-field" in control["props"]["elem_classes"]


def test_the_api_and_mcp_have_its_argument(client: Client, http: httpx.Client) -> None:
    told = client.view_api(return_format="dict", print_info=False)["named_endpoints"]["/generate"]["parameters"]
    [argument] = [one for one in told if one["parameter_name"] == "hue"]
    assert argument["parameter_has_default"] is True
    assert argument["parameter_default"] is None
    schema = http.get("/gradio_api/mcp/schema").raise_for_status().json()
    [tool] = [one for one in schema if one["name"] == "generate"]
    assert tool["inputSchema"]["properties"]["hue"]["description"] == "Hue. Colour of the light. Allowed: #rrggbb."


def test_a_value_that_is_not_allowed_is_named(http: httpx.Client) -> None:
    wrong = {"request": {**SMALL, "hue": "orange"}, "address": "http://127.0.0.1"}
    answer = http.post("/code", json=wrong)
    assert answer.status_code == 422
    assert "Hue: “orange”" in answer.text
    assert "#rrggbb" in answer.text


def test_a_picture_has_its_settings_and_its_price(made: dict[str, Any]) -> None:
    assert made["state"] == "done"
    assert made["request"] == {**SMALL, "seed": 7, "grain": 0.5, "hue": "#ff8000"}


def test_caption_facts_and_differences(http: httpx.Client, made: dict[str, Any]) -> None:
    orange, blue = found(http, "hue:#ff8000"), found(http, "hue:#0000ff")
    assert [card["caption"] for card in orange] == ["grain 0.5 · 96 × 64 · colour #FF8000"]
    assert ["hue", "colour #FF8000"] in orange[0]["facts"]
    ids = ",".join((orange[0]["id"], blue[0]["id"]))
    table = http.get("/compare", params={"ids": ids}).raise_for_status().json()
    assert "hue (colour #FF8000, colour #0000FF)" in json.dumps(table)


def test_search(http: httpx.Client, made: dict[str, Any]) -> None:
    assert len(found(http, "lamp")) == 3
    assert len(found(http, "hue:#FF8000")) == 1
    assert len(found(http, "grain:>0.4")) == 2
    assert len(found(http, "grain:0")) == 0  # a model without the setting has no such value
    assert len(found(http, "-hue:#ff8000")) == 2
    refused = http.get("/history", params={"query": "hue:orange"})
    assert "hue: “orange” is not a colour. Write hue:#ff0000." in refused.text
    fields = http.get("/history/fields").raise_for_status().json()
    assert {"name": "hue", "kind": "hue"} in fields["parameters"]


def test_it_can_be_an_axis(client: Client, made: dict[str, Any]) -> None:
    axis = {"field": "hue", "values": "FF8000, 0000ff, 00ff00"}
    grid = client.predict({**SMALL, "seed": 7, "grain": 0.5}, axis, api_name="/grid")
    assert [cell["request"]["hue"] for cell in grid["cells"]] == ["#ff8000", "#0000ff", "#00ff00"]
    assert grid["cells"][0]["run_id"] == made["run_id"]  # found by its key, which names the model


def test_files_carry_it(http: httpx.Client, made: dict[str, Any]) -> None:
    picture = http.get(f"/runs/{made['run_id']}/download").raise_for_status().content
    record = http.post("/settings-of-file", content=picture).raise_for_status().json()
    assert record["values"]["hue"] == "#ff8000"
    png_text = Image.open(io.BytesIO(picture)).getexif().get_ifd(0x8769).get(0x9286, b"")
    assert "Hue: #FF8000".encode("utf-16-le") in png_text or b"Hue: #FF8000" in png_text
    assert b'"model":"second"' in picture
    assert b'"endpoint":"fal-ai/second"' in picture


def test_exports_carry_it(http: httpx.Client, made: dict[str, Any]) -> None:
    lines = [json.loads(line) for line in export(http, "jsonl").decode().splitlines()]
    assert {(line["request"].get("hue"), line.get("model", "flux-2-flex"), line["format"]) for line in lines} >= {
        ("#ff8000", "second", 2),
        (None, "flux-2-flex", 1),
    }
    rows = list(csv.DictReader(io.StringIO(export(http, "csv").decode("utf-8-sig"))))
    assert {row["hue_red"] for row in rows} == {"255", "0", ""}
    assert {row["num_inference_steps"] for row in rows} == {"28", ""}


@pytest.mark.parametrize("language", ["python", "javascript", "curl"])
def test_code_asks_its_endpoint(client: Client, language: str) -> None:
    code = client.predict(language, {**SMALL, "hue": "#ff8000"}, api_name="/snippet")
    assert "fal-ai/second" in code
    assert "#ff8000" in code
    assert "fal-ai/flux-2-flex" in client.predict(language, SMALL, api_name="/snippet")
