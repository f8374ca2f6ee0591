"""What nft prints, understood or refused, never guessed."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import Any

import pytest
from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.nftables.gate import CHAINS, PRIORITY, SEEN_FOR, NftGate
from allowsync_backends.nftables.inspection import current, dormant, mendable
from allowsync_backends.nftables.nft_json import Element, NftListingError, elements, leaves, objects
from allowsync_backends.nftables.shared_set import merges, shared_set

from allowsync.backend.api import BackendError
from allowsync.model.types import Entry, Family

GATE = NftGate("web", (Port(443, 443, Protocol.TCP), Port(8000, 8010, Protocol.TCP)))
REMEMBERED = {"timeout": SEEN_FOR, "size": 65535}
METAINFO = {"metainfo": {"version": "1.0.6", "json_schema_version": 1}}


def table(**changes: Any) -> list[dict[str, Any]]:
    """A listing of a whole gate, as nft 1.0.6 prints it."""
    own = {"family": "inet", "table": GATE.table}
    chain = {"type": "filter", "prio": PRIORITY, "policy": "accept"}
    return [
        METAINFO,
        {"table": {"family": "inet", "name": GATE.table, "handle": 2}},
        {
            "set": {
                **own,
                "name": "ipv4",
                "type": "ipv4_addr",
                "flags": ["interval"],
                "elem": ["81.2.69.1", {"prefix": {"addr": "90.0.0.0", "len": 24}}],
                **changes,
            }
        },
        {"set": {**own, "name": "ipv6", "type": "ipv6_addr", "flags": ["interval"]}},
        *(
            {"set": {**own, "name": name, "type": kind, "flags": ["timeout"], **REMEMBERED}}
            for name, kind in (("ipv4_seen", "ipv4_addr"), ("ipv6_seen", "ipv6_addr"))
        ),
        *({"chain": {**own, "name": name, **chain, "hook": hook}} for name, hook in CHAINS.items()),
        *(
            {
                "rule": {
                    **own,
                    "chain": rule.chain,
                    "comment": comment,
                    "expr": list(rule.expressions),
                }
            }
            for rule, comment in zip(GATE.rules, GATE.comments, strict=True)
        ),
    ]


def text(listed: Any) -> str:
    return json.dumps({"nftables": listed})


def test_a_whole_gate_is_read_without_a_flaw() -> None:
    read = current(GATE, text(table()))
    assert read.entries == {Entry(ip_network("81.2.69.1")), Entry(ip_network("90.0.0.0/24"))}
    assert read.flaws == ()
    assert mendable(text(table()), GATE)


def test_what_is_left_of_a_source_tells_when_its_last_packet_came() -> None:
    listed = table()
    seen = {one["set"]["name"]: one["set"] for one in listed if "set" in one}
    seen["ipv4_seen"]["elem"] = [{"elem": {"val": "81.2.69.1", "expires": SEEN_FOR - 60}}]
    seen["ipv6_seen"]["elem"] = [{"elem": {"val": "2a02::", "expires": SEEN_FOR + 1}}]
    traffic = current(GATE, text(listed)).traffic
    assert traffic is not None
    assert traffic.ages == {ip_network("81.2.69.1"): 60, ip_network("2a02::/64"): 0}
    assert not traffic.anew
    seen["ipv4_seen"]["timeout"] = 60
    read = current(GATE, text(listed))
    assert read.traffic is not None
    assert read.traffic.ages == {ip_network("2a02::/64"): 0}
    assert read.traffic.anew
    assert read.flaws == ("set ipv4_seen does not exist, or is of another type",)
    assert not mendable(text(listed), GATE)


def test_counters_and_implied_matches_of_other_versions_are_no_flaw() -> None:
    listed = table()
    for one in listed:
        if "rule" in one:
            implied = {"match": {"op": "==", "left": {"meta": {"key": "nfproto"}}, "right": "ipv4"}}
            one["rule"]["expr"].insert(0, implied)
            one["rule"]["expr"].append({"counter": {"packets": 9, "bytes": 900}})
    assert current(GATE, text(listed)).flaws == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"flags": ["interval", "timeout"]},
        {"flags": []},
        {"type": "ipv6_addr"},
        {"timeout": 60},
        {"size": 10},
        {"auto-merge": True},
    ],
)
def test_a_set_of_another_kind_is_a_flaw_that_only_a_new_table_mends(
    changes: dict[str, Any],
) -> None:
    listed = table(**changes)
    assert current(GATE, text(listed)).flaws == ("set ipv4 is of another type, or has other flags",)
    assert not mendable(text(listed), GATE)


@pytest.mark.parametrize(
    "element",
    [
        {"range": ["1.2.3.4", "1.2.3.6"]},
        {"elem": {"val": "1.2.3.4", "timeout": 60, "expires": 59}},
    ],
)
def test_elements_we_never_put_there_are_read_and_called_a_flaw(element: Any) -> None:
    read = current(GATE, text(table(elem=[element])))
    assert Entry(ip_network("1.2.3.4/31")) in read.entries or read.entries == {
        Entry(ip_network("1.2.3.4"))
    }
    assert read.flaws == ("set ipv4 holds ranges, or elements that expire",)


def test_a_network_with_a_comment_is_as_good_as_one_without() -> None:
    read = current(GATE, text(table(elem=[{"elem": {"val": "1.2.3.4", "comment": "hello"}}])))
    assert read.entries == {Entry(ip_network("1.2.3.4"))}
    assert read.flaws == ()


def test_a_listing_without_a_table_is_no_answer_to_what_was_asked() -> None:
    with pytest.raises(NftListingError):
        current(GATE, text([METAINFO]))


GARBAGE = [
    "",
    "{",
    "null",
    "[]",
    "{}",
    '{"nftables": null}',
    '{"nftables": {}}',
    '{"nftables": ["x"]}',
    '{"nftables": [{}]}',
    '{"nftables": [{"table": 1}]}',
    '{"nftables": [{"table": {}, "set": {}}]}',
    '{"nftables": 1}',
    "table inet allowsync_web {\n}\n",
    text(table())[:-1],
    text(table())[: len(text(table())) // 2],
    "[" * 100_000,
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_an_error_and_never_an_empty_table(garbage: str) -> None:
    with pytest.raises(NftListingError):
        current(GATE, garbage)
    assert not mendable(garbage, GATE)


@pytest.mark.parametrize(
    "element",
    [
        "friend.example.org",
        "81.2.69.1/33",
        "2a02::1",
        "010.0.0.1",
        7,
        None,
        {},
        {"prefix": {"addr": "81.2.69.1", "len": 24}},
        {"prefix": {"addr": "81.2.69.0", "len": "24"}},
        {"range": ["1.2.3.9", "1.2.3.4"]},
        {"range": ["1.2.3.9"]},
        {"elem": {}},
        {"elem": 5},
        {"concat": ["1.2.3.4", 80]},
    ],
    ids=str,
)
def test_an_element_that_is_no_address_is_an_error(element: Any) -> None:
    with pytest.raises(NftListingError):
        elements({"name": "ipv4", "elem": [element]}, Family.IPV4)


def test_ranges_keep_their_text_and_are_summed_up_in_networks() -> None:
    (found,) = elements({"elem": [{"range": ["1.2.3.4", "1.2.3.6"]}]}, Family.IPV4)
    networks = (ip_network("1.2.3.4/31"), ip_network("1.2.3.6/32"))
    assert found == Element(networks, "1.2.3.4-1.2.3.6")
    assert not found.plain


def test_a_dormant_table_is_recognised_by_its_text() -> None:
    assert dormant(GATE, "table inet allowsync_web {\n\tflags dormant\n")
    assert not dormant(GATE, "table inet allowsync_web {\n\tset ipv4 {\n")
    assert not dormant(GATE, "table inet filter {\n\tflags dormant\n")


def test_rules_are_compared_by_what_they_say() -> None:
    one = [{"match": {"op": "==", "left": {"meta": {"key": "iifname"}}, "right": "lo"}}]
    other = [{"match": {"left": {"meta": {"key": "iifname"}}, "right": ["lo"], "op": "in"}}]
    assert leaves(one) == leaves(other)
    assert leaves(one) != leaves([*one, {"accept": None}])
    assert leaves([{"accept": None}]) != leaves([{"drop": None}])


def listed_set(**fields: Any) -> str:
    own = {"family": "inet", "table": "filter", "name": "trusted", "type": "ipv4_addr"}
    return text([METAINFO, {"set": {**own, **fields}}])


def test_only_elements_with_our_comment_are_ours() -> None:
    elem = [
        "1.1.1.1",
        {"elem": {"val": "2.2.2.2", "comment": "allowsync:web"}},
        {"elem": {"val": "3.3.3.3", "comment": "allowsync:webmail"}},
        {"elem": {"val": "4.4.4.4", "comment": "allowsync:web ", "counter": {"packets": 1}}},
    ]
    found = shared_set("p", Family.IPV4, "allowsync:web", listed_set(elem=elem, size=9))
    assert [one.text for one in found.ours] == ["2.2.2.2"]
    assert [one.text for one in found.others] == ["1.1.1.1", "3.3.3.3", "4.4.4.4"]
    assert (found.interval, found.size) == (False, 9)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "ipv6_addr"},
        {"type": ["ipv4_addr", "inet_service"]},
        {"type": None},
        {"flags": ["constant"]},
        {"flags": ["timeout"], "timeout": 3600},
        {"flags": ["interval"], "auto-merge": True},
    ],
    ids=str,
)
def test_a_set_that_cannot_be_shared_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(BackendError, match="inet filter trusted"):
        shared_set("inet filter trusted", Family.IPV4, "m", listed_set(**fields))


def test_auto_merge_is_seen_in_the_text_and_not_in_a_comment() -> None:
    assert merges("table ip f {\n\tset s {\n\t\tflags interval\n\t\tauto-merge\n\t}\n}\n")
    assert not merges('table ip f {\n\tset s {\n\t\tcomment "auto-merge"\n\t}\n}\n')


def test_what_is_no_listing_has_no_objects() -> None:
    assert objects(text([METAINFO])) == ()
