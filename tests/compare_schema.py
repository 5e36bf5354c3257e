"""Flux2FlexRequest against the schema that fal publishes for the endpoint: what has changed there.

    PYTHONPATH=. .venv/bin/python tests/compare_schema.py

prints a line for each difference, and none where there is none. Needs the network, and no key.
"""

from __future__ import annotations

import sys
from typing import Any

import httpx

from services.models.flux_2_flex import MODEL, Flux2FlexRequest

OPENAPI_URL = "https://fal.ai/api/openapi/queue/openapi.json"
PATIENCE_SECONDS = 10.0
RULES = {"minimum": "smallest value", "maximum": "largest value", "maxLength": "longest text", "default": "default"}
"""What is compared of a parameter where fal says it, by its name in JSON Schema; we are stricter where it is silent."""

Json = dict[str, Any]


def differences(openapi: Json) -> list[str]:
    """What fal's OpenAPI document says otherwise than Flux2FlexRequest, a sentence each."""
    fals = _input_schema(openapi)
    ours = Flux2FlexRequest.model_json_schema()
    theirs, known = fals["properties"], ours["properties"]
    found = [f"{name}: fal no longer lists it." for name in known if name not in theirs]
    found += [f"{name}: new at fal, we do not know it." for name in theirs if name not in known]
    for name in (name for name in known if name in theirs):
        found += _of_one(name, theirs[name], known[name])
        if (name in fals.get("required", [])) != (name in ours["required"]):
            found.append(f"{name}: {'required' if name in fals.get('required', []) else 'optional'} at fal.")
    return found


def _of_one(name: str, theirs: Json, ours: Json) -> list[str]:
    found = [
        f"{name}: the {words} is {_rule(theirs, rule)!r} at fal, {_rule(ours, rule)!r} here."
        for rule, words in RULES.items()
        if _rule(theirs, rule) is not None and _rule(theirs, rule) != _rule(ours, rule)
    ]
    wanted, offered = _choices(theirs), _choices(ours)
    found += [f"{name}: {choice!r} is new at fal." for choice in sorted(wanted - offered)]
    found += [f"{name}: fal no longer has {choice!r}." for choice in sorted(offered - wanted)]
    return found


def _input_schema(openapi: Json) -> Json:
    body = openapi["paths"][f"/{MODEL.endpoint}"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    found: Json = openapi["components"]["schemas"][body["$ref"].rpartition("/")[2]]
    return found


def _variants(schema: Json) -> list[Json]:
    """The schema, and those it is made of."""
    inner = [one for word in ("anyOf", "oneOf", "allOf") for one in schema.get(word, [])]
    return [schema, *inner]


def _rule(schema: Json, rule: str) -> Any:
    return next((one[rule] for one in _variants(schema) if rule in one), None)


def _choices(schema: Json) -> set[str]:
    return {str(choice) for one in _variants(schema) for choice in one.get("enum", [])}


def fetch() -> Json:
    """fal's document as it is now. Raises httpx.HTTPError or ValueError where it cannot be had."""
    answer = httpx.get(
        OPENAPI_URL, params={"endpoint_id": MODEL.endpoint}, timeout=PATIENCE_SECONDS, follow_redirects=True
    )
    found: Json = answer.raise_for_status().json()
    return found


if __name__ == "__main__":
    changed = differences(fetch())
    print("\n".join(changed) or "Nothing has changed.")
    sys.exit(bool(changed))
