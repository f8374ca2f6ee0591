"""Sets of somebody's own ruleset, in real nftables."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.nftables import TYPE, NftablesOptions
from allowsync_backends.nftables.options import SharedSets

from allowsync.backend.api import BackendError
from allowsync.model.target import Placement, Severity
from allowsync.model.types import Family
from tests.support.gates import allow, planned

if TYPE_CHECKING:
    from allowsync.backend.protocols import Backend
    from tests.support.netns import Namespace

pytestmark = pytest.mark.root


def shared(ipv4: str | None = "trusted", ipv6: str | None = None) -> Backend:
    sets = SharedSets(table="inet filter", ipv4=ipv4, ipv6=ipv6)
    return TYPE.make(Placement("x", "x/nftables"), NftablesOptions(set=sets))


def held(inside: Namespace) -> set[str]:
    return {str(entry.network) for entry in inside.run(shared().read).entries}


@pytest.fixture
def filled(inside: Namespace) -> Namespace:
    """A set of networks with a stranger's element beside ours."""
    inside.nft(
        "table inet filter { set trusted { type ipv4_addr; flags interval; "
        'elements = { 8.8.8.0/24, 9.9.9.9-9.9.9.11, 81.2.69.1 comment "allowsync:x" }; }; }\n'
    )
    return inside


def test_strangers_elements_are_told_apart_ranges_included(filled: Namespace) -> None:
    current = filled.run(shared().read)
    assert {str(entry.network) for entry in current.entries} == {"81.2.69.1/32"}
    assert {str(one) for one in current.others} == {"8.8.8.0/24", "9.9.9.9/32", "9.9.9.10/31"}


def test_a_wider_network_takes_the_place_of_a_narrower_one_next_to_strangers(
    filled: Namespace,
) -> None:
    for wanted in ("81.2.69.0/24", "81.2.69.128/25", "81.0.0.0/8"):
        allow(filled, shared(), wanted)
        assert held(filled) == {wanted}
    others = filled.run(shared().read).others
    assert {str(one) for one in others} == {"8.8.8.0/24", "9.9.9.9/32", "9.9.9.10/31"}


def test_a_stranger_who_gets_in_the_way_asks_for_a_fresh_look(filled: Namespace) -> None:
    backend = shared()
    plan = planned(filled.run(backend.read), [ip_network("81.2.70.0/24")])
    filled.nft("add element inet filter trusted { 81.2.70.7 }\n")
    with pytest.raises(BackendError) as raised:
        filled.run(backend.apply, plan)
    assert raised.value.again
    assert held(filled) == {"81.2.69.1/32"}


def test_without_an_ipv6_set_only_ipv4_fits(filled: Namespace) -> None:
    capabilities = filled.run(lambda: shared().capabilities)
    assert capabilities.families == (Family.IPV4,)
    assert not capabilities.holds(ip_network("2a02::/64"))


@pytest.mark.parametrize(
    ("definition", "reason"),
    [
        ("", "create"),
        ("set trusted { type ipv6_addr; }", "not of type ipv4_addr"),
        ("set trusted { type ipv4_addr . inet_service; }", "not of type ipv4_addr"),
        ("set trusted { type ipv4_addr; flags interval; auto-merge; }", "auto-merge"),
        ("set trusted { type ipv4_addr; timeout 1h; }", "timeout"),
        ("set trusted { type ipv4_addr; flags constant; elements = { 1.1.1.1 }; }", "constant"),
        ("map trusted { type ipv4_addr : verdict; }", "create"),
    ],
)
def test_a_set_that_cannot_be_shared_is_refused_with_what_to_do(
    inside: Namespace, definition: str, reason: str
) -> None:
    inside.nft(f"table inet filter {{\n{definition}\n}}\n")
    with pytest.raises(BackendError, match=reason):
        inside.run(shared().read)
    (finding,) = inside.run(shared().check)
    assert finding.severity is Severity.ERROR
    assert reason in finding.what


def test_a_missing_table_is_the_users_to_create_and_holds_nothing_to_clear(
    inside: Namespace,
) -> None:
    with pytest.raises(BackendError, match="table inet filter does not exist"):
        inside.run(shared().read)
    inside.run(shared().clear)
    assert inside.command("nft", "list", "ruleset") == ""


