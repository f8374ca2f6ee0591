"""What was ordered by command, as hosts, and what becomes of the grants, claims and limits."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allowsync.model.access_order import Revocation, StandingOrders, TemporaryGrant
from allowsync.model.clock import Pulse
from allowsync.model.networks import touching
from allowsync.model.target import Current
from allowsync.model.types import Basis, Entry, Limits
from allowsync.model.value import replace
from allowsync.plan.claims import Situation, retained
from allowsync.plan.limits import keep_all, limit
from allowsync.plan.planner import planned
from allowsync.plan.reasons import Reasons
from allowsync.policy.decision import Decision
from allowsync.policy.orders import in_force, with_grants, with_revocations
from tests.support.values import HOME, MOVED, T0, Life, allowed, entry, found, host, net

HOUR = timedelta(hours=1)
GUEST = TemporaryGrant("guest", net(HOME), ("web",), T0, T0 + 4 * HOUR, "this", HOUR)


@pytest.mark.parametrize(
    ("wall", "boot", "uptime", "held"),
    [
        (1, "this", 2, True),
        (1, "this", 5, False),  # four hours passed, whatever the wall clock says
        (1, "", 5, True),
        (1, "another", 5, True),
        (-1, "another", 5, False),  # the clock of the grant was ahead, or this one is behind
    ],
)
def test_a_grant_is_in_force_for_as_long_as_is_certain(
    wall: int, boot: str, uptime: int, held: bool
) -> None:
    pulse = Pulse(T0 + wall * HOUR, boot, uptime * HOUR)
    assert in_force(GUEST, pulse) == held
    guest, on = with_grants({}, [GUEST], pulse)["guest"]
    assert on == ("web",)
    assert (guest.until == GUEST.ends) == held
    decision = Life(guest, pulse.wall).run()
    assert [one.basis for one in decision.grants] == ([Basis.GRANTED] if held else [])


def test_a_host_of_the_configuration_keeps_its_label() -> None:
    assert list(with_grants({"guest": host()}, [GUEST], Pulse(T0))) == ["guest.granted"]


def test_a_host_that_is_revoked_has_ended_and_says_so() -> None:
    alice = host()
    orders = StandingOrders(revocations=(Revocation("alice", T0),))
    revoked = with_revocations({"alice": alice, "bob": alice}, orders)
    assert (revoked["alice"].revoked, revoked["bob"]) == (T0, alice)
    life = Life(revoked["alice"])
    decision = life.run(found(HOME))
    assert (decision.ended, decision.grants) == (True, ())
    assert decision.ending == "revoked on 2026-11-20 15:00 UTC"
    assert (Decision(alice).ending, Decision(alice, ended=True).ending) == ("", "access ended")


def test_a_label_that_is_gone_is_looked_for_by_its_names() -> None:
    alice = host()
    order = Revocation("old", T0, None, alice.hostnames)
    assert with_revocations({"new": alice}, StandingOrders((), (order,)))["new"].revoked == T0
    other = replace(order, hostnames=("other.example.org",))
    assert with_revocations({"new": alice}, StandingOrders((), (other,)))["new"] == alice


def test_a_network_that_is_revoked_is_granted_to_no_host() -> None:
    orders = StandingOrders((), (Revocation("x", T0, net("81.2.69.0/24")),))
    life = Life(with_revocations({"alice": host()}, orders)["alice"])
    assert allowed(life.run(found(HOME))) == set()
    assert life.decision.refuted == {net(HOME)}
    why = Reasons({"alice": life.decision}, T0)
    assert why.lost(entry(HOME, "alice"), "alice") == "81.2.69.0/24 is revoked"
    assert why.lost(entry("9.9.9.9", "alice"), "alice") != "81.2.69.0/24 is revoked"
    assert touching([net(HOME), net("9.9.9.9")], [net("81.2.0.0/16")]) == {net(HOME)}


def situation(*revoked: str) -> Situation:
    """Alice and Bob claim an address each, and neither is wanted."""
    claims = {net(HOME): ("alice",), net(MOVED): ("bob",)}
    return Situation(
        "web/memory",
        Current(frozenset(map(Entry, claims))),
        {},
        claims,
        trusted=frozenset({"alice", "bob"}),
        undecided=frozenset({"alice", "bob"}),
        revoked=frozenset(map(net, revoked)),
    )


def test_a_claim_of_what_is_revoked_is_neither_retained_nor_kept_by_limits() -> None:
    assert retained(situation()) == {net(HOME): ("alice",), net(MOVED): ("bob",)}
    here = situation(HOME, MOVED)
    assert retained(here) == {}
    made = planned(here)
    assert limit(here, made.claims, Limits(), 2) is None
    undecided = replace(situation(HOME), undecided=frozenset())
    refusal = limit(undecided, {}, Limits(), 2)
    assert refusal is not None
    kept = keep_all(undecided, {}, refusal, frozenset())
    assert [one.network for one in kept.entries] == [net(MOVED)]
    unclaimed = replace(undecided, claims={})
    kept = keep_all(unclaimed, {}, refusal, frozenset())
    assert [one.network for one in kept.entries] == [net(MOVED)]
