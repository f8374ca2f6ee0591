"""The nameservers to ask. Cheap to import: needs no socket."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from pathlib import Path

from allowsync.model.nameserver import Nameserver
from allowsync.model.value import replace
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from allowsync.model.nameserver import ResolverSettings

RESOLV_CONF: Final = Path("/etc/resolv.conf")
# The upstream nameservers of systemd-resolved(8), where the file above names only its stub.
BEHIND_STUB: Final = Path("/run/systemd/resolve/resolv.conf")
MAX_SYSTEM_NAMESERVERS: Final = 3  # MAXNS of resolv.conf(5): other programs ask no more than these


def nameservers_of(
    settings: ResolverSettings, servers: Iterable[Nameserver] = ()
) -> tuple[Nameserver, ...]:
    """Return the nameservers given, else those of the settings, else the system's."""
    return distinct(tuple(servers) or settings.nameservers or system_nameservers())


def distinct(nameservers: Iterable[Nameserver]) -> tuple[Nameserver, ...]:
    """Return nameservers without repetition, however their addresses are written.

    An IPv4 address mapped into IPv6 (RFC 4291) leads to the same machine. Its word counts once.
    """
    return tuple(dict.fromkeys(map(_canonical, nameservers)))


def _canonical(one: Nameserver) -> Nameserver:
    if ":" not in one.address or "%" in one.address:
        return one
    address = ip_address(one.address)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return replace(one, address=str(mapped or address))


def system_nameservers(path: Path = RESOLV_CONF) -> tuple[Nameserver, ...]:
    """Return the nameservers of this machine, in order and without repetition.

    By resolv.conf(5): lines that start with `nameserver`, the first three of them; the local
    machine where there are none or the file cannot be read. A line without an IP address is
    skipped, as the C library does.
    """
    found = nameservers_in(path)[:MAX_SYSTEM_NAMESERVERS]
    return distinct(found) or (Nameserver("127.0.0.1"),)


def nameservers_in(path: Path) -> list[Nameserver]:
    """Return all nameservers of a resolv.conf(5) file; none where it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return []
    return [server for line in text.splitlines() if (server := _nameserver(line)) is not None]


def _nameserver(line: str) -> Nameserver | None:
    if line[:1].isspace():  # the keyword must start the line
        return None
    words = line.replace("#", ";").partition(";")[0].split()
    if len(words) < 2 or words[0] != "nameserver" or not _is_address(words[1]):
        return None
    return Nameserver(words[1])


def _is_address(text: str) -> bool:
    address, _, _ = text.partition("%")
    try:
        ip_address(address)
    except ValueError:
        return False
    return True
