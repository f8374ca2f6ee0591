"""Entries nobody remembers get the time they would have had if nothing had been lost."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from allowsync.model.answer import Absent
from allowsync.model.clock import Clock
from allowsync.model.memory import Inherited, TargetMemory
from allowsync.model.types import BOTH_FAMILIES
from allowsync.policy.clock import Now
from allowsync.policy.orphans import inherited_after, still_protected
from tests.support.values import (
    GONE,
    HOME,
    SERVFAIL,
    T0,
    Life,
    entry,
    found,
    host,
    net,
    nets,
)  # fmt: skip

if TYPE_CHECKING:
    from allowsync.model.answer import Answer
    from allowsync.policy.decision import Decision

OLD = net("81.2.69.200")
MINUTES = timedelta(minutes=1)


def decided(answer: Answer, **fields: object) -> Decision:
    return Life(host(**fields)).run(answer)  # type: ignore[arg-type]


def protected(answer: Answer, runs: int, age: timedelta, **fields: object) -> bool:
    seen = Inherited(OLD, T0 - age, runs)
    return OLD in still_protected([seen], [decided(answer, **fields)], Now(T0))


def test_everything_unexplained_is_inherited_where_nothing_is_remembered() -> None:
    found_there = inherited_after(None, nets("81.2.69.200", HOME), nets(HOME), Now(T0))
    assert found_there == (Inherited(OLD, T0, 1),)


def test_nothing_new_is_inherited_once_a_target_is_known() -> None:
    assert inherited_after(TargetMemory(), nets("6.6.6.6"), (), Now(T0)) == ()


def test_after_a_run_that_was_not_recorded_all_that_is_not_remembered_is_inherited() -> None:
    known = TargetMemory((entry("6.6.6.0/24", "bob"),), (Inherited(net("7.7.7.7"), T0, 2),))
    held = nets("81.2.69.200", HOME, "6.6.6.6", "7.7.7.7")
    found_there = inherited_after(known, held, nets(HOME), Now(T0), unsure=True)
    assert found_there == (Inherited(OLD, T0, 1), Inherited(net("7.7.7.7"), T0, 3))


def test_inherited_entries_grow_older_and_go_when_they_are_gone_or_explained() -> None:
    known = TargetMemory(inherited=(Inherited(OLD, T0, 1), Inherited(net(HOME), T0, 1)))
    later = Now(T0 + MINUTES)
    held = nets("81.2.69.200", HOME)
    assert inherited_after(known, held, nets(HOME), later) == (Inherited(OLD, T0, 2),)
    assert inherited_after(known, (), (), later) == ()
    jumped = Now(T0 + MINUTES, Clock.JUMPED)
    assert inherited_after(known, held, nets(HOME), jumped) == (Inherited(OLD, T0, 1),)


def test_the_time_of_an_entry_that_a_host_gives_starts_anew() -> None:
    known = TargetMemory(
        inherited=(Inherited(OLD, T0 - 900 * MINUTES, 9), Inherited(net(HOME), T0))
    )
    held = nets("81.2.69.200", HOME)
    assert inherited_after(known, held, (), Now(T0), confirmed={OLD}) == (
        Inherited(OLD, T0, 1),
        Inherited(net(HOME), T0, 2),
    )
    assert inherited_after(known, nets(HOME), (), Now(T0), confirmed={OLD})[0].network == net(HOME)


def test_an_entry_that_a_wider_one_took_over_is_remembered_as_long_as_it_would_be() -> None:
    memory = TargetMemory((), (Inherited(OLD, T0),))
    wide = nets("81.2.69.0/24")
    (after,) = inherited_after(memory, wide, wide, Now(T0 + MINUTES))
    assert (after.network, after.runs) == (OLD, 2)


def test_nothing_inherited_lies_in_the_future() -> None:
    known = TargetMemory(inherited=(Inherited(OLD, T0 + MINUTES, 1),))
    assert inherited_after(known, {OLD}, (), Now(T0))[0].since == T0


def test_where_everybody_is_found_they_stay_as_long_as_a_replaced_address() -> None:
    assert protected(found(HOME), 9, 14 * MINUTES)
    assert protected(found(HOME), 3, 16 * MINUTES)
    assert not protected(found(HOME), 4, 15 * MINUTES)


def test_where_somebody_is_absent_they_stay_as_long_as_an_absence() -> None:
    assert protected(GONE, 9, 59 * MINUTES)
    assert protected(GONE, 6, 61 * MINUTES)
    assert not protected(GONE, 7, 60 * MINUTES)


def test_where_somebody_was_never_heard_they_stay_as_long_as_an_outage() -> None:
    assert protected(SERVFAIL, 900, timedelta(days=3) - MINUTES)
    assert not protected(SERVFAIL, 900, timedelta(days=3))


def test_where_an_answer_is_waited_for_they_stay_as_long_as_an_outage() -> None:
    life = Life(host())
    life.run(found(HOME))
    silent = life.run(SERVFAIL)
    old = [Inherited(OLD, T0 - timedelta(days=2), 900)]
    assert still_protected(old, [silent], Now(T0)) == {OLD}


@pytest.mark.parametrize(("reason", "kept"), [("NXDOMAIN", True), ("NODATA", False)])
def test_a_name_that_is_denied_in_one_family_alone_is_waited_for(reason: str, kept: bool) -> None:
    half = Life(host(families=BOTH_FAMILIES)).run(found(HOME), Absent(reason))
    old = [Inherited(net("2a01:4f8::/64"), T0 - timedelta(days=2), 900)]
    assert bool(still_protected(old, [half], Now(T0))) is kept


def test_the_first_run_removes_nothing_even_with_every_clock_at_zero() -> None:
    nothing = timedelta(0)
    assert protected(found(HOME), 1, nothing, keep_replaced=nothing, replaced_runs=0)
    assert not protected(found(HOME), 2, nothing, keep_replaced=nothing, replaced_runs=0)


def test_a_run_whose_clock_jumped_protects_everything() -> None:
    old = [Inherited(OLD, T0 - timedelta(days=900), 900)]
    assert still_protected(old, [decided(found(HOME))], Now(T0, Clock.BACKWARDS)) == {OLD}


def test_hosts_whose_access_ended_do_not_prolong_it() -> None:
    ended = decided(SERVFAIL, until=T0)
    assert still_protected([Inherited(OLD, T0, 2)], [ended], Now(T0)) == frozenset()


def test_both_families_may_be_inherited() -> None:
    found_there = inherited_after(None, nets("2a01::/64", "81.2.69.200"), (), Now(T0))
    assert {one.network for one in found_there} == nets("2a01::/64", "81.2.69.200")


def test_two_silent_runs_are_enough_where_an_address_is_replaced_at_once() -> None:
    days = timedelta(days=4)
    assert protected(SERVFAIL, 1, days, replaced_runs=1)
    assert not protected(SERVFAIL, 2, days, replaced_runs=1)
