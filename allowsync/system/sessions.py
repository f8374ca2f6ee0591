"""Where people are logged in from, by what systemd-logind keeps of sessions."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from ipaddress import IPv4Address, IPv6Address

SESSIONS: Final = Path("/run/systemd/sessions")
_HOST: Final = "REMOTE_HOST="


def remote_addresses(folder: Path = SESSIONS) -> Iterator[IPv4Address | IPv6Address]:
    """The addresses of those who are logged in over the network, as far as that is known.

    Who only tries to log in is not among them.
    """
    try:
        files = sorted(folder.iterdir())
    except OSError:
        return
    for file in files:
        try:
            lines = file.read_text(errors="replace").splitlines()
            found = next(one for one in lines if one.startswith(_HOST))
            address = ip_address(found.removeprefix(_HOST).partition("%")[0])
        except (OSError, ValueError, StopIteration):
            continue
        yield getattr(address, "ipv4_mapped", None) or address
