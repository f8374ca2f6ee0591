"""Claims against a model of them: which addresses a target lets in, and for whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.engine.rollback.pending import unconfirmed
from allowsync.engine.rollout import additive, ending
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import Entry, Limits, Network
from allowsync.model.value import replace
from allowsync.plan.claims import (
    Situation,
    as_entries,
    as_it_stands,
    merged,
    owners,
    unexplained,
)
from allowsync.plan.limits import blocks, keep_all, limit, limited
from allowsync.plan.planner import make_plan, planned
from tests.support.values import T0, entry, net

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STREET = net("81.2.69.0/29")
NETWORKS = [one for width in range(29, 33) for one in STREET.subnets(new_prefix=width)]
HOSTS = ("alice", "bob", "guests")
WIDE, BOBS = net("81.2.69.0/24"), net("81.2.69.7")
SEPARATE, MERGED = Capabilities(overlaps=True), Capabilities()

Claimed = dict[Network, tuple[str, ...]]

some = st.sets(st.sampled_from(HOSTS), min_size=1).map(lambda hosts: tuple(sorted(hosts)))
claims = st.dictionaries(st.sampled_from(NETWORKS), some, max_size=5)
hosts = st.sets(st.sampled_from(HOSTS)).map(frozenset)
networks = st.sets(st.sampled_from(NETWORKS), max_size=3).map(frozenset)


def addresses(these: Iterable[Network]) -> set[str]:
    """The model of entries: the addresses that are let in by them."""
    return {str(one) for network in these for one in network}


def model(here: Situation) -> Claimed:
    """The model of a plan: every pair of a network and a host that is to be in force."""
    pairs = {(one, host) for one, labels in here.wanted.items() for host in labels}
    for one, labels in here.claims.items():
        pairs |= {
            (one, host)
            for host in labels
            if host in here.undecided and one not in here.refuted.get(host, ())
        }
    pairs |= {(one, host) for one, labels in here.held_back.items() for host in labels}
    found: Claimed = {}
    for one, host in sorted(pairs, key=str):
        found[one] = (*found.get(one, ()), host)
    return {**dict.fromkeys((*here.protected, *here.held_back), ()), **found}


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A target that holds what its claims stand for, and what others put in and took out."""
    trusted = frozenset(HOSTS) - draw(hosts)
    undecided, others = draw(hosts) & trusted, draw(networks)
    known = trusted - undecided
    wanted = {one: tuple(sorted(known & set(labels))) for one, labels in draw(claims).items()}
    before = draw(claims)
    here = Situation(
        "web/memory", Current(others=others), before, trusted=trusted, undecided=undecided,
        capabilities=draw(st.sampled_from([SEPARATE, MERGED])),
    )  # fmt: skip
    entries = {one.network for one in make_plan(here).final} ^ draw(networks)
    current = Current(frozenset(map(Entry, entries)), others)
    inherited = frozenset(entries) & draw(networks)
    refuted = {host: draw(networks) for host in HOSTS if draw(st.booleans())}
    return replace(
        here, current=current, claims=before, refuted=refuted,
        wanted={one: labels for one, labels in wanted.items() if labels},
        inherited=inherited, protected=inherited & draw(networks),
    )  # fmt: skip


@given(situations())
def test_a_plan_lets_in_just_what_is_claimed(here: Situation) -> None:
    made = planned(here)
    assert made.claims == model(here)
    others = addresses(here.current.others)
    lets_in = addresses(one.network for one in made.plan.final)
    assert lets_in | others == addresses(made.claims) | others
    assert here.held - {one.network for one in made.plan.remove} <= {
        one.network for one in made.plan.final
    }


