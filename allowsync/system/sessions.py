"""The source addresses of login sessions, from systemd-logind's files."""

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
    """Yield the source addresses of remote login sessions, as far as known.

    Attempts to log in do not count.
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
