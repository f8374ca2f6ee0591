"""Scripts as we write them, and listings as the tools print them. No tool is run here."""

from __future__ import annotations

from ipaddress import ip_network

import pytest
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.ipset import IpsetOptions
from allowsync_backends.ipset.inspection import chain_flaws, hook_flaws, hooks, table
from allowsync_backends.ipset.rules import IpsetGate, load_script, removal_script
from allowsync_backends.ipset.set_store import SetsFound
from allowsync_backends.ipset.sets import (
    MIN_CAPACITY,
    IpsetListingError,
    SetContent,
    Shape,
    capacity_for,
    flaws,
    held,
    in_place,
    names_in,
    replacing,
    swapping,
)

from allowsync.model.target import Effect, Traffic
from allowsync.model.types import Family

V4, V6 = Family.IPV4, Family.IPV6
NAME = "allowsync-web-4"
HOME, OFFICE = ip_network("81.2.69.142/32"), ip_network("203.0.113.0/24")
HOME6 = ip_network("2a02:8109:9a40::/64")

LISTING = """\
Name: allowsync-web-4
Type: hash:net
Revision: 7
Header: family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0xff23e350
Size in memory: 600
References: 2
Number of entries: 2
Members:
81.2.69.142
203.0.113.0/24
"""


def test_a_listing_is_read() -> None:
    assert held(LISTING, NAME, V4) == SetContent(Shape.SOUND, (HOME, OFFICE), 2)


def test_a_set_that_counts_is_read_with_its_counts() -> None:
    counting = LISTING.replace("maxelem 65536", "maxelem 65536 counters")
    counting = counting.replace("142\n", "142 packets 3 bytes 87\n")
    counting = counting.replace("0/24\n", "0/24 packets 0 bytes 0\n")
    found = held(counting, NAME, V4)
    assert (found.shape, found.counts) == (Shape.SOUND, (3, 0))
    assert held(LISTING, NAME, V4).counts is None
    assert SetsFound({NAME: found}).traffic(()) == Traffic(counts={HOME: 3, OFFICE: 0})
    assert SetsFound({NAME: found, "other": held(LISTING, NAME, V4)}).traffic(()) is None
    assert SetsFound({NAME: SetContent(Shape.MISSING)}).traffic(["gone"]) == Traffic(anew=True)


def test_the_names_of_sets_are_read_and_nothing_else() -> None:
    assert names_in("<ipsets>\n</ipsets>\n") == frozenset()
    whole = '<ipsets>\n<ipset name="mine"/>\n<ipset name="a <&b"/>\n</ipsets>\n'
    assert names_in(whole) == {"mine", "a <&b"}
    for length in range(len(whole)):
        with pytest.raises(IpsetListingError):
            names_in(whole[:length])
    for other in ("garbage\n", "mine\n", whole.replace("/>", ">")):
        with pytest.raises(IpsetListingError):
            names_in(other)


def test_an_old_ipset_that_does_not_count_is_read_too() -> None:
    lines = LISTING.replace("Number of entries: 2\n", "").replace(" bucketsize 12", "")
    assert held(lines, NAME, V4).shape is Shape.SOUND


@pytest.mark.parametrize(
    ("before", "after", "shape"),
    [
        ("maxelem 65536", "maxelem 65536 timeout 300", Shape.ODD),
        ("maxelem 65536", "maxelem 65536 counters", Shape.ODD),  # of which no member shows any
        ("maxelem 65536", "maxelem 65536 comment", Shape.ODD),
        ("maxelem 65536", "maxelem 65536 forceadd", Shape.ODD),
        ("203.0.113.0/24", "203.0.113.0/24 nomatch", Shape.ODD),
        ("family inet ", "family inet6 ", Shape.FOREIGN),
        ("hash:net", "hash:ip", Shape.FOREIGN),
        ("hash:net", "hash:net,port", Shape.FOREIGN),
    ],
)
def test_a_set_unlike_ours_is_told_apart(before: str, after: str, shape: Shape) -> None:
    assert held(LISTING.replace(before, after), NAME, V4).shape is shape


