"""Where MCP's tools are called. What they answer is tested in tests/ui/api/test_endpoints.py, by an MCP client."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
from support.whole import whole_app

CALL = {
    "jsonrpc": "2.0", "id": 1, "method": "tools/call",
    "params": {"name": "generate", "arguments": {"prompt": "a secret"}},
}  # fmt: skip


class Listener:
    """Counts who connects, and hangs up."""

    def __init__(self) -> None:
        self.connections = 0

    async def start(self) -> int:
        """The port it listens on."""
        self._server = await asyncio.start_server(self._greet, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _greet(self, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.close()

    async def stop(self) -> None:
        self._server.close()
        await self._server.wait_closed()


async def test_its_tools_are_called_at_our_own_socket_and_not_where_a_caller_says(tmp_path: Path) -> None:
    ours, theirs = Listener(), Listener()
    address, elsewhere = f"http://127.0.0.1:{await ours.start()}", f"127.0.0.1:{await theirs.start()}"
    headers = {"Host": elsewhere, "X-Forwarded-Host": elsewhere, "Accept": "application/json, text/event-stream"}
    async with whole_app(tmp_path) as whole:
        transport = httpx.ASGITransport(whole.app, raise_app_exceptions=False, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url=address, headers=headers) as client:
            answer = await client.post("/gradio_api/mcp/", json=CALL)
    await ours.stop()
    await theirs.stop()
    assert answer.status_code == 200
    assert (ours.connections > 0, theirs.connections) == (True, 0)
