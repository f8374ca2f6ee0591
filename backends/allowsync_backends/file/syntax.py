"""Syntaxes of networks in a file, written and read. Pure."""

from __future__ import annotations

import json
import re
from ipaddress import ip_network
from typing import TYPE_CHECKING, Final, Protocol

from allowsync.model.target import Effect
from allowsync.model.types import Entry, Network, by_network
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

GENERATOR: Final = "allowsync"

_HEADER: Final = re.compile(r'Written by allowsync for allowlist "([^"\n]*)"\.')

# The name of its list in a file's heading or JSON key: of an allowlist, of a denylist.
_NAMED: Final = (
    ('Written by allowsync for allowlist "', 'Written by allowsync for denylist "'),
    ('"allowlist": "', '"denylist": "'),
)

_LIST: Final = re.compile(
    r'Written by allowsync for (allowlist|denylist) "([^"\n]*)"\.'
    r'|"generator": "allowsync",\s+"(allowlist|denylist)": "([^"\n]*)"'
)

_JSON_HEAD: Final = re.compile(
    r'\{\s+"generator": "allowsync",\s+"allowlist": "([^"\n]*)",\s+"networks": \['
)
_JSON_TEXT: Final = re.compile(r'"([^"\n]*)"')

_FAR: Final = 120  # characters: a comment's beginning, and the words


class FileContent(Value):
    """The content of a file of ours: its allowlist, and its readable networks."""

    allowlist: str
    networks: frozenset[Network]

    @property
    def entries(self) -> frozenset[Entry]:
        """The same as entries."""
        return frozenset(map(Entry, self.networks))


class Syntax(Protocol):
    """One syntax of an allowlist.

    `render` returns the same text for the same networks in any order, and never an empty one, and
    `parse` returns the networks given to `render`.
    """

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        ...

    def parse(self, text: str) -> FileContent | None:
        """Return the content of a file; None when it was not written by us."""
        ...


def header(allowlist: str) -> str:
    """Return the words that mark a file as ours, for a comment in its first line."""
    return (
        f'Written by allowsync for allowlist "{allowlist}". Do not edit: changes are overwritten.'
    )


def owner(text: str, comment: str = "# ") -> str | None:
    """Return the allowlist a file was written for, by its first line; None when it is not ours."""
    first, _, _ = text.partition("\n")
    if not first.startswith(comment):
        return None
    match = _HEADER.match(first.removeprefix(comment))
    return match[1] if match else None


def claimed(text: str) -> str | None:
    """Return the same with any text before the words: another comment, say."""
    first, _, _ = text.partition("\n")
    match = _HEADER.search(first, 0, _FAR)
    return match[1] if match else None


class DenySyntax(Value):
    """An allowlist's syntax, used for a denylist: the file names its kind.

    So neither is ever mistaken for the other, by people, by a program, or by a target of that name.
    """

    form: Syntax

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        return _renamed(self.form.render(allowlist, networks), dict(_NAMED))

    def parse(self, text: str) -> FileContent | None:
        """Return the content of a denylist's file, which is not one of an allowlist as well."""
        written = _renamed(text, {deny: allow for allow, deny in _NAMED})
        if written == text or self.form.parse(text) is not None:
            return None
        return self.form.parse(written)


def of_effect(form: Syntax, effect: Effect) -> Syntax:
    """Return the syntax of networks to admit, or to block."""
    return DenySyntax(form) if effect is Effect.DENY else form


def marked_for(effect: Effect, text: str) -> str:
    """Return lines with our heading, with that of a denylist where they are of one."""
    allow, deny = _NAMED[0]
    return text.replace(allow, deny) if effect is Effect.DENY else text


def unmarked_for(effect: Effect, text: str) -> str:
    """Undo `marked_for`; without a heading where that is of the other effect."""
    if effect is Effect.ALLOW:
        return text
    allow, deny = _NAMED[0]
    return text.replace(allow, "").replace(deny, allow)


def named_list(text: str) -> str:
    """Return the list that a file of ours names: `denylist "x"`; empty where it names none."""
    found = _LIST.search(text)
    return f'{found[1] or found[3]} "{found[2] or found[4]}"' if found else ""


def is_preceded(text: str) -> bool:
    """Whether lines precede the heading of a file of ours, which then counts as foreign."""
    found = _LIST.search(text)
    return found is not None and bool(found[1]) and "\n" in text[: found.start()]


def _renamed(text: str, names: Mapping[str, str]) -> str:
    """Return a text with the first of some names in it replaced."""
    for old, new in names.items():
        if old in text:
            return text.replace(old, new, 1)
    return text


def network_or_none(text: str) -> Network | None:
    """Parse a network, strictly: host bits, zones and octal are no network."""
    try:
        return ip_network(text)
    except ValueError:
        return None


class TextSyntax:
    """Comment lines, then one network in CIDR form a line, IPv4 first, sorted."""

    def render(self, allowlist: str, networks: Iterable[Network]) -> str:
        """Return the whole file."""
        lines = (str(network) for network in sorted(networks, key=by_network))
        return "\n".join((f"# {header(allowlist)}", *lines, ""))

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its lines; lines without one are skipped."""
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
        """Return the whole file."""
        document = {
            "generator": GENERATOR,
            "allowlist": allowlist,
            "networks": [str(network) for network in sorted(networks, key=by_network)],
        }
        return json.dumps(document, indent=2) + "\n"

    def parse(self, text: str) -> FileContent | None:
        """Read the networks of its list; items without one are skipped.

        Damaged JSON is ours by its beginning, as a file of lines is.
        """
        try:
            document = json.loads(text)
        except (ValueError, RecursionError):
            return _damaged(text)
        match document:
            case {"generator": "allowsync", "allowlist": str(allowlist), "networks": [*listed]}:
                found = (network_or_none(one) for one in listed if isinstance(one, str))
                return FileContent(allowlist, frozenset(one for one in found if one is not None))
            case _:
                return None


def _damaged(text: str) -> FileContent | None:
    """Return the content left of a damaged `JsonSyntax` file behind its beginning."""
    head = _JSON_HEAD.match(text)
    if head is None:
        return None
    found = map(network_or_none, _JSON_TEXT.findall(text, head.end()))
    return FileContent(head[1], frozenset(one for one in found if one is not None))
