"""Arithmetic on networks, against the plain definition over all addresses of a small space."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from allowsync.model.networks import (
    Coverage,
    NetworkIndex,
    around,
    covers,
    network,
    overlap,
    parsed,
    parsed_address,
    recalled_address,
    span,
    without,
)
from tests.support.values import net

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync.model.types import Address, Network

BASE = int(net("81.2.69.0").network_address)


@st.composite
def small(draw: st.DrawFn) -> IPv4Network:
    """A network inside 81.2.69.0/27."""
    length = draw(st.integers(27, 32))
    place = draw(st.integers(0, 31)) >> (32 - length) << (32 - length)
    return IPv4Network((BASE + place, length))


def addresses(*networks: IPv4Network) -> set[int]:
    return {int(one) for network in networks for one in network}


@given(st.lists(small()), small())
def test_covering_agrees_with_the_plain_definition(
    many: list[IPv4Network], one: IPv4Network
) -> None:
    covering = Coverage(many).covering(one)
    assert (covering is not None) == any(one.subnet_of(wide) for wide in many)
    if covering is not None:
        assert covering in many


@given(st.lists(small()))
def test_iterating_gives_the_networks_no_other_covers(many: list[IPv4Network]) -> None:
    widest = list(Coverage(many))
    assert set(widest) == {
        one for one in many if not any(one != wide and one.subnet_of(wide) for wide in many)
    }
    assert widest == sorted(set(widest))


@given(small(), st.lists(small()))
def test_without_leaves_just_the_other_addresses(
    one: IPv4Network, taken: list[IPv4Network]
) -> None:
    left = without(one, Coverage(taken))
    pieces = [IPv4Network(str(piece)) for piece in left]
    assert addresses(*pieces) == addresses(one) - addresses(*taken)
    assert sum(piece.num_addresses for piece in pieces) == len(addresses(*pieces))


@given(small(), st.lists(small()))
def test_inside_gives_what_lies_within(one: IPv4Network, many: list[IPv4Network]) -> None:
    coverage = Coverage(many)
    assert coverage.inside(one) == [inner for inner in coverage if covers(one, inner)]


@pytest.mark.parametrize(
    ("wide", "narrow", "expected"),
    [
        ("10.0.0.0/8", "10.1.0.0/16", True),
        ("10.1.0.0/16", "10.0.0.0/8", False),
        ("10.0.0.0/8", "11.0.0.0/16", False),
        ("2001:db8::/32", "2001:db8:1::/48", True),
        ("::/0", "0.0.0.0/0", False),
        ("0.0.0.0/0", "::/0", False),
        ("81.2.69.1/32", "81.2.69.1/32", True),
    ],
)
def test_covers(wide: str, narrow: str, expected: bool) -> None:
    assert covers(ip_network(wide), ip_network(narrow)) is expected


def test_families_never_cover_each_other() -> None:
    coverage = Coverage([net("0.0.0.0/0"), net("2001:db8::/32")])
    assert coverage.covering(net("2a01::/64")) is None
    assert coverage.covering(net("9.9.9.9")) == net("0.0.0.0/0")
    assert coverage.inside(net("::/0")) == [net("2001:db8::/32")]
    assert Coverage([]).covering(net("9.9.9.9")) is None


@pytest.mark.parametrize("text", ["81.2.69.1/32", "10.0.0.0/8", "2a01:4f8::/64", "::1/128"])
def test_a_network_is_parsed_from_its_cidr_form_and_made_once(text: str) -> None:
    assert parsed(text) == ip_network(text)
    assert parsed(text) is parsed(text)


@pytest.mark.parametrize("text", ["81.2.69.1/24", "81.2.69.1", "x/8", "10.0.0.0/33", "::/-1", ""])
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^"):
        parsed(text)


@pytest.mark.parametrize(
    ("version", "bits", "first"), [(4, 32, "203.0.113.0"), (6, 128, "2001:db8::")]
)
def test_a_network_of_any_width_is_the_one_that_python_makes(
    version: int, bits: int, first: str
) -> None:
    for width in range(bits + 1):
        right = ip_network((first, width), strict=False)
        made = network(version, int(right.network_address), width)
        assert (made, hash(made), str(made)) == (right, hash(right), str(right))
        assert (made.hostmask, made.broadcast_address) == (right.hostmask, right.broadcast_address)
        if bits - width < 4:
            assert list(made.hosts()) == list(right.hosts())
        if width < bits:
            with pytest.raises(ValueError, match="has host bits set"):
                network(version, int(right.network_address) + 1, width)
    for number, width in ((0, bits + 1), (1 << bits, bits), (-1, bits)):
        with pytest.raises(ValueError, match=r"permitted|not a valid"):
            network(version, number, width)


def test_two_holes_apart_leave_what_is_around_both() -> None:
    taken = Coverage([net("81.2.69.0"), net("81.2.69.3")])
    assert without(net("81.2.69.0/30"), taken) == [net("81.2.69.1"), net("81.2.69.2")]


NEAR = st.builds(
    lambda number, width: ip_network((0xC6336400 + number, width), strict=False),
    st.integers(0, 255),
    st.integers(22, 32),
)
FAR = st.builds(
    lambda number, width: ip_network(((0x20010DB8 << 96) + number, width), strict=False),
    st.integers(0, 255),
    st.integers(118, 128),
)


@given(st.lists(NEAR | FAR, max_size=12), NEAR | FAR)
@example([net("81.2.69.0/28"), net("81.2.69.0/30")], net("81.2.69.0/29"))
def test_an_index_finds_what_overlaps_and_nothing_else(
    networks: list[Network], one: Network
) -> None:
    index = NetworkIndex((held, number) for number, held in enumerate(networks))
    found = sorted(index.overlapping(one))
    assert found == [n for n, held in enumerate(networks) if overlap(held, one)]


@pytest.mark.parametrize("text", ["81.2.69.0/24", "81.2.69.1/32", "2a02:8108:1::/64", "::/0"])
def test_a_network_made_once_is_as_good_as_any_other(text: str) -> None:
    made, plain = parsed(text), ip_network(text)
    assert {made} == {plain}
    assert hash(made) == hash(plain)
    assert len({made, *made.subnets(), plain}) == len({plain, *plain.subnets()})


@given(small())
def test_a_span_goes_from_the_first_to_the_last_address(one: IPv4Network) -> None:
    assert span(one) == (int(one.network_address), int(one.broadcast_address))


@pytest.mark.parametrize(
    "text", ["81.2.69.1", "2a02:8108:1:0:0:0:0:7", "::ffff:1.2.3.4", "fe80::1%2"]
)
def test_an_address_made_once_is_as_good_as_any_other(text: str) -> None:
    made, plain = parsed_address(text), ip_address(text)
    assert {made} == {plain}
    assert hash(made) == hash(plain)
    assert [str(made), str(made), f"{made}"] == [str(plain)] * 3
    assert made + 1 == plain + 1


@pytest.mark.parametrize("text", ["81.2.69.1", "2a02:8108:1::7", "fe80::1%2"])
def test_an_address_from_a_row_is_the_one_that_was_written(text: str) -> None:
    assert recalled_address(text) == ip_address(text)
    assert str(recalled_address(text)) == text


@given(
    st.from_regex(r"[0-9a-fA-F:.%/ x]{0,24}", fullmatch=True)
    | st.lists(st.integers(0, 300), min_size=3, max_size=5).map(lambda n: ".".join(map(str, n)))
    | st.lists(st.sampled_from(["", "0", "00a1", "12345", "g"]), max_size=9).map(":".join)
)
def test_what_is_an_address_is_what_python_takes_for_one(text: str) -> None:
    def tried(parse: Callable[[str], Address]) -> Address | None:
        try:
            return parse(text)
        except ValueError:
            return None

    assert tried(parsed_address) == tried(ip_address)


@given(st.integers(0, 2**128 - 1) | st.integers(0, 2**32 - 1), st.integers(1, 128), st.booleans())
def test_the_network_around_an_address_is_the_same_of_any_address(
    number: int, width: int, again: bool
) -> None:
    plain = ip_address(number)
    width = min(width, plain.max_prefixlen)
    made = parsed_address(str(plain))
    if again:
        around(made, made.max_prefixlen)
    expected = ip_network((number, width), strict=False)
    assert around(made, width) == around(made, width) == around(plain, width) == expected


@pytest.mark.parametrize("text", ["", "81.2.69", "81.2.69.1/32", "1:2", "::g"])
def test_what_is_no_address_is_said_in_the_words_of_python(text: str) -> None:
    with pytest.raises(ValueError, match="does not appear to be an IPv4 or IPv6 address"):
        parsed_address(text)
