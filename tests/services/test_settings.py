from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from services.errors import StartupError
from services.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.upper() in {field.upper() for field in Settings.model_fields}:
            monkeypatch.delenv(name)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch) -> Any:
    """settings(FAL_KEY="…") → Settings as the environment gives them."""

    def load(**environ: str) -> Settings:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        return load_settings()

    return load


class TestEngine:
    @pytest.mark.parametrize(
        ("environ", "engine"),
        [
            ({}, "demo"),
            ({"FAL_KEY": "id:secret"}, "fal"),
            ({"FAL_KEY_ID": "id", "FAL_KEY_SECRET": "secret"}, "fal"),
            ({"FAL_KEY": ""}, "demo"),
            ({"FAL_KEY": "   "}, "demo"),
            ({"FAL_KEY_ID": "id"}, "demo"),
            ({"FAL_KEY": "id:secret", "PLAYGROUND_ENGINE": "demo"}, "demo"),
            ({"PLAYGROUND_ENGINE": "fal"}, "fal"),
            ({"FAL_KEY": "id:secret", "PLAYGROUND_ENGINE": ""}, "fal"),
        ],
    )
    def test_a_key_decides_unless_the_operator_does(self, settings, environ, engine):
        assert settings(**environ).engine == engine

    def test_the_owners_key_comes_whole_or_in_two_parts(self, settings):
        assert settings(FAL_KEY_ID="id", FAL_KEY_SECRET="secret").owner_key == "id:secret"
        assert settings(FAL_KEY=" whole:key \n").owner_key == "whole:key"

    def test_keys_do_not_show(self, settings):
        found = settings(FAL_KEY="id:very-secret", FAL_KEY_SECRET="second-secret")
        assert "very-secret" not in repr(found) + str(found) + found.model_dump_json()
        assert "second-secret" not in repr(found) + str(found) + found.model_dump_json()


class TestHistoryAndBudgets:
    @pytest.mark.parametrize(
        ("environ", "mode"),
        [
            ({}, "shared"),
            ({"SPACE_ID": "me/space"}, "visitor"),
            ({"PLAYGROUND_HISTORY": "visitor"}, "visitor"),
            ({"SPACE_ID": "me/space", "PLAYGROUND_HISTORY": "shared"}, "shared"),
        ],
    )
    def test_on_spaces_each_browser_has_its_own_history(self, settings, environ, mode):
        assert settings(**environ).history_mode == mode

    @pytest.mark.parametrize(
        ("environ", "budgets"),
        [
            ({}, (None, None)),
            ({"SPACE_ID": "me/space"}, (1.0, 10.0)),
            ({"SPACE_ID": "me/space", "PLAYGROUND_VISITOR_BUDGET_USD": "0"}, (0.0, 10.0)),
            ({"PLAYGROUND_VISITOR_BUDGET_USD": "2.5", "PLAYGROUND_DAILY_BUDGET_USD": "7"}, (2.5, 7.0)),
        ],
    )
    def test_budgets_are_unset_except_on_spaces(self, settings, environ, budgets):
        found = settings(**environ)
        assert (found.visitor_budget_usd, found.daily_budget_usd) == budgets

    @pytest.mark.parametrize(
        ("environ", "limits"),
        [
            ({}, (None, None, None)),
            ({"SPACE_ID": "me/space"}, (120, 200, 30)),
            ({"SPACE_ID": "me/space", "PLAYGROUND_HISTORY": "shared"}, (120, 200, None)),
            ({"PLAYGROUND_PICTURES_PER_MINUTE": "5", "PLAYGROUND_QUEUE_LIMIT": "9"}, (5, 9, None)),
            ({"PLAYGROUND_HISTORY": "visitor", "PLAYGROUND_KEEP_NOBODYS_DAYS": "0.5"}, (None, None, 0.5)),
        ],
    )
    def test_limits_are_unset_except_on_spaces(self, settings, environ, limits):
        found = settings(**environ)
        assert (found.pictures_per_minute, found.queue_limit, found.keep_anonymous_days) == limits

    def test_where_it_listens(self, settings):
        assert settings().host == "127.0.0.1"
        assert settings(SPACE_ID="me/space").host == "0.0.0.0"
        assert settings(GRADIO_SERVER_NAME="192.168.0.7").host == "192.168.0.7"

    @pytest.mark.parametrize(
        ("environ", "trusted"),
        [
            ({}, "127.0.0.1"),
            ({"SPACE_ID": "me/space"}, "*"),
            ({"SPACE_ID": "me/space", "FORWARDED_ALLOW_IPS": "10.0.0.0/8"}, "10.0.0.0/8"),
        ],
    )
    def test_whose_forwarded_headers_are_believed(self, settings, environ, trusted):
        assert settings(**environ).trusted_proxies == trusted

    @pytest.mark.parametrize(
        ("environ", "allowed"),
        [
            ({}, set()),
            ({"GRADIO_SERVER_NAME": "192.168.0.7"}, None),
            ({"SPACE_ID": "me/space"}, None),
            ({"SPACE_ID": "me/space", "GRADIO_SERVER_NAME": "127.0.0.1"}, None),
            ({"PLAYGROUND_ALLOWED_HOSTS": "Page.Example, b.example"}, {"page.example", "b.example"}),
            ({"PLAYGROUND_ALLOWED_HOSTS": "*"}, None),
        ],
    )
    def test_which_names_it_answers_to(self, settings, environ, allowed):
        assert settings(**environ).allowed_hosts == allowed