def test_a_full_set_is_an_error_that_changes_nothing(inside: Namespace) -> None:
    inside.nft("table inet filter { set trusted { type ipv4_addr; size 2; }; }\n")
    assert inside.run(lambda: shared().capabilities).family_entries == {Family.IPV4: 2}
    allow(inside, shared(), "1.1.1.1")
    with pytest.raises(BackendError) as raised:
        allow(inside, shared(), "2.2.2.2", "3.3.3.3", "4.4.4.4")
    assert not raised.value.again
    assert held(inside) == {"1.1.1.1/32"}


def test_a_set_that_no_rule_uses_has_no_effect(filled: Namespace) -> None:
    (finding,) = filled.run(shared().check)
    assert finding.severity is Severity.ERROR
    assert "no effect" in finding.what
    filled.nft(
        "add chain inet filter input { type filter hook input priority 0; }\n"
        "add rule inet filter input ip saddr @trusted accept\n"
    )
    assert filled.run(shared().check) == ()


def test_both_families_are_cleared_and_strangers_stay(inside: Namespace) -> None:
    inside.nft(
        "table inet filter {\n"
        'set trusted { type ipv4_addr; elements = { 8.8.8.8, 9.9.9.9 comment "allowsync:y" }; }\n'
        "set trusted6 { type ipv6_addr; flags interval; elements = { 2620:fe::/48 }; }\n}\n"
    )
    before = inside.command("nft", "list", "ruleset")
    both = shared("trusted", "trusted6")
    allow(inside, both, "81.2.69.1", "2a02::/64")
    assert inside.command("nft", "list", "ruleset") != before
    inside.run(both.clear)
    assert inside.command("nft", "list", "ruleset") == before


def lasting(inside: Namespace) -> set[str]:
    """The elements that stay until they are deleted."""
    listed = json.loads(inside.command("nft", "-j", "list", "set", "inet", "filter", "trusted"))
    found = listed["nftables"][-1]["set"]["elem"]
    texts = (
        one.get("elem", {"val": one}) if isinstance(one, dict) else {"val": one} for one in found
    )
    return {str(one["val"]) for one in texts if "timeout" not in one}


@pytest.mark.parametrize("flags", ["timeout", "interval,timeout"])
def test_an_element_that_expires_is_replaced_by_one_of_ours_that_does_not(
    inside: Namespace, flags: str
) -> None:
    inside.nft(
        f"table inet filter {{ set trusted {{ type ipv4_addr; flags {flags}; "
        'elements = { 81.2.69.1 timeout 1h comment "knock", 8.8.8.8 timeout 1h, 9.9.9.9 }; }; }\n'
    )
    current = inside.run(shared().read)
    assert not current.entries
    assert current.others == {ip_network("9.9.9.9")}
    assert {str(one) for one in current.temporary} == {"81.2.69.1/32", "8.8.8.8/32"}
    allow(inside, shared(), "81.2.69.1")
    assert held(inside) == {"81.2.69.1/32"}
    assert lasting(inside) == {"81.2.69.1", "9.9.9.9"}
    assert "8.8.8.8 timeout 1h" in inside.command("nft", "list", "ruleset")
    allow(inside, shared())
    assert lasting(inside) == {"9.9.9.9"}


def test_a_network_that_expires_keeps_what_is_left_of_it_for_its_time(inside: Namespace) -> None:
    inside.nft(
        "table inet filter { set trusted { type ipv4_addr; flags interval,timeout; "
        'elements = { 81.2.69.0/30 timeout 1h expires 30m comment "a b", 9.9.9.9 }; }; }\n'
    )
    allow(inside, shared(), "81.2.69.1")
    assert lasting(inside) == {"81.2.69.1", "9.9.9.9"}
    current = inside.run(shared().read)
    assert {str(one) for one in current.temporary} == {"81.2.69.0/32", "81.2.69.2/31"}
    text = inside.command("nft", "list", "ruleset")
    assert text.count('comment "a b"') == 2
    assert text.count("timeout 1h expires 29m") == 2


def test_a_network_of_ours_takes_the_place_of_narrower_ones_that_expire(
    inside: Namespace,
) -> None:
    inside.nft(
        "table inet filter { set trusted { type ipv4_addr; flags interval,timeout; "
        "elements = { 81.2.69.1 timeout 1h, 81.2.69.7 timeout 1h, 9.9.9.9 }; }; }\n"
    )
    allow(inside, shared(), "81.2.69.0/24")
    assert held(inside) == {"81.2.69.0/24"}
    assert inside.run(shared().read).temporary == frozenset()
