"""What is the case, and what was, told by going back change by change."""

from __future__ import annotations

from datetime import timedelta

import pytest

from allowsync.inspect.access_at import (
    AccessAt,
    HostAccess,
    TargetContents,
    lingering,
    present,
    remembered,
)
from allowsync.inspect.status import AccessStatus, TargetStatus
from allowsync.model.memory import HostMemory
from allowsync.model.types import Basis, Entry, Grant
from allowsync.policy.decision import Decision
from allowsync.state.history import AccessPeriod, Past, PastChange
from tests.support.values import HOME, MOVED, NAME, T0, entry, host, net, nets

HOUR = timedelta(hours=1)
WEB, SSH = "web/file", "ssh/file"
HERE, THERE = entry(HOME, "alice"), entry(MOVED, "bob")


def change(
    hours: int, action: str, what: Entry, *, target: str = WEB, again: bool = False
) -> PastChange:
    return PastChange(T0 + hours * HOUR, target, action, what, "", again=again)


def held(*changes: PastChange, hours: int, now: tuple[Entry, ...] = ()) -> TargetContents:
    """What the web target held, given what it holds now."""
    past = Past(changes=changes)
    scene = remembered(past, {WEB: now}, T0 + hours * HOUR, T0)
    return next(one for one in scene.holdings if one.target == WEB)


def test_what_was_put_in_later_was_not_there() -> None:
    added = change(2, "add", HERE)
    assert held(added, hours=1, now=(HERE,)) == TargetContents(WEB)
    assert held(added, hours=2, now=(HERE,)) == TargetContents(WEB, (HERE,))


def test_what_was_taken_out_later_was_there() -> None:
    gone = change(2, "remove", HERE)
    assert held(gone, hours=1) == TargetContents(WEB, (HERE,))
    assert held(gone, hours=2) == TargetContents(WEB)


def test_what_went_and_came_is_gone_back_in_the_order_it_happened() -> None:
    changes = change(1, "add", HERE), change(3, "remove", HERE), change(5, "add", HERE)
    found = [held(*changes, hours=hours, now=(HERE,)).entries for hours in (0, 2, 4, 6)]
    assert found == [(), (HERE,), (), (HERE,)]


def test_what_was_found_missing_may_have_been_there_or_not() -> None:
    changes = change(1, "add", HERE), change(5, "add", HERE, again=True)
    then = held(*changes, hours=3, now=(HERE,))
    assert then.entries == (HERE,)
    assert then.doubtful == {HERE.network: "it was found missing on 2026-11-20 20:00 UTC"}
    assert held(*changes, hours=5, now=(HERE,)).doubtful == {}
    before = held(*changes, hours=0, now=(HERE,))
    assert (before.entries, before.doubtful) == ((), {})


def test_what_a_target_held_is_sorted() -> None:
    gone = change(2, "remove", HERE), change(2, "remove", THERE)
    six = entry("2a01:4f8::/64", "bob")
    assert held(*gone, hours=1, now=(six,)).entries == (HERE, THERE, six)


def test_a_target_that_was_cleared_since_is_told_of() -> None:
    past = Past(changes=(change(2, "remove", HERE, target=SSH),))
    scene = remembered(past, {WEB: ()}, T0, T0)
    assert scene.holdings == (TargetContents(SSH, (HERE,)), TargetContents(WEB))


def test_before_the_first_run_nothing_is_known_of_targets() -> None:
    scene = remembered(Past(), {WEB: (HERE,)}, T0, None)
    assert scene == AccessAt(T0, None, (), (), past=True)


def test_a_stay_lasts_from_its_first_instant_to_the_one_it_ended_at() -> None:
    stay = AccessPeriod("alice", net(HOME), NAME, T0, T0 + HOUR, "moved")
    assert not stay.at(T0 - HOUR)
    assert stay.at(T0)
    assert not stay.at(T0 + HOUR)
    scene = remembered(Past(stays=(stay,)), {}, T0, T0)
    assert scene.accesses == (HostAccess("alice", net(HOME), NAME, None, T0, T0 + HOUR, "moved"),)


def test_of_all_stays_those_of_the_instant_are_told() -> None:
    here = AccessPeriod("alice", net(HOME), NAME, T0, T0 + HOUR, "moved")
    later = AccessPeriod("alice", net(MOVED), NAME, T0 + HOUR)
    scene = remembered(Past(stays=(here, later)), {}, T0, T0)
    assert [one.network for one in scene.accesses] == [net(HOME)]


def test_a_stay_that_lasts_has_no_end() -> None:
    assert AccessPeriod("alice", net(HOME), NAME, T0).at(T0 + 1000 * HOUR)


def standing(*grants: Grant, target: TargetStatus) -> AccessStatus:
    decision = Decision(host(), grants=grants, memory=HostMemory())
    return AccessStatus(T0 + HOUR, T0, {"alice": decision}, (target,), ())


def test_what_is_the_case_now_is_what_the_targets_say() -> None:
    grant = Grant("alice", net(HOME), Basis.STALE, T0, T0, T0 + 2 * HOUR, NAME, "SERVFAIL")
    target = TargetStatus(WEB, in_step=True, entries=(HERE,), others=frozenset(nets(MOVED)))
    scene = present(standing(grant, target=target))
    said = "stale, confirmed 1 h ago, SERVFAIL"
    assert scene == AccessAt(
        T0 + HOUR,
        T0,
        (HostAccess("alice", net(HOME), NAME, Basis.STALE, T0, T0 + 2 * HOUR, said),),
        (TargetContents(WEB, (HERE,), frozenset(nets(MOVED))),),
        past=False,
    )


def test_a_fixed_network_is_neither_fresh_nor_old() -> None:
    grant = Grant("alice", net(HOME), Basis.FIXED, T0, T0)
    scene = present(standing(grant, target=TargetStatus(WEB, in_step=True, entries=())))
    assert scene.accesses == (HostAccess("alice", net(HOME), "", Basis.FIXED, T0, None, ""),)


def test_who_left_the_configuration_lingers_until_the_next_apply() -> None:
    scene = present(standing(target=TargetStatus(WEB, in_step=True, entries=())))
    ended = AccessPeriod("bob", net(HOME), NAME, T0, T0 + HOUR, "gone")
    lasts = AccessPeriod("bob", net(MOVED), NAME, T0)
    past = Past(stays=(ended, lasts, AccessPeriod("carol", net(HOME), NAME, T0)))
    said = "removed from the configuration: ends with the next apply"
    assert lingering(scene, past, "bob").accesses == (
        HostAccess("bob", net(MOVED), NAME, None, T0, None, said),
    )
    assert lingering(scene, past, "nobody") == scene


@pytest.mark.parametrize(
    ("reason", "unknown"),
    [("permission denied", "permission denied"), ("", "it could not be read")],
)
def test_a_target_that_cannot_be_read_holds_nobody_knows_what(reason: str, unknown: str) -> None:
    blind = TargetStatus(WEB, in_step=False, entries=(), reason=reason, readable=False)
    assert present(standing(target=blind)).holdings == (TargetContents(WEB, unknown=unknown),)
