"""Detection of this machine's firewalls and of the clients connected now. Changes nothing."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import BackendError
from allowsync.backend.driver import unusable
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync.backend.api import AnyBackendType
    from allowsync.model.types import Address

ESTABLISHED: Final = "01"  # TCP_ESTABLISHED, linux/tcp_states.h
LISTENS: Final = "0A"  # TCP_LISTEN
JELLYFIN: Final = 8096  # its default port
_CONNECTIONS: Final = ("/proc/net/tcp", "/proc/net/tcp6")

# The order among usable firewalls: a gate before all other rules comes first.
_PREFERRED: Final = ("nftables", "ipset", "ufw")


class Firewall(Value):
    """A firewall that could guard ports.

    Attributes:
        name: Its backend.
        summary: Its description, in a line.
        unusable: The reason why it cannot be used here; empty if it can.
    """

    name: str
    summary: str
    unusable: str


def firewalls(types: Iterable[AnyBackendType]) -> list[Firewall]:
    """The possible firewalls, the usable and the preferred first."""
    found = [Firewall(one.name, one.summary, _unusable(one)) for one in types]
    return sorted(found, key=lambda one: (bool(one.unusable), _rank(one.name), one.name))


def _unusable(kind: AnyBackendType) -> str:
    try:
        return unusable(kind)
    except BackendError as error:
        return str(error)


def _rank(name: str) -> int:
    return _PREFERRED.index(name) if name in _PREFERRED else len(_PREFERRED)


def suggested(found: Sequence[Firewall], *, ufw_active: bool, docker: bool) -> str:
    """The firewall to suggest; empty if none is usable.

    An active UFW blocks ports itself, so it has to allow the hosts. Ports published by Docker
    bypass it: those need a gate in front.
    """
    usable = [one.name for one in found if not one.unusable]
    if ufw_active and not docker and "ufw" in usable:
        return "ufw"
    return usable[0] if usable else ""


def ufw_active(settings: Path = Path("/etc/ufw/ufw.conf")) -> bool:
    """Whether UFW is switched on (ufw(8))."""
    return _said(settings, "ENABLED").lower() == "yes"


def _said(settings: Path, key: str) -> str:
    """The value of a key in a file of `KEY=value` lines; empty without one."""
    try:
        lines = settings.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    said = [line.partition("=")[2] for line in lines if line.strip().startswith(f"{key}=")]
    return said[-1].strip(" \"'") if said else ""


def default_zone(settings: Path = Path("/etc/firewalld/firewalld.conf")) -> str:
    """The zone of all interfaces without an explicit one (firewalld.conf(5))."""
    return _said(settings, "DefaultZone") or "public"


def docker_runs(interfaces: Path = Path("/sys/class/net")) -> bool:
    """Whether Docker has a bridge here."""
    return (interfaces / "docker0").exists()


def listens(port: int, tables: Iterable[str] = _CONNECTIONS) -> bool:
    """Whether a socket of this machine listens at a TCP port, as Docker's do for its ports."""
    listening = f":{port:04X}"
    rows = (row for path in tables for row in _rows(_text(Path(path))))
    return any(row[1].endswith(listening) and row[3] == LISTENS for row in rows)


class Connection(Value):
    """A client: its source address, and the port of this machine."""

    peer: Address
    port: int
    protocol: str = "tcp"

    @property
    def service(self) -> str:
        """The client's service as a configuration names it: `8096/tcp`."""
        return f"{self.port}/{self.protocol}"


def connections() -> list[Connection]:
    """The TCP connections of this machine's own sockets, without loopback."""
    found = (one for path in _CONNECTIONS for one in parse(_text(Path(path))))
    return [one for one in found if not one.peer.is_loopback]


def _text(table: Path) -> str:
    try:
        return table.read_text()
    except OSError:
        return ""  # a kernel without IPv6


def parse(table: str) -> Iterator[Connection]:
    """Established connections in the form of /proc/net/tcp and tcp6 (proc(5))."""
    for row in _rows(table):
        if row[3] == ESTABLISHED:
            peer, port = row[2].partition(":")[0], row[1].partition(":")[2]
            yield Connection(_address(peer), int(port, 16))


def _rows(table: str) -> Iterator[list[str]]:
    """The rows as words: number, local address, peer, state, and more."""
    rows = (line.split() for line in table.splitlines()[1:])
    return (row for row in rows if len(row) > 3)


def _address(text: str) -> Address:
    """An address in /proc's format: 32-bit words, each in the byte order of the machine."""
    import sys

    raw = bytes.fromhex(text)
    words = [raw[start : start + 4] for start in range(0, len(raw), 4)]
    ordered = b"".join(word[::-1] if sys.byteorder == "little" else word for word in words)
    found = ip_address(ordered)
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found
