"""Ports that are not guarded and lead to what is behind a guarded one."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

import pytest
from allowsync_backends.common.ports import Protocol

from allowsync.model.target import Severity
from allowsync.model.types import Entry
from tests.support.gates import allow, gate, port
from tests.support.met_packets import guard, seen, with_uplink
from tests.support.netns import Namespace
from tests.support.published import publish, with_container
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.target import Finding

pytestmark = pytest.mark.root

FRIEND, FRIEND6 = "81.2.69.142/32", "2a02:8109:9a40::/64"
FRIENDS: Final = (Entry(net(FRIEND), ("alice",)), Entry(net(FRIEND6), ("bob",)))
NAT: Final = "table ip n { chain p { type nat hook prerouting priority dstnat; %s\n}\n}"


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with an uplink and a gate for 8096."""
    with Namespace() as namespace:
        with_uplink(namespace)
        allow(namespace, gate(ports=(port(8096, Protocol.TCP),)), FRIEND, FRIEND6)
        yield namespace


def found(inside: Namespace, *ports: int) -> list[Finding]:
    """What packets show of a guard of ports."""
    return seen(inside, guard(*(ports or (8096,))), FRIENDS)


@pytest.mark.parametrize("variant", ["nft", "legacy"])
@pytest.mark.parametrize("inner", [8096, 80])
def test_a_port_published_to_the_guarded_container_is_named(
    inside: Namespace, variant: str, inner: int
) -> None:
    with_container(inside, variant)
    publish(inside, 8096, inner, variant)
    publish(inside, 8443, 443, variant)  # to the same container, and another service
    assert found(inside) == []
    publish(inside, 18096, inner, variant)
    (one,) = found(inside)
    assert one.severity is Severity.ERROR
    assert one.what.startswith(
        "strangers reach 8096/tcp by 18096/tcp over IPv4 and IPv6 by eth0, "
        f"which leads to 172.17.0.2 port {inner}, fd00:d::2 port {inner}: ip"
    )
    assert one.advice == "guard 18096/tcp as well, or do not publish it"


def test_where_both_ports_are_guarded_nothing_is_said(inside: Namespace) -> None:
    with_container(inside)
    publish(inside, 8096, 80)
    publish(inside, 18096, 80)
    both = (port(8096, Protocol.TCP), port(18096, Protocol.TCP))
    allow(inside, gate(ports=both), FRIEND, FRIEND6)
    assert found(inside, 8096, 18096) == []


# Rules of address translation, and the ports by which strangers get past the gate of 8096.
TRANSLATIONS: Final = {
    "tcp dport 80 redirect to :8096": "",  # the gate stands in the hook input as well
    "tcp dport 80 dnat to 193.99.1.80:8096": "",
    "tcp dport 80 redirect to :9000": "",
    "tcp dport 8096 redirect to :8920": "8920/tcp",
    "dnat ip to tcp dport map { 80 : 10.7.7.7 . 8096, 8096 : 10.7.7.7 . 8096 }": "80/tcp",
    "tcp dport { 81, 8096 } dnat to 10.7.7.7:8920": "81/tcp",
    "tcp dport { 81, 8096 } dnat to 10.7.7.7": "",  # another port of the same machine
    "ip daddr 193.99.5.7 tcp dport 8096 dnat to 10.7.7.7:80": "193.99.5.7",
    "ip daddr 193.99.5.7 dnat to 10.7.7.7": "",  # all of another machine
    "udp dport 81 dnat to 10.7.7.7:8096; tcp dport 8096 dnat to 10.7.7.7": "",
}


