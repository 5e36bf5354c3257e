r"""Wildcards in a prompt: `{red|blue} fox` stands for two prompts, `red fox` and `blue fox`.

A choice is a pair of braces with at least one bar inside; choices can be nested. Braces without a bar are text, as are
unpaired braces and bars, so that a prompt written as JSON stays unchanged. `\{`, `\|` and `\}` are the literal
characters.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

ESCAPED = re.compile(r"\\([{|}])|([{|}])|([^\\{|}]+|\\)")
"""One piece of a prompt: an escaped character, a brace or bar, or text."""
WRITTEN_OUT = 50
"""The texts that a prompt stands for are written out only up to this number."""


@dataclass(frozen=True)
class Wildcards:
    """What a parsed prompt, or a part of it, stands for."""

    texts: tuple[str, ...] | None
    """Without duplicates, the last choice varying fastest; None if they are more than WRITTEN_OUT."""
    count: int
    """How many texts; an upper bound if they are more than WRITTEN_OUT, since further duplicates are not looked for."""

    def prompts(self) -> list[str]:
        """The texts. Check `count` first: raises ValueError if they are more than WRITTEN_OUT."""
        if self.texts is None:
            raise ValueError(f"{self.count} texts are not written out")
        return list(self.texts)


_Word = str | Wildcards


def read(prompt: str) -> Wildcards:
    """Parse a prompt. Every text is valid. The longest prompt takes some hundredths of a second at most."""
    pieces = ESCAPED.findall(prompt)
    meant = _meant([mark for _, mark, _ in pieces])
    open_choices: list[list[list[_Word]]] = [[[]]]  # the options of each open choice, outermost first
    for index, (escaped, mark, text) in enumerate(pieces):
        if index not in meant:
            open_choices[-1][-1].append(escaped or mark or text)
        elif mark == "{":
            open_choices.append([[]])
        elif mark == "|":
            open_choices[-1].append([])
        else:
            choice = _one_of([_in_a_row(_trimmed(option)) for option in open_choices.pop()])
            open_choices[-1][-1].append(choice)
    return _in_a_row(open_choices[0][0])


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


def _trimmed(option: list[_Word]) -> list[_Word]:
    """The option without surrounding white space: `{ red | blue }` equals `{red|blue}`."""
    words = list(option)
    if words and isinstance(words[0], str):
        words[0] = words[0].lstrip()
    if words and isinstance(words[-1], str):
        words[-1] = words[-1].rstrip()
    return words


def _one_of(options: list[Wildcards]) -> Wildcards:
    known = [option.texts for option in options if option.texts is not None]
    if len(known) < len(options):
        return Wildcards(None, sum(option.count for option in options))
    return _distinct(text for texts in known for text in texts)


def _in_a_row(words: list[_Word]) -> Wildcards:
    """What the words stand for one after the other: every combination.

    A choice between several texts always makes at least one combination more, so after WRITTEN_OUT such choices there
    are too many to write out. Words that stand for one text are joined first: there may be thousands of them.
    """
    found = Wildcards(("",), 1)
    between: list[str] = []
    for word in words:
        meant = Wildcards((word,), 1) if isinstance(word, str) else word
        if meant.count == 1 and meant.texts:
            between += meant.texts
        elif found.texts is None or meant.texts is None:
            found = Wildcards(None, found.count * meant.count)
        else:
            heads = _followed_by(found.texts, between)
            found = _distinct(head + text for head in heads for text in meant.texts)
            between.clear()
    return found if found.texts is None else Wildcards(_followed_by(found.texts, between), found.count)


def _followed_by(texts: tuple[str, ...], words: list[str]) -> tuple[str, ...]:
    tail = "".join(words)
    return tuple(text + tail for text in texts)


def _distinct(texts: Iterable[str]) -> Wildcards:
    found = tuple(dict.fromkeys(texts))
    return Wildcards(found if len(found) <= WRITTEN_OUT else None, len(found))