@pytest.mark.parametrize(
    "listing",
    [
        "",
        "garbage",
        LISTING[: LISTING.index("Members")],
        LISTING.replace("203.0.113.0/24\n", ""),
        LISTING.replace("203.0.113.0/24", "203.0.113.0/2"),
        LISTING.replace("203.0.113.0/24", "2a02::/64"),
        LISTING.replace("203.0.113.0/24", "example.org"),
        LISTING.replace("allowsync-web-4", "allowsync-web-6"),
        LISTING.replace("References: 2\n", ""),
        LISTING.replace("family inet ", ""),
        LISTING.replace("Number of entries: 2", "Number of entries: two"),
    ],
)
def test_what_is_no_whole_listing_is_never_an_empty_set(listing: str) -> None:
    with pytest.raises(IpsetListingError):
        held(listing, NAME, V4)


def test_everything_is_added_before_anything_is_deleted() -> None:
    other = "allowsync-web-6"
    script = in_place({NAME: [HOME], other: [HOME6]}, {NAME: [OFFICE], other: []})
    assert script == (
        "add allowsync-web-4 81.2.69.142\n"
        "add allowsync-web-6 2a02:8109:9a40::/64\n"
        "del allowsync-web-4 203.0.113.0/24\n"
    )
    assert in_place({}, {}) == ""


def test_a_set_is_filled_beside_the_old_one_and_swapped_at_the_end() -> None:
    assert swapping({NAME: (V4, [HOME]), "allowsync-web-6": (V6, [])}) == (
        "create allowsync-web-4t hash:net family inet hashsize 1024 maxelem 65536 counters\n"
        "add allowsync-web-4t 81.2.69.142\n"
        "create allowsync-web-6t hash:net family inet6 hashsize 1024 maxelem 65536 counters\n"
        "swap allowsync-web-4t allowsync-web-4\n"
        "swap allowsync-web-6t allowsync-web-6\n"
        "destroy allowsync-web-4t\n"
        "destroy allowsync-web-6t\n"
    )


def test_the_sets_of_a_denylist_are_told_from_those_of_an_allowlist() -> None:
    marked = LISTING.replace("maxelem 65536", "maxelem 65536 counters skbinfo")
    marked = marked.replace("142\n", "142 packets 1 bytes 60\n")
    marked = marked.replace("0/24\n", "0/24 packets 0 bytes 0\n")
    assert held(marked, NAME, V4, Effect.DENY).networks == (HOME, OFFICE)
    for listing, effect in ((marked, Effect.ALLOW), (LISTING, Effect.DENY)):
        found = held(listing, NAME, V4, effect)
        assert found == SetContent(Shape.TURNED, (), 2)
        (said,) = flaws(NAME, found, effect)
        assert f"is that of {'a denylist' if effect is Effect.ALLOW else 'an allowlist'}" in said
    created, *_ = swapping({NAME: (V4, [HOME])}, Effect.DENY).splitlines()
    assert created.endswith(" maxelem 65536 counters skbinfo")


@pytest.mark.parametrize(
    ("shape", "end"),
    [
        (Shape.ODD, "swap allowsync-web-4t allowsync-web-4\ndestroy allowsync-web-4t\n"),
        (Shape.TURNED, "swap allowsync-web-4t allowsync-web-4\ndestroy allowsync-web-4t\n"),
        (Shape.MISSING, "rename allowsync-web-4t allowsync-web-4\n"),
        (
            Shape.FOREIGN,
            "destroy allowsync-web-4\nrename allowsync-web-4t allowsync-web-4\n",
        ),
    ],
)
def test_a_set_takes_its_place_whatever_is_there(shape: Shape, end: str) -> None:
    left_behind = frozenset({"allowsync-web-4t", "mine"})
    script = replacing({NAME: (V4, [])}, {NAME: shape}, left_behind)
    assert script.startswith("destroy allowsync-web-4t\ncreate allowsync-web-4t ")
    assert script.endswith(f"maxelem 65536 counters\n{end}")


@pytest.mark.parametrize(
    ("count", "capacity"),
    [(0, MIN_CAPACITY), (3, MIN_CAPACITY), (32768, MIN_CAPACITY), (32769, 131072),
     (100_000, 262_144)],
)  # fmt: skip
def test_a_set_has_room_for_twice_what_it_holds(count: int, capacity: int) -> None:
    assert capacity_for(count) == capacity


