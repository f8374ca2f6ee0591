"""Problems of a configuration: place and fact, in text that is safe on a terminal."""

from __future__ import annotations

from allowsync.model.value import Value
from allowsync.text import LONGEST_QUOTE, printable
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_SHOWN: Final = 12  # names


class Problem(Value):
    """One problem of a configuration.

    Attributes:
        where: File, line and path: `/etc/allowsync/config.yaml:14: hosts.bob.ipv6_prefix`.
        what: The value, and the expected one.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class ConfigError(Exception):
    """A configuration cannot be used. Holds every problem found, in the order of the file."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(self.problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


def suggestion(word: str, known: Iterable[str]) -> str:
    """`" (did you mean 'carl'?)"` if a known word is close to this one, else empty."""
    close = nearest(word, known)
    return f" (did you mean {close!r}?)" if close else ""


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word closest to this one; empty if none is close."""
    if len(word) > LONGEST_QUOTE:
        return ""
    # Imported only for an invalid file: it costs more than all checks of a valid one.
    from difflib import get_close_matches

    return next(iter(get_close_matches(word, list(known), n=1)), "")


def known_names(names: Iterable[str], where: str) -> str:
    """`"; under hosts: alice, bob, …"`, up to 12 names."""
    known = list(names)
    shown = ", ".join(map(printable, known[:_SHOWN])) or "none"
    return f"; {where}: {shown}{', …' if len(known) > _SHOWN else ''}"


def one_of(words: Iterable[str]) -> str:
    """The words as a choice: `ipv4 or ipv6`, `one of text, json, csv`."""
    choices = list(words)
    if len(choices) <= 2:
        return " or ".join(choices)
    return "one of " + ", ".join(choices)
