"""How networks are written into a file and read from it again. Pure."""

from __future__ import annotations

import json
import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final, Protocol

from allowsync.model.types import Entry, Network, by_network
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

GENERATOR: Final = "allowsync"

_HEADER: Final = re.compile(r'Written by allowsync for allowlist "([^"\n]*)"\.')

_FAR: Final = 120  # characters: a comment's beginning, and the words


class FileContent(Value):
    """What a file of ours holds: whose it is, and the networks that could be understood."""

    allowlist: str
    networks: frozenset[Network]

    @property
    def entries(self) -> frozenset[Entry]:
        """The same as entries."""
        return frozenset(map(Entry, self.networks))


class Syntax(Protocol):
    """One way of writing an allowlist down.

    `render` gives the same text for the same networks in any order, and never an empty one, and
    `parse` gives back what `render` was given.
    """

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """The whole file."""
        ...

    def parse(self, text: str) -> FileContent | None:
        """What a file holds; None when it was not written by us."""
        ...


def header(allowlist: str) -> str:
    """The words that make a file ours, to stand in a comment of its first line."""
    return (
        f'Written by allowsync for allowlist "{allowlist}". Do not edit: changes are overwritten.'
    )


def owner(text: str, comment: str = "# ") -> str | None:
    """The allowlist a file was written for, by its first line; None when it is not ours."""
    first, _, _ = text.partition("\n")
    if not first.startswith(comment):
        return None
    match = _HEADER.match(first.removeprefix(comment))
    return match[1] if match else None


def claimed(text: str) -> str | None:
    """The same, whatever stands before the words: another comment, say."""
    first, _, _ = text.partition("\n")
    match = _HEADER.search(first, 0, _FAR)
    return match[1] if match else None


def network_or_none(text: str) -> Network | None:
    """A network in text, strictly: host bits, zones and octal are no network."""
    try:
        return ip_network(text)
    except ValueError:
        return None


class TextSyntax:
    """Comment lines, then one network in CIDR form a line, IPv4 first, sorted."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """The whole file."""
        lines = (str(network) for network in sorted(networks, key=by_network))
        return "\n".join((f"# {header(allowlist)}", *lines, ""))

    def parse(self, text: str) -> FileContent | None:
        """The networks of its lines; lines that are none are passed over."""
        allowlist = owner(text)
        if allowlist is None:
            return None
        found = (network_or_none(line.strip()) for line in text.splitlines())
        return FileContent(
            allowlist, frozenset(network for network in found if network is not None)
        )


class JsonSyntax:
    """An object with `generator`, `allowlist` and the sorted list `networks`."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """The whole file."""
        document = {
            "generator": GENERATOR,
            "allowlist": allowlist,
            "networks": [str(network) for network in sorted(networks, key=by_network)],
        }
        return json.dumps(document, indent=2) + "\n"

    def parse(self, text: str) -> FileContent | None:
        """The networks of its list; items that are none are passed over."""
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return None
        match document:
            case {"generator": "allowsync", "allowlist": str(allowlist), "networks": [*listed]}:
                found = (network_or_none(one) for one in listed if isinstance(one, str))
                return FileContent(allowlist, frozenset(one for one in found if one is not None))
            case _:
                return None
