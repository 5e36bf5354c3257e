"""FLUX.2 [flex] Playground: composition root. Settings → services → page → server."""

from __future__ import annotations

import logging
import os
import socket
import sys


def main() -> int:
    from ui.arguments import parse

    asked = parse(sys.argv[1:])
    # Gradio reads it at import: no analytics are sent, and the start does not wait for them.
    os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")

    from services.engines.demo.apart import PaintersApart
    from services.errors import StartupError
    from services.library.erase_again import erase_again_in
    from services.library.folder import claim, keep_files_private
    from services.library.restore import restore
    from services.playground import Playground
    from services.settings import load_settings
    from services.version import VERSION

    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    for chatty in ("httpx", "alembic", "mcp"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    keep_files_private()
    try:
        settings = load_settings()
        claimed = claim(settings.data_dir)
        if asked.restore:
            print(restore(asked.restore, settings.data_dir, erase_again_in(settings.data_dir)))
            return 0
        painters = PaintersApart()
        playground = Playground(settings, paint=painters)
    except StartupError as error:
        print(error, file=sys.stderr)
        return 1
    for warning in settings.warnings():
        logging.getLogger("playground").warning(warning)

    import uvicorn

    from ui.web.quick_start import import_gradio_quickly

    import_gradio_quickly()
    from ui.web.server import build_server
    from ui.web.stopping import Server, Streams

    streams = Streams(build_server(playground))
    config = uvicorn.Config(
        streams,
        host=settings.host,
        port=settings.gradio_server_port,
        log_level="warning",
        timeout_graceful_shutdown=1,
        server_header=False,
        ws="none",
        proxy_headers=False,  # ui/web/guard.py decides whose proxy headers are trusted
    )
    try:
        listening = config.bind_socket()
    except SystemExit:  # uvicorn has logged the system's error message
        where = f"{settings.host}:{settings.gradio_server_port}"
        print(f"The server cannot listen on {where}. Stop what uses it, or set GRADIO_SERVER_PORT.", file=sys.stderr)
        return 1
    # asyncio does this for sockets it makes itself; without it a kept-alive connection waits 40 ms for each answer.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    host, port = listening.getsockname()[:2]
    shown = "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104  # nosec B104: compared, not bound
    print(f"FLUX.2 [flex] Playground {VERSION} ({settings.engine} engine) on http://{shown}:{port}", flush=True)
    Server(config, playground, streams).run(sockets=[listening])
    painters.close()
    claimed.release()
    return 0


if __name__ == "__main__":
    sys.exit(main())
