"""Files of the page from memory: read and compressed when they are first asked for, not at each request.

Gradio's own route reads and compresses each of its hundred scripts anew for every visitor, which is most of the time in
which a page opens.
"""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass
from pathlib import Path

import brotli
from starlette.datastructures import Headers
from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
HASHED = re.compile(r"-[\w-]{8}\.\w+")
"""The end of a name that changes with the file's content, as Vite writes them."""
COMPRESSED = (".css", ".js", ".json", ".svg")
QUALITY = 5
"""Brotli's, 0 to 11: the first visitor waits for it."""


@dataclass(frozen=True)
class _Kept:
    stamp: tuple[int, int]
    """When the file was changed, in ns, and its size: a file that is edited is read again."""
    body: bytes
    packed: bool
    """Whether the body is compressed."""


class Assets:
    """ASGI app for the files under `folder`. `forever`: their address carries their version; else their names tell."""

    def __init__(self, folder: Path, *, forever: bool = False) -> None:
        self._folder, self._forever = folder, forever
        self._names = {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}
        self._kept: dict[str, _Kept] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._answer(scope)(scope, receive, send)

    def _answer(self, scope: Scope) -> Response:
        if scope["method"] not in ("GET", "HEAD"):
            return PlainTextResponse("Method Not Allowed", 405, {"Allow": "GET, HEAD"})
        name = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        kept = self._file(name)
        if kept is None:
            return PlainTextResponse("Not Found", 404)
        headers = dict(FOREVER) if self._forever or HASHED.search(name) else {"Cache-Control": "no-cache"}
        if kept.packed:
            headers["Vary"] = "Accept-Encoding"
            if "br" not in Headers(scope=scope).get("accept-encoding", ""):
                return FileResponse(self._folder / name, headers=headers)
            headers["Content-Encoding"] = "br"
        return Response(kept.body, headers=headers, media_type=mimetypes.guess_type(name)[0])

    def _file(self, name: str) -> _Kept | None:
        """The file of that name, as it is now; None where the folder held none when the server started."""
        if name not in self._names:
            return None
        path = self._folder / name
        try:
            found = path.stat()
            stamp = found.st_mtime_ns, found.st_size
            if name not in self._kept or self._kept[name].stamp != stamp:
                self._kept[name] = _read(path, stamp)
        except FileNotFoundError:
            return None
        return self._kept[name]


def _read(path: Path, stamp: tuple[int, int]) -> _Kept:
    plain = path.read_bytes()
    if path.suffix not in COMPRESSED:
        return _Kept(stamp, plain, packed=False)
    return _Kept(stamp, brotli.compress(plain, mode=brotli.MODE_TEXT, quality=QUALITY), packed=True)
