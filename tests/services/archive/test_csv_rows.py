from __future__ import annotations

import csv
import io
from datetime import datetime, timezone

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.archive.csv_rows import harmless
from services.errors import Failure
from services.library.bulk import Named
from services.library.tables import projects
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.registry import PARAMETERS
from services.models.sizes import ImageSize
from services.run import RunState, Ticket, new_id

MOMENT = datetime(2026, 3, 1, 12, tzinfo=timezone.utc)


def table(shelf, *runs):
    chosen = Named(tuple(run.id for run in runs))
    return list(csv.DictReader(io.StringIO(shelf.export("csv", chosen=chosen).decode("utf-8-sig"))))


def test_a_row_for_each_run_with_every_parameter_in_a_column(shelf):
    project = new_id()
    shelf.write(projects, id=project, visitor="ann", name="Foxes", created_at=MOMENT.isoformat())
    request = Flux2FlexRequest(
        prompt='a "fox",\nquick 狐', image_size=ImageSize(width=640, height=320), seed=5, guidance_scale=4.5
    )
    run = shelf.add(
        request=request, picture=False, state=RunState.FAILED, created_at=MOMENT, seed_used=9, cost_usd=0.05,
        billed_units=1.5, favourite=True, project_id=project, tags=("red", "blue"), notes="nice",
        failure=Failure(code="x", message="It broke."),
        ticket=Ticket(request_id="r-1", status_url="s", response_url="r", cancel_url="c"),
    )  # fmt: skip
    (row,) = table(shelf, run)
    for name in PARAMETERS:
        assert name == "image_size" or name in row
    settings = ("prompt", "width", "height", "seed", "guidance_scale")
    assert [row[name] for name in settings] == ['a "fox",\nquick 狐', "640", "320", "9", "4.5"]
    others = ("created_at", "request_id", "failure", "favourite", "project", "tags", "notes", "sync_mode", "file")
    assert [row[name] for name in others] == [
        MOMENT.isoformat(), "r-1", "It broke.", "true", "Foxes", "red blue", "nice", "false", ""]  # fmt: skip


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_what_a_spreadsheet_would_run_is_text(shelf, start):
    run = shelf.add(f"{start}HYPERLINK(0)", picture=False, notes=f"{start}1", tags=(f"{start}cmd",))
    (row,) = table(shelf, run)
    assert [row[name] for name in ("prompt", "notes", "tags")] == [
        f"'{start}HYPERLINK(0)",
        f"'{start}1",
        f"'{start}cmd",
    ]


@settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_any_text_is_kept_and_harmless(text):
    found = harmless(text)
    assert found in (text, f"'{text}")
    assert not found.startswith(tuple("=+-@\t\r\n"))
