"""Serves the page's files from memory: a file is read and compressed at its first request and after a change.

Gradio's own route reads and compresses each of its hundred scripts again for every visitor, which is most of the time
that a page takes to open.
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
"""Brotli's quality, 0 to 11; not the highest, because the first visitor waits for the compression."""


_Stamp = tuple[tuple[int, int], ...]
"""(modification time in ns, size in bytes) of each file."""


@dataclass(frozen=True)
class Mend:
    """A text in a file that is served as another one, while the file stays as it is."""

    name: re.Pattern[str]
    before: bytes
    after: bytes


@dataclass(frozen=True)
class _Kept:
    stamp: _Stamp
    """Compared at each request, so that an edited file is read again."""
    body: bytes
    packed: bool
    """Whether the body is compressed."""


class Assets:
    """ASGI app for the files under `folder`. `forever`: browsers may cache all of them for good, because the address
    contains a version; else only those whose name matches HASHED. `joined`: name → files, in order, that are served as
    one file under that name. `mends`: what is wrong in files that are not ours."""

    def __init__(
        self,
        folder: Path,
        *,
        forever: bool = False,
        joined: Mapping[str, Sequence[str]] | None = None,
        mends: Sequence[Mend] = (),
    ) -> None:
        self._folder, self._forever, self._mends = folder, forever, mends
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
        """The current file of that name; None where there is none, or there was none when the server started."""
        paths = self._files.get(name)
        if paths is None:
            return None
        try:
            found = [path.stat() for path in paths]
            stamp = tuple((file.st_mtime_ns, file.st_size) for file in found)
            if name not in self._kept or self._kept[name].stamp != stamp:
                self._kept[name] = _read(paths, stamp, [mend for mend in self._mends if mend.name.fullmatch(name)])
        except FileNotFoundError:
            return None
        return self._kept[name]


def _media_type(name: str) -> str | None:
    """The file's media type. For scripts it is that of RFC 9239: the table of `mimetypes` depends on the system, and
    Gradio changes it."""
    return "text/javascript" if name.endswith(".js") else mimetypes.guess_type(name)[0]


def _read(paths: Sequence[Path], stamp: _Stamp, mends: Sequence[Mend]) -> _Kept:
    plain = b"\n".join(path.read_bytes() for path in paths)
    for mend in mends:
        plain = plain.replace(mend.before, mend.after)
    if paths[0].suffix not in COMPRESSED:
        return _Kept(stamp, plain, packed=False)
    return _Kept(stamp, brotli.compress(plain, mode=brotli.MODE_TEXT, quality=QUALITY), packed=True)
