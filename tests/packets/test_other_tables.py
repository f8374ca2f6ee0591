"""Addresses that are local by another routing table than main and local: gates guard them, too."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.echo import EchoIn
from tests.support.gates import FREE, GUARDED, allow
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


# A listener for TCP over IPv4 would answer from there only if it were transparent (ip(7)).
@pytest.mark.parametrize(
    ("answers", "address"), [(udp_answers, ANY), (udp_answers, ANY6), (tcp_answers, ANY6)]
)
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
