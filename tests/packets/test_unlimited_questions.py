"""Questions, which come all at once, use up no limit of rate or number that others need."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from allowsync.model.types import Entry
from tests.support.met_packets import guard, seen, with_uplink
from tests.support.netns import Namespace
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Iterator

    from allowsync.model.target import Guard

pytestmark = pytest.mark.root

FRIENDS: Final = tuple(Entry(net(f"81.2.69.{one}/32"), (f"friend{one}",)) for one in range(1, 9))
GUARD: Final = guard(8096)

FILTER: Final = """flush ruleset
table ip6 none {{ chain input {{ type filter hook input priority 0; policy drop; }}
}}
table ip filter {{
 limit calm {{ rate 2/minute burst 1 packets; }}
 set seen {{ type ipv4_addr; flags dynamic; size 1000; }}
 chain input {{ type filter hook input priority 0; policy {policy};
  {rule}
 }}
}}"""
# Rules that let in what is within a limit, and such that stop what is beyond one.
WITHIN: Final = (
    "limit rate 2/minute burst 1 packets accept",
    'limit name "calm" accept',
    "update @seen { ip saddr limit rate 1/hour burst 1 packets } accept",
    "ct count 1 accept",
)
BEYOND: Final = (
    "limit rate over 2/minute burst 1 packets drop",
    "add @seen { ip saddr ct count over 1 } reject",
    "ct state new ct count over 1 reject with tcp reset",
)
BY_IPTABLES: Final = {
    "-P INPUT DROP; {tool} -A INPUT -m limit --limit 1/hour --limit-burst 1 -j ACCEPT": True,
    "-P INPUT DROP; {tool} -A INPUT -p tcp -m hashlimit --hashlimit-upto 1/hour"
    " --hashlimit-burst 1 --hashlimit-name one -j ACCEPT": True,
    "-P INPUT DROP; {tool} -A INPUT -p tcp -m connlimit --connlimit-upto 1"
    " --connlimit-mask 0 -j ACCEPT": True,
    "-A INPUT -m hashlimit --hashlimit-above 1/hour --hashlimit-burst 1"
    " --hashlimit-mode dstport --hashlimit-name two -j DROP": False,
    "-A INPUT -p tcp --syn -m connlimit --connlimit-above 1 --connlimit-mask 0 -j REJECT": False,
}


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    """A namespace with an uplink."""
    with Namespace() as namespace:
        with_uplink(namespace)
        yield namespace


def opened(inside: Namespace) -> str:
    """What is said of a port that everyone gets to: no friend is locked out."""
    (one,) = seen(inside, GUARD, FRIENDS)
    assert one.what.startswith("8096/tcp is open to everyone over IPv4 by eth0: "), one
    return one.what


def test_all_are_within_a_limit_of_nftables(inside: Namespace) -> None:
    for rule in WITHIN:
        inside.nft(FILTER.format(policy="drop", rule=rule))
        assert f"(as long as the limit of 'ip filter input: {rule}' lasts)" in opened(inside)
    for rule in BEYOND:
        inside.nft(FILTER.format(policy="accept", rule=rule))
        said = opened(inside)
        assert said.endswith("policy accept (as long as the limit in chain input lasts)"), rule
    for rule in ("tcp dport 8097 limit rate over 2/minute drop", "limit rate over 2/minute accept"):
        inside.nft(FILTER.format(policy="accept", rule=rule))
        assert "as long as" not in opened(inside), rule


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_all_are_within_a_limit_of_iptables(inside: Namespace, tool: str) -> None:
    inside.nft("table ip6 none { chain i { type filter hook input priority 0; policy drop; }; }")
    for rule, is_within in BY_IPTABLES.items():
        inside.command(
            "sh", "-ec", f"{tool} -F; {tool} -P INPUT ACCEPT; {tool} {rule}".format(tool=tool)
        )
        said = opened(inside)
        assert ("as long as the limit of" in said) is is_within, rule
        assert ("(as long as the limit in chain INPUT lasts)" in said) is not is_within, rule


# Limits that the first connection is beyond: what lets in within one lets in none.
BEYOND_AT_ONCE: Final = (
    ("accept", "ct count over 0 drop"),
    ("accept", "ct state new add @seen { ip saddr ct count over 0 } reject"),
    ("accept", "limit rate over 1 bytes/day burst 5 bytes drop"),
    ("drop", "ct count 0 accept"),
    ("drop", "limit rate 1 bytes/day burst 5 bytes accept"),
)


def test_no_connection_is_within_a_limit_of_none(inside: Namespace) -> None:
    for policy, rule in BEYOND_AT_ONCE:
        inside.nft(FILTER.format(policy=policy, rule=rule))
        (one,) = seen(inside, GUARD, FRIENDS)
        assert "are locked out of 8096/tcp" in one.what, rule


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_none_is_within_such_a_limit_of_iptables(inside: Namespace, tool: str) -> None:
    inside.nft("table ip6 none { chain i { type filter hook input priority 0; policy drop; }; }")
    for policy, rule in (
        ("ACCEPT", "-m connlimit --connlimit-above 0 --connlimit-mask 0 -j DROP"),
        ("DROP", "-m connlimit --connlimit-upto 0 -j ACCEPT"),
    ):
        inside.command("sh", "-ec", f"{tool} -F; {tool} -P INPUT {policy}")
        inside.command(tool, *f"-A INPUT -p tcp {rule}".split())
        (one,) = seen(inside, GUARD, FRIENDS)
        assert "are locked out of 8096/tcp" in one.what, rule


def test_a_quota_that_is_used_up_stays_so(inside: Namespace) -> None:
    inside.nft(FILTER.format(policy="accept", rule="tcp dport 8096 quota over 0 bytes drop"))
    found = seen(inside, GUARD, FRIENDS)
    assert len(found) == 1
    assert "are locked out of 8096/tcp" in found[0].what


def test_what_follows_is_as_long_as_a_connection_has_it(inside: Namespace) -> None:
    rule = "tcp dport 8096 tcp flags & (syn | ack) == ack ip length < 52 drop"
    inside.nft(FILTER.format(policy="accept", rule=rule))
    opened(inside)


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_questions_are_not_counted_by_recent(inside: Namespace, tool: str) -> None:
    for rule in (
        "-P INPUT DROP",
        "-A INPUT -p tcp -m recent --set --name met",
        "-A INPUT -p tcp -m recent --update --seconds 300 --hitcount 3 --name met -j DROP",
        "-A INPUT -s 81.2.69.0/24 -j ACCEPT",
    ):
        inside.command(tool, *rule.split())
    inside.nft("table ip6 none { chain i { type filter hook input priority 0; policy drop; }; }")
    ports = guard(*range(8096, 8102))
    assert locked_out(inside, ports) == []
    (said, *_) = (one.what for one in seen(inside, ports, FRIENDS))
    assert "(as long as the limit in chain INPUT lasts)" in said
    for _ in range(2):
        inside.command("sh", "-c", "echo +81.2.69.1 >/proc/net/xt_recent/met")
    (said, *_) = locked_out(inside, ports)
    assert said.startswith("friend1 (81.2.69.1) is locked out of 8096/tcp")


def locked_out(inside: Namespace, ports: Guard) -> list[str]:
    """What is said of friends who do not get in."""
    return [one.what for one in seen(inside, ports, FRIENDS) if "locked out" in one.what]
