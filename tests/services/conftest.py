from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.clock import FakeClock
from support.standin import StandIn, lead_gateways_to

from services.library.history import History


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path)
    yield history
    history.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeClock:
    """It drives fal's client too."""
    return FakeClock().drive_fal_client(monkeypatch)


@pytest.fixture
def fal(monkeypatch: pytest.MonkeyPatch) -> StandIn:
    return lead_gateways_to(StandIn(), monkeypatch)
