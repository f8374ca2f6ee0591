"""Who gets through a gate, by real packets."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.echo import EchoIn
from tests.support.gates import FREE, GUARDED, allow
from tests.support.internet import (
    CONTAINER,
    CONTAINER6,
    CONTAINERS,
    ETH,
    FRIEND,
    FRIEND6,
    FRIEND_TOO,
    FRIEND_TOO6,
    NEIGHBOUR,
    NEIGHBOUR6,
    SERVER,
    SERVER6,
    SERVER_ANYCAST6,
    SERVER_BROADCAST,
    STRANGER,
    STRANGER6,
)
from tests.support.probe import IN_VAIN, PATIENCE, tcp_answers, udp_answers

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.packets.conftest import GateMaker
    from tests.support.echo import Echo
    from tests.support.internet import Internet
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

EVERY_WAY = [
    pytest.param(tcp_answers, SERVER, id="tcp-ipv4"),
    pytest.param(tcp_answers, SERVER6, id="tcp-ipv6"),
    pytest.param(udp_answers, SERVER, id="udp-ipv4"),
    pytest.param(udp_answers, SERVER6, id="udp-ipv6"),
]
MULTICAST = "224.0.0.251"
MULTICAST6 = "ff02::fb"


@pytest.mark.parametrize(("answers", "server"), EVERY_WAY)
def test_a_friend_gets_in_and_a_stranger_does_not(
    internet: Internet, echo: Echo, answers: Callable[..., bool], server: str, gate: GateMaker
) -> None:
    allow(internet.server, gate(), FRIEND, FRIEND6)
    assert answers(internet.friend, server, GUARDED)
    assert not answers(internet.stranger, server, GUARDED, wait=IN_VAIN)
    assert not echo.seen.keys() & {STRANGER, STRANGER6}


@pytest.mark.parametrize(("answers", "server"), EVERY_WAY)
def test_other_ports_are_open_to_strangers_as_before(
    internet: Internet, echo: Echo, answers: Callable[..., bool], server: str, gate: GateMaker
) -> None:
    allow(internet.server, gate())
    assert answers(internet.stranger, server, FREE)
    assert not answers(internet.stranger, server, GUARDED, wait=IN_VAIN)


@pytest.mark.parametrize(("answers", "server"), EVERY_WAY)
def test_who_is_added_gets_in_and_who_is_removed_does_not(
    internet: Internet, echo: Echo, answers: Callable[..., bool], server: str, gate: GateMaker
) -> None:
    too = FRIEND_TOO6 if ":" in server else FRIEND_TOO
    allow(internet.server, gate(), FRIEND, FRIEND6)
    assert not answers(internet.friend, server, GUARDED, source=too, wait=IN_VAIN)
    allow(internet.server, gate(), FRIEND_TOO, FRIEND_TOO6)
    assert answers(internet.friend, server, GUARDED, source=too)
    first = FRIEND6 if ":" in server else FRIEND
    assert not answers(internet.friend, server, GUARDED, source=first, wait=IN_VAIN)


@pytest.mark.parametrize(
    ("transport", "server"),
    [
        pytest.param(socket.SOCK_STREAM, SERVER, id="tcp-ipv4"),
        pytest.param(socket.SOCK_STREAM, SERVER6, id="tcp-ipv6"),
        pytest.param(socket.SOCK_DGRAM, SERVER, id="udp-ipv4"),
        pytest.param(socket.SOCK_DGRAM, SERVER6, id="udp-ipv6"),
    ],
)
def test_a_running_stream_ends_when_access_is_taken_away(
    internet: Internet, echo: Echo, transport: socket.SocketKind, server: str, gate: GateMaker
) -> None:
    allow(internet.server, gate(), FRIEND, FRIEND6)
    # With connection tracking in use, as on most servers, established streams are no exception.
    internet.server.nft(
        "table inet filter {\nchain input { type filter hook input priority 0; "
        "ct state established,related accept; }\n}"
    )
    family = socket.AF_INET6 if ":" in server else socket.AF_INET
    with internet.friend.run(socket.socket, family, transport) as stream:
        stream.settimeout(PATIENCE)
        stream.connect((server, GUARDED))
        stream.sendall(b"before")
        assert stream.recv(64) == b"before"
        allow(internet.server, gate(), FRIEND_TOO)
        stream.settimeout(IN_VAIN)
        stream.sendall(b"after")
        with pytest.raises(TimeoutError):
            stream.recv(64)
    assert echo.seen[FRIEND6 if ":" in server else FRIEND] == 1


@pytest.mark.parametrize(("answers", "server"), EVERY_WAY)
def test_a_port_published_by_a_container_is_behind_the_gate(
    internet: Internet, answers: Callable[..., bool], server: str, gate: GateMaker
) -> None:
    internet.server.nft(
        f"""table inet docker {{
        chain prerouting {{
            type nat hook prerouting priority dstnat;
            fib daddr type local meta nfproto ipv4 tcp dport {GUARDED} dnat ip to {CONTAINER}:80
            fib daddr type local meta nfproto ipv4 udp dport {GUARDED} dnat ip to {CONTAINER}:80
            fib daddr type local meta nfproto ipv6 tcp dport {GUARDED} dnat ip6 to [{CONTAINER6}]:80
            fib daddr type local meta nfproto ipv6 udp dport {GUARDED} dnat ip6 to [{CONTAINER6}]:80
        }}
        }}"""
    )
    with EchoIn(internet.container, (80,)) as inside:
        assert answers(internet.stranger, server, GUARDED)
        inside.seen.clear()
        allow(internet.server, gate(), FRIEND, FRIEND6)
        assert answers(internet.friend, server, GUARDED)
        assert not answers(internet.stranger, server, GUARDED, wait=IN_VAIN)
        assert not inside.seen.keys() & {STRANGER, STRANGER6}


@pytest.mark.parametrize("answers", [tcp_answers, udp_answers])
@pytest.mark.parametrize("container", [CONTAINER, CONTAINER6])
def test_what_is_forwarded_to_others_is_left_alone(
    internet: Internet, answers: Callable[..., bool], container: str, gate: GateMaker
) -> None:
    allow(internet.server, gate())
    with EchoIn(internet.container, (GUARDED,)):
        assert answers(internet.stranger, container, GUARDED)


@pytest.mark.parametrize("answers", [tcp_answers, udp_answers])
@pytest.mark.parametrize("local", ["127.0.0.1", "::1", SERVER, SERVER6])
def test_the_machine_itself_is_not_locked_out(
    internet: Internet, echo: Echo, answers: Callable[..., bool], local: str, gate: GateMaker
) -> None:
    allow(internet.server, gate())
    assert answers(internet.server, local, GUARDED)


@pytest.mark.parametrize("pattern", [CONTAINERS, "dock*"])
def test_an_open_interface_lets_everybody_in_and_the_others_do_not(
    internet: Internet, echo: Echo, pattern: str, gate: GateMaker
) -> None:
    allow(internet.server, gate(interfaces=("lo", pattern)))
    assert tcp_answers(internet.container, "172.17.0.1", GUARDED)
    assert udp_answers(internet.container, SERVER6, GUARDED)
    assert not udp_answers(internet.stranger, SERVER, GUARDED, wait=IN_VAIN)


@pytest.mark.parametrize("pattern", ["dock", "ocker0", "docker00*"])
def test_a_name_that_only_resembles_an_open_interface_opens_nothing(
    internet: Internet, echo: Echo, pattern: str, gate: GateMaker
) -> None:
    allow(internet.server, gate(interfaces=("lo", pattern)))
    assert not tcp_answers(internet.container, "172.17.0.1", GUARDED, wait=IN_VAIN)


def test_the_anycast_address_of_a_router_is_behind_the_gate(
    internet: Internet, echo: Echo, gate: GateMaker
) -> None:
    send(internet.stranger, SERVER_ANYCAST6)
    assert arrived(internet, echo, STRANGER6)
    allow(internet.server, gate(), FRIEND6)
    send(internet.stranger, SERVER_ANYCAST6)
    assert not arrived(internet, echo, STRANGER6)


def test_broadcasts_are_behind_the_gate(internet: Internet, echo: Echo, gate: GateMaker) -> None:
    for address in (SERVER_BROADCAST, "255.255.255.255"):
        send(internet.router, address, device="server")
        assert arrived(internet, echo, NEIGHBOUR)
    allow(internet.server, gate(), FRIEND, NEIGHBOUR6)
    for address in (SERVER_BROADCAST, "255.255.255.255"):
        send(internet.router, address, device="server")
        assert not arrived(internet, echo, NEIGHBOUR)


def test_multicasts_are_behind_the_gate(internet: Internet, echo: Echo, gate: GateMaker) -> None:
    with (
        listening(internet.server, MULTICAST) as group,
        listening(internet.server, MULTICAST6) as group6,
    ):
        send(internet.router, MULTICAST, device="server", source=NEIGHBOUR)
        send(internet.router, MULTICAST6, device="server", source=NEIGHBOUR6)
        assert (group.recv(64), group6.recv(64)) == (b"knock", b"knock")
        allow(internet.server, gate(), FRIEND, FRIEND6)
        send(internet.router, MULTICAST, device="server", source=NEIGHBOUR)
        send(internet.router, MULTICAST6, device="server", source=NEIGHBOUR6)
        assert udp_answers(internet.friend, SERVER, GUARDED)
        for one in (group, group6):
            one.settimeout(IN_VAIN)
            with pytest.raises(TimeoutError):
                one.recv(64)


def send(
    inside: Namespace, address: str, *, device: str = "", source: str = "", port: int = GUARDED
) -> None:
    """Send one datagram, out of a device if one is named."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with inside.run(socket.socket, family, socket.SOCK_DGRAM) as sending:
        sending.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        if device:
            sending.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        sending.bind((source, 0))
        sending.sendto(b"knock", (address, port))


