"""Addresses that are local by another routing table than main and local: gates guard them, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.echo import EchoIn
from tests.support.gates import FREE, GUARDED, allow
from tests.support.internet import (
    ETH,
    FRIEND,
    FRIEND6,
    NEIGHBOUR,
    NEIGHBOUR6,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
)
from tests.support.probe import IN_VAIN, tcp_answers, udp_answers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.packets.conftest import GateMaker
    from tests.support.internet import Internet

pytestmark = pytest.mark.root

ANY, ANY6 = "193.99.145.50", "2a02:2e0:3ff::50"
TABLE = "100"


@pytest.fixture
def anycast(internet: Internet) -> Iterator[Internet]:
    """The server takes two addresses for its own by a rule and a table, as AnyIP does."""
    for address, via, option in ((ANY, SERVER, "-4"), (ANY6, SERVER6, "-6")):
        internet.router.command("ip", option, "route", "add", address, "via", via)
        internet.server.command(
            "ip", option, "rule", "add", "pref", "50", "to", address, "lookup", TABLE
        )
        internet.server.command(
            "ip", option, "route", "add", "local", address, "dev", "lo", "table", TABLE
        )
    yield internet
    for address, option in ((ANY, "-4"), (ANY6, "-6")):
        internet.router.command("ip", option, "route", "del", address)
        internet.server.command("ip", option, "rule", "del", "pref", "50")
        internet.server.command("ip", option, "route", "flush", "table", TABLE)


@pytest.mark.parametrize("address", [ANY, ANY6])
@pytest.mark.parametrize("answers", [tcp_answers, udp_answers])
def test_an_address_of_another_table_is_guarded(
    anycast: Internet, gate: GateMaker, answers: Callable[..., bool], address: str
) -> None:
    with EchoIn(anycast.server, (GUARDED, FREE)) as echo:
        assert answers(anycast.stranger, address, GUARDED)
        echo.seen.clear()
        allow(anycast.server, gate(), FRIEND, FRIEND6)
        assert answers(anycast.friend, address, GUARDED)
        assert not answers(anycast.stranger, address, GUARDED, wait=IN_VAIN)
        assert not echo.seen.keys() & {STRANGER, STRANGER6}
        assert answers(anycast.stranger, address, FREE)
        anycast.server.run(gate().clear)
        assert answers(anycast.stranger, address, GUARDED)


def test_a_service_in_a_vrf_is_guarded(internet: Internet, gate: GateMaker) -> None:
    server = internet.server
    server.sysctl("net/ipv4/tcp_l3mdev_accept", "1")
    server.command("sh", "-ec", f"ip link add blue type vrf table 10; ip link set blue up; "
                   f"ip link set {ETH} master blue; "
                   f"ip route add default via {NEIGHBOUR} table 10; "
                   f"ip -6 address add {SERVER6}/64 dev {ETH} nodad; "
                   f"ip -6 route add default via {NEIGHBOUR6} table 10")  # fmt: skip
    try:
        with EchoIn(server, (GUARDED,)):
            assert tcp_answers(internet.stranger, SERVER, GUARDED)
            allow(server, gate(), FRIEND, FRIEND6)
            for address in (SERVER, SERVER6):
                assert tcp_answers(internet.friend, address, GUARDED)
                assert not tcp_answers(internet.stranger, address, GUARDED, wait=IN_VAIN)
    finally:
        server.command("sh", "-ec", f"ip link del blue; "
                       f"ip address add {SERVER6}/64 dev {ETH} nodad 2>/dev/null || :; "
                       f"ip route replace default via {NEIGHBOUR}; "
                       f"ip -6 route replace default via {NEIGHBOUR6}")  # fmt: skip
