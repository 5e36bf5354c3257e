"""Snippets are code: each is parsed back, and run for real against the demo queue behind TLS."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.node import run_module
from support.tls import TlsServer, serve_tls

from services.code.fal_snippets import Language, snippet
from services.engines.demo.asgi import build_app
from services.engines.demo.queue import DemoQueue
from services.errors import InvalidRequest
from services.models.flux_2_flex import Flux2FlexRequest

LANGUAGES = get_args(Language)
NASTY = (
    """it's "quoted" \\ \\n \\\\' $HOME ${FAL_KEY} $(id) `id` !! %s {x} ${x} 'JSON'\nJSON\n\r\n\t """
    "@ENTRIES\n @ENDPOINT "
    "\u2028\u2029\u202e\u00a0\x7f\x01\u0085\ufeff é 漢字 🦊 👩‍🎨 \U000e0041 */ --> </script> # // 'EOF'"
)

prompts = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), min_size=1).filter(str.strip)


def asked(**changes: Any) -> Flux2FlexRequest:
    return Flux2FlexRequest(**{"prompt": "a fox", "seed": 7, **changes})


def in_python(code: str) -> Any:
    """The value of `arguments`, read without running anything."""
    assignment = next(node for node in ast.parse(code).body if isinstance(node, ast.Assign))
    assert ast.unparse(assignment.targets[0]) == "arguments"
    return ast.literal_eval(assignment.value)


def in_bash(code: str) -> Any:
    """What the script's function `settings` prints, as bash sees it."""
    function = code[code.index("settings() {") : code.index("\n}\n", code.index("\nJSON\n")) + 3]
    done = subprocess.run(["bash", "-c", f"{function}settings"], capture_output=True, check=True)
    return json.loads(done.stdout)


def in_node(codes: list[str]) -> list[Any]:
    """The value of each code's `input`, as node evaluates it."""
    literals = [code[code.index("const input = ") + 14 : code.index("\n};\n") + 2] for code in codes]
    script = f"console.log(JSON.stringify([{', '.join(literals)}]))"
    done = subprocess.run(["node", "-"], input=script.encode(), capture_output=True, check=True)
    return json.loads(done.stdout)


class TestSettingsSurvive:
    @given(prompts)
    @settings(deadline=None)
    def test_any_prompt_in_python(self, prompt: str):
        code = snippet("python", asked(prompt=prompt))
        assert in_python(code) == asked(prompt=prompt).payload()
        assert all(line.isprintable() for line in code.split("\n"))

    @given(st.lists(prompts, min_size=20, max_size=20))
    @settings(max_examples=10, deadline=None)
    def test_any_prompt_in_javascript(self, drawn: list[str]):
        requests = [asked(prompt=prompt) for prompt in drawn]
        codes = [snippet("javascript", request) for request in requests]
        assert in_node(codes) == [request.payload() for request in requests]
        assert all(line.isprintable() for code in codes for line in code.split("\n"))

    @given(prompts)
    @settings(max_examples=60, deadline=None)
    def test_any_prompt_in_bash(self, prompt: str):
        code = snippet("curl", asked(prompt=prompt))
        assert in_bash(code) == asked(prompt=prompt).payload()
        assert all(line.isprintable() for line in code.split("\n"))

    @pytest.mark.parametrize(
        "changes",
        [
            {"seed": None},
            {"image_size": {"width": 640, "height": 320}},
            {"sync_mode": True, "output_format": "png"},
            {"enable_prompt_expansion": False, "enable_safety_checker": False, "safety_tolerance": "5"},
            {"guidance_scale": 2, "num_inference_steps": 50},
            {"prompt": NASTY},
        ],
    )
    def test_every_setting_in_every_language(self, changes):
        request = asked(**changes)
        assert in_python(snippet("python", request)) == request.payload()
        assert in_node([snippet("javascript", request)]) == [request.payload()]
        assert in_bash(snippet("curl", request)) == request.payload()


