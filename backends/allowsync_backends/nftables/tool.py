"""Runs nft and interprets its exit codes. Its messages are not parsed, only shown.

Every run lists the tables, by asking the kernel itself: by netlink (`nfnetlink`, NFT_MSG_GETTABLE),
whose layout is fixed. Starting nft for it took a twentieth of a run with nothing to do. So would
the module `socket`, which makes enumerations of all constants; it builds on `_socket`.
"""

from __future__ import annotations

import _socket
from os import strerror
from sys import byteorder

from allowsync.backend.api import BackendError
from allowsync.system.process import Command, CommandError, Completed, run
from allowsync.typed import TYPE_CHECKING, Final
from allowsync_backends.common import command as tools

if TYPE_CHECKING:
    from collections.abc import Iterator

# A set of 100,000 networks takes less than a second; a small machine under load may take longer.
TIMEOUT: Final = 60.0

MISSING: Final = (
    f"nft cannot be run; install the package nftables: apt install nftables ({tools.LOOKED_IN})"
)

_NETFILTER: Final = 12
_GET_TABLE: Final = 10 << 8 | 1  # the subsystem of nftables, and the request
_NEW_TABLE: Final = 10 << 8
_ERROR, _DONE = 2, 3
_REQUEST_DUMP: Final = 0x301
_CHANGED: Final = 0x10  # during the dump: the listing may be inconsistent
_HEAD, _FAMILY, _SHORTEST = 16, 16, 20
_NAME: Final = 1
_FAMILIES: Final = {1: "inet", 2: "ip", 3: "arp", 5: "netdev", 7: "bridge", 10: "ip6"}
_TRIES: Final = 20
_LARGEST: Final = 1 << 17


def not_root() -> str:
    """Return the message where the rules cannot be seen and changed."""
    return tools.not_root("nftables")


def usable() -> str:
    """Return why nft cannot be used here, or an empty string."""
    try:
        run(Command(("nft", "--version")))
    except CommandError as error:
        return tools.not_run(error, MISSING)
    return "" if tools.may(tools.CAP_NET_ADMIN) else not_root()


def ask(*arguments: str) -> Completed:
    """Run an nft command that changes nothing. It may fail; the caller sees its code.

    Raises:
        BackendError: It could not be run, or did not end.
    """
    return tools.ask(Command(("nft", *arguments), timeout=TIMEOUT), MISSING)


def refusal(script: str) -> str:
    """Return why the kernel refuses a script, in a line; empty where it does not.

    Raises:
        BackendError: The trial failed.
    """
    done = tools.ask(Command(("nft", "-c", "-f", "-"), script, TIMEOUT), MISSING)
    return complaint(done) if done.code else ""


def load(script: str) -> Completed:
    """Run a script: one transaction, all of it or nothing. It may fail.

    Raises:
        BackendError: It could not be started.
        OutcomeUnknown: It was killed, and may have been carried out before.
    """
    return tools.change(Command(("nft", "-f", "-"), script, TIMEOUT), MISSING)


def complaint(failed: Completed) -> str:
    """Return nft's error, in one line, with advice when we are not root."""
    said = tools.said(failed)
    return said if tools.may(tools.CAP_NET_ADMIN) else f"{said} ({not_root()})"


def tables() -> frozenset[str]:
    """Return the present tables, each as `inet filter`.

    Raises:
        BackendError: They could not be listed.
    """
    try:
        return listed_tables(TIMEOUT)
    except OSError as error:
        if not tools.may(tools.CAP_NET_ADMIN):
            raise BackendError(not_root()) from error
        why = error.strerror or str(error)
        raise BackendError(f"the kernel does not list its nftables: {why}") from error


def listed_tables(seconds: float) -> frozenset[str]:
    """Return the present tables, each as `inet filter`.

    Args:
        seconds: The kernel's time limit for each part.

    Raises:
        OSError: They could not be listed.
    """
    kernel = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW, _NETFILTER)
    try:
        kernel.settimeout(seconds)
        for _ in range(_TRIES):
            found, settled = _listed(kernel)
            if settled:
                return found
    finally:
        kernel.close()
    raise OSError("the tables change all the time")


def _listed(kernel: _socket.socket) -> tuple[frozenset[str], bool]:
    """Return the tables listed, and whether they stayed unchanged meanwhile."""
    head = (_SHORTEST, 4), (_GET_TABLE, 2), (_REQUEST_DUMP, 2), (0, 4), (0, 4), (0, 4)
    kernel.sendto(b"".join(value.to_bytes(size, byteorder) for value, size in head), (0, 0))
    found: set[str] = set()
    settled = True
    while True:
        data, sender = kernel.recvfrom(_LARGEST)
        if sender[0] != 0:
            continue  # not from the kernel
        for kind, flags, message in _messages(data):
            settled = settled and not flags & _CHANGED
            if kind in (_ERROR, _DONE):
                if code := -int.from_bytes(message[_HEAD : _HEAD + 4], byteorder, signed=True):
                    raise OSError(code, strerror(code))
                return frozenset(found), settled
            if kind == _NEW_TABLE:
                found.update(_name(message))


def _messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Yield each message in a datagram: its kind, its flags, and all of it."""
    while len(data) >= _HEAD:
        size = _number(data, 0, 4)
        if not _HEAD <= size <= len(data):
            raise OSError("a listing that cannot be understood")
        yield _number(data, 4, 2), _number(data, 6, 2), data[:size]
        data = data[_aligned(size) :]


def _name(message: bytes) -> Iterator[str]:
    """Yield the name of a table; nothing where its family is unknown."""
    family = _FAMILIES.get(message[_FAMILY]) if len(message) > _SHORTEST else None
    rest = message[_SHORTEST:]
    while family is not None and len(rest) >= 4 <= (size := _number(rest, 0, 2)):
        if _number(rest, 2, 2) == _NAME:
            yield f"{family} {rest[4:size].rstrip(bytes(1)).decode(errors='replace')}"
        rest = rest[_aligned(size) :]


def _number(data: bytes, start: int, size: int) -> int:
    return int.from_bytes(data[start : start + size], byteorder)


def _aligned(size: int) -> int:
    return (size + 3) & ~3
