"""Ready-to-run code for one request's settings, in Python, JavaScript and cURL.

All three use the queue: submit, print the request id, follow, fetch the result. The key is read from the environment
variable FAL_KEY and is never part of the code. Every prompt is reproduced exactly, whatever its characters.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Literal

from services.errors import FieldIssue, InvalidRequest
from services.models import registry
from services.stored import AnyRequest, StoredRequest

Language = Literal["python", "javascript", "curl"]


def snippet(language: Language, request: AnyRequest) -> str:
    """The code, ending with a newline. Raises InvalidRequest for any other language."""
    write = _WRITERS.get(language)
    if write is None:
        message = f"Language: “{language[:40]}” is not one of the choices. Allowed are {', '.join(_WRITERS)}."
        raise InvalidRequest((FieldIssue(field="language", message=message),))
    return write(StoredRequest.read(request))


def _python(request: StoredRequest) -> str:
    entries = "".join(
        f"    {python_value(name)}: {python_value(value)},\n" for name, value in request.payload().items()
    )
    imports, tail = _PYTHON_SAVED if request.sync_mode else _PYTHON_LINKED
    return _fill(_PYTHON + tail, request, entries, imports)


def _javascript(request: StoredRequest) -> str:
    entries = "".join(f"  {name}: {_javascript_value(value)},\n" for name, value in request.payload().items())
    imports, tail = _JAVASCRIPT_SAVED if request.sync_mode else _JAVASCRIPT_LINKED
    return _fill(_JAVASCRIPT + tail, request, entries, imports)


def _curl(request: StoredRequest) -> str:
    entries = ",\n".join(f"  {json_text(name)}: {json_value(value)}" for name, value in request.payload().items())
    return _fill(_CURL + (_CURL_SAVED if request.sync_mode else _CURL_LINKED), request, entries)


_WRITERS: dict[str, Callable[[StoredRequest], str]] = {
    "python": _python,
    "javascript": _javascript,
    "curl": _curl,
}


def _fill(template: str, request: StoredRequest, entries: str, imports: str = "") -> str:
    """Fill a template. The settings are inserted last, so that text in a prompt is never taken for a placeholder."""
    extension = "png" if request.output_format == "png" else "jpg"
    return (
        template.replace("@IMPORTS\n", imports)
        .replace("@ENDPOINT", registry.of(request.model).endpoint)
        .replace("@EXTENSION", extension)
        .replace("@ENTRIES\n", entries if entries.endswith("\n") else entries + "\n")
    )


def python_value(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value, lambda char: char.encode("unicode_escape").decode("ascii"))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{python_value(k)}: {python_value(v)}" for k, v in value.items()) + "}"
    return repr(value)


def _javascript_value(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{name}: {json_value(side)}" for name, side in value.items()) + " }"
    return json_value(value)


def json_value(value: Any) -> str:
    return json_text(value) if isinstance(value, str) else json.dumps(value)


def json_text(text: str) -> str:
    """The text as a JSON string that is also valid in JavaScript."""
    return _quoted(text, _utf16_escape)


def _quoted(text: str, escape: Callable[[str], str]) -> str:
    """The text in double quotes, with invisible characters escaped: line ends (also U+2028, U+2029), control
    characters, marks that change the direction of text, special spaces.
    """
    quoted = json.dumps(text, ensure_ascii=False)
    return "".join(char if char.isprintable() else escape(char) for char in quoted)


def _utf16_escape(char: str) -> str:
    units = char.encode("utf-16-be")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))


_PYTHON = """\
# pip install fal-client
# The key is read from the environment variable FAL_KEY.
@IMPORTS
import fal_client

arguments = {
@ENTRIES
}

handle = fal_client.submit("@ENDPOINT", arguments=arguments)
print("Request id:", handle.request_id)  # with this id the result can be fetched later, too

shown = 0
for event in handle.iter_events(with_logs=True, interval=0.5):
    if isinstance(event, fal_client.Queued):
        print("Queued, position", event.position)
    elif isinstance(event, fal_client.InProgress):
        logs = event.logs or []
        for entry in logs[shown:]:
            print(entry["message"])
        shown = len(logs)

