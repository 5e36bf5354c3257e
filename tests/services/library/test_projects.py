from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest

from services.errors import InvalidRequest, NotFound
from services.library import projects as projects_module
from services.library.history import History
from services.library.projects import NAME_MAX, Projects
from services.library.query import ALL, INBOX
from services.library.scope import EVERYONE, Scope
from services.models.flux_2_flex import Flux2FlexRequest
from services.run import Run, new_id

ANN, BOB = Scope("ann"), Scope("bob")


@pytest.fixture
def projects(tmp_path: Path) -> Iterator[Projects]:
    history = History(tmp_path)
    yield Projects(history)
    history.close()


def names(projects: Projects, scope: Scope = ANN) -> list[str]:
    return [project.name for project in projects.of(scope)]


class TestNames:
    def test_they_stand_in_the_order_of_the_alphabet(self, projects):
        for name in ("posters", "Äpfel", "  Slow \n Travel "):
            projects.make("ann", ANN, name)
        assert names(projects) == ["posters", "Slow Travel", "Äpfel"]

    @pytest.mark.parametrize(
        ("name", "why"),
        [
            ("", "is empty"),
            (" \t", "is empty"),
            ("x" * (NAME_MAX + 1), f"Allowed are {NAME_MAX}"),
            ('a "b"', "cannot hold quotes"),
            ("a|b", "cannot hold quotes"),
            ("a\0b", "control characters"),
            ("\ud800", "control characters"),
            ("inbox", "is there already"),
            ("All Projects", "is there already"),
            ("slow travel", "There is a project “slow travel” already"),
        ],
    )
    def test_what_cannot_be_a_name_is_refused(self, projects, name, why):
        projects.make("ann", ANN, "Slow Travel")
        other = projects.make("ann", ANN, "Other")
        for change in (lambda: projects.make("ann", ANN, name), lambda: projects.rename(ANN, other.id, name)):
            with pytest.raises(InvalidRequest, match=why) as caught:
                change()
            assert caught.value.issues[0].field == "name"
        assert names(projects) == ["Other", "Slow Travel"]

    def test_a_name_is_text_whatever_it_holds(self, projects):
        nasty = "<img src=x onerror=alert(1)> ${1} 👩‍🎨 مرحبا"
        projects.make("ann", ANN, nasty)
        assert names(projects) == [nasty]

    def test_renaming(self, projects):
        made = projects.make("ann", ANN, "Slow Travel")
        projects.rename(ANN, made.id, "slow travel")  # its own name in another case
        assert names(projects) == ["slow travel"]

    def test_there_is_a_limit(self, projects, monkeypatch):
        monkeypatch.setattr(projects_module, "PROJECTS_MAX", 2)
        projects.make("ann", ANN, "one")
        projects.make("ann", ANN, "two")
        with pytest.raises(InvalidRequest, match="There are 2 projects, which is the limit"):
            projects.make("ann", ANN, "three")
        projects.make("bob", BOB, "three")


class TestWhose:
    def test_nobody_sees_renames_or_chooses_another_visitors(self, projects):
        made = projects.make("ann", ANN, "Slow Travel")
        assert names(projects, BOB) == names(projects, Scope(None)) == []
        with pytest.raises(NotFound, match="There is no project here"):
            projects.rename(BOB, made.id, "mine")
        with pytest.raises(NotFound):
            projects.choose("bob", BOB, made.id)
        assert projects.make("bob", BOB, "Slow Travel").id != made.id
        assert names(projects) == ["Slow Travel"]

    def test_a_shared_history_has_shared_projects(self, projects):
        made = projects.make("ann", EVERYONE, "Slow Travel")
        projects.choose("bob", EVERYONE, made.id)
        assert projects.chosen("bob", EVERYONE) == made.id
        assert projects.chosen("ann", EVERYONE) == INBOX


class TestChosen:
    def test_the_inbox_is_where_one_begins(self, projects):
        assert projects.chosen("ann", ANN) == projects.chosen(None, ANN) == INBOX
        assert projects.home("ann", ANN) is None

    def test_what_is_chosen_is_where_new_runs_go(self, projects):
        made = projects.make("ann", ANN, "Slow Travel")
        for choice, home in ((made.id, made.id), (INBOX, None), (ALL, None)):
            projects.choose("ann", ANN, choice)
            assert projects.chosen("ann", ANN) == choice
            assert projects.home("ann", ANN) == home

    def test_who_looks_at_all_adds_to_the_project_of_the_run_it_is_like(self, projects):
        made = projects.make("ann", ANN, "Slow Travel")
        like = Run(id=new_id(), visitor="ann", engine="demo", key_of="owner", project_id=made.id,
                   request=Flux2FlexRequest(prompt="a fox"), created_at=datetime.now(timezone.utc))  # fmt: skip
        assert projects.home("ann", ANN, like) is None
        projects.choose("ann", ANN, ALL)
        assert projects.home("ann", ANN, like) == made.id

    def test_a_choice_of_another_mode_of_the_history_is_the_inbox(self, projects):
        made = projects.make("bob", EVERYONE, "Slow Travel")
        projects.choose("ann", EVERYONE, made.id)
        assert projects.chosen("ann", ANN) == INBOX

    def test_what_is_no_project_cannot_be_chosen(self, projects):
        with pytest.raises(NotFound):
            projects.choose("ann", ANN, "f" * 32)
        assert projects.chosen("ann", ANN) == INBOX
