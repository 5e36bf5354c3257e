"""One press of a button that makes pictures, or one call of the API, as its sender names it: an Idempotency-Key."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from services.errors import FieldIssue, InvalidRequest

KEY_MIN, KEY_MAX = 16, 255
"""Characters of a key. A visitor's may be shorter than KEY_MIN; callers without a token share their keys, so there a
key must be hard to guess."""


@dataclass(frozen=True)
class Press:
    """The same press sent again, by a repeat or from another tab, has the same visitor, route and key."""

    visitor: str | None
    """None: all callers without a token."""
    route: str
    """A path of ours, or the name of an endpoint of the API."""
    key: str
    """A hash of the Idempotency-Key."""
    body: str
    """A hash of what was sent: the key must not come with anything else."""


def press_of(visitor: str | None, route: str, key: str, body: bytes) -> Press:
    """`body` is JSON, or empty. Raises InvalidRequest if the key is too short or too long."""
    key = key.strip()
    least = 1 if visitor else KEY_MIN
    if not least <= len(key) <= KEY_MAX:
        who = "" if visitor else " without a visitor token"
        message = f"The Idempotency-Key has {len(key)} characters. Allowed are {least} to {KEY_MAX}{who}."
        raise InvalidRequest((FieldIssue(field="idempotency_key", message=message),))
    return Press(visitor, route, _hash(key.encode("utf-8", "surrogateescape")), _hash(_canonical(body)))


def _canonical(body: bytes) -> bytes:
    """JSON without its spaces and the order of its keys. Anything else stays as it is."""
    try:
        return json.dumps(json.loads(body or b"null"), sort_keys=True).encode()
    except (ValueError, RecursionError):
        return body


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