def port(first: int, last: int = 0, protocol: Protocol = Protocol.TCP) -> Port:
    return Port(first, last or first, protocol)


GATE = IpsetGate(
    "web", (port(443), port(8000, 8010), port(443, protocol=Protocol.UDP)), ("lo", "wg*")
)
TO_US_FROM_STRANGERS = (
    "-m addrtype --dst-type LOCAL,BROADCAST,ANYCAST,MULTICAST "
    "-m set ! --match-set allowsync-web-4 src -j DROP"
)
RULES = (
    "-A allowsync-web -i lo -j RETURN",
    "-A allowsync-web -i wg+ -j RETURN",
    f"-A allowsync-web -p tcp -m multiport --dports 443,8000:8010 {TO_US_FROM_STRANGERS}",
    f"-A allowsync-web -p udp -m multiport --dports 443 {TO_US_FROM_STRANGERS}",
)


HOOK, INPUT_HOOK = GATE.hook("PREROUTING"), GATE.hook("INPUT")
# What comes to INPUT is for this machine: the kernel has decided that.
INPUT_RULES = tuple(
    rule.replace("allowsync-web ", "allowsync_web ").replace(
        "-m addrtype --dst-type LOCAL,BROADCAST,ANYCAST,MULTICAST ", ""
    )
    for rule in RULES
)


def test_the_rules_of_input_ask_for_no_type_of_address() -> None:
    assert GATE.rules("INPUT", V4) == INPUT_RULES
    assert all_flaws(listing(HOOK).replace(INPUT_HOOK, "-A INPUT -j ACCEPT")) == [
        "nothing leads to chain allowsync_web"
    ]


def test_two_targets_never_share_a_set_or_a_chain() -> None:
    sets_alone = {"the ipset allowsync-web-4", "the ipset allowsync-web-6"}
    assert set(map(str, IpsetOptions().places("web"))) == sets_alone
    guarding = IpsetOptions(ports=(port(443),)).places("web")
    assert set(map(str, guarding)) == {
        *sets_alone,
        "the iptables chain allowsync-web",
        "the iptables chain allowsync_web",
    }


def test_the_rules_are_as_iptables_prints_them() -> None:
    assert GATE.rules("PREROUTING", V4) == RULES


def test_ipv6_has_a_rule_for_multicasts_of_its_own() -> None:
    kinds = [rule.split("--dst-type ")[1].split()[0] for rule in GATE.rules("PREROUTING", V6)[2:]]
    assert kinds == ["LOCAL,ANYCAST", "MULTICAST"] * 2


def test_no_rule_names_more_ports_than_it_may() -> None:
    single = tuple(port(number) for number in range(1, 41, 2))
    ranges = tuple(port(number, number + 1) for number in range(100, 140, 4))
    listed = [
        rule.split("--dports ")[1].split()[0]
        for rule in IpsetGate("web", single + ranges).rules("PREROUTING", V4)[1:]
    ]
    assert all(len(numbers.replace(":", ",").split(",")) <= 15 for numbers in listed)
    named = ",".join(listed).replace(":", "-").split(",")
    assert named == [one.numbers for one in single + ranges]


def test_a_gate_is_loaded_in_one_step_and_its_way_in_is_made_first_of_all() -> None:
    assert load_script(GATE, V4, {"PREROUTING": [HOOK]}) == "\n".join(
        (
            "*mangle",
            ":allowsync-web - [0:0]",
            ":allowsync_web - [0:0]",
            *RULES,
            *INPUT_RULES,
            "-D PREROUTING -j allowsync-web",
            "-I PREROUTING -j allowsync-web",
            "COMMIT",
            "",
        )
    )
    assert "PREROUTING" not in load_script(GATE, V4, {"INPUT": []})


def test_a_gate_is_taken_down_in_one_step() -> None:
    assert removal_script(GATE, [HOOK]) == (
        "*mangle\n:allowsync-web - [0:0]\n:allowsync_web - [0:0]\n"
        "-D PREROUTING -j allowsync-web\n-X allowsync-web\n-X allowsync_web\nCOMMIT\n"
    )