class TestText:
    @pytest.mark.parametrize("language", LANGUAGES)
    def test_reads_well(self, language):
        code = snippet(language, asked(prompt="ein “Löwe” 🦊"))
        assert "ein “Löwe” 🦊" in code  # what can be seen is left as it is
        assert all(len(line) <= 100 for line in code.split("\n") if not line.startswith("#"))
        assert code.endswith("\n")
        assert "FAL_KEY" in code
        assert not any(placeholder in code for placeholder in ("@ENTRIES", "@ENDPOINT", "@EXT", "@IMPORTS"))

    def test_a_language_that_is_none_of_the_three(self):
        with pytest.raises(InvalidRequest, match=r"“ruby” .* python, javascript, curl") as raised:
            snippet("ruby", asked())  # type: ignore[arg-type]
        assert raised.value.issues[0].field == "language"


def paint(*, prompt: str, **_: Any) -> bytes:
    return f"a picture of {prompt}".encode()


@pytest.fixture(scope="module")
def fal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsServer]:
    with serve_tls(build_app(DemoQueue(step_seconds=0.01, paint=paint)), tmp_path_factory.mktemp("tls")) as server:
        yield server


def run_python(code: str, folder: Path, fal: TlsServer, key: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(code, encoding="utf-8")
    return _run([sys.executable, "script.py"], folder, fal.environ(key))


def run_node(code: str, folder: Path, fal: TlsServer, key: str) -> subprocess.CompletedProcess[str]:
    return run_module(code, folder, fal, key=key)


def run_curl(code: str, folder: Path, fal: TlsServer, key: str) -> subprocess.CompletedProcess[str]:
    """curl's own settings file leads fal's host to the server here; the script is run as it is."""
    (folder / ".curlrc").write_text(f'connect-to = "queue.fal.run:443:127.0.0.1:{fal.port}"\n')
    (folder / "script.sh").write_text(code, encoding="utf-8")
    return _run(["bash", "script.sh"], folder, fal.environ(key) | {"CURL_HOME": str(folder)})


def _run(command: list[str], folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = {**os.environ, **environ}
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=120)


RUNNERS: dict[str, Callable[..., subprocess.CompletedProcess[str]]] = {
    "python": run_python,
    "javascript": run_node,
    "curl": run_curl,
}


@pytest.mark.parametrize("language", LANGUAGES)
class TestRuns:
    def test_fetches_the_picture_with_one_submit(self, fal, tmp_path, language):
        request = asked(prompt=NASTY, seed=4, num_inference_steps=20)
        submits = fal.requests["POST", "submit"]
        done = RUNNERS[language](snippet(language, request), tmp_path, fal, "test-key")
        assert done.returncode == 0, done.stderr
        assert fal.requests["POST", "submit"] == submits + 1
        assert fal.submitted[-1] == request.payload()
        assert "Request id: " in done.stdout + done.stderr
        assert "/files/" in done.stdout
        assert ("Seed: 4" if language != "curl" else '"seed": 4') in done.stdout

    def test_sync_mode_saves_the_picture(self, fal, tmp_path, language):
        request = asked(sync_mode=True, output_format="png", num_inference_steps=2)
        done = RUNNERS[language](snippet(language, request), tmp_path, fal, "test-key")
        assert done.returncode == 0, done.stderr
        (picture,) = tmp_path.glob("*.png")
        assert picture.read_bytes() == b"a picture of a fox"
        assert done.stdout.strip().endswith(picture.name)
        assert "base64" not in done.stdout

    def test_says_why_fal_refused(self, fal, tmp_path, language):
        submits = fal.requests["POST", "submit"]
        done = RUNNERS[language](snippet(language, asked()), tmp_path, fal, "an-invalid-key")
        assert done.returncode != 0
        assert "No user found for this key" in done.stderr
        assert "an-invalid-key" not in done.stdout + done.stderr
        assert fal.requests["POST", "submit"] == submits + 1

    def test_a_refused_prompt_ends_with_an_error(self, fal, tmp_path, language):
        done = RUNNERS[language](snippet(language, asked(prompt="[refuse]")), tmp_path, fal, "test-key")
        assert done.returncode != 0
        assert "content_policy_violation" in done.stdout + done.stderr


def test_curl_script_wants_a_key(tmp_path):
    env = {name: value for name, value in os.environ.items() if name != "FAL_KEY"}
    done = subprocess.run(["bash"], input=snippet("curl", asked()), env=env, capture_output=True, text=True)
    assert done.returncode != 0
    assert "Set FAL_KEY" in done.stderr
