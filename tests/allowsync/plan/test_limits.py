"""Which plans are too drastic to apply unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.target import Capabilities, Current
from allowsync.model.types import Entry, Limits
from allowsync.model.value import replace
from allowsync.plan.limits import LimitRefusal, limit, limited
from allowsync.plan.planner import Situation, planned
from tests.support.values import V4, V6, entry, net

if TYPE_CHECKING:
    from allowsync.model.plan import Plan

FRIENDS = ("alice", "bob", "carol", "dave")


def address(label: str) -> str:
    return f"81.2.69.{FRIENDS.index(label) + 1}"


def within(here: Situation, limits: Limits, hosts: int) -> tuple[Plan, LimitRefusal | None]:
    """The plan as far as limits allow it, and what they refuse."""
    made = planned(here)
    refusal = limit(here, made.claims, limits, hosts)
    return (made if refusal is None else planned(limited(here, refusal))).plan, refusal


def losing(
    *gone: str, trusted: tuple[str, ...] = FRIENDS, limits: Limits | None = None
) -> tuple[Plan, LimitRefusal | None]:
    """Four friends have an entry each; the DNS gives up some of them."""
    labels = {net(address(one)): (one,) for one in FRIENDS}
    wanted = {network: label for network, label in labels.items() if label[0] not in gone}
    here = Situation(
        "web/memory",
        Current(frozenset(Entry(network) for network in labels)),
        wanted,
        labels,
        trusted=frozenset(trusted),
    )
    return within(here, limits or Limits(), len(FRIENDS))


def test_one_host_may_always_lose_access() -> None:
    plan, refusal = losing("alice", limits=Limits(max_remove_hosts=0.0))
    assert refusal is None
    assert plan.remove == (entry(address("alice"), "alice"),)


def test_half_of_the_hosts_may_lose_access_but_not_more() -> None:
    assert losing("alice", "bob")[1] is None
    plan, refusal = losing("alice", "bob", "carol")
    assert refusal is not None
    assert (refusal.losing, refusal.allowed, refusal.of) == (("alice", "bob", "carol"), 2, 4)
    assert (plan.remove, len(plan.withheld)) == ((), 3)
    assert "--force" in refusal.said
    assert "alice, bob, carol" in refusal.said


def test_the_last_entry_is_never_removed_unasked() -> None:
    plan, refusal = losing(*FRIENDS, limits=Limits(max_remove_hosts=1.0))
    assert refusal is not None
    assert refusal.emptied
    assert len(plan.final) == 4
    assert "allow_empty" in refusal.said


def test_allow_empty_lets_the_last_entry_go() -> None:
    plan, refusal = losing(*FRIENDS, limits=Limits(max_remove_hosts=1.0, allow_empty=True))
    assert (refusal, plan.final) == (None, ())


def test_hosts_that_are_trusted_no_longer_do_not_count() -> None:
    plan, refusal = losing("alice", "bob", "carol", trusted=("carol", "dave"))
    assert refusal is None
    assert len(plan.remove) == 3


def test_a_refusal_holds_back_the_lost_hosts_only() -> None:
    plan, refusal = losing(
        "alice", "bob", "carol", trusted=("bob", "carol", "dave"),
        limits=Limits(max_remove_hosts=0.25),
    )  # fmt: skip
    assert refusal is not None
    assert refusal.losing == ("bob", "carol")
    assert plan.remove == (entry(address("alice"), "alice"),)


def test_a_host_that_moved_is_not_lost() -> None:
    old, new = net("81.2.69.1"), net("81.2.69.9")
    here = Situation(
        "web/memory", Current(frozenset({Entry(old)})), {new: ("alice",)}, {old: ("alice",)},
        trusted=frozenset({"alice"}),
    )  # fmt: skip
    plan, refusal = within(here, Limits(), 1)
    assert (refusal, plan.remove) == (None, (entry("81.2.69.1", "alice"),))


def test_additions_go_ahead_when_removals_are_refused() -> None:
    here = Situation(
        "web/memory",
        Current(frozenset(Entry(net(address(one))) for one in FRIENDS[:3])),
        {net("9.9.9.9"): ("dave",)},
        {net(address(one)): (one,) for one in FRIENDS[:3]},
        trusted=frozenset(FRIENDS),
    )
    plan, refusal = within(here, Limits(), 4)
    assert refusal is not None
    assert plan.add == (entry("9.9.9.9", "dave"),)
    assert len(plan.withheld) == 3


def test_what_strangers_added_is_removed_even_if_nothing_is_left() -> None:
    here = Situation("web/memory", Current(frozenset({Entry(net("6.6.6.6"))})), {},
                     trusted=frozenset({"alice"}))  # fmt: skip
    plan, refusal = within(here, Limits(), 1)
    assert (refusal, plan.remove) == (None, (entry("6.6.6.6"),))


def test_the_last_entries_of_unknown_origin_stay_while_they_may_be_somebodys() -> None:
    old = net("81.2.69.1")
    here = Situation("web/memory", Current(frozenset({Entry(old)})), {},
                     trusted=frozenset({"alice"}), inherited=frozenset({old}))  # fmt: skip
    plan, refusal = within(here, Limits(), 1)
    assert refusal is not None
    assert plan.withheld == (entry("81.2.69.1"),)
    assert "unknown origin" in refusal.said


def test_the_last_entries_of_unknown_origin_go_when_nobody_is_trusted() -> None:
    old = net("81.2.69.1")
    here = Situation("web/memory", Current(frozenset({Entry(old)})), {}, inherited=frozenset({old}))
    plan, refusal = within(here, Limits(), 1)
    assert (refusal, plan.final) == (None, ())


def test_an_entry_of_unknown_origin_may_go_while_others_stay() -> None:
    stranger, friend = net("9.9.9.9"), net(address("alice"))
    here = Situation(
        "web/memory",
        Current(frozenset({Entry(stranger), Entry(friend)})),
        {friend: ("alice",)},
        {friend: ("alice",)},
        trusted=frozenset(FRIENDS),
        inherited=frozenset({stranger}),
    )
    plan, refusal = within(here, Limits(), len(FRIENDS))
    assert refusal is None
    assert plan.remove == (Entry(stranger),)


def test_who_would_lose_access_is_said_in_order() -> None:
    _, refusal = losing("dave", "carol", "bob", "alice")
    assert refusal is not None
    assert refusal.losing == ("alice", "bob", "carol", "dave")


def test_an_entry_of_unknown_origin_may_go_where_only_friends_are_held_back() -> None:
    stranger = net("9.9.9.9")
    labels = {net(address(one)): (one,) for one in FRIENDS}
    here = Situation(
        "web/memory",
        Current(frozenset(Entry(network) for network in (*labels, stranger))),
        {net(address("dave")): ("dave",)},
        labels,
        trusted=frozenset(FRIENDS),
        inherited=frozenset({stranger}),
    )
    plan, refusal = within(here, Limits(), len(FRIENDS))
    assert refusal is not None
    assert refusal.losing == ("alice", "bob", "carol")
    assert plan.remove == (Entry(stranger),)


def test_who_keeps_an_address_in_a_target_beside_it_does_not_lose_access() -> None:
    alice, home = net("2a01::/64"), net("81.2.69.1")
    here = Situation(
        "web/six",
        Current(frozenset({Entry(alice)})),
        {home: ("alice",)},
        {alice: ("alice",)},
        trusted=frozenset({"alice"}),
        capabilities=Capabilities(families=(V6,)),
        beside=frozenset({V4}),
    )
    assert within(here, Limits(), 1)[1] is None
    alone = replace(here, beside=frozenset())
    assert within(alone, Limits(), 1)[1] is not None
