"""Running streams of whom access was taken away are ended, and nobody else's."""

from __future__ import annotations

import os
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.common import conntrack as streams
from allowsync_backends.common.conntrack import (
    MOST_FLOWS,
    MOST_NETWORKS,
    ConntrackFlow,
    close_commands,
    end_streams,
    flows,
    forget_commands,
    listening,
    local_addresses,
    missing_tools,
    taken_away,
)
from allowsync_backends.common.ports import Port, Protocol

from allowsync.model.target import Severity
from allowsync.model.types import Family
from tests.support.echo import EchoIn
from tests.support.netns import Namespace
from tests.support.probe import PATIENCE

if TYPE_CHECKING:
    import socket as sockets
    from collections.abc import Iterator

TCP, UDP = Protocol.TCP, Protocol.UDP
WEB = Port(443, 443, TCP)
GONE, STAYS = "127.0.0.9", "127.0.0.99"


def nets(*texts: str) -> list[object]:
    return [ip_network(text) for text in texts]


def test_what_others_still_cover_is_not_taken_away() -> None:
    removed = [ip_network("10.0.0.0/30"), ip_network("2a02::/64")]
    left = taken_away(removed, [ip_network("10.0.0.0/31"), ip_network("11.0.0.0/8")])
    assert left == nets("10.0.0.2/31", "2a02::/64")
    assert taken_away(removed, [ip_network("0.0.0.0/0"), ip_network("::/0")]) == []


def test_sockets_are_closed_by_port_and_peer() -> None:
    ports = (WEB, Port(8000, 8010, TCP))
    (command,) = close_commands([ip_network("2a02::/64"), ip_network("10.0.0.0/8")], ports)
    assert " ".join(command.argv) == (
        "ss -K -H -t -n ( dst 10.0.0.0/8 or dst 2a02::/64 ) and "
        "( sport = :443 or ( sport >= :8000 and sport <= :8010 ) )"
    )


def test_without_a_port_no_socket_is_closed() -> None:
    assert close_commands([ip_network("10.0.0.0/8")], ()) == ()


def test_many_networks_are_closed_in_parts() -> None:
    many = [ip_network(f"10.0.{number}.0/24") for number in range(MOST_NETWORKS + 1)]
    assert [command.argv.count("dst") for command in close_commands(many, (WEB,))] == [100, 1]


FLOW = ConntrackFlow(TCP, ip_address("10.0.0.1"), ip_address("10.0.0.2"), 443)
LISTED = (
    "tcp      6 431999 ESTABLISHED src=10.0.0.1 dst=10.0.0.2 sport=50 dport=443 "
    "src=172.17.0.2 dst=10.0.0.1 sport=80 dport=50 [ASSURED] mark=0 use=1\n"
)


def test_a_flow_is_who_began_it() -> None:
    noise = "icmp 1 29 src=1.1.1.1 dst=2.2.2.2 type=8 code=0 id=1 src=2.2.2.2\nconntrack v1\n"
    broken = LISTED.replace("10.0.0.1 ", "10.0.0.999 ")
    assert list(flows(LISTED + noise + broken)) == [FLOW]


def test_each_kind_of_flow_is_deleted_once_and_not_too_many() -> None:
    (command,) = forget_commands([FLOW, FLOW], Family.IPV4)
    assert " ".join(command.argv) == (
        "conntrack -D -f ipv4 -p tcp -s 10.0.0.1 -d 10.0.0.2 --dport 443"
    )
    many = (
        ConntrackFlow(UDP, FLOW.source, FLOW.destination, number)
        for number in range(MOST_FLOWS + 9)
    )
    assert len(forget_commands(many, Family.IPV4)) == MOST_FLOWS


def test_ports_that_are_listened_on_are_read() -> None:
    text = "LISTEN 0 128 *:443 *:*\nLISTEN 0 5 [::1]:80 [::]:*\nLISTEN 0 5 1.1.1.1%lo:81 *:*\nx\n"
    assert listening(text) == (Port(80, 81, TCP), WEB)


