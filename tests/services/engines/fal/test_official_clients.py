"""fal's own clients, unmodified and as real processes, against the demo queue behind TLS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.node import run_module
from support.tls import TlsServer, serve_tls

from services.engines.demo.asgi import build_app
from services.engines.demo.queue import DemoQueue


def paint(*, prompt: str, output_format: str, seed: int, **_: Any) -> bytes:
    return f"{output_format} of {prompt} from {seed}".encode()


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with serve_tls(build_app(DemoQueue(step_seconds=0.02, paint=paint)), tmp_path_factory.mktemp("tls")) as server:
        yield server


def in_python(script: str, fal: TlsServer, key: str = "test-key") -> Any:
    """What the script prints, as JSON. `fal_client` and `json` are imported for it."""
    code = f"import json, fal_client\nENDPOINT = 'fal-ai/flux-2-flex'\n{textwrap.dedent(script)}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **fal.environ(key)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def in_node(script: str, fal: TlsServer, folder: Path, key: str = "test-key") -> Any:
    """What the script prints, as JSON. `fal` is imported for it."""
    code = f'import {{ fal }} from "@fal-ai/client";\nconst ENDPOINT = "fal-ai/flux-2-flex";\n{textwrap.dedent(script)}'
    done = run_module(code, folder, fal, key=key)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


class TestPython:
    def test_submit_follow_get(self, fal):
        before = fal.requests["POST", "submit"]
        told = in_python(
            """
            import httpx
            handle = fal_client.submit(ENDPOINT, arguments={"prompt": "a fox", "seed": 7})
            events = list(handle.iter_events(with_logs=True))
            result = handle.get()
            picture = httpx.get(result["images"][0]["url"]).text
            print(json.dumps([[type(event).__name__ for event in events], events[-1].logs[-1]["message"],
                              events[-1].metrics, result["seed"], picture, handle.request_id]))
            """,
            fal,
        )
        kinds, line, metrics, seed, picture, request_id = told
        assert kinds[-1] == "Completed"
        assert set(kinds[:-1]) == {"InProgress"}
        assert line.startswith("100%|")
        assert metrics["inference_time"] >= 28 * 0.02
        assert (seed, picture) == (7, "jpeg of a fox from 7")
        assert len(request_id) == 36
        assert fal.requests["POST", "submit"] == before + 1
        assert fal.submitted[-1] == {"prompt": "a fox", "seed": 7}

    def test_subscribe_hands_on_the_log_lines(self, fal):
        lines, seed = in_python(
            """
            lines = []
            def on_queue_update(update):
                if isinstance(update, fal_client.InProgress):
                    lines.extend(log["message"] for log in update.logs)
            result = fal_client.subscribe(ENDPOINT, arguments={"prompt": "a fox", "seed": 3},
                                          with_logs=True, on_queue_update=on_queue_update)
            print(json.dumps([lines, result["seed"]]))
            """,
            fal,
        )
        assert seed == 3
        assert any("%|" in line for line in lines)

    def test_cancel_then_get_raises_with_the_reason(self, fal):
        told = in_python(
            """
            handle = fal_client.submit(ENDPOINT, arguments={"prompt": "a fox", "num_inference_steps": 50})
            handle.cancel()
            status = handle.status(with_logs=True)
            try:
                handle.get()
            except fal_client.FalClientHTTPError as error:
                print(json.dumps([status.error_type, error.status_code, error.error_type, error.message]))
            """,
            fal,
        )
        assert told == ["client_cancelled", 499, "client_cancelled", "Request was cancelled by the client"]

    @pytest.mark.parametrize(
        ("key", "arguments", "status", "told"),
        [
            ("invalid", {"prompt": "a fox"}, 401, "No user found for this key"),
            ("test-key", {"prompt": "a fox", "num_inference_steps": 99}, 422, "Steps: 99 is above 50"),
            ("test-key", {"prompt": "[refuse]"}, 422, "content_policy_violation"),
        ],
    )
    def test_refusals(self, fal, key, arguments, status, told):
        before = fal.requests["POST", "submit"]
        code, message = in_python(
            f"""
            try:
                fal_client.submit(ENDPOINT, arguments={arguments!r}).get()
            except fal_client.FalClientHTTPError as error:
                print(json.dumps([error.status_code, error.message]))
            """,
            fal,
            key,
        )
        assert code == status
        assert told in str(message)
        assert fal.requests["POST", "submit"] == before + 1

    def test_sync_mode(self, fal):
        url = in_python(
            """
            arguments = {"prompt": "a fox", "sync_mode": True, "output_format": "png"}
            print(json.dumps(fal_client.submit(ENDPOINT, arguments=arguments).get()["images"][0]["url"]))
            """,
            fal,
        )
        assert url.startswith("data:image/png;base64,")


class TestJavaScript:
    def test_submit_status_result(self, fal, tmp_path):
        told = in_node(
            """
            const input = { prompt: "a fox", seed: 7 };
            const { request_id: requestId, status } = await fal.queue.submit(ENDPOINT, { input });
            await fal.queue.subscribeToStatus(ENDPOINT, { requestId, pollInterval: 50 });
            const last = await fal.queue.status(ENDPOINT, { requestId, logs: true });
            const result = await fal.queue.result(ENDPOINT, { requestId });
            const sameId = result.requestId === requestId;
            console.log(JSON.stringify([status, last.status, last.logs.length, result.data, sameId]));
            """,
            fal,
            tmp_path,
        )
        submitted, last, lines, data, same_id = told
        assert (submitted, last, lines, same_id) == ("IN_QUEUE", "COMPLETED", 28, True)
        assert data["seed"] == 7
        assert data["images"][0]["width"] == 1024

    @pytest.mark.parametrize("mode", ["polling", "streaming"])
    def test_subscribe(self, fal, tmp_path, mode):
        streams = fal.requests["GET", "stream"]
        states, lines, seed = in_node(
            """
            const states = [];
            let lines = [];
            const result = await fal.subscribe(ENDPOINT, {
              input: { prompt: "a fox", seed: 3 },
              logs: true,
              mode: "@MODE",
              onQueueUpdate: (update) => {
                states.push(update.status);
                lines = (update.logs ?? []).map((log) => log.message);
              },
            });
            console.log(JSON.stringify([states, lines, result.data.seed]));
            """.replace("@MODE", mode),
            fal,
            tmp_path,
        )
        assert "IN_PROGRESS" in states
        assert states[-1] == "COMPLETED"
        assert [f" {step}/28 " in line for step, line in enumerate(lines, 1)] == [True] * 28
        assert seed == 3
        assert fal.requests["GET", "stream"] - streams == (mode == "streaming")

    def test_errors_carry_fals_fields(self, fal, tmp_path):
        told = in_node(
            """
            const attempt = async (input) => {
              try {
                await fal.subscribe(ENDPOINT, { input, pollInterval: 50 });
              } catch (error) {
                return [error.name, error.status, error.fieldErrors?.[0].loc.at(-1) ?? error.body.error_type];
              }
            };
            const input = { prompt: "a fox", num_inference_steps: 50 };
            const { request_id: requestId } = await fal.queue.submit(ENDPOINT, { input });
            await fal.queue.cancel(ENDPOINT, { requestId });
            const { status, body } = await fal.queue.result(ENDPOINT, { requestId }).catch((error) => error);
            const attempts = [await attempt({}), await attempt({ prompt: "[refuse]" })];
            console.log(JSON.stringify([...attempts, [status, body.error_type]]));
            """,
            fal,
            tmp_path,
        )
        assert told == [
            ["ValidationError", 422, "prompt"],
            ["ValidationError", 422, "prompt"],
            [499, "client_cancelled"],
        ]

    def test_a_key_that_is_not_accepted(self, fal, tmp_path):
        told = in_node(
            """
            const error = await fal.queue.submit(ENDPOINT, { input: { prompt: "a fox" } }).catch((error) => error);
            console.log(JSON.stringify([error.status, error.body.error_type]));
            """,
            fal,
            tmp_path,
            key="invalid",
        )
        assert told == [401, "unauthorized"]
