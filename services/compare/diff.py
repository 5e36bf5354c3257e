"""Differences between pictures: the parameter table, short labels, a diff of prompts by words, and a summary sentence.

Pure functions of Runs. Settings come from the models, so that a new parameter appears in table, labels and sentence
without a change here. Pictures are called A, B, C … in the order given.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import takewhile
from typing import Any, Literal

from services.intake.pricing import dollars
from services.models.registry import PARAMETERS
from services.request import NOT_KNOWN, format_value, short_name, value_text
from services.run import Run

LETTERS = "ABCDEFGH"
PICTURES_MIN, PICTURES_MAX = 2, len(LETTERS)
LABEL_VALUES = 2
"""At most this many values in a label; the number of other differing settings follows as `+2`."""
LABEL_WORDS = 28
"""At most this many characters of a prompt's distinct words in a label."""

Group = Literal["settings", "results"]
Kind = Literal["same", "added", "removed"]


@dataclass(frozen=True)
class Row:
    """One parameter or result. `values` holds a text for each picture."""

    name: str
    label: str
    values: tuple[str, ...]
    differs: bool
    group: Group


@dataclass(frozen=True)
class ComparisonTable:
    letters: tuple[str, ...]
    rows: tuple[Row, ...]
    """Settings before results; in each group the differing rows first."""

    def differing(self, group: Group) -> tuple[Row, ...]:
        return tuple(row for row in self.rows if row.group == group and row.differs)


@dataclass(frozen=True)
class Token:
    """A piece of a prompt diff against the first picture's prompt."""

    kind: Kind
    text: str


def compare(runs: Sequence[Run]) -> ComparisonTable:
    """The table of up to 8 runs. With fewer than two, no row differs."""
    settings = [
        _row(name, label, [_setting(name, run) for run in runs], "settings") for name, label in labels_of(runs).items()
    ]
    results = [_row(name, label, [read(run) for run in runs], "results") for name, (label, read) in RESULTS.items()]
    ordered = [sorted(rows, key=lambda row: not row.differs) for rows in (settings, results)]
    return ComparisonTable(tuple(LETTERS[: len(runs)]), tuple(ordered[0] + ordered[1]))


def labels_of(runs: Sequence[Run]) -> dict[str, str]:
    """Setting → label: the parameters of the runs' models, then what else they were asked with, under its own name."""
    names = dict.fromkeys(name for run in runs for name in run.request.values)
    known = {name: parameter.label for name, parameter in PARAMETERS.items() if name in names}
    return known | {name: name for name in names if name not in known}


def _row(name: str, label: str, values: list[str], group: Group) -> Row:
    return Row(name, label, tuple(values), len(set(values)) > 1, group)


# -- values as text ------------------------------------------------------------------------------------------------


def _setting(name: str, run: Run) -> str:
    return value_text(name, _value(name, run))


def _value(name: str, run: Run) -> Any:
    """The value that the run was asked for, as JSON has it; for the seed, the one that was used."""
    return run.seed if name == "seed" else run.request.values.get(name)


def _size(width: int, height: int) -> str:
    return f"{width} × {height}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return NOT_KNOWN
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def _cost(run: Run) -> str:
    if run.engine == "demo":
        return "$0 · demo"
    price = dollars(run.cost_usd)
    return price.removeprefix("≈ ") if run.billed_units is not None else price


def _file_size(run: Run) -> str:
    if run.picture is None:
        return NOT_KNOWN
    size = run.picture.bytes
    return f"{max(1, round(size / 2**10))} KB" if size < 2**20 else f"{size / 2**20:.1f} MB"


RESULTS: dict[str, tuple[str, Callable[[Run], str]]] = {
    "took": ("Took", lambda run: _duration(run.seconds)),
    "queue": ("Queue", lambda run: _duration(run.queue_seconds)),
    "cost": ("Cost", _cost),
    "bytes": ("File", _file_size),
    "true_size": ("True size", lambda run: _size(run.picture.width, run.picture.height) if run.picture else NOT_KNOWN),
}
"""Result → (label, function that gives its text for a run)."""


# -- labels --------------------------------------------------------------------------------------------------------


