from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.shelf import Shelf


@pytest.fixture
def new_shelf(tmp_path: Path) -> Iterator[Callable[[str], Shelf]]:
    """`new_shelf(name)`: a data folder of its own."""
    made: list[Shelf] = []

    def make(name: str) -> Shelf:
        made.append(Shelf(tmp_path / name))
        return made[-1]

    yield make
    for shelf in made:
        shelf.close()


@pytest.fixture
def shelf(new_shelf: Callable[[str], Shelf]) -> Shelf:
    return new_shelf("first")


@pytest.fixture
def other(new_shelf: Callable[[str], Shelf]) -> Shelf:
    """An empty one, as after a wipe."""
    return new_shelf("other")
