"""What the gate of a denylist drops, and what it leaves alone, by real packets."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

import pytest
from allowsync_backends.ipset.options import Variant

from tests.support import gates, ipsets
from tests.support.echo import EchoIn
from tests.support.gates import BOTH, FREE, GUARDED, allow
from tests.support.internet import (
    FRIEND,
    FRIEND6,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
)
from tests.support.probe import IN_VAIN, tcp_answers, udp_answers

if TYPE_CHECKING:
    from allowsync_backends.common.ports import Port

    from allowsync.backend.protocols import Backend
    from tests.support.echo import Echo
    from tests.support.internet import Internet

pytestmark = pytest.mark.root


class DenyGateMaker(Protocol):
    """Makes the gate of a denylist, for all ports unless told otherwise."""

    def __call__(self, *, ports: tuple[Port, ...] = ()) -> Backend:
        """A gate of a denylist."""
        ...


GATES: dict[str, DenyGateMaker] = {
    "nftables": gates.deny_gate,
    "iptables-nft": partial(ipsets.ipset_deny_gate, variant=Variant.NFT),
    "iptables-legacy": partial(ipsets.ipset_deny_gate, variant=Variant.LEGACY),
}


@pytest.fixture(params=GATES)
def deny(request: pytest.FixtureRequest) -> DenyGateMaker:
    return GATES[request.param]


def test_what_is_listed_is_dropped_and_nothing_else(
    internet: Internet, echo: Echo, deny: DenyGateMaker
) -> None:
    allow(internet.server, deny(), "185.199.0.0/16", "2a00:1450::/32")
    for server in (SERVER, SERVER6):
        assert not tcp_answers(internet.stranger, server, GUARDED, wait=IN_VAIN)
        assert not udp_answers(internet.stranger, server, FREE, wait=IN_VAIN)
        assert tcp_answers(internet.friend, server, GUARDED)
        assert udp_answers(internet.friend, server, FREE)
    assert not echo.seen.keys() & {STRANGER, STRANGER6}


def test_what_this_machine_asks_for_is_answered(
    internet: Internet, echo: Echo, deny: DenyGateMaker
) -> None:
    """A list has its errors: nobody is to lose their package mirror by one."""
    allow(internet.server, deny(), "185.199.0.0/16", "2a00:1450::/32")
    with EchoIn(internet.stranger, (FREE,)):
        for address in (STRANGER, STRANGER6):
            assert tcp_answers(internet.server, address, FREE)
            assert udp_answers(internet.server, address, FREE)


def test_at_ports_the_others_stay_open(internet: Internet, echo: Echo, deny: DenyGateMaker) -> None:
    allow(internet.server, deny(ports=BOTH), STRANGER, STRANGER6)
    for server in (SERVER, SERVER6):
        assert not tcp_answers(internet.stranger, server, GUARDED, wait=IN_VAIN)
        assert not udp_answers(internet.stranger, server, GUARDED, wait=IN_VAIN)
        assert tcp_answers(internet.stranger, server, FREE)
        assert tcp_answers(internet.friend, server, GUARDED)


def test_an_empty_one_is_open_and_lets_go_at_once(
    internet: Internet, echo: Echo, deny: DenyGateMaker
) -> None:
    backend = deny()
    allow(internet.server, backend, STRANGER, FRIEND, FRIEND6)
    assert not tcp_answers(internet.friend, SERVER, GUARDED, wait=IN_VAIN)
    after = allow(internet.server, backend)
    assert (after.entries, after.flaws) == (frozenset(), ())
    assert tcp_answers(internet.friend, SERVER, GUARDED)
    assert tcp_answers(internet.stranger, SERVER6, GUARDED)