result = handle.get()
print("Seed:", result["seed"])
"""

_PYTHON_LINKED = (
    "",
    """\
for image in result["images"]:
    print(image["url"])
""",
)

_PYTHON_SAVED = (
    """\
from base64 import b64decode
from pathlib import Path

""",
    """\

# sync_mode: the picture itself is in the result, as a data URI.
_, _, content = result["images"][0]["url"].partition(",")
path = Path(f"{handle.request_id}.@EXTENSION")
path.write_bytes(b64decode(content))
print(path)
""",
)

_JAVASCRIPT = """\
// npm install @fal-ai/client
// Save as a file that ends in .mjs. The key is read from the environment variable FAL_KEY.
@IMPORTS
import { fal } from "@fal-ai/client";

const endpoint = "@ENDPOINT";
const input = {
@ENTRIES
};

const { request_id: requestId } = await fal.queue.submit(endpoint, { input });
console.log("Request id:", requestId); // with this id the result can be fetched later, too

let shown = 0;
await fal.queue.subscribeToStatus(endpoint, {
  requestId,
  logs: true,
  onQueueUpdate: (update) => {
    if (update.status === "IN_QUEUE") {
      console.log("Queued, position", update.queue_position);
      return;
    }
    const logs = update.logs ?? [];
    logs.slice(shown).forEach((entry) => console.log(entry.message));
    shown = logs.length;
  },
});

const { data } = await fal.queue.result(endpoint, { requestId });
console.log("Seed:", data.seed);
"""

_JAVASCRIPT_LINKED = (
    "",
    """\
data.images.forEach((image) => console.log(image.url));
""",
)

_JAVASCRIPT_SAVED = (
    """\
import { writeFile } from "node:fs/promises";

""",
    """\

// sync_mode: the picture itself is in the result, as a data URI.
const [, content] = data.images[0].url.split(",");
const path = `${requestId}.@EXTENSION`;
await writeFile(path, Buffer.from(content, "base64"));
console.log(path);
""",
)

_CURL = """\
#!/usr/bin/env bash
# Needs curl 7.76 or newer. The key is read from the environment variable FAL_KEY.
set -euo pipefail
: "${FAL_KEY:?Set FAL_KEY to your fal key first.}"

# No --retry: a submit that is sent twice may be charged twice.
call() { curl --silent --show-error --fail-with-body --header "Authorization: Key $FAL_KEY" "$@"; }

# The text of one field of a JSON reply. The ids, states and URLs that are read here contain no quotes or escapes,
# so sed is enough and jq need not be installed.
field() { sed -n 's/.*"'"$1"'" *: *"\\([^"]*\\)".*/\\1/p'; }

settings() {
  cat <<'JSON'
{
@ENTRIES
}
JSON
}

reply=$(settings | call --header "Content-Type: application/json" --data-binary @- \\
  "https://queue.fal.run/@ENDPOINT") || { echo "$reply" >&2; exit 1; }
request_id=$(echo "$reply" | field request_id)
status_url=$(echo "$reply" | field status_url)
response_url=$(echo "$reply" | field response_url)
echo "Request id: $request_id" >&2 # with this id the result can be fetched later, too

while true; do
  reply=$(call "$status_url") || { echo "$reply" >&2; exit 1; }
  state=$(echo "$reply" | field status)
  echo "$state" >&2
  [ "$state" = "COMPLETED" ] && break
  sleep 0.5
done

"""

_CURL_LINKED = """\
call "$response_url"
"""

_CURL_SAVED = """\
# sync_mode: the picture itself is in the result, as a data URI.
result=$(call "$response_url") || { echo "$result" >&2; exit 1; }
echo "$result" | sed -n 's/.*"url" *: *"data:[^,]*,\\([^"]*\\)".*/\\1/p' | base64 -d > "$request_id.@EXTENSION"
echo "$request_id.@EXTENSION"
"""
