r"""Wildcards in a prompt: `{red|blue} fox` stands for two prompts, `red fox` and `blue fox`.

A choice is a pair of braces with at least one bar inside; choices may stand within choices. Braces without a bar are
text, as are lone braces and bars, so that a prompt written as JSON stays as it is. `\{`, `\|` and `\}` are the plain
characters.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from math import prod

ESCAPED = re.compile(r"\\([{|}])|([{|}])|([^\\{|}]+|\\)")
"""One piece of a prompt: an escaped character, one that means something, or text."""


@dataclass(frozen=True)
class _Choice:
    options: tuple[_Words, ...]
    count: int


_Words = tuple["str | _Choice", ...]


@dataclass(frozen=True)
class Wildcards:
    """A prompt that was read."""

    words: _Words
    count: int
    """Combinations of all choices: 1 where there is none. Two of them may be the same text."""

    def prompts(self) -> list[str]:
        """Every combination, the last choice changing first; each text once. Only for a `count` worth writing out."""
        return list(dict.fromkeys(_texts(self.words)))


def read(prompt: str) -> Wildcards:
    """What a prompt stands for. Every text can be read, in a time that grows with its length."""
    pieces = ESCAPED.findall(prompt)
    meant = _meant([mark for _, mark, _ in pieces])
    open_choices: list[list[list[str | _Choice]]] = [[[]]]  # options of each choice that is open, outermost first
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
    """Which braces and bars make choices, by their place: those of a pair of braces with a bar inside."""
    meant: set[int] = set()
    open_braces: list[list[int]] = []  # the places of each brace that is open and of its bars, outermost first
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
    """A text that stands for this prompt and no other: the prompt itself wherever that is so."""
    found = read(prompt)
    if found.count == 1 and found.prompts() == [prompt]:
        return prompt
    return re.sub(r"[{|}]", r"\\\g<0>", prompt)


def _choice(options: list[list[str | _Choice]]) -> _Choice:
    found = tuple(_trimmed(option) for option in options)
    return _Choice(found, sum(_count(option) for option in found))


def _trimmed(option: list[str | _Choice]) -> _Words:
    """Without the spaces around an option: `{ red | blue }` is `{red|blue}`."""
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
