"""Whole numbers that are typed, or drawn at random: the seed."""

from __future__ import annotations

from decimal import Decimal
from random import SystemRandom
from typing import Any

from services.models.kind import Component, Parameter
from services.models.kinds.numbers import NumberKind

SEED_MAX = 2**32 - 1
RANDOM = ("-1", "?")
"""Items of an axis that stand for a random number."""


class IntegerKind(NumberKind):
    name = "integer"
    rank = 2

    def fits(self, value: Any) -> bool:
        return type(value) is int and abs(value) < 2**63

    def is_whole(self, parameter: Parameter) -> bool:
        return True

    def drawn(self, item: str) -> Decimal | None:
        return Decimal(random_seed()) if item in RANDOM else None

    def component(self, parameter: Parameter) -> Component:
        options = {"value": parameter.default, "step": parameter.step or 1, "interactive": True, "buttons": []}
        return Component("Number", options)

    def examples(self, parameter: Parameter) -> tuple[str, ...]:
        return ("42",)


INTEGER = IntegerKind()


def random_seed() -> int:
    return SystemRandom().randint(0, SEED_MAX)
