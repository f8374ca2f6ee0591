"""Trust in client-supplied addresses in HAProxy. Pure.

`set-src` takes the address from a header, and the PROXY protocol from the first line of a
connection. A client can spoof both unless a condition tests the peer: for `accept-proxy` that is
`tcp-request connection`, whose rules alone see the connection's own address (docs.haproxy.org,
"accept-proxy" and "tcp-request connection").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync_backends.common.server.listeners import is_open
from allowsync_backends.haproxy.configuration import SAID, addresses, uses

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync_backends.haproxy.configuration import ConfigurationLine

_SECTIONS: Final = ("global", "defaults", "frontend", "listen", "backend", "program", "peers")
_ACCEPTING: Final = frozenset({"accept-proxy", "accept-netscaler-cip"})
_EXPECTING: Final = frozenset({"expect-proxy", "expect-netscaler-cip"})
_VARIABLE: Final = re.compile(r"var\(([^,)]+)")
# Proxies append to this one: its first address is the client's own text.
_FIRST: Final = re.compile(r"[\w.]*hdr(?:_ip)?\(x-forwarded-for,\s*\+?[1-9]\d*\)", re.IGNORECASE)


def believers(all_lines: Sequence[ConfigurationLine], path: str) -> Iterator[ConfigurationLine]:
    """Yield lines by which any client can spoof the address that our list is used for."""
    acls = _acls(all_lines)
    variables = {match[1] for use in uses(all_lines, path) if (match := _VARIABLE.match(use.fetch))}
    for line in all_lines:
        source = _told_by(line, variables)
        if SAID.match(source) and (_FIRST.match(source) or not asks_who_is_connected(line, acls)):
            yield line


def open_protocols(all_lines: Sequence[ConfigurationLine]) -> Iterator[ConfigurationLine]:
    """Yield the lines that accept a PROXY header of any client."""
    acls = _acls(all_lines)
    for section in _sections(all_lines):
        rules = [one for one in section if one.words[:2] == ("tcp-request", "connection")]
        yield from (
            one
            for one in rules
            if _EXPECTING & set(one.words) and not asks_who_is_connected(one, acls)
        )
        if any("reject" in one.words and one.conditional for one in rules):
            continue
        for one in section:
            if _ACCEPTING & set(one.words) and any(map(is_open, addresses(one))):
                yield one


def asks_who_is_connected(line: ConfigurationLine, acls: dict[str, str]) -> bool:
    """Whether a line applies to some addresses alone: each branch of its condition names them."""
    words = list(line.words)
    at = next((n for n, word in enumerate(words) if word in ("if", "unless")), len(words))
    reverse = words[at : at + 1] == ["unless"]
    text = " ".join(words[at + 1 :])
    ways = re.split(r"\s(?:\|\||or)\s", text) if text else []
    if reverse and len(ways) != 1:
        return False
    return bool(ways) and all(_names_sources(way, acls, reverse=reverse) for way in ways)


def _names_sources(way: str, acls: dict[str, str], *, reverse: bool) -> bool:
    terms = re.findall(r"(!?)\s*(\{[^{}]*\}|[^\s!{}]+)", way)
    asked = [
        bool(denied) == reverse and _fetch(term, acls).partition(",")[0] == "src"
        for denied, term in terms
    ]
    return all(asked) if reverse else any(asked)


def _fetch(term: str, acls: dict[str, str]) -> str:
    """Return the sample of a condition's term: in braces its first word, else that of the ACL."""
    words = term.strip("{} ").split()
    return words[0] if term.startswith("{") and words else acls.get(term, "")


def _acls(all_lines: Sequence[ConfigurationLine]) -> dict[str, str]:
    """Return the sample of each ACL."""
    return {
        one.words[1]: one.words[2]
        for one in all_lines
        if one.words[0] == "acl" and len(one.words) > 2
    }


def _told_by(line: ConfigurationLine, variables: set[str]) -> str:
    """Return the sample that a line uses as the client's address; empty for others."""
    match line.words:
        case ("http-request", "set-src", source, *_) | ("tcp-request", _, "set-src", source, *_):
            return source
        case ("http-request", setting, source, *_) | ("tcp-request", _, setting, source, *_):
            name = setting.removeprefix("set-var(").rstrip(")").partition(",")[0]
            return source if setting.startswith("set-var(") and name in variables else ""
        case _:
            return ""


def _sections(all_lines: Sequence[ConfigurationLine]) -> Iterator[list[ConfigurationLine]]:
    section: list[ConfigurationLine] = []
    for line in all_lines:
        if line.words[0] in _SECTIONS:
            yield section
            section = []
        section.append(line)
    yield section
