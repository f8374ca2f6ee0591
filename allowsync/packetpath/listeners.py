"""Ports that one program serves by TCP and by UDP, as a web server does with HTTP/3."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

_LISTENS: Final = {"tcp": "0A", "tcp6": "0A", "udp": "07", "udp6": "07"}  # states (tcp_states.h)
_LOOPBACK: Final = ("0100007F", "00000000000000000000000001000000")
_INIT: Final = "1"  # systemd holds the sockets of many programs
_ADDRESS, _STATE, _INODE = 1, 3, 9


def served_twice() -> tuple[int, ...]:
    """Ports at which a program of this machine listens by both, beyond loopback."""
    tcp, udp = ({**_sockets(name), **_sockets(f"{name}6")} for name in ("tcp", "udp"))
    shared = set(tcp.values()) & set(udp.values())
    if not shared:
        return ()
    held: dict[int, set[tuple[str, str]]] = {port: set() for port in shared}
    for process, inode in _held():
        for protocol, sockets in (("tcp", tcp), ("udp", udp)):
            if (port := sockets.get(inode)) in shared and port is not None:
                held[port].add((process, protocol))
    return tuple(sorted(port for port, holders in held.items() if _is_one(holders)))


def _is_one(holders: set[tuple[str, str]]) -> bool:
    """Whether one process holds a socket of each protocol."""
    return any((process, "udp") in holders for process, protocol in holders if protocol == "tcp")


def _sockets(name: str) -> dict[str, int]:
    """The port of each socket that takes what strangers send, by its inode."""
    try:
        lines = Path("/proc/net", name).read_text().splitlines()[1:]
    except FileNotFoundError:  # a machine without IPv6
        return {}
    found = {}
    for line in lines:
        parts = line.split()
        address, port = parts[_ADDRESS].split(":")
        if parts[_STATE] == _LISTENS[name] and address not in _LOOPBACK:
            found[parts[_INODE]] = int(port, 16)
    return found


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