class TestWarnings:
    KEY, OPEN = {"FAL_KEY": "id:secret"}, {"GRADIO_SERVER_NAME": "0.0.0.0"}

    def test_open_to_all_with_a_key_and_no_budget(self, settings):
        (warning,) = settings(**self.KEY, **self.OPEN).warnings()
        assert "spend your money" in warning
        assert "PLAYGROUND_DAILY_BUDGET_USD" in warning
        assert "secret" not in warning

    @pytest.mark.parametrize(
        "environ",
        [
            {},
            KEY,
            OPEN,
            {**KEY, "GRADIO_SERVER_NAME": "localhost"},
            {**KEY, **OPEN, "PLAYGROUND_VISITOR_BUDGET_USD": "1"},
            {**KEY, **OPEN, "PLAYGROUND_DAILY_BUDGET_USD": "5"},
            {**KEY, "SPACE_ID": "me/space"},
        ],
    )
    def test_nothing_to_say(self, settings, environ):
        assert settings(**environ).warnings() == ()

    def test_fal_without_a_key(self, settings):
        (warning,) = settings(PLAYGROUND_ENGINE="fal").warnings()
        assert warning.startswith("PLAYGROUND_ENGINE=fal without FAL_KEY")


class TestBadValues:
    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PLAYGROUND_ENGINE", "openai"),
            ("PLAYGROUND_HISTORY", "mine"),
            ("PLAYGROUND_MAX_CONCURRENT", "many"),
            ("PLAYGROUND_MAX_CONCURRENT", "0"),
            ("PLAYGROUND_MAX_CONCURRENT", "101"),
            ("PLAYGROUND_PRICE_PER_MEGAPIXEL", "-1"),
            ("PLAYGROUND_PRICE_PER_MEGAPIXEL", "nan"),
            ("PLAYGROUND_VISITOR_BUDGET_USD", "$1"),
            ("PLAYGROUND_DAILY_BUDGET_USD", "inf"),
            ("PLAYGROUND_DEMO_STEP_SECONDS", "-0.1"),
            ("GRADIO_SERVER_PORT", "70000"),
            ("PLAYGROUND_PICTURES_PER_MINUTE", "0"),
            ("PLAYGROUND_QUEUE_LIMIT", "-1"),
            ("PLAYGROUND_KEEP_NOBODYS_DAYS", "inf"),
            ("PLAYGROUND_LOCK_SAFETY", "perhaps"),
        ],
    )
    def test_the_variable_is_named(self, settings, name, value):
        with pytest.raises(StartupError, match=f"cannot be used:\n  {name}: "):
            settings(**{name: value})

    def test_all_are_named_at_once(self, settings):
        with pytest.raises(StartupError) as caught:
            settings(PLAYGROUND_ENGINE="openai", GRADIO_SERVER_PORT="x")
        assert "PLAYGROUND_ENGINE" in str(caught.value)
        assert "GRADIO_SERVER_PORT" in str(caught.value)

    def test_empty_variables_count_as_unset(self, settings):
        found = settings(**{name.upper(): "" for name in Settings.model_fields})
        assert found == Settings()


def test_the_data_folder(settings, tmp_path):
    assert settings(PLAYGROUND_DATA_DIR=str(tmp_path)).playground_data_dir == tmp_path
    assert isinstance(Settings.model_fields["playground_data_dir"].get_default(call_default_factory=True), Path)


def test_settings_are_frozen(settings):
    with pytest.raises(ValidationError):
        settings().playground_engine = "fal"


def test_every_setting_says_what_it_is():
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert field.description.endswith("."), name
