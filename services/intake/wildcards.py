r"""Wildcards in a prompt: `{red|blue} fox` stands for two prompts, `red fox` and `blue fox`.

A choice is a pair of braces with at least one bar inside; choices can be nested. Braces without a bar are text, as are
unpaired braces and bars, so that a prompt written as JSON stays unchanged. `\{`, `\|` and `\}` are the literal
characters.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from math import prod

ESCAPED = re.compile(r"\\([{|}])|([{|}])|([^\\{|}]+|\\)")
"""One piece of a prompt: an escaped character, a brace or bar, or text."""


@dataclass(frozen=True)
class _Choice:
    options: tuple[_Words, ...]
    count: int


_Words = tuple["str | _Choice", ...]


@dataclass(frozen=True)
class Wildcards:
    """A parsed prompt."""

    words: _Words
    count: int
    """Number of combinations of all choices; 1 without choices. Several combinations may give the same text."""

    def prompts(self) -> list[str]:
        """The text of every combination, the last choice varying fastest, without duplicates. Check `count` first: all
        combinations are built in memory.
        """
        return list(dict.fromkeys(_texts(self.words)))


def read(prompt: str) -> Wildcards:
    """Parse a prompt. Every text is valid; takes linear time."""
    pieces = ESCAPED.findall(prompt)
    meant = _meant([mark for _, mark, _ in pieces])
    open_choices: list[list[list[str | _Choice]]] = [[[]]]  # the options of each open choice, outermost first
    for index, (escaped, mark, text) in enumerate(pieces):
        if index not in meant:
            open_choices[-1][-1].append(escaped or mark or text)
        elif mark == "{":
            open_choices.append([[]])
        elif mark == "|":
            open_choices[-1].append([])
        else:
            choice = _choice(open_choices.pop())
            open_choices[-1][-1].append(choice)
    words = tuple(open_choices[0][0])
    return Wildcards(words, _count(words))


def _meant(marks: list[str]) -> set[int]:
    """The indexes of the braces and bars that form choices: pairs of braces with a bar inside."""
    meant: set[int] = set()
    open_braces: list[list[int]] = []  # for each open brace, outermost first: its index and those of its bars
    for place, mark in enumerate(marks):
        if mark == "{":
            open_braces.append([place])
        elif mark == "|" and open_braces:
            open_braces[-1].append(place)
        elif mark == "}" and open_braces:
            opened, *bars = open_braces.pop()
            if bars:
                meant.update((opened, *bars, place))
    return meant


def literal(prompt: str) -> str:
    """A text that `read` expands to exactly this prompt: the prompt itself if possible, else with escapes."""
    found = read(prompt)
    if found.count == 1 and found.prompts() == [prompt]:
        return prompt
    return re.sub(r"[{|}]", r"\\\g<0>", prompt)


def _choice(options: list[list[str | _Choice]]) -> _Choice:
    found = tuple(_trimmed(option) for option in options)
    return _Choice(found, sum(_count(option) for option in found))


def _trimmed(option: list[str | _Choice]) -> _Words:
    """The option without surrounding white space: `{ red | blue }` equals `{red|blue}`."""
    words = list(option)
    if words and isinstance(words[0], str):
        words[0] = words[0].lstrip()
    if words and isinstance(words[-1], str):
        words[-1] = words[-1].rstrip()
    return tuple(words)


def _count(words: _Words) -> int:
    return prod(word.count for word in words if isinstance(word, _Choice))


def _texts(words: _Words) -> list[str]:
    parts = [
        [text for option in word.options for text in _texts(option)] if isinstance(word, _Choice) else [word]
        for word in words
    ]
    return ["".join(combination) for combination in itertools.product(*parts)]
