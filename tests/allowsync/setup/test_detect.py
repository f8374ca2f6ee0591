"""What is found on a machine, and whom a gate would cut off."""

from __future__ import annotations

import socket
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.setup.answers import friend
from allowsync.setup.detect import (
    Connection,
    Firewall,
    connections,
    default_zone,
    docker_runs,
    listens,
    parse,
    suggested,
    ufw_active,
)
from allowsync.setup.preview import cut_off, whereabouts
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from pathlib import Path

    from allowsync.model.answer import Answer

TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1
   1: 0A000001:1FA0 0C450251:C350 01 00000000:00000000 00:00000000 00000000     0        0 2 1
   2: 0A000001:1FA0 0D450251:C351 06 00000000:00000000 00:00000000 00000000     0        0 0 1
"""
TABLE6 = """\
  sl  local_address                         remote_address                        st
   0: F804012A000000000000000001000000:0016 F804012A000002000000000007000000:C350 01 0
   1: 0000000000000000FFFF00000A000001:1FA0 0000000000000000FFFF00000C450251:C350 01 0
"""


def test_established_connections_are_read_as_the_kernel_writes_them() -> None:
    assert list(parse(TABLE)) == [Connection(ip_address("81.2.69.12"), 8096)]
    assert list(parse(TABLE6)) == [
        Connection(ip_address("2a01:4f8:2::7"), 22),
        Connection(ip_address("81.2.69.12"), 8096),
    ]


@pytest.mark.root
def test_a_real_connection_is_found_and_loopback_is_not(as_root: None) -> None:
    with Namespace() as server, Namespace() as client:
        server.join(client, "s", "c")
        server.batch("addr add 81.2.69.1/24 dev s")
        client.batch("addr add 81.2.69.2/24 dev c")
        listening = server.run(socket.create_server, ("81.2.69.1", 8096))
        within = server.run(socket.create_server, ("127.0.0.1", 8097))
        far = client.run(socket.create_connection, ("81.2.69.1", 8096), 10)
        near = server.run(socket.create_connection, ("127.0.0.1", 8097), 10)
        try:
            # /proc/net is that of the process's first thread; our own thread has its own view.
            table = server.command("cat", "/proc/self/net/tcp")
            found = [one for one in parse(table) if not one.peer.is_loopback]
            assert found == [Connection(ip_address("81.2.69.2"), 8096)]
        finally:
            for one in (far, near, listening, within):
                one.close()


def test_looking_at_this_machine_raises_nothing() -> None:
    assert not any(one.peer.is_loopback for one in connections())


def firewall(name: str, unusable: str = "") -> Firewall:
    return Firewall(name, "", unusable)


def test_a_gate_is_suggested_unless_ufw_alone_is_at_work() -> None:
    found = [firewall("nftables"), firewall("ipset"), firewall("ufw")]
    assert suggested(found, ufw_active=False, docker=False) == "nftables"
    assert suggested(found, ufw_active=True, docker=False) == "ufw"
    assert suggested(found, ufw_active=True, docker=True) == "nftables"
    assert suggested([firewall("nftables", "no")], ufw_active=True, docker=False) == ""


@pytest.mark.parametrize(
    ("text", "active"),
    [("ENABLED=yes\n", True), ('ENABLED="YES"\n', True), ("ENABLED=no\n", False), ("", False)],
)
def test_ufw_is_active_when_its_settings_say_so(tmp_path: Path, text: str, active: bool) -> None:
    (tmp_path / "ufw.conf").write_text(f"# ENABLED=yes\n{text}")
    assert ufw_active(tmp_path / "ufw.conf") is active
    assert not ufw_active(tmp_path / "missing")


@pytest.mark.parametrize(
    ("text", "zone"),
    [("DefaultZone=home\n", "home"), (" DefaultZone = home\n", "public"), ("", "public")],
)
def test_the_zone_of_firewalld_is_its_default(tmp_path: Path, text: str, zone: str) -> None:
    (tmp_path / "firewalld.conf").write_text(f"# DefaultZone=drop\n{text}")
    assert default_zone(tmp_path / "firewalld.conf") == zone
    assert default_zone(tmp_path / "missing") == "public"


def test_docker_is_known_by_its_bridge(tmp_path: Path) -> None:
    assert not docker_runs(tmp_path)
    (tmp_path / "docker0").mkdir()
    assert docker_runs(tmp_path)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("0: 0100007F:1FA0 00000000:0000 0A 0", True),
        (
            "0: 00000000000000000000000000000000:1FA0 00000000000000000000000000000000:0000 0A 0",
            True,
        ),
        ("0: 0100007F:1FA1 00000000:0000 0A 0", False),
        ("0: 0100007F:1FA0 0100007F:C350 01 0", False),
        ("0: 0100007F:C350 0100007F:1FA0 01 0", False),
        ("cut short:1FA0", False),
    ],
)
def test_jellyfin_is_known_by_a_socket_that_listens_at_its_port(
    tmp_path: Path, line: str, found: bool
) -> None:
    (tmp_path / "tcp6").write_text(f"  sl  local_address rem_address   st\n{line}\n")
    tables = (str(tmp_path / "tcp"), str(tmp_path / "tcp6"))  # the first is not there
    assert listens(8096, tables) is found


def test_those_are_cut_off_who_are_connected_to_a_guarded_port_and_not_let_in() -> None:
    connected = [
        Connection(ip_address("81.2.69.2"), 8096),
        Connection(ip_address("81.2.69.3"), 8096),
        Connection(ip_address("81.2.69.3"), 8096),
        Connection(ip_address("81.2.69.3"), 443),
        Connection(ip_address("2a01:4f8::1"), 8001),
    ]
    ports = ("8000-8010/tcp", "8096/tcp", "443/udp")
    assert cut_off(connected, ports, [ip_network("81.2.69.2")]) == [connected[4], connected[1]]


@pytest.mark.parametrize(
    ("answer", "said", "doubtful"),
    [
        (Found((ip_address("81.2.69.2"),), 60), "is 81.2.69.2 now", False),
        (Absent("NXDOMAIN"), "has no address now: NXDOMAIN", True),
        (Unavailable("SERVFAIL"), "has no address now: SERVFAIL", True),
        (Found((ip_address("192.168.1.2"),), 60), "a private address", True),
        (Found((ip_address("100.64.1.2"),), 60), "carrier-grade NAT", True),
        (Found((ip_address("104.16.0.1"),), 60), "proxied", True),
    ],
)
def test_what_the_dns_answers_is_told_with_what_is_odd(
    answer: Answer, said: str, doubtful: bool
) -> None:
    one = friend("alice alice.example.org")
    first, second = one.queries
    place = whereabouts(one, {first: answer, second: Absent("NODATA")})
    assert said in " ".join(place.lines)
    assert place.doubtful is doubtful


def test_a_found_address_counts_with_the_width_it_will_be_granted() -> None:
    one = friend("alice alice.example.org 81.2.70.0/24")
    first, second = one.queries
    place = whereabouts(
        one,
        {
            first: Found((ip_address("81.2.69.2"),), 60),
            second: Found((ip_address("2a01:4f8:1:2::7"),), 60),
        },
    )
    assert set(map(str, place.networks)) == {"81.2.70.0/24", "81.2.69.2/32", "2a01:4f8:1:2::/64"}