def arrived(internet: Internet, echo: Echo, source: str) -> bool:
    """Whether something sent before was seen by the server. Forgets about it."""
    # What is sent later mostly arrives later, but two processors may carry two packets.
    for rounds in range(1, 8):
        assert udp_answers(internet.router, SERVER, FREE)
        assert udp_answers(internet.router, SERVER6, FREE)
        if echo.seen[source] > (rounds if source in (NEIGHBOUR, NEIGHBOUR6) else 0):
            break
        time.sleep(0.01)
    else:
        echo.seen.clear()
        return False
    echo.seen.clear()
    return True


def listening(inside: Namespace, group: str) -> socket.socket:
    """A socket on the guarded port of a multicast group, on the server's outer interface."""

    def make() -> socket.socket:
        family = socket.AF_INET6 if ":" in group else socket.AF_INET
        member = socket.socket(family, socket.SOCK_DGRAM)
        member.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        index = socket.if_nametoindex(ETH)
        packed = socket.inet_pton(family, group)
        if family is socket.AF_INET6:
            joining = packed + index.to_bytes(4, "little")
            member.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, joining)
        else:
            joining = packed + bytes(4) + index.to_bytes(4, "little")
            member.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, joining)
        member.bind((group, GUARDED) if family is socket.AF_INET else (group, GUARDED, 0, index))
        member.settimeout(PATIENCE)
        return member

    return inside.run(make)
