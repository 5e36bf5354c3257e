"""Gradio's own description of the page, as its scripts read it: what they send when something happens."""

from __future__ import annotations

from typing import Any


class Config:
    def __init__(self, config: dict[str, Any]) -> None:
        """`config` is what `/config` answers."""
        self._components = {component["id"]: component["props"] for component in config["components"]}
        self._events = config["dependencies"]

    def body(self, name: str, elem_id: str | None, session: str, **values: Any) -> dict[str, Any]:
        """What the page sends when `name` happens to `elem_id` (None: to the page): each input as the page opens, but
        for `values` by elem_id."""
        target = (elem_id, name)
        event = next(event for event in self._events if target in [self._target(*pair) for pair in event["targets"]])
        inputs = [self._components[number] for number in event["inputs"]]
        data = [values.get(str(props.get("elem_id")).replace("-", "_"), props.get("value")) for props in inputs]
        return {"data": data, "fn_index": event["id"], "session_hash": session}

    def _target(self, source: int, name: str) -> tuple[str | None, str]:
        return self._components.get(source, {}).get("elem_id"), name
