"""Sets of any allowlist that firewalld keeps, found by the mark in their files."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.model.target import Place
from allowsync_backends.firewalld.options import FILES, FirewalldOptions

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

    from allowsync.backend.api import Marked

_SHORT: Final = re.compile("<short>allowsync:([a-z][a-z0-9_]{0,17})</short>")
_INSTALLATION: Final = re.compile("<description>Kept by allowsync ([0-9a-f]{8});")
_PORT: Final = re.compile(
    r'<source ipset="allowsync-(\w+)-[46]"/>\s*<port port="(\d+)(?:-(\d+))?" protocol="(tcp|udp)"/>'
)


def marked(known: Collection[Place]) -> Iterator[Marked]:
    """Yield the present sets with the rules that open ports to them, except known ones."""
    found: dict[str, str] = {}
    for path in sorted(FILES.glob("ipsets/allowsync-*-[46].xml")):
        text = _text(path)
        short, whose = _SHORT.search(text), _INSTALLATION.search(text)
        if short and path.stem.startswith(f"allowsync-{short[1]}-"):
            found[short[1]] = found.get(short[1]) or (whose[1] if whose else "")
    for allowlist, installation in found.items():
        place = Place("ipset", (f"allowsync-{allowlist}-4",))
        if place not in known:
            yield _marked(allowlist, place, installation)


def _marked(allowlist: str, place: Place, installation: str) -> Marked:
    from allowsync.backend.api import Marked
    from allowsync_backends.common.ports import Port, Protocol
    from allowsync_backends.firewalld.backend import FirewalldBackend

    ports = {
        Port(int(first), int(last or first), Protocol(protocol))
        for path in sorted(FILES.glob("zones/*.xml"))
        for name, first, last, protocol in _PORT.findall(_text(path))
        if name == allowlist
    }
    options = FirewalldOptions(ports=tuple(sorted(ports, key=str)))
    return Marked(allowlist, place, FirewalldBackend(allowlist, options), installation, opens=True)


def _text(path: Path) -> str:
    """Return the content of a file; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
