"""Detection of plans that would cut off the user's own SSH session."""

from __future__ import annotations

import os
import sys
from ipaddress import IPv6Address, ip_address
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.outcome import Notice
from allowsync.model.value import Value, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from allowsync.config.settings import Target
    from allowsync.engine.prepare import Draft
    from allowsync.model.plan import Plan
    from allowsync.model.target import Guard
    from allowsync.model.types import Address

_ESTABLISHED = "01"
SSH = "SSH_CONNECTION"
_ADVICE = (
    "Allow it first: 'allowsync host add NAME {}'; then try it with 'allowsync apply --confirm 60s'"
)
_LONGEST_LINE = 32  # ancestors up to the session; more is no terminal


class Session(Value):
    """An SSH session: its source address, and the port of this machine it connects to.

    `source` is its source port.
    """

    peer: Address
    port: int
    source: int = field(default=0, compare=False)


def current() -> Session | None:
    """The session of this process; None when there is none, or it is unknown.

    `sudo` removes the variable, so it is looked up in the parent processes (ssh(1), proc(5)).
    """
    found = parse(os.environ.get(SSH, ""))
    return found or next(filter(None, map(parse, _above(os.getpid()))), None)


def parse(text: str) -> Session | None:
    """A session from "CLIENT PORT SERVER PORT" (ssh(1), SSH_CONNECTION); None for anything else."""
    words = text.split()
    if len(words) != 4 or not words[3].isdecimal() or len(words[3]) > 5:
        return None
    try:
        peer = ip_address(words[0].partition("%")[0])
    except ValueError:
        return None
    # A socket for both families maps IPv4 addresses into IPv6; the packets are IPv4.
    mapped = peer.ipv4_mapped if isinstance(peer, IPv6Address) else None
    source = int(words[1]) if words[1].isdecimal() and len(words[1]) <= 5 else 0
    return Session(mapped or peer, int(words[3]), source)


def is_open(session: Session) -> bool:
    """Whether the connection of a session is still open, by the kernel's table (proc_pid_net(5)).

    The session that started a terminal multiplexer or mosh may have ended long ago.
    """
    ends = (session.peer, session.source, session.port)
    return any(ends in _connections(f"/proc/self/net/{name}") for name in ("tcp", "tcp6"))


def _connections(table: str) -> set[tuple[Address, int, int]]:
    """Each established connection: the other end's address and port, and the port here."""
    found: set[tuple[Address, int, int]] = set()
    try:
        with open(table, encoding="ascii") as file:  # noqa: PTH123 - no Path here
            rows = [line.split() for line in file][1:]
    except OSError:
        return found
    for _, here, there, state, *_ in rows:
        if state == _ESTABLISHED:
            address, port = there.split(":")
            found.add((_kernels(address), int(port, 16), int(here.split(":")[1], 16)))
    return found


def _kernels(digits: str) -> Address:
    """An address as the kernel prints it: words of 32 bits, each in the machine's byte order."""
    words = [int(digits[at : at + 8], 16) for at in range(0, len(digits), 8)]
    packed = b"".join(word.to_bytes(4, sys.byteorder) for word in words)
    address = ip_address(packed)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _above(process: int) -> Iterator[str]:
    """The variable's values in the environments of the parent processes, the nearest first."""
    for _ in range(_LONGEST_LINE):
        try:
            with open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123 - no Path here
                process = int(file.read().rpartition(b")")[2].split()[1])
            with open(f"/proc/{process}/environ", "rb") as file:  # noqa: PTH123 - no Path here
                variables = file.read().split(b"\0")
        except (OSError, ValueError, IndexError):
            return
        yield from _values(dict(one.partition(b"=")[::2] for one in variables))


def _values(variables: Mapping[bytes, bytes]) -> Iterator[str]:
    if SSH.encode() in variables:
        yield variables[SSH.encode()].decode(errors="replace")


def guard_at(target: Target, port: int) -> Guard | None:
    """The guard of a target, where it includes a TCP port of this machine."""
    try:
        guard = target.guard
    except BackendError:
        return None  # the error is reported elsewhere
    if guard is None or guard.forwarded:
        return None
    at = (one for one in guard.ports if one.protocol == "tcp")
    return guard if any(one.first <= port <= one.last for one in at) else None


def cut_offs(drafts: Iterable[Draft], session: Session, advice: str = _ADVICE) -> Iterator[Notice]:
    """The targets of a run that would cut off a session, each with the remedy.

    A session whose address a guard without flaws does not list has another way in, which stays.
    """
    for one in drafts:
        held = one.report.current
        listed = held is None or held.flaws or any(session.peer in net for net in one.found)
        if listed and (what := cut_off(one.target, one.report.plan, session, advice)):
            yield Notice(one.target.name, what)


def cut_off(target: Target, plan: Plan | None, session: Session, advice: str = _ADVICE) -> str:
    """The effect of a plan on a session, as text; empty when there is none."""
    if plan is None or plan.idle or session.peer.is_loopback:
        return ""
    guard = guard_at(target, session.port)
    if guard is None:
        return ""
    if any(session.peer in entry.network for entry in plan.final):
        return ""
    return f"{_blocked(session, guard)}. {advice.format(session.peer)}"


def _blocked(session: Session, guard: Guard) -> str:
    interfaces = [one for one in guard.open_interfaces if one != "lo"]
    unless = f", unless it comes through {' or '.join(interfaces)}" if interfaces else ""
    return (
        f"your own session comes from {session.peer} to port {session.port}/tcp, which "
        f"would be blocked{unless}"
    )