@pytest.mark.parametrize(("rules", "by"), TRANSLATIONS.items(), ids=range(len(TRANSLATIONS)))
def test_each_port_that_translation_names_is_tried(inside: Namespace, rules: str, by: str) -> None:
    inside.sysctl("net/ipv4/ip_forward", "1")
    inside.command("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    inside.batch("address add 10.7.7.1/24 dev lan0", "link set lan0 up", "link set lan1 up")
    inside.nft(NAT % rules)
    whats = [one.what for one in found(inside)]
    if by:
        (what,) = whats
        assert what.startswith(f"strangers reach 8096/tcp by {by} over IPv4")
    else:
        assert whats == []


SERVER4, SERVER6 = "192.168.2.10", "2a02:2e0:77::10"
ROUTER: Final = """table ip nat { chain prerouting { type nat hook prerouting priority dstnat;
  iifname "eth0" tcp dport 8096 dnat to %s
}
}"""


@pytest.mark.parametrize(
    ("same", "translated", "named"),
    [
        (True, SERVER4, SERVER6),
        (True, f"{SERVER4}:8920", f"{SERVER6} port 8920"),
        (False, SERVER4, ""),
        (False, f"{SERVER4}:8920", ""),
    ],
    ids=["the same machine", "its other port", "another machine", "the other port of another"],
)
def test_an_address_of_the_machine_behind_is_named(
    inside: Namespace, *, same: bool, translated: str, named: str
) -> None:
    inside.command("ip", "link", "add", "lan0", "type", "veth", "peer", "name", "lan1")
    inside.batch(
        "address add 192.168.2.1/24 dev lan0",
        "address add 2a02:2e0:77::1/64 dev lan0 nodad",
        "link set lan0 up",
        "link set lan1 up",
        f"neighbour add {SERVER4} lladdr 02:00:00:00:00:10 dev lan0",
        f"neighbour add {SERVER6} lladdr 02:00:00:00:00:{10 if same else 11} dev lan0",
    )
    inside.sysctl("net/ipv4/ip_forward", "1")
    inside.sysctl("net/ipv6/conf/all/forwarding", "1")
    inside.nft(ROUTER % translated)
    said = [(one.what, one.advice) for one in found(inside)]
    if not named:
        assert said == []
        return
    ((what, advice),) = said
    assert what.startswith(
        f"strangers reach 8096/tcp by {named} over IPv6 by eth0, "
        "the machine that 8096/tcp leads to: "
    )
    assert advice.startswith("restrict access where packets are forwarded")


SERVER: Final = """import socket, sys
tcp, udp = (socket.socket(socket.AF_INET6, kind) for kind in (1, 2))
for one in (tcp, udp): one.bind((sys.argv[1], 8096))
tcp.listen()
print("listens", flush=True)
sys.stdin.read()
"""


@pytest.mark.parametrize(("address", "open_to"), [("::", 1), ("::1", 0)])
def test_the_same_program_by_udp_is_named(inside: Namespace, address: str, open_to: int) -> None:
    assert found(inside) == []
    with inside.start(sys.executable, "-c", SERVER, address) as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "listens\n"
        several = found(inside)
        assert server.stdin is not None
        server.stdin.close()
    assert len(several) == open_to
    for one in several:
        assert one.severity is Severity.WARNING
        assert one.what.startswith("strangers reach 8096/udp over IPv4 and IPv6 by eth0, where the")
        assert one.advice == "guard 8096/udp as well, or have the program not listen there"


def test_the_same_program_by_udp_is_no_concern_where_it_is_guarded(inside: Namespace) -> None:
    both = (port(8096, Protocol.TCP), port(8096, Protocol.UDP))
    with inside.start(sys.executable, "-c", SERVER, "::") as server:
        assert server.stdout is not None
        assert server.stdout.readline() == "listens\n"
        allow(inside, gate(ports=both), FRIEND, FRIEND6)
        assert found(inside) == []
        server.kill()


def test_a_container_that_is_published_by_udp_as_well_is_named(inside: Namespace) -> None:
    with_container(inside)
    publish(inside, 8096, 8096)
    assert found(inside) == []
    for tool, end in (("iptables", "172.17.0.2"), ("ip6tables", "[fd00:d::2]")):
        rule = f"-t nat -A PREROUTING -p udp --dport 8096 -j DNAT --to-destination {end}:8096"
        inside.command(tool, *rule.split())
        inside.command(tool, *["-I", "FORWARD", "-p", "udp", "--dport", "8096", "-j", "ACCEPT"])
    (one,) = found(inside)
    assert one.what.startswith("strangers reach 8096/udp over IPv4 and IPv6 by eth0")
