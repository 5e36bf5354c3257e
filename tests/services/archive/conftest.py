from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.projects import Shelf

from services.library.media_store import Store


@pytest.fixture(scope="session")
def blank(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an empty history: copying it is faster than making a new one."""
    folder = tmp_path_factory.mktemp("blank")
    Shelf(folder).close()
    return folder / "history.sqlite3"


@pytest.fixture
def new_shelf(tmp_path: Path, blank: Path, new_store: Callable[[Path], Store]) -> Iterator[Callable[[str], Shelf]]:
    """`new_shelf(name)`: a data folder of its own."""
    made: list[Shelf] = []

    def make(name: str) -> Shelf:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(blank, folder)
        made.append(Shelf(folder, new_store(folder)))
        return made[-1]

    yield make
    for shelf in made:
        shelf.close()


@pytest.fixture
def shelf(new_shelf: Callable[[str], Shelf]) -> Shelf:
    return new_shelf("first")


@pytest.fixture
def other(new_shelf: Callable[[str], Shelf]) -> Shelf:
    """A second data folder, empty as after a wipe."""
    return new_shelf("other")
