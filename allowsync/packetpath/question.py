"""What is asked of a machine's packet filter, and what it answers."""

from __future__ import annotations

from enum import Enum
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Final, TypeAlias

from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from ipaddress import IPv4Address, IPv6Address

    Address: TypeAlias = IPv4Address | IPv6Address


_PRIVATE: Final = tuple(
    ip_network(one)
    for one in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7")
)


# As a source: each of a family that rules name.
NAMED: Final = (ip_address("0.0.0.0"), ip_address("::"))  # noqa: S104


class Aim(Enum):
    """Which packets a question stands for, where it leaves destination or port open."""

    OWN = "own"  # to each address of the interface
    TRANSLATED = "translated"  # the same, and to addresses that rules of address translation name
    BEHIND = "behind"  # to addresses that are routed through this machine


class Question(Value):
    """What becomes of a new connection from an address to a port, at this machine?

    Attributes:
        source: Where it comes from; one of `NAMED` for each that rules name.
        protocol: `tcp` or `udp`.
        port: The port it asks for; 0 for each that rules of address translation name.
        interface: Where it arrives; "" asks for each uplink, and each VPN.
        destination: The address it asks for; None asks for each that `aim` stands for.
        aim: Which packets it stands for; kept in what is asked for it.
        last: The last port of a range, of which ends and the ports that rules name are asked.
    """

    source: Address
    protocol: str
    port: int
    interface: str = ""
    destination: Address | None = None
    aim: Aim = Aim.OWN
    last: int = 0


class PacketVerdict(Enum):
    """What becomes of a packet."""

    DELIVERED = "delivered"  # to this machine
    FORWARDED = "forwarded"
    REFUSED = "refused"  # the sender is told
    DROPPED = "dropped"
    UNKNOWN = "unknown"


class Answer(Value):
    """What became of one packet.

    Attributes:
        question: What was asked, with interface and destination.
        verdict: What became of it.
        rules: Those that decided, such as `inet filter input: tcp dport 22 accept`.
        to: Interface, address and port it went to, where it was forwarded or redirected; where it
            was stopped on the way, those that translation gave it before.
        reason: Why it is unknown, or the condition under which the verdict holds.
        unanswered: What keeps the answer from who asked; "" where it comes back, and where there is
            none to come.
        heard: False where no program of this machine listens for it: it gets there, or is stopped.
        asked: The positions of the questions that it answers.
    """

    question: Question
    verdict: PacketVerdict
    rules: tuple[str, ...] = ()
    to: tuple[str, Address, int] | None = None
    reason: str = ""
    unanswered: str = ""
    heard: bool = True
    asked: tuple[int, ...] = ()


class Machine(Value):
    """The machine that was asked.

    Attributes:
        uplinks: The interfaces with a default route, but for those of a VPN.
        vpns: Those of a VPN that this machine goes out by.
        interfaces: All of them.
        addresses: Those of each interface.
        caveats: What decides about packets there and is not seen.
        neighbours: The hardware addresses of the neighbours that it knows.
        served_twice: Ports that one program serves by TCP and by UDP.
        named: The networks that rules name, by the address that was asked from.
        undiscovered: Uplinks on which neighbours do not find it over IPv6, and the rule why.
    """

    uplinks: tuple[str, ...] = ()
    vpns: tuple[str, ...] = ()
    interfaces: tuple[str, ...] = ()
    addresses: Mapping[str, tuple[Address, ...]] = {}
    caveats: tuple[str, ...] = ()
    neighbours: Mapping[Address, str] = {}
    served_twice: tuple[int, ...] = ()
    named: Mapping[Address, str] = {}
    undiscovered: Mapping[str, str] = {}


class Answers(Value):
    """The answers, in the order of the questions; or why nothing could be asked."""

    machine: Machine
    answers: tuple[Answer, ...]
    unknown: str = ""


def all_unknown(questions: Iterable[Question], reason: str, machine: Machine) -> Answers:
    """The answers where nothing could be asked."""
    answers = tuple(
        Answer(one, PacketVerdict.UNKNOWN, reason=reason, asked=(position,))
        for position, one in enumerate(questions)
    )
    return Answers(machine, answers, reason)


def is_private(address: Address) -> bool:
    """Whether the internet has no way to an address: one of RFC 1918, RFC 6598 or RFC 4193."""
    return any(address in one for one in _PRIVATE)


def is_public(address: Address) -> bool:
    """Whether packets to an address may come from the internet."""
    special = address.is_loopback or address.is_link_local or address.is_multicast
    return not (special or address.is_unspecified or is_private(address))


class PacketsUnavailable(Exception):
    """The machine cannot be read or copied; the text says why."""
