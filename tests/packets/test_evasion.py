"""Packets made to slip past the gate: cut into fragments, or wrapped in extension headers."""

from __future__ import annotations

import socket
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.crafted import (
    DESTINATION_OPTIONS,
    HOP_BY_HOP,
    UDP,
    emit,
    ipv4_fragments,
    ipv6,
    ipv6_fragments,
    udp,
    wrapped,
)
from tests.support.gates import FREE, GUARDED, allow
from tests.support.internet import (
    FRIEND,
    FRIEND6,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
)
from tests.support.probe import IN_VAIN, PATIENCE, family_of, udp_answers

if TYPE_CHECKING:
    from tests.packets.conftest import GateMaker
    from tests.support.echo import Echo
    from tests.support.internet import Internet

pytestmark = pytest.mark.root


# A rule of ip6tables-legacy that names a protocol makes the kernel drop what it cannot find one in
# (ip6_packet_match), here the second fragment.
NOT_TAKEN = {("iptables-legacy", "options in fragments")}


def disguises(source: str) -> dict[str, tuple[bytes, ...]]:
    """One datagram to the guarded port, in every disguise a plain server takes off."""
    if ":" not in source:
        plain = udp(source, SERVER, GUARDED, b"knock" * 8)
        return {
            "fragments": ipv4_fragments(source, SERVER, plain, 24),
            "fragments in disorder": ipv4_fragments(source, SERVER, plain, 16)[::-1],
            "first fragment as small as can be": ipv4_fragments(source, SERVER, plain, 8),
        }
    plain = udp(source, SERVER6, GUARDED, b"knock" * 8)
    options = wrapped(DESTINATION_OPTIONS, UDP, plain)
    return {
        "destination options": (ipv6(source, SERVER6, *options),),
        "destination options twice": (
            ipv6(source, SERVER6, *wrapped(DESTINATION_OPTIONS, *options)),
        ),
        "hop-by-hop options": (ipv6(source, SERVER6, *wrapped(HOP_BY_HOP, UDP, plain)),),
        "fragments": ipv6_fragments(source, SERVER6, UDP, plain, 24),
        "fragments in disorder": ipv6_fragments(source, SERVER6, UDP, plain, 16)[::-1],
        "a fragment that is alone": ipv6_fragments(source, SERVER6, UDP, plain, len(plain)),
        "options in fragments": ipv6_fragments(source, SERVER6, *options, 24),
    }


def arrives(internet: Internet, echo: Echo, source: str, packets: tuple[bytes, ...]) -> bool:
    """Whether packets sent from a source reach the service."""
    echo.seen.clear()
    inside = internet.stranger if source in (STRANGER, STRANGER6) else internet.friend
    server = SERVER6 if ":" in source else SERVER
    emit(inside, server, *packets)
    # What is sent later mostly arrives later, but two processors may carry two packets.
    for rounds in range(1, 8):
        assert udp_answers(inside, server, FREE)
        if echo.seen[source] > rounds:
            return True
        time.sleep(0.01)
    return False


@pytest.mark.parametrize("source", [FRIEND, FRIEND6])
def test_a_friend_may_use_any_form_of_packet(
    internet: Internet, echo: Echo, source: str, gate: GateMaker, kind: str
) -> None:
    allow(internet.server, gate(), FRIEND, FRIEND6)
    for name, packets in disguises(source).items():
        assert arrives(internet, echo, source, packets) or (kind, name) in NOT_TAKEN, name


@pytest.mark.parametrize("source", [STRANGER, STRANGER6])
def test_no_form_of_packet_lets_a_stranger_in(
    internet: Internet, echo: Echo, source: str, gate: GateMaker
) -> None:
    for name, packets in disguises(source).items():
        assert arrives(internet, echo, source, packets), f"{name}: not even without a gate"
    allow(internet.server, gate(), FRIEND, FRIEND6)
    for name, packets in disguises(source).items():
        assert not arrives(internet, echo, source, packets), name


def test_a_port_that_hides_in_the_second_fragment_is_no_way_in(
    internet: Internet, echo: Echo, gate: GateMaker
) -> None:
    plain = udp(STRANGER6, SERVER6, GUARDED)
    kind, options = wrapped(DESTINATION_OPTIONS, UDP, plain)
    allow(internet.server, gate(), FRIEND6)
    # The gate cannot see the port; the kernel refuses such chains itself (RFC 7112).
    packets = ipv6_fragments(STRANGER6, SERVER6, kind, options, 8)
    assert not arrives(internet, echo, STRANGER6, packets)


@pytest.mark.parametrize("server", [SERVER, SERVER6])
def test_datagrams_larger_than_a_packet_pass_for_friends_only(
    internet: Internet, echo: Echo, server: str, gate: GateMaker
) -> None:
    allow(internet.server, gate(), FRIEND, FRIEND6)
    for inside, wait, expected in (
        (internet.friend, PATIENCE, 6000),
        (internet.stranger, IN_VAIN, 0),
    ):
        with inside.run(socket.socket, family_of(server), socket.SOCK_DGRAM) as sending:
            sending.settimeout(wait)
            sending.sendto(bytes(6000), (server, GUARDED))
            assert received(sending) == expected


def received(waiting: socket.socket) -> int:
    """How many octets come; 0 when none do in time."""
    try:
        return len(waiting.recv(65535))
    except TimeoutError:
        return 0
