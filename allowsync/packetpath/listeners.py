"""The sockets that take what strangers send: whose they are, and which programs hold them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LISTENS: Final = {"tcp": "0A", "udp": "07"}  # states (tcp_states.h)
_LOOPBACK: Final = ("0100007F", "00000000000000000000000001000000")
_INIT: Final = "1"  # systemd holds the sockets of many programs
_ADDRESS, _STATE, _OWNER, _INODE = 1, 3, 7, 9


class Listener(NamedTuple):
    """A socket that takes packets from beyond loopback.

    Attributes:
        version: Of IP; one of 6 may take packets of IPv4 as well.
        owner: The user whose program made it.
    """

    protocol: str
    version: int
    port: int
    owner: int
    inode: str


def listeners() -> tuple[Listener, ...]:
    """Those of the network namespace of the moment."""
    return tuple(
        one for protocol in _LISTENS for version in (4, 6) for one in _listed(protocol, version)
    )


def served_twice(every: Iterable[Listener]) -> tuple[int, ...]:
    """Ports at which one program listens by TCP and by UDP, as a web server does with HTTP/3."""
    several = tuple(every)
    tcp, udp = ({one.port for one in several if one.protocol == name} for name in _LISTENS)
    sockets = {one.inode: one for one in several if one.port in tcp & udp}
    held: dict[int, set[tuple[str, str]]] = {one.port: set() for one in sockets.values()}
    for process, inode in _held() if sockets else ():
        if (one := sockets.get(inode)) is not None:
            held[one.port].add((process, one.protocol))
    return tuple(sorted(port for port, holders in held.items() if _is_one(holders)))


def _is_one(holders: set[tuple[str, str]]) -> bool:
    """Whether one process holds a socket of each protocol."""
    return any((process, "udp") in holders for process, protocol in holders if protocol == "tcp")


def _listed(protocol: str, version: int) -> Iterator[Listener]:
    try:
        lines = Path(f"/proc/net/{protocol}{'6' if version == 6 else ''}").read_text().splitlines()
    except FileNotFoundError:  # a machine without IPv6
        return
    for line in lines[1:]:
        parts = line.split()
        address, port = parts[_ADDRESS].split(":")
        if parts[_STATE] == _LISTENS[protocol] and address not in _LOOPBACK:
            yield Listener(protocol, version, int(port, 16), int(parts[_OWNER]), parts[_INODE])


def _held() -> Iterator[tuple[str, str]]:
    """Each process with the inode of a socket that it holds."""
    for process in Path("/proc").glob("[0-9]*"):
        if process.name == _INIT:
            continue
        try:
            names = [str(one.readlink()) for one in (process / "fd").iterdir()]
        except OSError:  # it ended, or belongs to another
            continue
        for name in names:
            if name.startswith("socket:["):
                yield process.name, name[8:-1]
