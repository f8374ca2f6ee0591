"""Whose an entry of a list is, and how the list reads with other entries of ours."""

from __future__ import annotations

import random
from ipaddress import IPv6Address, IPv6Network, ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.jellyfin.content import CLOSED, PRIVATE, changed, flaws, sorted_out
from allowsync_backends.jellyfin.marks import is_of, mark_in, network_of, owner
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.jellyfin_targets import FILTER, LAN, PROXIES

if TYPE_CHECKING:
    from allowsync_backends.jellyfin.options import JellyfinSetting

    from allowsync.model.types import Network

ALICE = ip_network("203.0.113.7/32")
BOB = ip_network("2001:db8:1::/64")
WIDE = ip_network("2400:cb00::/32")

NETWORKS = st.sampled_from(
    list(
        map(
            ip_network,
            (
                *("203.0.113.7/32", "203.0.113.0/24", "10.0.0.0/8", "192.0.2.0/32"),
                *("2001:db8:1::/64", "2400:cb00::/32", "2400:cb00::/33", "2400:cb00:8000::/33"),
            ),
        )
    )
)
TEXTS = st.one_of(
    NETWORKS.map(str),
    st.sampled_from(
        ["", " 203.0.113.7 ", "203.0.113.7", "!10.0.0.0/8", "proxy.lan", "100::7", "::", "a,b"]
    ),
)


def is_mark(text: str) -> bool:
    network = network_of(text)
    return network is not None and mark_in(network) is not None


def ours(entries: list[str], allowlist: str = "web") -> set[Network]:
    return set(sorted_out(entries, allowlist).ours)


def test_an_entry_is_ours_by_the_mark_beside_it_and_no_other() -> None:
    made = changed(FILTER, ["198.51.100.0/24"], "web", {ALICE, BOB})
    assert ours(made) == {ALICE, BOB}
    assert made[0] == "198.51.100.0/24"
    assert ours([one for one in made if not is_mark(one)]) == set()
    assert ours(made, "web2") == set()


def test_a_list_may_be_sorted_and_written_otherwise_and_is_ours_all_the_same() -> None:
    made = changed(FILTER, ["198.51.100.0/24"], "web", {ALICE, BOB})
    random.Random(7).shuffle(made)
    spaced = [f" {one}/128 " if is_mark(one) else one.upper() for one in made]
    assert ours(spaced) == {ALICE, BOB}
    assert changed(FILTER, made, "web", {ALICE, BOB}) == made


def test_a_mark_lets_in_no_one() -> None:
    made = changed(FILTER, [], "web", {ALICE})
    marks = [one for one in made if is_mark(one)]
    assert len(marks) == len(made) - 2  # the entry, and what keeps the list from being empty
    for one in marks:
        assert IPv6Address(one) in IPv6Network("100::/64")
        assert is_of(int(IPv6Address(one)), owner("web"))
        assert not is_of(int(IPv6Address(one)), owner("web2"))


def test_what_is_inserted_between_ours_stays_a_strangers() -> None:
    made = changed(FILTER, [], "web", {ALICE, BOB})
    for place in range(len(made) + 1):
        among = [*made[:place], "198.51.100.7", *made[place:]]
        assert ours(among) == {ALICE, BOB}
        assert changed(FILTER, among, "web", set()).count("198.51.100.7") == 1
        assert "198.51.100.7" in changed(FILTER, among, "web", None)


def test_a_strangers_entry_for_the_same_network_stays() -> None:
    for text in ("203.0.113.7", "203.0.113.7/32"):
        made = changed(FILTER, [text], "web", {ALICE})
        assert ours(made) == {ALICE}
        assert changed(FILTER, made, "web", None) == [text]


def test_one_of_ours_that_is_taken_out_is_no_longer_there_and_its_mark_goes() -> None:
    made = changed(FILTER, [], "web", {ALICE, BOB})
    made.remove(str(ALICE))
    assert ours(made) == {BOB}
    after = changed(FILTER, made, "web", {BOB})
    assert after == changed(FILTER, [], "web", {BOB})