@given(situations(), st.sampled_from([Limits(), Limits(0.0, 0), Limits(1.0, 9, True)]))
def test_limits_keep_no_more_than_what_the_kept_hosts_claimed_themselves(
    here: Situation, limits: Limits
) -> None:
    before = planned(here).claims
    refusal = limit(here, before, limits, len(HOSTS))
    after = before if refusal is None else planned(limited(here, refusal)).claims
    for one in after.keys() - before.keys():
        assert one in here.claims or one in here.inherited
    for one, labels in after.items():
        new = set(labels) - set(before.get(one, ()))
        assert new <= set(here.claims.get(one, ())) & here.trusted
        assert not any(one in here.refuted.get(host, ()) for host in new)
    lost = _hosts(here.claims) & here.trusted - _hosts(before)
    refuted = {
        host
        for host in lost
        if all(one in here.refuted.get(host, ()) for one, who in here.claims.items() if host in who)
    }
    if not limits.allow_empty:
        allowed = max(limits.always_allow_hosts, int(limits.max_remove_hosts * len(HOSTS)))
        assert len(lost - refuted - _hosts(after)) <= allowed
        assert after or not (lost - refuted)


@given(situations())
def test_until_a_change_is_confirmed_only_ended_hosts_lose_anything(here: Situation) -> None:
    ended = frozenset(HOSTS) - here.trusted
    refusal = keep_all(here, planned(here).claims, unconfirmed(T0), ended)
    final = planned(limited(here, refusal)).plan.final
    mine = {one for one, labels in here.claims.items() if set(labels) - ended}
    others = addresses(here.current.others)
    lets_in = addresses(one.network for one in final) | others
    assert addresses(mine) <= lets_in
    theirs = {one for one, labels in owners(here.held, here.claims).items() if not labels}
    assert lets_in <= addresses([*mine, *theirs, *planned(here).claims]) | others


@given(situations())
def test_the_first_half_takes_nothing_and_adds_nothing_that_is_not_to_stay(here: Situation) -> None:
    plan = make_plan(here)
    lets_in = addresses(one.network for one in additive(here, plan).final)
    others = addresses(here.current.others)
    assert addresses(here.held) | others <= lets_in | others
    assert lets_in <= addresses([*here.held, *(one.network for one in plan.final)])


@given(situations())
def test_what_ends_where_nothing_can_be_put_in_is_just_what_ended_hosts_claimed(
    here: Situation,
) -> None:
    here = replace(
        here, capabilities=replace(here.capabilities, max_entries=9), protected=frozenset()
    )
    plan = ending(here)
    if plan is None:
        return
    others = addresses(here.current.others)
    mine = {
        one
        for one, labels in owners(here.held, here.claims).items()
        if not labels or here.trusted & set(labels)
    }
    lets_in = addresses(one.network for one in plan.final)
    assert addresses(mine) - others <= lets_in
    assert lets_in <= addresses([*mine, *planned(here).claims])


def _hosts(these: Mapping[Network, tuple[str, ...]]) -> set[str]:
    return {host for labels in these.values() for host in labels}


def guests_are_over(**fields: object) -> Situation:
    """A guest network that covers a friend's address, both in one entry; neither is wanted now."""
    before: Claimed = {WIDE: ("guests",), BOBS: ("bob",)}
    here = Situation(
        "web/memory", Current(frozenset({Entry(WIDE)})), {}, before, trusted=frozenset({"bob"})
    )
    return replace(here, **fields)


def test_a_limit_that_keeps_a_friend_keeps_only_what_he_held_himself() -> None:
    here = guests_are_over()
    before = planned(here)
    refusal = limit(here, before.claims, Limits(), 2)
    assert refusal is not None
    assert (refusal.losing, refusal.entries) == (("bob",), (entry("81.2.69.7", "bob"),))
    assert blocks(refusal, before.plan, here)
    plan = make_plan(limited(here, refusal))
    assert (plan.add, plan.remove) == (
        (entry("81.2.69.7", "bob"),), (Entry(WIDE, ("guests",)),),
    )  # fmt: skip


def test_an_undecided_friend_keeps_only_what_he_held_himself() -> None:
    plan = make_plan(guests_are_over(undecided=frozenset({"bob"})))
    assert (plan.add, plan.remove) == (
        (entry("81.2.69.7", "bob"),), (Entry(WIDE, ("guests",)),),
    )  # fmt: skip


@pytest.mark.parametrize("undecided", [frozenset(), frozenset({"bob"})])
def test_what_was_taken_back_is_kept_by_nothing(undecided: frozenset[str]) -> None:
    here = guests_are_over(undecided=undecided, refuted={"bob": frozenset({BOBS})})
    made = planned(here)
    assert (made.plan.final, limit(here, made.claims, Limits(), 2)) == ((), None)


