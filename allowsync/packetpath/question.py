"""Questions to a machine's packet filter, and its answers."""

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


# As a source: each source of a family that rules name.
NAMED: Final = (ip_address("0.0.0.0"), ip_address("::"))  # noqa: S104


class Aim(Enum):
    """The packets a question stands for, where it leaves destination or port open."""

    OWN = "own"  # to each address of the interface
    TRANSLATED = "translated"  # the same, and to addresses that rules of address translation name
    BEHIND = "behind"  # to addresses that are routed through this machine


class Question(Value):
    """A question: the path of a new connection from an address to a port of this machine.

    Attributes:
        source: Its source address; one of `NAMED` for each that rules name.
        protocol: `tcp` or `udp`.
        port: Its destination port; 0 for each that rules of address translation name.
        interface: The interface where it arrives; "" asks for each uplink, and each VPN.
        destination: Its destination address; None asks for each that `aim` stands for.
        aim: The packets it stands for; kept in the questions derived from it.
        last: The last port of a range, of which the ends and the ports that rules name are asked.
    """

    source: Address
    protocol: str
    port: int
    interface: str = ""
    destination: Address | None = None
    aim: Aim = Aim.OWN
    last: int = 0


class PacketVerdict(Enum):
    """The outcome of a packet."""

    DELIVERED = "delivered"  # to this machine
    FORWARDED = "forwarded"
    REFUSED = "refused"  # the sender is notified
    DROPPED = "dropped"
    UNKNOWN = "unknown"


class Answer(Value):
    """The answer to a question: the path of one packet.

    Attributes:
        question: The question, with interface and destination.
        verdict: The outcome.
        rules: The deciding rules, such as `inet filter input: tcp dport 22 accept`.
        to: Interface, address and port of a forwarded or redirected packet; of a stopped one, those
            that translation gave it before.
        reason: The reason why it is unknown, or the condition under which the verdict holds.
        unanswered: The reason why no answer reaches the source; "" where one does, and where there
            is none to come.
        heard: False where no program of this machine listens: the packet is delivered, or stopped.
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
    """The machine asked.

    Attributes:
        uplinks: The interfaces with a default route, but for those of a VPN.
        vpns: Those of a VPN that carries this machine's own traffic.
        interfaces: All of them.
        addresses: Those of each interface.
        caveats: Facilities that decide about packets and are not seen.
        neighbours: The hardware addresses of known neighbours.
        served_twice: Ports that one program serves by TCP and by UDP.
        named: The networks that rules name, by the source address used for each.
        undiscovered: Uplinks on which neighbours do not find it over IPv6, with the rule at fault.
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
    """The answers, in the order of the questions; or the reason why nothing could be asked."""

    machine: Machine
    answers: tuple[Answer, ...]
    unknown: str = ""


def all_unknown(questions: Iterable[Question], reason: str, machine: Machine) -> Answers:
    """Return the answers where nothing could be asked."""
    answers = tuple(
        Answer(one, PacketVerdict.UNKNOWN, reason=reason, asked=(position,))
        for position, one in enumerate(questions)
    )
    return Answers(machine, answers, reason)


def is_private(address: Address) -> bool:
    """Whether an address is private and unrouted: RFC 1918, RFC 6598 or RFC 4193."""
    return any(address in one for one in _PRIVATE)


def is_public(address: Address) -> bool:
    """Whether an address is reachable from the internet."""
    special = address.is_loopback or address.is_link_local or address.is_multicast
    return not (special or address.is_unspecified or is_private(address))


class PacketsUnavailable(Exception):
    """The machine cannot be read or copied; the text holds the reason."""
