"""Rules and routes may depend on whose program answers: the copy answers as the same user."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pytest

from allowsync.packetpath import PacketVerdict
from tests.support.agreement import compare, served_world

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.internet import Internet

pytestmark = pytest.mark.root

USER: Final = 1234
# What keeps a user's programs off the uplink, or on a tunnel, as many a page has it.
MARKED: Final = """
{tool} -t mangle -A OUTPUT -p tcp --sport 8096 -m owner --uid-owner 1234 -j MARK --set-mark 7
ip rule add fwmark 7 lookup 100
ip route add blackhole default table 100"""
ROUTED: Final = """
ip rule add uidrange 1234-1234 ipproto tcp sport 8096 prohibit
ip rule add uidrange 0-0 ipproto tcp sport 443 prohibit"""
REFUSED: Final = """
{tool} -A OUTPUT -p tcp --sport 8096 -m owner ! --uid-owner 0 -j DROP
{tool} -A OUTPUT -p udp --sport 8096 -m owner --uid-owner 0 -j DROP"""
BY_NFT: Final = """nft -f - <<-END
table inet t {
 chain o {
  type filter hook output priority 0
  meta skuid 1234 tcp sport 8096 drop
  meta skuid 0 udp sport 8096 drop
 }
}
END"""
BY_USER: Final = {
    "marks by nft": (MARKED.format(tool="iptables-nft"), "routing: route blackhole"),
    "marks by legacy": (MARKED.format(tool="iptables-legacy"), "routing: route blackhole"),
    "rules for routing": (ROUTED, "routing: route prohibit"),
    "iptables-nft": (REFUSED.format(tool="iptables-nft"), "! --uid-owner 0 -j DROP"),
    "iptables-legacy": (REFUSED.format(tool="iptables-legacy"), "! --uid-owner 0 -j DROP"),
    "nft": (BY_NFT, "meta skuid 1234 tcp sport 8096 drop"),
}
BY_GROUP: Final = {
    "group by nft": BY_NFT.replace("skuid 0", "skgid 55"),
    "control group by nft": BY_NFT.replace("skuid 0", "cgroup 55"),
    **{
        f"{what} by {tool}": f"{tool} -A OUTPUT -p udp --sport 8096 {match} -j DROP"
        for tool in ("iptables-nft", "iptables-legacy")
        for what, match in (
            ("group", "-m owner --gid-owner 55"),
            ("control group", "-m cgroup --cgroup 55"),
        )
    },
}


# What asks for a connection is no program's yet.
BEFORE_ANY: Final = """nft -f - <<-END
table inet t {
 chain i {
  type filter hook input priority 0
  meta cgroup 55 drop
 }
}
END
iptables-nft -A INPUT -m cgroup --cgroup 55 -j DROP
iptables-legacy -A INPUT -m cgroup --cgroup 55 -j DROP"""


@pytest.fixture
def world(as_root: None) -> Iterator[Internet]:
    """A server whose services are those of a user."""
    with served_world(USER) as net:
        yield net


@pytest.mark.parametrize(("rules", "why"), BY_USER.values(), ids=BY_USER)
def test_the_copy_answers_as_the_user_whose_program_listens(
    world: Internet, rules: str, why: str
) -> None:
    world.server.command("sh", "-ec", rules)
    done = compare(world)
    assert (done.wrong, done.unknown) == ({}, set())
    lost = {one.question.port: one.unanswered for one in done.answers if one.unanswered}
    assert lost.keys() == {8096}
    assert why in lost[8096]


@pytest.mark.parametrize("rules", BY_GROUP.values(), ids=BY_GROUP)
def test_what_a_group_of_programs_decides_is_unknown(world: Internet, rules: str) -> None:
    world.server.command("sh", "-ec", rules)
    done = compare(world)
    assert done.wrong == {}
    assert done.unknown == {("udp", 8096)}
    whose = {one.reason for one in done.answers if one.verdict is PacketVerdict.UNKNOWN}
    assert len(whose) == 1
    assert "group of the program that answers decides" in whose.pop()


def test_what_asks_belongs_to_no_group(world: Internet) -> None:
    world.server.command("sh", "-ec", BEFORE_ANY)
    done = compare(world)
    assert (done.wrong, done.unknown) == ({}, set())