def test_a_limit_counts_a_host_whose_claim_another_covers_but_refuses_nothing_yet() -> None:
    here = guests_are_over(wanted={WIDE: ("guests",)}, trusted=frozenset({"bob", "guests"}))
    made = planned(here)
    refusal = limit(here, made.claims, Limits(0.0, 0), 2)
    assert refusal is not None
    assert not blocks(refusal, made.plan, here)
    kept = planned(limited(here, refusal))
    assert kept.plan.idle
    assert as_entries(kept.claims) == (entry("81.2.69.0/24", "guests"), entry("81.2.69.7", "bob"))


def test_two_hosts_of_one_network_are_told_apart_when_one_is_undecided() -> None:
    here = Situation(
        "web/memory", Current(frozenset({Entry(BOBS)})), {BOBS: ("alice",)},
        {BOBS: ("alice", "bob")}, frozenset({"alice", "bob"}), frozenset({"bob"}),
    )  # fmt: skip
    assert planned(here).claims == {BOBS: ("alice", "bob")}
    assert planned(replace(here, wanted={})).claims == {BOBS: ("bob",)}


def test_what_is_remembered_but_does_not_fit_any_more_is_not_put_back() -> None:
    singles = Capabilities(prefixes=dict.fromkeys(MERGED.families, (1, 24)))
    here = guests_are_over(undecided=frozenset({"bob"}), capabilities=singles)
    assert make_plan(here).final == ()


def test_a_piece_beside_a_strangers_entry_is_of_the_host_that_claimed_the_whole() -> None:
    before: Claimed = {net("81.2.69.0/30"): ("office",)}
    pieces = [net("81.2.69.0"), net("6.6.6.6")]
    assert owners(pieces, before) == {pieces[0]: ("office",), pieces[1]: ()}


def test_merging_names_each_host_once() -> None:
    one: Claimed = {BOBS: ("bob",), WIDE: ("guests",)}
    assert merged(one, {}) == one
    assert merged({}, one) == one
    assert merged(one, {BOBS: ("alice", "bob")}) == {**one, BOBS: ("alice", "bob")}


def test_what_stands_for_no_claim_and_was_not_revoked_is_unexplained() -> None:
    found = (entry("81.2.69.7"), entry("81.2.70.1"), entry("81.2.71.0/25"), entry("81.2.72.1"))
    here = Situation(
        "x/y",
        Current(frozenset(found)),
        {net("81.2.73.1"): ("bob",)},
        claims={net("81.2.69.7"): ("bob",), net("81.2.71.0/24"): ("guests",)},
        revoked=frozenset({net("81.2.72.1")}),
    )
    assert unexplained(here) == {net("81.2.70.1")}


@given(situations(), st.booleans())
def test_as_it_stands_no_host_gains_access_and_no_trusted_one_loses_it(
    here: Situation, remembered: bool
) -> None:
    stands = as_it_stands(here, remembered=remembered)
    before = addresses(here.held) | (addresses(here.claims) if remembered else set())
    after = addresses(one.network for one in make_plan(stands).final)
    assert after <= before | addresses(here.held_back)
    others, held = addresses(here.current.others), addresses(here.held)
    nothing: frozenset[Network] = frozenset()
    mine = {
        str(address)
        for one, hosts in here.claims.items()
        for host in hosts
        if host in here.trusted and one not in here.refuted.get(host, nothing) | here.revoked
        for address in one
    }
    assert (mine & held) - others <= after


def test_as_it_stands_a_host_keeps_the_pieces_beside_a_strangers_entry() -> None:
    claim, pieces = net("81.2.69.4/30"), (net("81.2.69.4/31"), net("81.2.69.7"))
    current = Current(frozenset(map(Entry, pieces)), frozenset({net("81.2.69.6")}))
    office: Claimed = {claim: ("office",)}
    here = Situation("x/y", current, office, office, trusted=frozenset({"office"}))
    plan = make_plan(as_it_stands(here, remembered=False))
    assert ([one.network for one in plan.final], plan.remove) == ([*pieces], ())
