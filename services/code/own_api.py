"""Ready-to-run code that requests a picture from this app: with gradio_client, with cURL, and from an MCP client.

The examples include the code that calls fal without this app. Every prompt is reproduced exactly, as in
`services.code.fal_snippets`.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from services.code.fal_snippets import json_text, json_value, python_value, snippet
from services.errors import FieldIssue, InvalidRequest
from services.models.generation_request import GenerationRequest

VISITOR_HEADER = "X-Playground-Visitor"
ADDRESS = re.compile(r"https?://[A-Za-z0-9.:\[\]_-]{1,255}")


@dataclass(frozen=True)
class Example:
    id: str
    group: str
    """What it calls: `This playground` or `fal, without this app`."""
    name: str
    code: str
    note: str


def examples(request: GenerationRequest, address: str, token: str | None) -> list[Example]:
    """`address`: URL of the app without a trailing slash. With a visitor's `token`, pictures go to that history.

    Raises InvalidRequest if `address` is not an http or https address without a path.
    """
    if not ADDRESS.fullmatch(address):
        raise InvalidRequest((FieldIssue(field="address", message="address is a http or https address with no path."),))
    ours, fals = "This playground", "fal, without this app"
    reads_key = "Reads your fal key from FAL_KEY."
    return [
        Example("gradio_client", ours, "Python", _gradio_client(request, address, token), "Needs gradio_client."),
        Example("call", ours, "cURL", _curl(request, address, token), "Waits for the picture; tells its address."),
        Example(
            "mcp", ours, "MCP", _mcp(address, token), "Tools: generate, start, run, cancel, grid, history, snippet."
        ),
        Example("python", fals, "Python", snippet("python", request), reads_key),
        Example("javascript", fals, "JavaScript", snippet("javascript", request), reads_key),
        Example("curl", fals, "cURL", snippet("curl", request), reads_key),
    ]


def _gradio_client(request: GenerationRequest, address: str, token: str | None) -> str:
    headers = f", headers={{{python_value(VISITOR_HEADER)}: {python_value(token)}}}" if token else ""
    settings = "".join(f"    {name}={python_value(value)},\n" for name, value in request.payload().items())
    return f"""\
# pip install gradio_client
from gradio_client import Client

client = Client({python_value(address)}{headers}, verbose=False)
made = client.predict(
{settings}    api_name="/generate",
)
print("Seed:", made["seed"])
print(made["image"])  # a file on this machine now
"""


def _curl(request: GenerationRequest, address: str, token: str | None) -> str:
    entries = ",\n".join(f"  {json_text(name)}: {json_value(value)}" for name, value in request.payload().items())
    header = f'--header "{VISITOR_HEADER}: {token}" ' if token else ""
    return f"""\
#!/usr/bin/env bash
set -euo pipefail
server={address}

settings() {{
  cat <<'JSON'
{{
{entries}
}}
JSON
}}

call() {{ curl --silent --show-error --fail-with-body {header}"$@"; }}

reply=$(settings | call --header "Content-Type: application/json" --data-binary @- \\
  "$server/gradio_api/call/v2/generate")
event_id=$(echo "$reply" | sed -n 's/.*"event_id" *: *"\\([^"]*\\)".*/\\1/p')
call --no-buffer "$server/gradio_api/call/generate/$event_id"
"""


def _mcp(address: str, token: str | None) -> str:
    server = {"url": f"{address}/gradio_api/mcp/"} | ({"headers": {VISITOR_HEADER: token}} if token else {})
    return json.dumps({"mcpServers": {"flux-2-flex": server}}, indent=2) + "\n"
