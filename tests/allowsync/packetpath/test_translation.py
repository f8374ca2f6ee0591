"""Which ports rules of address translation name, in whatever form they name them."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from allowsync.model.value import replace
from allowsync.packetpath import Aim, PacketVerdict, Question, ask, original
from allowsync.packetpath.behind import MOST_NEIGHBOURS, MOST_NETWORKS
from allowsync.packetpath.isolation import Tools
from allowsync.packetpath.translation import (
    MOST_ADDRESSES,
    MOST_PORTS,
    named_addresses,
    named_ports,
)
from tests.support.met_packets import with_uplink
from tests.support.netns import Namespace
from tests.support.published import publish, with_container

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

ASKED = Question(ip_address("73.15.20.9"), "tcp", 0, aim=Aim.TRANSLATED)
CHAIN = "type nat hook prerouting priority dstnat;"
RULES = {
    "tcp dport 8080 redirect to :80": {8080},
    "tcp dport != 22 th dport 1000-2000 dnat to 10.0.0.5": {22, 1000, 2000},
    "tcp dport { 81, 83-89 } dnat to 10.0.0.5:80": {81, 83},
    "dnat to tcp dport map { 82 : 10.0.0.5, 443 : 10.0.0.6 }": {82, 443},
    "meta l4proto tcp redirect to :tcp dport map { 96 : 8920 }": {96, 8920},
    "ip daddr . tcp dport vmap { 193.99.1.80 . 84 : goto other }": {84},
}
SHAPES = {
    "-p tcp --dport 85 -j DNAT --to-destination 10.0.0.5:80": {85},
    "-p udp --dport 86:88 -j REDIRECT --to-ports 80": {86, 88},
    "-p tcp -m multiport --dports 90,92:94 -j DNAT --to-destination 10.0.0.5": {90, 92, 94},
}


@pytest.fixture
def inside(as_root: None) -> Iterator[Namespace]:
    with Namespace() as namespace:
        with_uplink(namespace)
        yield namespace


def named(inside: Namespace) -> set[int]:
    return set(named_ports(inside.run(original.read, Tools())))


def test_rules_maps_and_sets_of_nftables_name_ports(inside: Namespace) -> None:
    for rule, ports in RULES.items():
        inside.nft(
            f"flush ruleset; table ip n {{ chain other {{ dnat to 10.0.0.5; }}\n"
            f"chain p {{ {CHAIN} {rule};\n }}\n}}"
        )
        assert named(inside) >= ports, rule
    inside.nft(
        f"flush ruleset; table ip6 n {{ set s {{ type ipv6_addr; elements = {{ 2a02:: }}\n }}\n"
        f"chain p {{ {CHAIN} ip6 daddr 2a03:: ip6 saddr @s dnat to fd00::5;\n }}\n}}"
    )
    assert named(inside) == set()  # addresses are no ports
    inside.nft(
        "flush ruleset; table ip f { chain c { type filter hook input priority 0;"
        "tcp dport 95 drop;\n }\n}"
    )
    assert named(inside) == set()


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_rules_of_iptables_name_ports(inside: Namespace, tool: str) -> None:
    for shape in SHAPES:
        inside.command("sh", "-ec", f"{tool} -t nat -A PREROUTING {shape}")
    answers = inside.run(ask, [ASKED]).answers  # a process of its own, as legacy tables need
    assert {one.question.port for one in answers} >= set().union(*SHAPES.values())


ADDRESSES = {
    "ip daddr 193.99.5.7 tcp dport 80 dnat to 10.0.0.5": {"193.99.5.7"},
    "ip daddr { 193.99.5.8, 193.99.5.9 } dnat to 10.0.0.5": {"193.99.5.8", "193.99.5.9"},
    "ip daddr . tcp dport { 193.99.5.10 . 80 } dnat to 10.0.0.5": {"193.99.5.10"},
    "ip saddr 193.99.5.11 ip daddr != 193.99.5.12 dnat to 10.0.0.5": set(),
}


def test_rules_name_addresses_that_packets_are_for(inside: Namespace) -> None:
    for rule, addresses in ADDRESSES.items():
        inside.nft(f"flush ruleset; table ip n {{ chain p {{ {CHAIN} {rule};\n }}\n}}")
        read = inside.run(original.read, Tools())
        assert {str(one) for one in named_addresses(read)} == addresses, rule


def test_only_chains_that_translate_name_addresses_in_a_table_that_filters_too(
    inside: Namespace,
) -> None:
    onward = ("jump one", "tcp dport vmap { 80 : goto two, 81 : accept }", "tcp dport vmap @by")
    inside.nft(
        "table inet n {"
        + "".join(
            f"chain {name} {{ ip daddr 193.99.5.{number} dnat ip to 10.0.0.5; }}\n"
            for number, name in enumerate(("one", "two", "three", "alone"), 1)
        )
        + "map by { type inet_service : verdict; elements = { 82 : jump three } }\n"
        + f"chain p {{ {CHAIN} {'; '.join(onward)};\n }}\n"
        + "chain f { type filter hook forward priority 0; ip6 daddr 2002::/24 reject;\n }\n}"
    )
    read = inside.run(original.read, Tools())
    assert {str(one) for one in named_addresses(read)} == {f"193.99.5.{n}" for n in (1, 2, 3)}


@pytest.mark.parametrize("tool", ["iptables-nft", "iptables-legacy"])
def test_rules_of_iptables_name_addresses(inside: Namespace, tool: str) -> None:
    shape = "-i eth0 -d 193.99.5.7 -p tcp --dport 80 -j DNAT --to-destination 10.0.0.5"
    inside.command("sh", "-ec", f"{tool} -t nat -A PREROUTING {shape}")
    asked = {one.question.destination for one in inside.run(ask, [ASKED]).answers}
    assert ip_address("193.99.5.7") in asked


def test_more_ports_than_are_asked_are_told(inside: Namespace) -> None:
    ports = ", ".join(str(2 * one) for one in range(1, MOST_PORTS + 3))
    inside.nft(
        f"table ip n {{ chain p {{ {CHAIN} tcp dport {{ {ports} }} dnat to 10.0.0.5;\n }}\n}}"
    )
    answers = inside.run(ask, [ASKED])
    assert len(answers.answers) == MOST_PORTS
    assert answers.machine.caveats == ("2 more ports that address translation names",)
    own = replace(ASKED, port=443, aim=Aim.OWN)
    assert inside.run(ask, [own]).machine.caveats == ()


def test_addresses_that_are_not_asked_for_are_counted(inside: Namespace) -> None:
    rules = "\n".join(
        f"ip daddr 193.99.77.{one} tcp dport 443 dnat to 10.0.0.5"
        for one in range(1, MOST_ADDRESSES + 4)
    )
    inside.nft(f"table ip n {{ chain p {{ {CHAIN}\n{rules}\n}}\n}}")
    answers = inside.run(ask, [ASKED])
    asked = {one.question.destination for one in answers.answers}
    assert len(asked) == MOST_ADDRESSES + 1
    assert answers.machine.caveats == ("3 more addresses that address translation names",)


def test_networks_and_neighbours_behind_that_are_not_asked_for_are_counted(
    inside: Namespace,
) -> None:
    inside.batch(
        "link add lan0 type veth peer name lan0p",
        "link set lan0 up",
        "link set lan0p up",
        "address add 193.99.2.1/24 dev lan0",
        *(
            f"neighbour add 193.99.2.{one} lladdr 02:00:00:00:00:01 dev lan0"
            for one in range(2, MOST_NEIGHBOURS + 4)
        ),
        *(f"route add 193.100.{one}.0/24 dev lan0" for one in range(MOST_NETWORKS + 2)),
    )
    answers = inside.run(ask, [replace(ASKED, port=443, aim=Aim.BEHIND)])
    assert len(answers.answers) == MOST_NEIGHBOURS + MOST_NETWORKS - 1
    assert answers.machine.caveats == (
        "3 more networks behind this machine",
        "2 more neighbours",
    )


@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_a_packet_that_is_stopped_tells_where_it_was_going(inside: Namespace, variant: str) -> None:
    with_container(inside, variant)
    publish(inside, 9000, 8096, variant)
    inside.command("sh", "-ec", f"iptables-{variant} -I DOCKER-USER -j DROP")
    answers = inside.run(ask, [ASKED]).answers
    (one,) = (answer for answer in answers if answer.question.port == 9000)
    assert one.verdict is PacketVerdict.DROPPED
    assert one.to is not None
    assert one.to[1:] == (ip_address("172.17.0.2"), 8096)
