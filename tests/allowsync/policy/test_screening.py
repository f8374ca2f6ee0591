"""What of an answer is believed: the reject list, `max_addresses`, and proxied names."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.answer import Found, Unavailable
from allowsync.model.special_purpose import (
    CLOUDFLARE,
    IPV4_BLOCKS,
    IPV6_BLOCKS,
    proxied,
    rejection,
    special_within,
)
from allowsync.policy.screening import GuardRefusal, RejectedAddress, judge, without
from tests.support.values import AAAA, GONE, HOME, HOME6, MOVED, SERVFAIL, A, found, host

NEVER_HOME = [
    "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255",
    "127.0.0.1", "127.255.255.255", "169.254.0.1", "172.16.0.0", "172.31.255.255", "192.0.0.1",
    "192.0.2.1", "192.31.196.1", "192.52.193.1", "192.88.99.1", "192.168.0.1", "192.175.48.1",
    "198.18.0.0", "198.19.255.255", "198.51.100.7", "203.0.113.7", "224.0.0.1",
    "239.255.255.255", "240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:81.2.69.1",
    "64:ff9b::5102:4501", "100::1", "fc00::1", "fdff::1", "fe80::1", "ff02::1", "1fff::1",
    "4000::1", "2001::1", "2001:1ff:ffff::1", "2001:db8::1", "2002::1", "3fff::1", "3fff:fff::1",
    "2620:4f:8000::1", "::81.2.69.1",
]  # fmt: skip

PERHAPS_HOME = [
    "1.0.0.0", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255",
    "128.0.0.1", "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.1.1", "192.0.3.1",
    "192.167.255.255", "192.169.0.0", "198.17.255.255", "198.20.0.0", "198.51.99.255",
    "203.0.112.255", "203.0.114.0", "223.255.255.255", "2000::1", "2001:200::1", "2001:db7::1",
    "2001:db9::1", "2003::1", "2620:4f:7fff::1", "2620:4f:8001::1", "3ffe::1", "3fff:1000::1",
]  # fmt: skip


@pytest.mark.parametrize("text", NEVER_HOME)
def test_an_address_no_home_has_is_rejected_with_a_reason(text: str) -> None:
    assert len(rejection(ip_network(text))) > 10


@pytest.mark.parametrize("text", PERHAPS_HOME)
def test_an_address_just_outside_every_block_is_not_rejected(text: str) -> None:
    assert rejection(ip_network(text)) == ""


@pytest.mark.parametrize(("block", "reason"), IPV4_BLOCKS + IPV6_BLOCKS)
def test_the_first_and_the_last_address_of_each_block_are_rejected(block: str, reason: str) -> None:
    network = ip_network(block)
    assert rejection(ip_network(network.network_address)) == reason
    assert rejection(ip_network(network.broadcast_address)) == reason


EDGES = sorted(
    {
        (int(edge) + beside) % (1 << block.max_prefixlen)
        for block in map(ip_network, (*CLOUDFLARE, *dict((*IPV4_BLOCKS, *IPV6_BLOCKS))))
        for edge in (block.network_address, block.broadcast_address)
        for beside in (-1, 0, 1)
    }
)


@given(
    st.sampled_from(EDGES) | st.integers(0, 2**32 - 1) | st.integers(0, 2**128 - 1),
    st.integers(0, 128),
    st.booleans(),
)
def test_what_is_rejected_is_what_one_of_the_lists_holds(
    number: int, width: int, six: bool
) -> None:
    address = IPv6Address(number) if six or number >= 2**32 else ip_address(number)
    network = ip_network((address, min(width, address.max_prefixlen)), strict=False)
    assert bool(rejection(network)) == bool(special_within(network) or proxied(network))


def test_a_carrier_grade_nat_address_is_named_as_such() -> None:
    assert "carrier-grade NAT" in rejection(ip_network("100.64.1.2"))


def test_accept_takes_networks_out_of_the_reject_list() -> None:
    tailnet = (ip_network("100.64.0.0/10"),)
    assert rejection(ip_network("100.64.1.2"), tailnet) == ""
    assert rejection(ip_network("10.0.0.1"), tailnet) != ""


@pytest.mark.parametrize("text", ["0.0.0.0", "127.0.0.1", "224.0.0.1", "::", "::1", "ff02::1"])
def test_accept_never_opens_what_can_never_be_a_host(text: str) -> None:
    everything = (ip_network("0.0.0.0/0"), ip_network("::/0"))
    assert rejection(ip_network(text), everything) != ""


def test_a_good_answer_is_believed_as_it_is() -> None:
    judged = judge(A, found(HOME, MOVED), host())
    assert (judged.answer, judged.rejected) == (found(HOME, MOVED), ())


@pytest.mark.parametrize("answer", [GONE, SERVFAIL])
def test_what_is_no_address_is_passed_on(answer: object) -> None:
    assert judge(A, answer, host()).answer is answer  # type: ignore[arg-type]


def test_the_rest_of_an_answer_is_believed_when_one_address_is_rejected() -> None:
    judged = judge(A, found("10.1.2.3", HOME), host())
    assert judged.answer == found(HOME)
    assert [str(one.address) for one in judged.rejected] == ["10.1.2.3"]


def test_an_answer_of_which_nothing_is_left_is_suspicious_and_no_answer() -> None:
    judged = judge(A, found("127.0.0.1"), host())
    assert isinstance(judged.answer, Unavailable)
    assert judged.answer.suspicious
    assert "127.0.0.1 is a loopback address" in judged.answer.reason


@pytest.mark.parametrize(("count", "believed"), [(4, True), (5, False), (4000, False)])
def test_more_than_max_addresses_are_suspicious(count: int, believed: bool) -> None:
    base = int(ip_address("81.2.0.0"))
    answer = Found(tuple(ip_address(base + n) for n in range(count)), 60)
    judged = judge(A, answer, host(max_addresses=4))
    assert isinstance(judged.answer, Found) is believed
    if isinstance(judged.answer, Unavailable):
        assert judged.answer.suspicious
        assert f"{count} addresses" in judged.answer.reason
        assert len(judged.rejected) == count


@pytest.mark.parametrize("text", ["104.16.0.1", "172.64.0.1", "2606:4700::1111"])
def test_an_address_of_cloudflares_edge_is_no_home(text: str) -> None:
    judged = judge(A, found(text), host())
    assert isinstance(judged.answer, Unavailable)
    assert judged.answer.suspicious
    assert "proxied" in judged.rejected[0].reason
    assert "DNS only" in judged.rejected[0].reason


def test_the_rest_of_an_answer_with_an_address_of_the_edge_is_believed() -> None:
    assert judge(A, found("104.16.0.1", HOME), host()).answer == found(HOME)


def test_what_cloudflare_publishes_now_counts_more_than_what_it_published_once() -> None:
    now = (ip_network("81.2.69.0/24"),)
    assert isinstance(judge(A, found(HOME), host(), now).answer, Unavailable)
    assert judge(A, found("104.16.0.1"), host(), now).answer == found("104.16.0.1")


def test_a_network_that_reaches_into_a_rejected_block_is_rejected() -> None:
    """The grant counts and not the address: 2620:4f:8001::1 is outside, its /32 is not."""
    wide = host(ipv6_prefix=32)
    assert judge(AAAA, found("2620:4f:8001::1"), host()).answer == found("2620:4f:8001::1")
    assert isinstance(judge(AAAA, found("2620:4f:8001::1"), wide).answer, Unavailable)


@pytest.mark.parametrize(
    ("text", "special"),
    [
        ("8.0.0.0/6", True),  # with 10.0.0.0/8 within
        ("81.2.69.0/24", False),
        ("10.1.0.0/16", True),
        ("2000::/16", False),  # before every block
        ("2001:200::/23", False),
        ("2001::/16", True),
        ("::/0", True),
        ("fc00::/7", True),
    ],
)
def test_a_network_is_special_that_holds_a_special_address(text: str, special: bool) -> None:
    assert bool(special_within(ip_network(text))) is special


def test_homes_are_not_proxied() -> None:
    assert not proxied(ip_network(HOME))
    assert not proxied(ip_network(HOME6))
    assert all(ip_network(block) for block in CLOUDFLARE)


def test_what_is_not_believed_says_why_in_full() -> None:
    many = judge(A, found(*(f"81.2.70.{n}" for n in range(5))), host(max_addresses=4))
    said = "5 addresses in one answer, more than max_addresses (4)"
    assert isinstance(many.answer, Unavailable)
    assert many.answer.reason == f"rejected: {said}"
    assert {(one.reason, one.guarded) for one in many.rejected} == {(f"one of {said}", False)}
    loopback = judge(A, found("127.0.0.1"), host())
    assert isinstance(loopback.answer, Unavailable)
    assert loopback.answer.reason.startswith("rejected: 127.0.0.1 is a loopback address: ")


def test_what_guards_refuse_of_an_answer_says_what_was_seen_and_what_to_do() -> None:
    refusal = GuardRefusal("a wildcard gives it, too", "set canary: false")
    assert refusal.said == "a wildcard gives it, too; set canary: false"
    address = ip_address(HOME)
    nothing_left = without(judge(A, found(HOME), host()), {address: refusal})
    assert nothing_left.answer == Unavailable(
        f"rejected: {HOME}: a wildcard gives it, too", suspicious=True
    )
    assert nothing_left.rejected == (RejectedAddress(address, refusal.said, guarded=True),)


def test_an_address_of_ipv6_is_not_one_of_cloudflares_for_its_number_in_ipv4() -> None:
    assert proxied(ip_network("104.16.0.1"))
    assert not proxied(ip_network(IPv6Address(int(ip_address("104.16.0.1")))))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("::", "unspecified"), ("::1", "loopback"), ("::ffff:81.2.69.1", "mapped"),
        ("64:ff9b::1", "NAT64"), ("fd00::1", "unique local"), ("fe80::1", "link-local"),
        ("ff02::1", "multicast"), ("4000::1", "outside the global unicast space"),
    ],
)  # fmt: skip
def test_each_block_outside_the_global_space_is_named_as_what_it_is(text: str, reason: str) -> None:
    assert reason in rejection(ip_network(text))
