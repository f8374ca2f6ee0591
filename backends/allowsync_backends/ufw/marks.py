"""Rules of any allowlist and configuration, found by the mark in their comments."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import MARK, Marked
from allowsync.model.types import BOTH_FAMILIES
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.ufw import rules_store
from allowsync_backends.ufw.backend import UfwBackend
from allowsync_backends.ufw.options import UfwOptions
from allowsync_backends.ufw.tuples import MARK as TUPLE
from allowsync_backends.ufw.tuples import apart, parse, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from allowsync.model.target import Place

_OURS: Final = re.compile(rf"^{TUPLE}.* comment={MARK.encode().hex()}[0-9a-f]*$", re.MULTILINE)
_ALLOWLIST: Final = re.compile("[a-z][a-z0-9_]{0,17}")


def marked(known: Collection[Place]) -> Iterator[Marked]:
    """Yield the present rules, except those at known places."""
    found: dict[tuple[str, bool, str], set[Port]] = {}
    for family in BOTH_FAMILIES:
        try:
            text = rules_store.path(family).read_text(errors="replace")
        except OSError:  # no UFW here, or not for this user
            continue
        for line in _OURS.findall(text):
            one = parse(line)
            rule = None if one is None else plain(one)
            if one is None or rule is None:
                continue
            comment, installation = apart(one.comment)
            allowlist = comment.removeprefix(MARK).partition(":")[0]
            if _ALLOWLIST.fullmatch(allowlist):
                first, _, last = rule.ports.partition(":")
                port = Port(int(first), int(last or first), Protocol(rule.protocol))
                found.setdefault((allowlist, one.forward, installation), set()).add(port)
    for (allowlist, route, installation), ports in found.items():
        options = UfwOptions(ports=tuple(sorted(ports, key=str)), route=route)
        (place,) = options.places(allowlist)
        if place not in known:
            yield Marked(allowlist, place, UfwBackend(allowlist, options), installation, opens=True)