@pytest.mark.parametrize("text", ["", "{}", "[1]", '[{"addr_info": [{"local": "x"}]}]'])
def test_what_is_no_list_of_addresses_names_none(text: str) -> None:
    assert local_addresses(text) == frozenset()


def test_addresses_are_read() -> None:
    text = '[{"addr_info": [{"local": "10.0.0.1"}, {"local": "::1"}]}, {}]'
    assert local_addresses(text) == {"10.0.0.1", "::1"}


def test_missing_tools_are_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(missing_tools()) == []
    monkeypatch.setattr(streams, "installed", lambda tool: False)
    findings = list(missing_tools())
    assert [finding.advice for finding in findings] == [
        "install the package iproute2",
        "install the package conntrack",
    ]
    assert {finding.severity for finding in findings} == {Severity.INFO}
    assert end_streams([ip_network("10.0.0.0/8")]) == ()


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A server with connection tracking, and a service on two ports."""
    with Namespace() as namespace:
        rule = "*filter\n-A INPUT -m conntrack --ctstate ESTABLISHED -j ACCEPT\nCOMMIT\n"
        namespace.command("iptables-nft-restore", "-n", stdin=rule)
        namespace.command("ip6tables-nft-restore", "-n", stdin=rule)
        with EchoIn(namespace, (443, 8443)):
            yield namespace


def connected(inside: Namespace, source: str, port: int) -> sockets.socket:
    import socket

    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    stream = inside.run(socket.socket, family, socket.SOCK_STREAM)
    stream.settimeout(PATIENCE)
    stream.bind((source, 0))
    stream.connect(("::1" if ":" in source else "127.0.0.1", port))
    assert answers(stream)
    return stream


def answers(stream: sockets.socket) -> bool:
    try:
        stream.sendall(b"knock")
        return stream.recv(64) == b"knock"
    except ConnectionError:
        return False


@pytest.mark.root
@pytest.mark.parametrize(
    ("ports", "ended"),
    [
        ((), {(GONE, 443), (GONE, 8443), ("::1", 443)}),
        ((WEB,), {(GONE, 443), ("::1", 443)}),
        ((Port(8400, 8500, TCP),), {(GONE, 8443)}),
        ((Port(443, 443, UDP),), set()),
    ],
    ids=["every port", "one port", "a range", "another protocol"],
)
def test_streams_end_for_whom_and_where_it_is_meant(
    inside: Namespace, ports: tuple[Port, ...], ended: set[tuple[str, int]]
) -> None:
    ways = [(GONE, 443), (GONE, 8443), (STAYS, 443), ("::1", 443)]
    running = {way: connected(inside, *way) for way in ways}
    gone = [ip_network("127.0.0.8/29"), ip_network("::/64")]
    assert inside.run(end_streams, gone, ports) == ()
    assert {way for way, stream in running.items() if not answers(stream)} == ended
    for stream in running.values():
        stream.close()


@pytest.mark.root
def test_what_this_machine_began_itself_goes_on(inside: Namespace) -> None:
    stream = connected(inside, STAYS, 443)
    number = stream.getsockname()[1]
    inside.run(end_streams, [ip_network("127.0.0.1/32")], ())
    assert answers(stream), f"from port {number}, which nobody listens on"
    stream.close()


@pytest.mark.root
def test_flows_of_others_stay_known(inside: Namespace) -> None:
    streams_of_both = [connected(inside, one, 443) for one in (GONE, STAYS)]
    inside.run(end_streams, [ip_network("127.0.0.9/32")], (WEB,))
    known = inside.command("conntrack", "-L")
    assert (f"src={GONE} " in known, f"src={STAYS} " in known) == (False, True)
    for stream in streams_of_both:
        stream.close()


def test_a_tool_that_cannot_be_run_is_told_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("allowsync.system.process.PATH", "/nonexistent")
    monkeypatch.setattr(streams, "installed", lambda tool: True)
    said = end_streams([ip_network("10.0.0.0/8")], (WEB,))
    assert said[0].startswith("running streams may go on: ss is not installed")


def test_nobody_taken_out_is_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def forbidden(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(os, "posix_spawn", forbidden)
    assert end_streams([], (WEB,)) == ()
