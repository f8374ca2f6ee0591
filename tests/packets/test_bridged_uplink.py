"""An uplink that is a bridge: its port forwards in the copy before the first question is asked."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

import pytest

from allowsync.packetpath import PacketVerdict, Question, ask
from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace
from tests.support.terminal import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

# Both of one address, as the bridge of the machine: it has the addresses, eth0 is a port of it.
BRIDGED: Final = (
    "link add br0 type bridge",
    "link set br0 up",
    "address flush dev eth0 scope global",
    "link set eth0 master br0",
    "address add 193.99.1.80/24 dev br0",
    "address add 2a02:2e0:1::80/64 dev br0 nodad",
    "route add default via 193.99.1.1 dev br0",
    "-6 route add default via 2a02:2e0:1::1 dev br0",
)
FRIEND, STRANGER, STRANGER6 = "81.2.69.142", "73.15.20.9", "2601:100:10::9"
RULES: Final = """table bridge b { chain i { type filter hook input priority 0
  ip saddr 73.15.20.9 tcp dport 8096 drop
}
}
table inet f { chain i { type filter hook input priority 0
  ip6 saddr 2601:100:10::9 iifname "br0" tcp dport 8096 drop
}
}"""


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace whose uplink is a bridge."""
    with Namespace() as namespace:
        with_uplink(namespace)
        for family in ("-4", "-6"):
            namespace.command("ip", family, "route", "flush", "default")
        for one in BRIDGED:
            namespace.command("ip", *one.split())
        assert eventually(lambda: "LOWER_UP" in namespace.command("ip", "link", "show", "br0"))
        yield namespace


def test_what_arrives_at_a_bridge_meets_the_rules_of_both(inside: Namespace) -> None:
    inside.nft(RULES)
    sources = (FRIEND, STRANGER, STRANGER6)
    expected = [PacketVerdict.DELIVERED, PacketVerdict.DROPPED, PacketVerdict.DROPPED]
    for _ in range(3):
        answers = inside.run(ask, [Question(ip_address(one), "tcp", 8096) for one in sources])
        assert [one.verdict for one in answers.answers] == expected, answers
        named = [one.rules[-1] for one in answers.answers[1:]]
        assert [one.split(":")[0] for one in named] == ["bridge b i", "inet f i"]
