"""What fail2ban-client prints, understood or refused. Pure.

A text that is not just as expected is never taken for an empty list: "no address is
banned" would then be claimed without being known.
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
    """A text that is not what was asked for."""


class Configured(Value):
    """What Fail2ban makes of its configuration files.

    Attributes:
        jails: The jails it would start.
        ignored: What each of them would ignore, as it is written, in its order.
    """

    jails: frozenset[str]
    ignored: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def by_network_text(texts: Iterable[str]) -> dict[Network, str]:
    """Networks with the text each is written as. Names and other identifiers are left out."""
    pairs = ((network_or_none(text), text) for text in texts)
    return {network: text for network, text in pairs if network is not None}


def ignored(text: str) -> tuple[str, ...]:
    """What a jail ignores, by `get JAIL ignoreip`: addresses, networks, names, files of such.

    Raises:
        NotUnderstood: It is something else.
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
    """The jails that run, with whom each has banned, by `banned`.

    Raises:
        NotUnderstood: It is something else.
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
    """What the configuration says, by `-d`: one command to the server a line.

    Raises:
        NotUnderstood: It is something else.
    """
    jails: set[str] = set()
    ignoring: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        # Most lines hold regular expressions and actions, and are none of our business.
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
    """What Python's own notation says.

    Raises:
        NotUnderstood: It is none.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of escapes that are none
            value: object = ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
        raise NotUnderstood(text[:200]) from error
    return value
