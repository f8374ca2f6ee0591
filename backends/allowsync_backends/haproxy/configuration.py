"""The uses of our list in HAProxy's configuration. Pure.

It is read for a few mistakes that leave the list without effect, and no further than that takes.
"""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from allowsync.model.target import TrustedProxies
from allowsync.model.value import Value
from allowsync_backends.common.server.listeners import listening_ports

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

# Sample fetches of client-supplied values, not of its address ("Fetching HTTP samples").
SAID: Final = re.compile(r"(?:(?:req\.)?(?:f?hdr|hdr_ip|cook|url_param|urlp)|req\.hdr_ip)\(.*")
_CONDITIONS: Final = ("if", "unless")
_OURS: Final = ("/", "unix@", "fd@", "sockpair@")  # abns@ is open to all of this machine
# Keywords by which `src` is another address than that of the connection.
_OTHERWISE: Final = frozenset({"set-src", "accept-proxy", "accept-netscaler-cip", "expect-proxy"})
_REFUSING: Final = frozenset({"deny", "reject", "silent-drop", "tarpit"})
_FORM: Final = re.compile(r"^ipv[46]@")
ADVICE: Final = "http-request set-src with its header, if { src -f PROXIES }"
_WRITABLE: Final = ("2", "3", "6", "7")


class ConfigurationLine(Value):
    """A line with words: its place, and its words without quotes."""

    place: str
    words: tuple[str, ...]

    @property
    def conditional(self) -> bool:
        """Whether it applies only under a condition."""
        return any(word in _CONDITIONS for word in self.words)


class Use(Value):
    """A place where an ACL looks into our list.

    Attributes:
        line: Its line.
        name: The name of the ACL; empty for one without.
        fetch: The sample it looks up, mostly `src`.
    """

    line: ConfigurationLine
    name: str
    fetch: str

    @property
    def is_said(self) -> bool:
        """Whether the sample is a value that the client supplies."""
        return SAID.match(self.fetch) is not None

    @property
    def is_changed(self) -> bool:
        """Whether the sample is converted from the address."""
        return self.fetch.startswith("src,")


def lines(texts: Mapping[str, str]) -> tuple[ConfigurationLine, ...]:
    """Return the lines of files with words, in order."""
    return tuple(
        ConfigurationLine(f"{file}:{number}", words)
        for file, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if (words := _words(line))
    )


def uses(all_lines: Iterable[ConfigurationLine], path: str) -> Iterator[Use]:
    """Yield the places where a list is looked into."""
    named = {path, f"file@{path}", f"opt@{path}"}
    for line in all_lines:
        for at, word in enumerate(line.words[:-1]):
            if word == "-f" and line.words[at + 1] in named:
                yield _use(line, at)


def is_in_a_condition(all_lines: Iterable[ConfigurationLine], name: str) -> bool:
    """Whether an ACL is used in any condition."""
    return any(
        name in (word.lstrip("!") for word in line.words)
        for line in all_lines
        if line.words[0] != "acl"
    )


def turned_round(
    all_lines: Iterable[ConfigurationLine], use: Use, *, allow: bool
) -> Iterator[ConfigurationLine]:
    """Yield rules with the list as their only condition that refuse the clients to admit."""
    for line in all_lines:
        at = next((n for n, word in enumerate(line.words) if word in _CONDITIONS), 0)
        asked = " ".join(line.words[at + 1 :])
        alone = asked.lstrip("! ") == use.name if use.name else asked.count("{") == 1
        here = use.name or (line is use.line and asked.endswith("}"))
        refuses_listed = asked.startswith("!") is (line.words[at] == "unless")
        if at and _REFUSING & {*line.words[:at]} and here and alone and refuses_listed is allow:
            yield line


def believed(all_lines: tuple[ConfigurationLine, ...], path: str) -> TrustedProxies | None:
    """Return no proxies, where the list is used for the connection's address; else None.

    The effects of `set-src` and the PROXY protocol are not followed.
    """
    fetches = [one.fetch for one in uses(all_lines, path)]
    words = {word for line in all_lines for word in line.words}
    ports = listening_ports(one for line in all_lines for one in addresses(line))
    if not ports or set(fetches) != {"src"} or words & _OTHERWISE:
        return None
    return TrustedProxies((), (), ports, ADVICE)


def addresses(line: ConfigurationLine) -> tuple[str, ...]:
    """Return the listening addresses of a line: none where it is no `bind`."""
    if line.words[0] != "bind" or not line.words[1:]:
        return ()
    return tuple(_FORM.sub("", one) for one in line.words[1].split(","))


def open_sockets(all_lines: Iterable[ConfigurationLine]) -> Iterator[ConfigurationLine]:
    """Yield the command sockets that are open to more than some users of this machine.

    Any client of one can change lists: up to 3.2 at any level.
    """
    for line in all_lines:
        if line.words[:2] == ("stats", "socket") and len(line.words) > 2:
            address, *rest = line.words[2:]
            if not address.startswith(_OURS) or _is_everybodys(rest):
                yield line


def _is_everybodys(parameters: list[str]) -> bool:
    """Whether others may write to a socket, and so connect to it (unix(7))."""
    for key, value in pairwise(parameters):
        if key == "mode":
            return value[-1:] in _WRITABLE
    return False


def _use(line: ConfigurationLine, at: int) -> Use:
    if line.words[0] == "acl":
        return Use(line, line.words[1], line.words[2] if at > 2 else "")
    opening = [n for n, word in enumerate(line.words[:at]) if word.lstrip("!") == "{"]
    first = opening[-1] + 1 if opening else 0
    return Use(line, "", line.words[first] if first < at else "")


def _words(line: str) -> tuple[str, ...]:
    """Return the words of a line, up to a comment."""
    try:
        return tuple(shlex.split(line, comments=True))
    except ValueError:  # an open quote: HAProxy reports that
        return tuple(line.split())
