"""Files of the page from memory: read and compressed when they are first asked for, not at each request.

Gradio's own route reads and compresses each of its hundred scripts anew for every visitor, which is most of the time in
which a page opens.
"""

from __future__ import annotations

import mimetypes
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import brotli
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

FOREVER = {"Cache-Control": "public, max-age=31536000, immutable"}
HASHED = re.compile(r"-[\w-]{8}\.\w+")
"""The end of a name that changes with the file's content, as Vite writes them."""
COMPRESSED = (".css", ".js", ".json", ".svg")
QUALITY = 5
"""Brotli's, 0 to 11: the first visitor waits for it."""


_Stamp = tuple[tuple[int, int], ...]
"""Of each file, when it was changed, in ns, and its size."""


@dataclass(frozen=True)
class _Kept:
    stamp: _Stamp
    """What is edited is read again."""
    body: bytes
    packed: bool
    """Whether the body is compressed."""


class Assets:
    """ASGI app for the files under `folder`. `forever`: their address carries their version; else their names tell.
    `joined` are names under which several files are served as one, in this order."""

    def __init__(
        self, folder: Path, *, forever: bool = False, joined: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._folder, self._forever = folder, forever
        names = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
        self._files = {name: [folder / name] for name in names}
        self._files |= {name: [folder / part for part in parts] for name, parts in (joined or {}).items()}
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
        body = kept.body
        if kept.packed:
            headers["Vary"] = "Accept-Encoding"
            if "br" in Headers(scope=scope).get("accept-encoding", ""):
                headers["Content-Encoding"] = "br"
            else:
                body = brotli.decompress(body)
        return Response(body, headers=headers, media_type=_media_type(name))

    def _file(self, name: str) -> _Kept | None:
        """What is served under that name, as it is now; None where the folder held none when the server started."""
        paths = self._files.get(name)
        if paths is None:
            return None
        try:
            found = [path.stat() for path in paths]
            stamp = tuple((file.st_mtime_ns, file.st_size) for file in found)
            if name not in self._kept or self._kept[name].stamp != stamp:
                self._kept[name] = _read(paths, stamp)
        except FileNotFoundError:
            return None
        return self._kept[name]


def _media_type(name: str) -> str | None:
    """Of a script as RFC 9239 names it: the table of `mimetypes` depends on the system, and Gradio changes it."""
    return "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]


def _read(paths: Sequence[Path], stamp: _Stamp) -> _Kept:
    plain = b"\n".join(path.read_bytes() for path in paths)
    if paths[0].suffix not in COMPRESSED:
        return _Kept(stamp, plain, packed=False)
    return _Kept(stamp, brotli.compress(plain, mode=brotli.MODE_TEXT, quality=QUALITY), packed=True)