HEAD = "-P PREROUTING ACCEPT\n-P INPUT ACCEPT\n-N allowsync-web\n-N allowsync_web\n-N mine\n"


def listing(*hooks_there: str, rules: tuple[str, ...] = RULES) -> str:
    return HEAD + "\n".join((*hooks_there, INPUT_HOOK, *rules, *INPUT_RULES)) + "\n"


def all_flaws(text: str) -> list[str]:
    found = table(text)
    return [*chain_flaws(GATE, V4, found), *hook_flaws(GATE, found)]


def test_a_whole_gate_has_no_flaw() -> None:
    assert all_flaws(listing(HOOK)) == []


def test_another_order_of_matches_is_the_same_rule() -> None:
    turned = tuple(
        rule.replace("-p tcp -m multiport --dports 443,8000:8010 ", "-p tcp -m tcp ").replace(
            " -j DROP", " -m multiport --dports 443,8000:8010 -j DROP"
        )
        if "tcp" in rule
        else rule
        for rule in RULES
    )
    assert turned != RULES
    assert all_flaws(listing(HOOK, rules=turned)) == []


FOREIGN = "chain allowsync-web has a rule that does not belong there"
MISSING = "a rule of chain allowsync-web is missing"
PASSING = "a rule before the one that leads to chain allowsync-web may let strangers pass it"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-P PREROUTING ACCEPT\n",
         ["chain allowsync-web does not exist", "chain allowsync_web does not exist",
          "nothing leads to chain allowsync-web", "nothing leads to chain allowsync_web"]),
        (listing(), ["nothing leads to chain allowsync-web"]),
        (listing(HOOK, HOOK), ["more than one rule leads to chain allowsync-web"]),
        (listing("-A PREROUTING -i eth0 -j allowsync-web"),
         ["the rule that leads to chain allowsync-web says something else"]),
        (listing("-A PREROUTING -g allowsync-web"),
         ["the rule that leads to chain allowsync-web says something else"]),
        (listing("-A PREROUTING -p tcp -j ACCEPT", HOOK), [PASSING]),
        (listing("-A PREROUTING -p tcp -j NFQUEUE --queue-num 1", HOOK), [PASSING]),
        (listing("-A PREROUTING -j mine", HOOK, "-A mine -j ACCEPT"), [PASSING]),
        (listing("-A PREROUTING -j mine", HOOK, "-A mine -j mine"), []),
        (listing("-A PREROUTING -j MARK --set-xmark 0x1/0xff", HOOK), []),
        (listing(HOOK, "-A PREROUTING -j ACCEPT"), []),
        (listing(HOOK, rules=RULES[:-1]), [MISSING]),
        (listing(HOOK, rules=(*RULES, "-A allowsync-web -j ACCEPT")), [FOREIGN]),
        (listing(HOOK, rules=(*RULES, RULES[-1])), [FOREIGN]),
        (listing(HOOK, rules=RULES[::-1]),
         ["the rules of chain allowsync-web are in another order"]),
        (listing(HOOK, rules=(*RULES[:-1], RULES[-1].replace("! ", ""))), [MISSING, FOREIGN]),
        (listing(HOOK, rules=(*RULES[:-1], RULES[-1].replace("DROP", "RETURN"))),
         [MISSING, FOREIGN]),
    ],
)  # fmt: skip
def test_whatever_is_wrong_with_the_rules_is_said(text: str, said: list[str]) -> None:
    assert all_flaws(text) == said


def test_a_comment_is_no_target() -> None:
    rule = '-A PREROUTING -m comment --comment "-j allowsync-web \\"x" -j MARK --set-mark 1'
    assert hooks(GATE, "PREROUTING", table(listing(rule))) == ()


@pytest.mark.parametrize(
    "text",
    ["", "# nothing\n", "garbage\n", "-P PREROUTING ACCEPT\n-A nowhere -j DROP\n",
     "-P PREROUTING ACCEPT\n-X\n", "-N allowsync-web\n", '{"nftables": []}'],
)  # fmt: skip
def test_what_is_no_listing_of_rules_is_an_error(text: str) -> None:
    with pytest.raises(IpsetListingError):
        table(text)