def test_two_allowlists_share_a_list() -> None:
    first = changed(FILTER, [], "web", {ALICE, BOB})
    both = changed(FILTER, first, "web2", {ALICE})
    assert ours(both) == {ALICE, BOB}
    assert ours(both, "web2") == {ALICE}
    assert ours(changed(FILTER, both, "web", None), "web2") == {ALICE}
    assert changed(FILTER, changed(FILTER, both, "web", None), "web2", None) == []


def test_a_proxys_network_that_jellyfin_would_misread_is_halved() -> None:
    made = changed(PROXIES, [], "web", {WIDE})
    assert str(WIDE) not in made
    assert {"2400:cb00::/33", "2400:cb00:8000::/33"} <= set(made)
    assert ours(made) == {WIDE}
    made.remove("2400:cb00::/33")
    assert ours(made) == set()
    halves = {ip_network(one) for one in ("2400:cb00::/33", "2400:cb00:8000::/33")}
    assert ours(changed(PROXIES, [], "web", halves)) == halves


@pytest.mark.parametrize("setting", [FILTER, PROXIES])
def test_a_list_without_hosts_is_not_empty(setting: JellyfinSetting) -> None:
    made = changed(setting, [], "web", set())
    assert str(CLOSED[0]) in made
    assert flaws(setting, made, sorted_out(made, "web")) == ()
    assert flaws(setting, [], sorted_out([], "web")) != ()


def test_private_networks_stay_local_where_ours_are_the_first_that_are_named() -> None:
    made = changed(LAN, [], "web", {ALICE})
    assert {str(one) for one in PRIVATE} <= set(made)
    assert changed(LAN, made, "web", set()) == []
    assert changed(LAN, ["192.168.5.0/24"], "web", {ALICE})[0] == "192.168.5.0/24"
    assert "10.0.0.0/8" not in changed(LAN, ["192.168.5.0/24"], "web", {ALICE})
    # An exclusion names no LAN: private networks would be local without ours.
    assert "10.0.0.0/8" in changed(LAN, ["!192.168.9.0/24"], "web", {ALICE})


def test_a_network_that_is_named_later_takes_nothing_away() -> None:
    made = [*changed(LAN, [], "web", {ALICE}), "192.168.5.0/24"]
    assert changed(LAN, made, "web", {ALICE, BOB}).count("10.0.0.0/8") == 1
    assert changed(LAN, made, "web", None) == ["192.168.5.0/24"]


def test_an_empty_entry_with_which_a_filter_is_ignored_goes() -> None:
    made = ["", *changed(FILTER, [], "web", {ALICE})]
    assert any("empty entry" in one for one in flaws(FILTER, made, sorted_out(made, "web")))
    assert "" not in changed(FILTER, made, "web", {ALICE})
    assert changed(LAN, [""], "web", {ALICE})[0] == ""


@settings(max_examples=30)
@given(
    entries=st.lists(TEXTS, max_size=8),
    before=st.sets(NETWORKS, max_size=6),
    wanted=st.sets(NETWORKS, max_size=6),
    theirs=st.sets(NETWORKS, max_size=3),
    setting=st.sampled_from([FILTER, LAN, PROXIES]),
    order=st.randoms(use_true_random=False),
)
def test_whatever_is_there_ours_are_as_wanted_and_others_as_they_were(
    entries: list[str],
    before: set[Network],
    wanted: set[Network],
    theirs: set[Network],
    setting: JellyfinSetting,
    order: random.Random,
) -> None:
    held = changed(setting, entries, "web2", theirs)
    held = changed(setting, held, "web", before)
    order.shuffle(held)
    after = changed(setting, held, "web", wanted)
    assert ours(after) == wanted
    assert ours(after, "web2") == theirs
    assert changed(setting, after, "web", wanted) == after
    found = sorted_out(after, "web")
    assert [one for one in flaws(setting, after, found) if "empty entry" in one] == []
    kept = [one for one in entries if one.strip() or setting is not FILTER]
    bare = changed(setting, changed(setting, after, "web", None), "web2", None)
    assert sorted(map(str, map(_read, bare))) == sorted(map(str, map(_read, kept)))


def _read(text: str) -> object:
    """An entry as it is read: which of two that read alike stays is all the same."""
    return network_of(text) or text
