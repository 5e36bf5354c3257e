from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.errors import InvalidRequest
from services.library.query import FIELDS, MAX_TERMS, Query, parse
from services.models.conditions import Exactly, Pixels, Span, Text
from services.models.registry import PARAMETERS


def conditions(text: str) -> list[tuple[str, tuple[object, ...], bool]]:
    """(field, any_of, excluded) of each term."""
    return [(term.field.name, term.any_of, term.excluded) for term in parse(text).terms]


def one(text: str) -> object:
    [(_, [condition], _)] = conditions(text)
    return condition


def fault(text: str) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse(text)
    return str(caught.value)


class TestWords:
    def test_nothing_holds_for_all(self):
        assert parse("") == parse("   ") == parse("- -- ") == parse('""') == Query()

    def test_the_last_word_may_go_on(self):
        assert conditions("red fo") == [
            ("prompt", (Text("red"),), False),
            ("prompt", (Text("fo", prefix=True),), False),
        ]

    @pytest.mark.parametrize("text", ['"red fox"', "“red fox”", 'prompt:"red fox"'])
    def test_a_phrase(self, text):
        assert one(text) == Text("red fox")

    def test_a_phrase_that_is_still_being_typed(self):
        assert one('"red fo') == Text("red fo", prefix=True)

    def test_what_a_space_ends_does_not_go_on(self):
        assert one("fox ") == Text("fox")

    def test_an_excluded_word_is_whole(self):
        assert conditions("-cat") == [("prompt", (Text("cat"),), True)]
        assert conditions('-"red cat"') == [("prompt", (Text("red cat"),), True)]

    @pytest.mark.parametrize("word", ["16:9", "12:30", "style:", "black-and-white", 'a"b', "tilt-shift:yes"])
    def test_words_that_look_like_something_else(self, word):
        assert one(f"{word} ") == Text(word)


class TestFields:
    def test_every_parameter_is_a_field_under_its_short_name(self):
        assert {FIELDS[parameter.short].of for parameter in PARAMETERS.values()} == set(PARAMETERS)

    @pytest.mark.parametrize("field", FIELDS.values(), ids=lambda field: field.name)
    def test_every_example_can_be_read(self, field):
        for example in field.examples:
            assert len(parse(f"{field.name}:{example}").terms) == 1

    @pytest.mark.parametrize(
        ("text", "span"),
        [
            ("steps:28", Span(28, 28)),
            ("steps:>30", Span(low=30, open_low=True)),
            ("steps:>=30", Span(low=30)),
            ("guidance:<=3.5", Span(high=3.5)),
            ("guidance:<3.5", Span(high=3.5, open_high=True)),
            ("guidance:3-5", Span(3, 5)),
            ("guidance:5-3", Span(3, 5)),
            ("guidance:3..5", Span(3, 5)),
            ("seed:0", Span(0, 0)),
            ("cost:>$0.05", Span(low=0.05, open_low=True)),
            ("took:>10", Span(low=10, open_low=True)),
            ("STEPS:28", Span(28, 28)),
        ],
    )
    def test_numbers(self, text, span):
        assert one(text) == span

    @pytest.mark.parametrize(
        ("text", "value"),
        [
            ("size:1024x768", Pixels(1024, 768)),
            ("size:1024×768", Pixels(1024, 768)),
            ("size:square_hd", Pixels(1024, 1024)),
            ("format:png", "png"),
            ("format:PNG", "png"),
            ("safety:2", "2"),
            ("expansion:off", False),
            ("checker:on", True),
            ("engine:demo", "demo"),
            ("is:favourite", "favourite"),
            ("is:favorite", "favourite"),
            ("is:running", "running"),
            ('project:"Slow Travel"', "Slow Travel"),
            ("tag:Poster", "Poster"),
            ("grid:ANY", "any"),
            (f"grid:{'a' * 32}", "a" * 32),
        ],
    )
    def test_choices(self, text, value):
        assert one(text) == (value if isinstance(value, Pixels) else Exactly(value))

    @pytest.mark.parametrize(
        "text", ['project:"Slow Travel"|inbox', 'project:"Slow Travel|inbox"', "project:“Slow Travel”|inbox"]
    )
    def test_alternatives_in_quotes(self, text):
        assert conditions(text) == [("project", (Exactly("Slow Travel"), Exactly("inbox")), False)]

    def test_notes_are_words(self):
        assert one('notes:"for client"') == Text("for client")

    def test_where_it_looks(self):
        assert parse("fox").project == "all"
        assert parse("fox").within("p") == replace(parse("fox"), project="p")
        assert parse("project:inbox").within("p").project == "all"
        assert parse("tag:a").asks_for("tag")
        assert not parse("tag").asks_for("tag")

    def test_alternatives_and_exclusion(self):
        assert conditions("-is:failed|cancelled") == [("is", (Exactly("failed"), Exactly("cancelled")), True)]

    def test_days_begin_at_midnight_where_the_asker_is(self):
        zone = ZoneInfo("America/New_York")
        [after, before] = [term.any_of[0] for term in parse("after:2026-01-31 before:2026-07-01", zone).terms]
        assert after == Span(low=datetime(2026, 1, 31, 5, tzinfo=timezone.utc))
        assert before == Span(high=datetime(2026, 7, 1, 4, tzinfo=timezone.utc), open_high=True)


