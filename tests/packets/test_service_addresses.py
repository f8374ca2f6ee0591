"""What hosts of the allowlist find at this machine's addresses, beside real connections."""

from __future__ import annotations

import socket
from contextlib import ExitStack, closing
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, NamedTuple

import pytest

from allowsync.inspect.explain import MetPacket
from allowsync.inspect.guarded_target import GuardedTarget
from allowsync.inspect.packets import answered
from allowsync.inspect.reachability import about_friends
from allowsync.inspect.service_addresses import unserved
from allowsync.model.target import Severity
from allowsync.model.types import Entry
from allowsync.packetpath import Question, ask
from allowsync.report.explain import _packets
from tests.support.internet import FRIEND, FRIEND6, SERVER, SERVER6, Internet
from tests.support.met_packets import guard
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tests.support.netns import Namespace

pytestmark = pytest.mark.root

PORT: Final = 8097
SECOND: Final = "193.99.144.81"
TARGET: Final = GuardedTarget(
    "web/nftables",
    guard(PORT),
    (Entry(net(f"{FRIEND}/32"), ("alice",)), Entry(net(f"{FRIEND6}/128"), ("alice",))),
)


class Bound(NamedTuple):
    """A socket of a service."""

    address: str
    port: int = PORT
    only_ipv6: bool = True
    device: str = ""
    kind: socket.SocketKind = socket.SOCK_STREAM


def listening(bound: Bound) -> socket.socket:
    """That socket, in the network namespace of the moment."""
    family = socket.AF_INET6 if ":" in bound.address else socket.AF_INET
    one = socket.socket(family, bound.kind)
    if family == socket.AF_INET6:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, bound.only_ipv6)
    if bound.device:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, bound.device.encode())
    one.bind((bound.address, bound.port))
    if bound.kind is socket.SOCK_STREAM:
        one.listen()
    return one


def connects(source: str, to: str) -> bool:
    """Whether a connection is made."""
    try:
        socket.create_connection((to, PORT), 5, (source, 0)).close()
    except ConnectionRefusedError:
        return False
    return True


def heard(server: Namespace) -> tuple[bool, bool]:
    """Whether a program listens for what comes over IPv4, and over IPv6."""
    asked = [Question(ip_address(one), "tcp", PORT) for one in (FRIEND, FRIEND6)]
    first, second = server.run(ask, asked).answers
    return first.heard, second.heard


def said(server: Namespace) -> list[str]:
    """What is found at the target, none of it worse than information."""
    answers = server.run(answered, tuple(about_friends([TARGET])))
    found = [one for _, one in unserved([TARGET], answers)]
    assert all(one.severity is Severity.INFO for one in found)
    return [one.what for one in found]


REDIRECTED: Final = f"""table ip n {{ chain p {{ type nat hook prerouting priority -100;
 tcp dport {PORT} redirect to :9000; }}; }}"""


@pytest.mark.parametrize(
    ("services", "rules", "reached"),
    [
        ((), "", (False, False)),
        ((Bound("127.0.0.1"), Bound("::1")), "", (False, False)),
        ((Bound("0.0.0.0"),), "", (True, False)),
        ((Bound("::"),), "", (False, True)),
        ((Bound("::", only_ipv6=False),), "", (True, True)),
        ((Bound(SERVER),), "", (True, False)),
        ((Bound(SERVER6),), "", (False, True)),
        ((Bound(f"::ffff:{SERVER}", only_ipv6=False),), "", (True, False)),
        ((Bound("172.17.0.1"),), "", (False, False)),
        ((Bound("0.0.0.0", device="lo"),), "", (False, False)),
        ((Bound("0.0.0.0", device="eth0"),), "", (True, False)),
        ((Bound("::", device="docker0", only_ipv6=False),), "", (False, False)),
        ((Bound("0.0.0.0", kind=socket.SOCK_DGRAM),), "", (False, False)),
        ((Bound("0.0.0.0", 9000),), REDIRECTED, (True, False)),
        ((Bound("0.0.0.0"),), REDIRECTED, (False, False)),
    ],
    ids=str,
)
def test_who_listens_is_told_as_connections_find_it(
    internet: Internet, services: Iterable[Bound], rules: str, reached: tuple[bool, bool]
) -> None:
    with ExitStack() as open_sockets:
        for one in services:
            open_sockets.enter_context(closing(internet.server.run(listening, one)))
        internet.server.nft(rules)
        found = internet.friend.run(connects, FRIEND, SERVER)
        found6 = internet.friend.run(connects, FRIEND6, SERVER6)
        assert (found, found6) == reached
        assert heard(internet.server) == reached


def test_a_family_without_a_program_is_named(internet: Internet) -> None:
    everywhere = f"{PORT}/tcp: no program listens over IPv4 and IPv6 at {SERVER}, {SERVER6}; "
    assert said(internet.server) == [
        everywhere + "hosts of the allowlist reach the port, but no service"
    ]
    with closing(internet.server.run(listening, Bound("0.0.0.0"))):
        (what,) = said(internet.server)
        assert what.startswith(f"{PORT}/tcp: no program listens over IPv6 at {SERVER6}; ")
    with closing(internet.server.run(listening, Bound("::", only_ipv6=False))):
        assert said(internet.server) == []


def test_a_rule_for_one_of_several_addresses_is_told(internet: Internet) -> None:
    internet.server.batch(f"address add {SECOND}/24 dev eth0")
    internet.server.nft(
        f"""table inet f {{ chain i {{ type filter hook input priority 0;
        ip daddr {SERVER} tcp dport {PORT} drop; }}; }}"""
    )
    with closing(internet.server.run(listening, Bound("::", only_ipv6=False))):
        (what,) = said(internet.server)
        asked = [Question(ip_address(FRIEND), "tcp", PORT)]
        answers = internet.server.run(ask, asked).answers
    rule = f"inet f i: ip daddr {SERVER} tcp dport {PORT} drop"
    assert what == (
        f"alice ({FRIEND}) cannot reach {PORT}/tcp over IPv4 at {SERVER}: {rule}; "
        f"at {SECOND} they can"
    )
    assert sorted(_packets(MetPacket("web/nftables", one) for one in answers)) == [
        f"{PORT}/tcp from {FRIEND} at {SERVER} by eth0: dropped: {rule}",
        f"{PORT}/tcp from {FRIEND} at {SECOND} by eth0: delivered: inet f i: policy accept",
    ]
    internet.server.batch(f"address del {SECOND}/24 dev eth0")
