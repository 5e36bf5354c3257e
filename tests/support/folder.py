"""What a folder holds, while a running server may work in it."""

from __future__ import annotations

from pathlib import Path


def contents(folder: Path) -> dict[str, bytes]:
    """Path within the folder → bytes, of every file. Read anew from the beginning where a file goes meanwhile: under
    its new name it might be one that was passed already."""
    while True:
        try:
            files = [file for file in folder.rglob("*") if file.is_file()]
            return {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
        except FileNotFoundError:
            continue