def labels(runs: Sequence[Run]) -> tuple[str, ...]:
    """For each run, its letter and differing settings: `A · 10 steps`, `B · 28 steps · guidance 4 · +1`."""
    table = compare(runs)
    rows = sorted(table.differing("settings"), key=lambda row: _label_rank(row.name))
    own_words = _own_words([run.request.prompt for run in runs])
    more = [f"+{len(rows) - LABEL_VALUES}"] if len(rows) > LABEL_VALUES else []

    def label(at: int) -> str:
        values = [
            own_words[at] if row.name == "prompt" else format_value(row.name, _value(row.name, runs[at]))
            for row in rows[:LABEL_VALUES]
        ]
        return " · ".join([table.letters[at], *values, *more])

    return tuple(label(at) for at in range(len(runs)))


def _label_rank(name: str) -> int:
    """Sort key: chosen values first, then the prompt, then the seed, which has no meaning by itself."""
    return PARAMETERS[name].kind.rank if name in PARAMETERS else 0


def _own_words(prompts: Sequence[str]) -> list[str]:
    """Each prompt without the words that all prompts begin and end with: `“red”`, `“blue”`. If none are left, the last
    two of the words that all begin with.
    """
    words = [prompt.split() for prompt in prompts]
    start = _shared(words)
    end = _shared([list(reversed(each[start:])) for each in words])
    return [_quoted(each[start : len(each) - end] or each[max(0, start - 2) : start]) for each in words]


def _shared(lists: list[list[str]]) -> int:
    """Length of the common prefix of all lists."""
    return sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*lists, strict=False)))


def _quoted(words: list[str]) -> str:
    text = " ".join(words).strip(",;.")
    return f"“{text[: LABEL_WORDS - 1].rstrip()}…”" if len(text) > LABEL_WORDS else f"“{text}”"


# -- prompts, word by word -----------------------------------------------------------------------------------------

WORDS = re.compile(r"\s+|\w+(?:['’]\w+)*|[^\w\s]")
"""Words, sequences of white space and single punctuation marks: together they cover every character of a text."""


def prompt_diff(first: str, other: str) -> tuple[Token, ...]:
    """The diff from `first` to `other`. The same and removed pieces joined give `first`, the same and added ones
    `other`.
    """
    before, after = WORDS.findall(first), WORDS.findall(other)
    found: list[Token] = []
    for kind, start, end, from_, to in SequenceMatcher(None, before, after).get_opcodes():
        if kind == "equal":
            found.append(Token("same", "".join(before[start:end])))
        else:
            found += _change("".join(before[start:end]), "".join(after[from_:to]))
    return _in_phrases(found)


def _change(removed: str, added: str) -> list[Token]:
    tokens = [Token("removed", removed), Token("added", added)]
    return [token for token in tokens if token.text]


def _in_phrases(tokens: list[Token]) -> tuple[Token, ...]:
    """Merge changes with only white space between them: whole phrases are easier to read than alternating words."""
    phrases: list[Token] = []
    removed = added = ""
    for at, token in enumerate(tokens):
        between = token.kind == "same" and token.text.isspace() and 0 < at < len(tokens) - 1
        if token.kind != "same" or between:
            removed += token.text if token.kind != "added" else ""
            added += token.text if token.kind != "removed" else ""
            continue
        phrases += [*_change(removed, added), token]
        removed = added = ""
    return (*phrases, *_change(removed, added))


# -- sentence and Markdown -----------------------------------------------------------------------------------------


def summary(table: ComparisonTable) -> str:
    """`A and B differ in steps (10, 28) and prompt.` For readers who cannot see the table. Empty for fewer than two."""
    if len(table.letters) < PICTURES_MIN:
        return ""
    names = _listed(table.letters)
    differing = table.differing("settings")
    if not differing:
        return f"{names} have the same settings."
    return f"{names} differ in {_listed([_told_difference(row) for row in differing])}."


def _told_difference(row: Row) -> str:
    is_long = row.name in PARAMETERS and PARAMETERS[row.name].kind.is_long
    return short_name(row.name) if is_long else f"{short_name(row.name)} ({', '.join(row.values)})"


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def markdown(table: ComparisonTable) -> str:
    """The table as Markdown; labels of differing rows begin with `≠`."""
    head = ["", *table.letters]
    body = [[f"≠ {row.label}" if row.differs else row.label, *row.values] for row in table.rows]
    lines = [head, ["---"] * len(head), *([_escaped(cell) for cell in row] for row in body)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def _escaped(text: str) -> str:
    """The text escaped for Markdown, so that it is shown literally, on one line."""
    return re.sub(r"\r\n|\r|\n", "<br>", re.sub(r"([\\`*_\[\]<>|&~$])", r"\\\1", text))
