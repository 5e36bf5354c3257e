"""An ASGI app behind TLS on the loopback, as a stand-in for fal: for clients that are real processes.

    with serve_tls(build_app(DemoQueue(step_seconds=0)), tmp_path) as fal:
        subprocess.run([...], env={**os.environ, **fal.environ()})
        assert fal.requests["POST", "submit"] == 1

The certificate is valid for localhost, 127.0.0.1 and fal's own host names, so that clients without a setting for the
host can be redirected here by other means (curl's `--connect-to`, node's `support/node/preload.mjs`).
"""

from __future__ import annotations

import json
import re
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import trustme
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

KINDS = {
    "stream": r"/requests/[^/]+/status/stream$",
    "status": r"/requests/[^/]+/status$",
    "cancel": r"/requests/[^/]+/cancel$",
    "result": r"/requests/[^/]+(/response)?$",
    "file": r"^/files/",
    "submit": r"^/fal-ai/[^/]+$",
}
"""Kind of path → pattern; a path that fits none is of the kind `other`."""
START_SECONDS = 10.0


@dataclass
class TlsServer:
    port: int
    ca_file: Path
    """The authority that signed the server's certificate, as PEM."""
    requests: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(method, kind of path) → how many came in: `requests["GET", "status"]`."""
    submitted: list[Any] = field(default_factory=list)
    """The JSON bodies of the submits, in the order in which they came; None where one was no JSON."""

    @property
    def host(self) -> str:
        """`localhost:PORT`, as FAL_QUEUE_RUN_HOST wants it."""
        return f"localhost:{self.port}"

    def environ(self, key: str = "test-key") -> dict[str, str]:
        """Environment for a child process whose fal is this server and whose CA bundle is this server's."""
        return {
            "FAL_KEY": key,
            "FAL_RUN_HOST": self.host,
            "FAL_QUEUE_RUN_HOST": self.host,
            "SSL_CERT_FILE": str(self.ca_file),
            "NODE_EXTRA_CA_CERTS": str(self.ca_file),
            "CURL_CA_BUNDLE": str(self.ca_file),
            # The machine's proxy, if any, must not be used for the loopback.
            "NO_PROXY": "*",
            "no_proxy": "*",
        }


@contextmanager
def serve_tls(app: ASGIApp, folder: Path, *names: str) -> Iterator[TlsServer]:
    """Serve `app` from a thread with an event loop of its own. Certificates are written to `folder`; `names` are
    further host names for which they are valid."""
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost", "127.0.0.1", "queue.fal.run", "fal.run", *names)
    ca_file, certificate_file = folder / "ca.pem", folder / "server.pem"
    authority.cert_pem.write_to_path(str(ca_file))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(certificate_file))

    listener = socket.create_server(("127.0.0.1", 0))
    server = TlsServer(port=listener.getsockname()[1], ca_file=ca_file)
    config = uvicorn.Config(
        _recording(app, server),
        ssl_certfile=certificate_file,
        log_level="warning",
        ws="none",
        timeout_graceful_shutdown=1,
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, name="tls", daemon=True)
    thread.start()
    try:
        _wait_until_started(running, thread)
        yield server
    finally:
        running.should_exit = True
        thread.join(START_SECONDS)
        listener.close()


def _wait_until_started(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("The TLS server did not start; its log says why.")
        time.sleep(0.01)


def _recording(app: ASGIApp, server: TlsServer) -> ASGIApp:
    async def recorded(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await app(scope, receive, send)
        kind = _kind(scope["path"])
        server.requests[scope["method"], kind] += 1
        body = bytearray()

        async def read() -> Message:
            message = await receive()
            body.extend(message.get("body", b""))
            if kind == "submit" and message["type"] == "http.request" and not message.get("more_body"):
                server.submitted.append(_json(bytes(body)))
            return message

        return await app(scope, read, send)

    return recorded


def _kind(path: str) -> str:
    return next((kind for kind, pattern in KINDS.items() if re.search(pattern, path)), "other")


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
