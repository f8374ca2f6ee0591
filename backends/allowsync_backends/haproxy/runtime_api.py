"""Commands at HAProxy's stats socket, and the parsing of its answers. Pure.

From "Unix Socket commands" in HAProxy's Management Guide. An ACL loaded from a file is named by
that file in `show acl`. Since version 2.4 the lists have versions, so that a list can be replaced
in one step: `prepare acl`, `add acl @version`, `commit acl`.
"""

from __future__ import annotations

import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.model.types import Network

PROMPT: Final = b"> "
WHO: Final = "show info"
LISTS: Final = "show acl"

# A line of commands has to fit into a buffer (`tune.bufsize`), of 16,384 bytes unless the user
# changed that.
LINE: Final = 4_096  # bytes

_PROCESSES: Final = re.compile(r"^Nbproc: (\d+)$", re.MULTILINE)
_PREPARED: Final = re.compile(r"New version created: (\d+)\s*")
_PATTERN: Final = re.compile(r"(0x[0-9a-f]+) (.*)")


class UnreadableAnswer(BackendError):
    """An answer has an unexpected form."""

    def __init__(self, said: str) -> None:
        super().__init__(f"haproxy answered what cannot be understood: {said[:100]!r}")


class Acl(Value):
    """A list of patterns as named at the socket.

    Attributes:
        number: Its id.
        versioned: Whether it can be replaced in one step.
    """

    number: int
    versioned: bool

    def __str__(self) -> str:
        return f"#{self.number}"


class Patterns(Value):
    """The content of a list.

    Attributes:
        networks: The networks of its patterns, by their references.
        odd: Patterns that match something else than a network, by theirs.
    """

    networks: dict[str, Network]
    odd: dict[str, str]

    @property
    def held(self) -> frozenset[Network]:
        """The networks, each once."""
        return frozenset(self.networks.values())


def answers(said: bytes, number: int) -> list[str] | None:
    """Return the answers to the commands of one line; None while something is missing.

    An empty line ends each, and no answer contains one. A prompt follows the last of them, or each,
    as in version 2.6.

    Args:
        said: The data received after the line.
        number: The number of commands in it.

    Raises:
        UnreadableAnswer: There is more data.
    """
    found: list[str] = []
    at = 0
    while len(found) < number:
        if found and said.startswith(PROMPT, at):
            at += len(PROMPT)
        # Only the empty line, or lines and then the empty one.
        end = at if said.startswith(b"\n", at) else said.find(b"\n\n", at)
        if end < 0:
            return None
        found.append(said[at:end].decode(errors="replace"))
        at = end + (1 if end == at else 2)
    rest = said[at:]
    if not PROMPT.startswith(rest):
        raise UnreadableAnswer(rest.decode(errors="replace"))
    return found if rest == PROMPT else None


def processes(text: str) -> int:
    """Return the number of processes that each answer for themselves, by `show info`.

    Raises:
        UnreadableAnswer: It is no answer to that.
    """
    if not text.startswith("Name: "):
        raise UnreadableAnswer(text)
    # Since version 2.5 there is always one; a later version may omit the line.
    match = _PROCESSES.search(text)
    return 1 if match is None else int(match[1])


def acl_of(path: str, listing: str) -> Acl | None:
    """Return the list that was loaded from a file, by `show acl`; None when none was.

    Raises:
        UnreadableAnswer: It is no such listing.
    """
    first, *lines = listing.splitlines() or [""]
    if first != "# id (file) description":
        raise UnreadableAnswer(listing)
    # Version 3.0 shows a file the way the configuration names it.
    named = re.compile(rf"(\d+) \((?:file@|opt@)?{re.escape(path)}\) (.*)")
    for line in lines:
        match = named.fullmatch(line)
        if match is not None:
            return Acl(int(match[1]), " curr_ver=" in match[2])
    return None


def patterns(text: str) -> Patterns:
    """Return the patterns of a list, by `show acl #id`.

    Raises:
        UnreadableAnswer: It is no such listing.
    """
    networks, odd = {}, {}
    for line in text.splitlines():
        match = _PATTERN.fullmatch(line)
        if match is None:
            raise UnreadableAnswer(line)
        network = network_of(match[2])
        if network is None:
            odd[match[1]] = match[2]
        else:
            networks[match[1]] = network
    return Patterns(networks, odd)


def network_of(pattern: str) -> Network | None:
    """Return the network that a pattern matches; None for anything else.

    HAProxy ignores host bits, and reads a mask literally, gaps included, where Python reads one
    that begins with zeros as its opposite.
    """
    try:
        network = ip_network(pattern, strict=False)
    except ValueError:
        return None
    _, slash, width = pattern.partition("/")
    as_said = not slash or width in {str(network.prefixlen), str(network.netmask)}
    return network if as_said else None


def version_in(text: str) -> int | None:
    """Return the version that `prepare acl` made; None when it made none."""
    match = _PREPARED.fullmatch(text)
    return None if match is None else int(match[1])


def additions(acl: Acl, networks: Iterable[Network], version: int | None = None) -> Iterator[str]:
    """Yield the commands that add networks to a list, or to a version of it being prepared."""
    place = str(acl) if version is None else f"@{version} {acl}"
    return (f"add acl {place} {network}" for network in networks)


def in_lines(commands: Iterable[str]) -> Iterator[tuple[str, ...]]:
    """Group commands, each group short enough for one line."""
    group: list[str] = []
    length = 0
    for command in commands:
        length += len(command) + 1
        if length > LINE:
            yield tuple(group)
            group, length = [], len(command) + 1
        group.append(command)
    if group:
        yield tuple(group)