class TestFaults:
    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("steps:many", "steps: “many” is not a number. Write steps:>28, steps:2-28 or steps:50."),
            ("fox steps:", "steps: the value is missing. Write steps:>28, steps:2-28 or steps:50."),
            ("format:gif", "format: “gif” is not one of its values. Write format:jpeg or format:png."),
            ("expansion:maybe", "expansion: “maybe” is not on or off. Write expansion:on or expansion:off."),
            ("after:2026-02-30", "after: “2026-02-30” is not a day. Write after:2026-01-31."),
            ("before:yesterday", "before: “yesterday” is not a day. Write before:2026-01-31."),
            ("is:done|x", "is: “x” is not one of its values. Write is:favourite, is:running, is:done, is:failed, "
                          "is:cancelled or is:unknown."),
        ],
    )  # fmt: skip
    def test_a_bad_value_is_named_with_what_can_be_written(self, text, said):
        assert fault(text) == said

    def test_an_unknown_field_is_named_with_the_known_ones(self):
        said = fault("colour:red")
        assert said.startswith("There is no field “colour”. Fields are prompt, size, seed, steps, guidance,")
        assert said.endswith('For the text itself, quote it: "colour:red".')

    def test_a_very_long_value_is_cut(self):
        assert len(fault("steps:" + "x" * 500)) < 140

    def test_too_many_terms(self):
        assert len(parse("a " * MAX_TERMS).terms) == MAX_TERMS
        assert fault("a " * (MAX_TERMS + 1)) == (
            "These are 101 terms, and 100 is the limit. Put a long passage in quotes."
        )


FRAGMENTS = st.sampled_from(
    [*(f"{name}:" for name in FIELDS), '"', "“", "-", "|", ">", "..", "fox", " ", "3.5", "2026-01-31", "9" * 400, "\0",
     "\ud800", "×", "猫", "🦊", "is:failed"]
)  # fmt: skip


@settings(derandomize=True, deadline=None, max_examples=400)
@given(st.lists(FRAGMENTS | st.text(max_size=6), max_size=12).map("".join))
def test_any_text_is_read_or_refused_with_a_sentence(text):
    zone = ZoneInfo("Asia/Kolkata")
    try:
        query = parse(text, zone)
    except InvalidRequest:
        with pytest.raises(InvalidRequest, match=r"\.$") as caught:
            parse(text, zone)
        assert [issue.field for issue in caught.value.issues] == ["query"]
    else:
        assert all(term.any_of for term in query.terms)


@settings(derandomize=True, deadline=None)
@given(st.text(st.characters(exclude_characters='"“”\0', exclude_categories=["Cs"]), min_size=1).filter(str.strip))
def test_any_text_in_quotes_is_a_phrase(text):
    assert one(f'"{text}"') == Text(text.strip())
