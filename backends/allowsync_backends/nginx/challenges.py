"""Locations of ACME challenges that pass requests on to the guarded service. Pure.

A certificate authority requests a challenge from anywhere (RFC 8555, 8.3), so such a location may
admit everyone, where files or an ACME client of its own answer.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.model.target import Finding, Severity
from allowsync_backends.nginx.access import has_rules, is_challenge, lets_strangers_in
from allowsync_backends.nginx.configuration import walk

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync_backends.nginx.configuration import DirectivePlace, NginxDirective

_END: Final = re.compile(r"(?:\w+://)?([^/]+)")  # of a URL or an address; a path replaces the URI
_ADVICE: Final = (
    "answer with files (root), or name the ACME client's own address; where the service itself "
    "answers challenges, that is right"
)


def passed_on(
    whole: tuple[NginxDirective, ...], place: DirectivePlace, path: str
) -> Iterator[Finding]:
    """Report challenge locations that lead strangers to an upstream of a guarded location."""
    server = next((one for one in reversed(place.around) if one.name == "server"), None)
    scope = place.siblings if server is None else server.block
    found = [one for one in walk(scope) if is_challenge(one)]
    inside = {id(one) for location in found for one in walk(location.block)}
    guarded = (one for one in walk(place.siblings) if id(one) not in inside)
    servers = {one.words[-1]: _servers(one) for one in walk(whole) if one.name == "upstream"}
    ends = _ends(guarded, servers)
    for location in found:
        rules = location.block if has_rules(location.block) else scope
        includes = any(one.words == ("include", path) for one in rules)
        if (
            not includes
            and lets_strangers_in(rules)
            and ends & _ends(walk(location.block), servers)
        ):
            what = (
                f'"{location.text}" ({location.file}) passes strangers on to the service that '
                f"{path} guards"
            )
            yield Finding(Severity.WARNING, what, _ADVICE)


def _servers(upstream: NginxDirective) -> frozenset[str]:
    return frozenset(_named(one.words[1]) for one in upstream.block if one.name == "server")


def _ends(directives: Iterable[NginxDirective], servers: dict[str, frozenset[str]]) -> set[str]:
    """Return the addresses to which directives pass requests on."""
    passes = (one.words[-1] for one in directives if one.name.endswith("_pass"))
    ends = [found[1] for one in passes if (found := _END.match(one))]
    return {address for one in ends for address in servers.get(one, {_named(one)})}


def _named(end: str) -> str:
    return end.replace("localhost", "127.0.0.1", 1).removesuffix(":80")
