"""Strict parsers of fail2ban-client's output. Pure.

An unexpected text never counts as an empty list: that would claim "no address is banned" without
knowing it.
"""

from __future__ import annotations

import ast
import re
import warnings
from typing import TYPE_CHECKING, Final

from allowsync.model.value import Value, field
from allowsync_backends.file.syntax import network_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.model.types import Network

_IGNORED: Final = "These IP addresses/networks are ignored:"
_NONE_IGNORED: Final = "No IP address/network is ignored"
_ITEM: Final = re.compile(r"(?:\|-|`-) (.+)")
_OF_INTEREST: Final = re.compile(r"\['(?:start|set', '[^']+', 'addignoreip)'")


class NotUnderstood(Exception):
    """The text is no answer to the question."""


class Configured(Value):
    """Fail2ban's configuration files, as it reads them.

    Attributes:
        jails: The jails it would start.
        ignored: The texts each of them would ignore, in its order.
    """

    jails: frozenset[str]
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def by_network_text(texts: Iterable[str]) -> dict[Network, str]:
    """Return networks with the text of each. Names and other identifiers are left out."""
    pairs = ((network_or_none(text), text) for text in texts)
    return {network: text for network, text in pairs if network is not None}


def ignored(text: str) -> tuple[str, ...]:
    """Parse the output of `get JAIL ignoreip`: addresses, networks, names, files of such.

    Raises:
        NotUnderstood: The text is something else.
    """
    first, *rest = text.rstrip("\n").split("\n")
    if first == _NONE_IGNORED and not rest:
        return ()
    items = [_ITEM.fullmatch(line) for line in rest]
    found = tuple(item[1] for item in items if item is not None)
    last_is_marked = bool(rest) and rest[-1].startswith("`-")
    if first != _IGNORED or len(found) != len(rest) or not last_is_marked:
        raise NotUnderstood(first)
    return found


def banned(text: str) -> dict[str, tuple[str, ...]]:
    """Parse the output of `banned`: the running jails, each with its banned addresses.

    Raises:
        NotUnderstood: The text is something else.
    """
    listed = _literal(text)
    if not isinstance(listed, list):
        raise NotUnderstood(text[:200])
    found: dict[str, tuple[str, ...]] = {}
    for one in listed:
        if not isinstance(one, dict) or not all(isinstance(ids, list) for ids in one.values()):
            raise NotUnderstood(text[:200])
        found.update((str(jail), tuple(map(str, ids))) for jail, ids in one.items())
    return found


def configured(text: str) -> Configured:
    """Parse the output of `-d`: the configuration as one command to the server a line.

    Raises:
        NotUnderstood: The text is something else.
    """
    jails: set[str] = set()
    ignoring: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        # Most lines hold regular expressions and actions, which do not matter here.
        if _OF_INTEREST.match(line) is None:
            continue
        match _literal(line):
            case ["start", str(jail)]:
                jails.add(jail)
            case ["set", str(jail), "addignoreip", *texts]:
                ignoring[jail] = tuple(map(str, texts))
            case _:
                raise NotUnderstood(line[:200])
    return Configured(frozenset(jails), ignoring)


def _literal(text: str) -> object:
    """Parse a Python literal.

    Raises:
        NotUnderstood: The text is no literal.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about invalid escapes
            value: object = ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise NotUnderstood(text[:200]) from error
    return value
