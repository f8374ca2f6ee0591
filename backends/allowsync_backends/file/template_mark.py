"""The mark of a text rendered from a template, by which it is recognized. Pure.

Such a text cannot be parsed: a template may show some of the networks, in any form, or none. So a
mark of a few lines records the entries it was rendered from:

    Written by allowsync for allowlist "jellyfin". Do not edit: changes are overwritten.
    198.51.100.20/32 alice (replaced)
    203.0.113.7/32 alice
    203.0.113.7/32 bob
    template 0f343b0931126a20f133d67c2b018a3b text 2cf24dba5fb0a30e26e83b2ac5b9e29e

Its place is in comments at the top of the text, or in a file beside it. Lines stay short: nginx,
for one, refuses a comment of 4,096 characters.
"""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from allowsync.model.types import Entry, Network, by_network
from allowsync.model.value import Value
from allowsync_backends.file.syntax import header, network_or_none

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DIGITS: Final = 32
_REPLACED: Final = " (replaced)"

_MARK: Final = re.compile(
    r'(?P<comment>[^\n]{0,40}?)Written by allowsync for allowlist "(?P<allowlist>[^"\n]*)"\.'
    r"[^\n]*\n"
    r"(?P<entries>(?:(?P=comment)[0-9a-f.:]+/[0-9]+(?: [a-z0-9_.-]+(?: \(replaced\))?)?\n)*)"
    r"(?P=comment)template (?P<source>[0-9a-f]{32}) text (?P<text>[0-9a-f]{32})(?:\n|\Z)"
)


class Mark(Value):
    """The record of a text rendered from a template.

    Attributes:
        allowlist: The allowlist it was rendered for.
        entries: All its entries, sorted, with their hosts.
        source: The digest of the template.
        text: The digest of the text, and of all of the above.
    """

    allowlist: str
    entries: tuple[Entry, ...]
    source: str
    text: str

    def lines(self, comment: str = "") -> str:
        """Return the mark as lines, each behind the same prefix."""
        lines = (
            header(self.allowlist),
            *_written(self.entries),
            f"template {self.source} text {self.text}",
        )
        return "".join(f"{comment}{line}\n" for line in lines)

    def is_of(self, text: str) -> bool:
        """Whether it was made for just this text, and is unchanged itself."""
        return self.text == _digest(self.allowlist, self.entries, self.source, text)


class MarkedText(Value):
    """A mark as found: the prefix of each of its lines, and the text after it."""

    mark: Mark
    comment: str
    text: str


def mark_of(allowlist: str, entries: Iterable[Entry], source: str, text: str) -> Mark:
    """Return the mark of a text.

    Args:
        allowlist: The allowlist it was rendered for.
        entries: All its entries, in any order.
        source: The digest of its template.
        text: The text.
    """
    ordered = tuple(sorted(entries, key=lambda entry: by_network(entry.network)))
    return Mark(allowlist, ordered, source, _digest(allowlist, ordered, source, text))


def digest(*parts: bytes) -> str:
    """Return a short digest of some bytes, unique in practice."""
    summary = sha256()
    for part in parts:
        summary.update(len(part).to_bytes(8, "big"))
        summary.update(part)
    return summary.hexdigest()[:_DIGITS]


def leading(text: str) -> MarkedText | None:
    """Return the mark at the beginning of a text; None without one."""
    found = _MARK.match(text)
    if found is None:
        return None
    mark = Mark(found["allowlist"], _entries(found), found["source"], found["text"])
    return MarkedText(mark, found["comment"], text[found.end() :])


def several(text: str) -> tuple[Mark, ...]:
    """Parse consecutive marks; anything after the last of them is ignored."""
    marks: list[Mark] = []
    while (found := leading(text)) is not None:
        marks.append(found.mark)
        text = found.text
    return tuple(marks)


def _digest(allowlist: str, entries: Iterable[Entry], source: str, text: str) -> str:
    parts = (allowlist, "\n".join(_written(entries)), source, text)
    return digest(*(part.encode(errors="surrogatepass") for part in parts))


def _written(entries: Iterable[Entry]) -> Iterator[str]:
    """Yield a line for each network and each of its hosts; one for a network without hosts."""
    for entry in entries:
        if not entry.hosts:
            yield str(entry.network)
        for host in entry.hosts:
            yield f"{entry.network} {host}{_REPLACED if host in entry.replaced else ''}"


def _entries(found: re.Match[str]) -> tuple[Entry, ...]:
    """Return the entries of a mark, sorted. Invalid lines are skipped."""
    hosts: dict[Network, dict[str, bool]] = {}
    for line in found["entries"].splitlines():
        written, _, label = line.removeprefix(found["comment"]).partition(" ")
        network = network_or_none(written)
        if network is None:
            continue
        known = hosts.setdefault(network, {})
        name = label.removesuffix(_REPLACED)
        if name:
            known[name] = name != label or known.get(name, False)
    return tuple(
        Entry(
            network,
            tuple(hosts[network]),
            tuple(name for name, replaced in hosts[network].items() if replaced),
        )
        for network in sorted(hosts, key=by_network)
    )
