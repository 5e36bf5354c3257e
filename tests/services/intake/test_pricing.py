from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.intake.pricing import WORTH_A_HINT, Cheaper, Prices, dollars
from services.models.flux_2_flex import Flux2FlexRequest
from services.models.sizes import MAX_PIXELS, ImageSize

PRICES = Prices(0.05)


def sides() -> st.SearchStrategy[int]:
    return st.integers(4, 160).map(lambda count: count * 16)


@pytest.mark.parametrize(
    ("width", "height", "units"),
    [
        (64, 64, 1),
        (1024, 768, 1),
        (1024, 1024, 1),
        (1040, 1024, 2),
        (2048, 1024, 2),
        (2064, 1024, 3),
        (2048, 2048, 4),
        (2560, 1632, 4),
    ],
)
def test_each_megapixel_begun_counts(width, height, units):
    assert PRICES.units(width, height) == units


def test_an_estimate_is_for_all_pictures_of_a_press():
    assert PRICES.estimate(Flux2FlexRequest(prompt="a fox")) == 0.05
    assert PRICES.estimate(Flux2FlexRequest(prompt="a fox"), 4) == pytest.approx(0.20)
    big = Flux2FlexRequest(prompt="a fox", image_size=ImageSize(width=2048, height=2048))
    assert PRICES.estimate(big, 2) == pytest.approx(0.40)
    assert Prices(0.06).estimate(big) == 0.24


def test_billed_units_may_be_parts():
    assert PRICES.of_units(0.75) == 0.0375


@pytest.mark.parametrize(
    ("size", "cheaper"),
    [
        ((1040, 1024), Cheaper(1024, 1024, 0.05)),
        ((2064, 1024), Cheaper(2048, 1024, 0.05)),
        ((1456, 1456), Cheaper(1440, 1456, 0.05)),
        ((1024, 1024), None),
        ((2048, 2048), None),
        ((1920, 1024), None),
        ((64, 64), None),
    ],
)
def test_a_cheaper_size_is_offered_when_it_is_near(size, cheaper):
    assert PRICES.cheaper(*size) == cheaper


def test_nothing_is_cheaper_than_free():
    assert Prices(0).cheaper(1040, 1024) is None


@settings(derandomize=True, deadline=None)
@given(sides(), sides())
def test_a_cheaper_size_is_valid_near_and_really_cheaper(width, height):
    assume(width * height <= MAX_PIXELS)
    found = PRICES.cheaper(width, height)
    if found is None:
        return
    assert ImageSize(width=found.width, height=found.height)
    assert found.width <= width
    assert found.height <= height
    assert PRICES.units(found.width, found.height) < PRICES.units(width, height)
    assert found.saves_usd > 0
    assert found.width * found.height > 0.8 * WORTH_A_HINT * width * height


@pytest.mark.parametrize(
    ("usd", "text"),
    [(0, "≈ $0.00"), (0.05, "≈ $0.05"), (0.2, "≈ $0.20"), (12, "≈ $12.00"), (0.004, "≈ $0.004"), (0.0001, "≈ $0.0001")],
)
def test_dollars_keep_the_digits_they_need(usd, text):
    assert dollars(usd) == text
