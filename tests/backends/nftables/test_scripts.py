"""Plans as nft scripts, compared as text."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from allowsync_backends.common.ports import Port, Protocol, merged
from allowsync_backends.nftables.gate import NftGate, mend_script, rebuild_script
from allowsync_backends.nftables.nft_json import Element
from allowsync_backends.nftables.scripts import overlapping, update_script
from allowsync_backends.nftables.shared_set import SetChange, SharedSet, scripts

from allowsync.model.plan import Plan
from allowsync.model.types import Entry, Family, Network

TCP, UDP = Protocol.TCP, Protocol.UDP
GATE = NftGate("web", (Port(443, 443, TCP), Port(443, 443, UDP)), ("wg0", "lo"))
HOOKED = "type filter hook %s priority -150; policy accept;"
SEEN = "type %s; flags dynamic, timeout; timeout 604800s; size 65535;"
FOR_US = "fib daddr type { local, broadcast, anycast, multicast }"


def nets(*texts: str) -> tuple[Network, ...]:
    return tuple(map(ip_network, texts))


def entries(*texts: str) -> tuple[Entry, ...]:
    return tuple(map(Entry, nets(*texts)))


def test_a_gate_is_built_in_one_script() -> None:
    digest = GATE.comments[0].split(":")[1]
    assert rebuild_script(GATE, nets("81.2.129.1/32", "90.0.0.0/24", "2a02::/64")) == (
        "add table inet allowsync_web\n"
        "delete table inet allowsync_web\n"
        "table inet allowsync_web {\n"
        "\tset ipv4 {\n\t\ttype ipv4_addr\n\t\tflags interval\n"
        "\t\telements = { 81.2.129.1, 90.0.0.0/24 }\n\t}\n"
        "\tset ipv6 {\n\t\ttype ipv6_addr\n\t\tflags interval\n"
        "\t\telements = { 2a02::/64 }\n\t}\n"
        f"\tset ipv4_seen {{ {SEEN % 'ipv4_addr'} }}\n"
        f"\tset ipv6_seen {{ {SEEN % 'ipv6_addr'} }}\n"
        "\tchain gate {\n"
        "\t\ttype filter hook prerouting priority -150; policy accept;\n"
        f'\t\tiifname "lo" accept comment "allowsync:{digest}:1.20"\n'
        f'\t\tiifname "wg0" accept comment "allowsync:{digest}:2.20"\n'
        f"\t\ttcp dport {{ 443 }} {FOR_US} ip saddr != @ipv4 counter drop "
        f'comment "allowsync:{digest}:3.20"\n'
        f"\t\ttcp dport {{ 443 }} {FOR_US} ip saddr @ipv4 update @ipv4_seen "
        f'{{ ip saddr }} comment "allowsync:{digest}:4.20"\n'
        f"\t\ttcp dport {{ 443 }} {FOR_US} ip6 saddr != @ipv6 counter drop "
        f'comment "allowsync:{digest}:5.20"\n'
        f"\t\ttcp dport {{ 443 }} {FOR_US} ip6 saddr @ipv6 update @ipv6_seen "
        f'{{ ip6 saddr & ffff:ffff:ffff:ffff:: }} comment "allowsync:{digest}:6.20"\n'
        f"\t\tudp dport {{ 443 }} {FOR_US} ip saddr != @ipv4 counter drop "
        f'comment "allowsync:{digest}:7.20"\n'
        f"\t\tudp dport {{ 443 }} {FOR_US} ip saddr @ipv4 update @ipv4_seen "
        f'{{ ip saddr }} comment "allowsync:{digest}:8.20"\n'
        f"\t\tudp dport {{ 443 }} {FOR_US} ip6 saddr != @ipv6 counter drop "
        f'comment "allowsync:{digest}:9.20"\n'
        f"\t\tudp dport {{ 443 }} {FOR_US} ip6 saddr @ipv6 update @ipv6_seen "
        f'{{ ip6 saddr & ffff:ffff:ffff:ffff:: }} comment "allowsync:{digest}:10.20"\n'
        "\t}\n"
        "\tchain gate_input {\n"
        "\t\ttype filter hook input priority -150; policy accept;\n"
        f'\t\tiifname "lo" accept comment "allowsync:{digest}:11.20"\n'
        f'\t\tiifname "wg0" accept comment "allowsync:{digest}:12.20"\n'
        f"\t\ttcp dport {{ 443 }} ip saddr != @ipv4 counter drop "
        f'comment "allowsync:{digest}:13.20"\n'
        f"\t\ttcp dport {{ 443 }} ip saddr @ipv4 update @ipv4_seen "
        f'{{ ip saddr }} comment "allowsync:{digest}:14.20"\n'
        f"\t\ttcp dport {{ 443 }} ip6 saddr != @ipv6 counter drop "
        f'comment "allowsync:{digest}:15.20"\n'
        f"\t\ttcp dport {{ 443 }} ip6 saddr @ipv6 update @ipv6_seen "
        f'{{ ip6 saddr & ffff:ffff:ffff:ffff:: }} comment "allowsync:{digest}:16.20"\n'
        f"\t\tudp dport {{ 443 }} ip saddr != @ipv4 counter drop "
        f'comment "allowsync:{digest}:17.20"\n'
        f"\t\tudp dport {{ 443 }} ip saddr @ipv4 update @ipv4_seen "
        f'{{ ip saddr }} comment "allowsync:{digest}:18.20"\n'
        f"\t\tudp dport {{ 443 }} ip6 saddr != @ipv6 counter drop "
        f'comment "allowsync:{digest}:19.20"\n'
        f"\t\tudp dport {{ 443 }} ip6 saddr @ipv6 update @ipv6_seen "
        f'{{ ip6 saddr & ffff:ffff:ffff:ffff:: }} comment "allowsync:{digest}:20.20"\n'
        "\t}\n"
        "}\n"
    )


def test_an_empty_gate_lets_nobody_in_and_is_valid() -> None:
    assert "elements" not in rebuild_script(GATE, ())
    assert "add element" not in mend_script(GATE, ())


def test_a_gate_is_mended_without_touching_table_sets_and_chain() -> None:
    lines = mend_script(GATE, nets("81.2.129.1/32")).splitlines()
    assert lines[:9] == [
        f"add chain inet allowsync_web gate {{ {HOOKED % 'prerouting'} }}",
        f"add chain inet allowsync_web gate_input {{ {HOOKED % 'input'} }}",
        f"add set inet allowsync_web ipv4_seen {{ {SEEN % 'ipv4_addr'} }}",
        f"add set inet allowsync_web ipv6_seen {{ {SEEN % 'ipv6_addr'} }}",
        "flush chain inet allowsync_web gate",
        "flush chain inet allowsync_web gate_input",
        "flush set inet allowsync_web ipv4",
        "add element inet allowsync_web ipv4 { 81.2.129.1 }",
        "flush set inet allowsync_web ipv6",
    ]
    assert [line.split(" comment ")[0] for line in lines[9:]] == [
        f"add rule inet allowsync_web {rule.chain} {rule.text}" for rule in GATE.rules
    ]


@pytest.mark.parametrize(
    "other",
    [
        NftGate("mail", GATE.ports, GATE.open_interfaces),
        NftGate("web", GATE.ports[:1], GATE.open_interfaces),
        NftGate("web", GATE.ports, ("lo",)),
        NftGate("web", (Port(444, 444, TCP), *GATE.ports[1:]), GATE.open_interfaces),
    ],
)
def test_gates_that_differ_in_anything_have_other_comments(other: NftGate) -> None:
    assert not set(GATE.comments) & set(other.comments)


def test_the_order_in_a_configuration_makes_no_other_gate() -> None:
    assert NftGate("web", GATE.ports, ("wg0", "lo")) == GATE
    assert NftGate("web", GATE.ports[::-1], ("lo", "wg0")).comments == GATE.comments


def test_changes_are_made_element_by_element() -> None:
    plan = Plan(
        "web/nftables",
        add=entries("81.2.129.2/32", "2a02::/64"),
        remove=entries("81.2.129.1/32"),
        keep=entries("90.0.0.0/24"),
    )
    assert update_script("allowsync_web", plan) == (
        "add element inet allowsync_web ipv4 { 81.2.129.1 }\n"
        "delete element inet allowsync_web ipv4 { 81.2.129.1 }\n"
        "add element inet allowsync_web ipv4 { 81.2.129.2 }\n"
        "add element inet allowsync_web ipv6 { 2a02::/64 }\n"
    )


def test_a_network_that_replaces_an_overlapping_one_has_its_set_filled_anew() -> None:
    plan = Plan(
        "web/nftables",
        add=entries("81.2.129.0/24"),
        remove=entries("81.2.129.1/32", "2a02::/64"),
        withheld=entries("90.0.0.0/24"),
    )
    assert update_script("allowsync_web", plan) == (
        "flush set inet allowsync_web ipv4\n"
        "add element inet allowsync_web ipv4 { 90.0.0.0/24, 81.2.129.0/24 }\n"
        "add element inet allowsync_web ipv6 { 2a02::/64 }\n"
        "delete element inet allowsync_web ipv6 { 2a02::/64 }\n"
    )


@pytest.mark.parametrize(
    ("some", "others", "expected"),
    [
        (("10.0.0.0/8",), ("10.1.0.0/16",), True),
        (("10.1.0.0/16",), ("10.0.0.0/8",), True),
        (("10.0.0.0/8",), ("10.0.0.0/8",), True),
        (("10.0.0.0/8", "12.0.0.0/8"), ("11.0.0.0/8", "13.0.0.0/8"), False),
        (("::/0",), ("0.0.0.0/0",), False),
        ((), ("0.0.0.0/0",), False),
        (("0.0.0.0/0",), (), False),
    ],
)
def test_networks_overlap_when_one_covers_the_other(
    some: tuple[str, ...], others: tuple[str, ...], expected: bool
) -> None:
    assert overlapping(nets(*some), nets(*others)) is expected


MARK = "allowsync:web"
HAND = Element(nets("8.8.8.8"), "8.8.8.8")


def shared(
    *, interval: bool = True, ours: tuple[Element, ...] = (), others: tuple[Element, ...] = ()
) -> SharedSet:
    return SharedSet("inet filter trusted", Family.IPV4, interval, None, ours, others)


def test_shared_elements_are_marked_as_ours() -> None:
    change = SetChange(
        nets("1.1.1.1"), nets("2.2.2.0/24", "3.3.3.3"), nets("2.2.2.0/24", "3.3.3.3")
    )
    assert scripts(shared(others=(HAND,)), change, MARK) == (
        (
            "add element inet filter trusted { 1.1.1.1 }\n"
            "delete element inet filter trusted { 1.1.1.1 }\n"
            'add element inet filter trusted { 2.2.2.0/24 comment "allowsync:web", '
            '3.3.3.3 comment "allowsync:web" }\n'
        ),
    )


def test_a_set_without_strangers_is_flushed_for_overlapping_networks() -> None:
    change = SetChange(nets("1.1.1.1"), nets("1.1.1.0/24"), nets("1.1.1.0/24"))
    assert scripts(shared(), change, MARK) == (
        (
            "flush set inet filter trusted\n"
            'add element inet filter trusted { 1.1.1.0/24 comment "allowsync:web" }\n'
        ),
    )


def test_a_set_with_strangers_is_never_flushed() -> None:
    change = SetChange(nets("1.1.1.1"), nets("1.1.1.0/24"), nets("1.1.1.0/24"))
    assert scripts(shared(others=(HAND,)), change, MARK) == (
        (
            "add element inet filter trusted { 1.1.1.1 }\n"
            "delete element inet filter trusted { 1.1.1.1 }\n"
        ),
        'add element inet filter trusted { 1.1.1.0/24 comment "allowsync:web" }\n',
    )


def test_our_elements_that_would_expire_are_made_anew() -> None:
    expiring = Element(nets("1.1.1.1"), "1.1.1.1", MARK, "timeout 60s expires 9s")
    change = SetChange((), (), nets("1.1.1.1"))
    assert scripts(shared(interval=False, ours=(expiring,)), change, MARK) == (
        (
            "add element inet filter trusted { 1.1.1.1 }\n"
            "delete element inet filter trusted { 1.1.1.1 }\n"
            'add element inet filter trusted { 1.1.1.1 comment "allowsync:web" }\n'
        ),
    )


def test_nothing_to_change_in_a_shared_set_is_no_script() -> None:
    assert scripts(shared(), SetChange((), (), nets("1.1.1.1")), MARK) == ("",)


def test_ports_are_merged_into_as_few_ranges_as_possible() -> None:
    ports = [
        Port(8002, 8005, TCP),
        Port(443, 443, TCP),
        Port(8000, 8003, TCP),
        Port(8006, 8006, TCP),
    ]
    assert merged([*ports, Port(53, 53, UDP)], TCP) == (Port(443, 443, TCP), Port(8000, 8006, TCP))
