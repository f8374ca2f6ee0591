"""What is known hangs on hostnames, whatever becomes of labels, families and places."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from typing import TYPE_CHECKING

import pytest

from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.model.types import Basis, Query
from allowsync.policy.clock import Now
from allowsync.policy.decision import Decision, conclude, judgements, recall
from allowsync.policy.inheritance import inherit
from allowsync.policy.tracking import latched, renamed
from tests.support.values import (
    AAAA,
    FIVE_MINUTES,
    GONE,
    HOME,
    HOME6,
    MOVED,
    NAME,
    SERVFAIL,
    T0,
    V4,
    V6,
    A,
    allowed,
    found,
    host,
    net,
)

if TYPE_CHECKING:
    from allowsync.model.answer import Answer
    from allowsync.model.types import Host

DAY = timedelta(days=1)
AT_HOME = HostMemory(
    {A: RetentionState((HeldAddress(ip_address(HOME), T0 - DAY, T0),), T0, summary="found")}
)
NEW_NAME = "alice.ddns.example.net"
RENAMED = Query(NEW_NAME, V4)


def run(who: Host, memory: HostMemory, answer: Answer, passed: timedelta) -> Decision:
    answers = dict.fromkeys(who.queries, answer)
    return conclude(who, judgements(who, answers), memory, Now(T0 + passed))


def test_a_new_label_goes_on_with_what_is_known_of_its_name() -> None:
    who = host("alice-home", hostnames=(NAME,))
    known = inherit([who], {"alice": AT_HOME}, Now(T0 + FIVE_MINUTES))
    decision = run(who, known["alice-home"], SERVFAIL, FIVE_MINUTES)
    assert allowed(decision) == {f"{HOME}/32"}
    assert decision.grants[0].basis is Basis.STALE


def test_a_label_goes_on_with_its_own_knowledge_first() -> None:
    other = HostMemory({A: RetentionState((HeldAddress(ip_address(MOVED), T0, T0),), T0 + DAY)})
    assert inherit([host()], {"alice": AT_HOME, "bob": other}, Now(T0))["alice"] is AT_HOME


def test_of_several_labels_the_latest_knowledge_counts() -> None:
    older = HostMemory({A: RetentionState((HeldAddress(ip_address(MOVED), T0, T0),), T0 - DAY)})
    who = host("carol", hostnames=(NAME,))
    known = inherit([who], {"alice": AT_HOME, "bob": older}, Now(T0))["carol"]
    assert known.tracks[A] == AT_HOME.tracks[A]


def test_knowledge_that_was_left_alone_for_long_grants_nothing() -> None:
    who = host("alice-home", hostnames=(NAME,))
    known = inherit([who], {"alice": AT_HOME}, Now(T0 + 4 * DAY))["alice-home"]
    assert run(who, known, SERVFAIL, 4 * DAY).grants == ()


def test_a_latch_follows_its_name_to_another_label() -> None:
    track = RetentionState(
        (), T0 - 9 * DAY, T0 - 8 * DAY, 9, summary="absent", reason="NXDOMAIN", latched=True
    )
    who = host("alice-home", hostnames=(NAME,))
    known = inherit([who], {"alice": HostMemory({A: track})}, Now(T0))["alice-home"]
    assert latched(known.tracks, NAME)


def test_a_family_that_is_asked_again_goes_on_with_what_was_known() -> None:
    only6 = host(families=(V6,))
    meanwhile = run(only6, AT_HOME, found(HOME6), FIVE_MINUTES)
    assert allowed(meanwhile) == {"2a01:4f8:1:2::/64"}
    both = run(host(families=(V4, V6)), meanwhile.memory, SERVFAIL, 2 * FIVE_MINUTES)
    assert allowed(both) == {f"{HOME}/32", "2a01:4f8:1:2::/64"}
    later = run(only6, meanwhile.memory, found(HOME6), 4 * DAY)
    late = run(host(families=(V4, V6)), later.memory, SERVFAIL, 4 * DAY + FIVE_MINUTES)
    assert allowed(late) == {"2a01:4f8:1:2::/64"}


EDITED = host(hostnames=(NEW_NAME,))
LATCHED = RetentionState(
    (), T0 - 9 * DAY, T0 - 8 * DAY, 9, summary="absent NXDOMAIN", reason="NXDOMAIN", latched=True
)


@pytest.mark.parametrize("until", [None, T0], ids=["", "ended meanwhile"])
@pytest.mark.parametrize("answer", [SERVFAIL, found(MOVED)])
def test_a_latched_name_is_edited_away_and_back_with_its_latch(
    answer: Answer, until: datetime | None
) -> None:
    edited, back = replace(EDITED, until=until), host()
    memory = HostMemory({A: LATCHED})
    for number in range(3):
        memory = run(edited, memory, answer, number * FIVE_MINUTES).memory
        # The state keeps both alike.
        memory = replace(memory, tracks={**memory.former, **memory.tracks}, former={})
    again = inherit([back], {"alice": memory}, Now(T0 + DAY))["alice"]
    assert latched(again.tracks, NAME)
    other = inherit([EDITED, host("bob", hostnames=(NAME,))], {"alice": memory}, Now(T0 + DAY))
    assert latched(other["bob"].tracks, NAME)
    assert A not in other["alice"].former


def test_a_name_that_lives_is_edited_away_without_a_latch_of_its_other_family() -> None:
    tracks = {**AT_HOME.tracks, AAAA: replace(LATCHED, last_found=None)}
    memory = run(EDITED, HostMemory(tracks), found(MOVED), FIVE_MINUTES).memory
    assert memory.former == {}


def test_a_hostname_that_is_edited_keeps_access_until_the_new_one_is_known() -> None:
    memory = AT_HOME
    for number, answer in enumerate([GONE] * 20 + [SERVFAIL] * 20, 1):
        decision = run(EDITED, memory, answer, number * FIVE_MINUTES)
        memory = decision.memory
        (grant,) = decision.grants
        assert (str(grant.network), grant.basis) == (f"{HOME}/32", Basis.FORMER)
        assert NAME in grant.why
        assert decision.rests_on_old_knowledge
    known = run(EDITED, memory, found(MOVED), 41 * FIVE_MINUTES)
    assert allowed(known) == {f"{MOVED}/32"}
    assert not known.rests_on_old_knowledge
    gone = run(EDITED, known.memory, GONE, 42 * FIVE_MINUTES)
    assert allowed(gone) == {f"{MOVED}/32"}


def test_a_former_hostname_lasts_no_longer_than_an_outage() -> None:
    before = run(EDITED, AT_HOME, SERVFAIL, 3 * DAY - FIVE_MINUTES)
    assert before.grants[0].ends == T0 + 3 * DAY
    assert run(EDITED, AT_HOME, SERVFAIL, 3 * DAY).grants == ()


def test_a_hostname_that_is_taken_out_beside_a_known_one_ends_at_once() -> None:
    both = {
        **AT_HOME.tracks,
        RENAMED: RetentionState((HeldAddress(ip_address(MOVED), T0, T0),), T0),
    }
    decision = run(EDITED, HostMemory(both), SERVFAIL, FIVE_MINUTES)
    assert allowed(decision) == {f"{MOVED}/32"}


def test_a_host_that_is_asked_for_no_name_any_more_keeps_nothing() -> None:
    fixed = host(hostnames=())
    assert recall(fixed, AT_HOME, Now(T0)).grants == ()


def test_what_was_edited_away_is_forgotten_with_a_known_name() -> None:
    decision = run(EDITED, replace(AT_HOME, former=AT_HOME.tracks), found(MOVED), FIVE_MINUTES)
    assert decision.memory.former == {}
    assert AAAA not in decision.memory.tracks


def test_a_label_is_told_by_the_hostname_that_another_label_has_now() -> None:
    who, other = host("alice-home", hostnames=(NAME,)), host("bob")
    assert renamed([who, other], {"alice": AT_HOME}) == {"alice": "alice-home"}
    assert renamed([host(), other], {"alice": AT_HOME}) == {}
    assert renamed([other], {"alice": AT_HOME}) == {}


def test_an_edited_hostname_is_no_new_label_unless_another_host_has_the_old_one() -> None:
    edited = host(hostnames=(NEW_NAME,))
    assert renamed([edited], {"alice": AT_HOME}) == {}
    taken = host("carol", hostnames=(NAME,))
    assert renamed([edited, taken], {"alice": AT_HOME}) == {"alice": "carol"}


def test_a_hostname_that_another_host_got_is_no_former_one() -> None:
    """Two friends had been mixed up: what the name of one gave is no home of the other."""
    taken = host("carol", hostnames=(NAME,))
    known = inherit([EDITED, taken], {"alice": AT_HOME}, Now(T0))
    assert run(EDITED, known["alice"], GONE, FIVE_MINUTES).grants == ()
    assert allowed(run(taken, known["carol"], SERVFAIL, FIVE_MINUTES)) == {f"{HOME}/32"}


def test_a_new_label_has_no_former_name_that_another_host_got() -> None:
    both = HostMemory({**AT_HOME.tracks, RENAMED: AT_HOME.tracks[A]})
    hosts = [host("alice-home", hostnames=(NEW_NAME,)), host("carol", hostnames=(NAME,))]
    known = inherit(hosts, {"alice": both}, Now(T0))
    assert known["alice-home"].tracks.keys() == {RENAMED}
    assert known["alice-home"].former == {}


def test_a_hostname_that_two_hosts_had_is_a_former_one_of_the_host_that_loses_it() -> None:
    """Who leaves a common home is let in by it until the new name gives an address."""
    hosts = [EDITED, host("carol", hostnames=(NAME,))]
    known = inherit(hosts, {"alice": AT_HOME, "carol": AT_HOME}, Now(T0))
    assert allowed(run(EDITED, known["alice"], GONE, FIVE_MINUTES)) == {f"{HOME}/32"}


def test_what_is_believed_no_longer_of_a_former_name_stays_where_todays_name_holds_it() -> None:
    held = AT_HOME.tracks[A]
    memory = HostMemory({A: held, RENAMED: held})
    refuted = {NEW_NAME: frozenset([net(HOME)])}
    silent = judgements(host(), {A: SERVFAIL})
    decision = conclude(host(), silent, memory, Now(T0 + FIVE_MINUTES), refuted)
    assert allowed(decision) == {f"{HOME}/32"}
    assert decision.refuted == frozenset()


def test_what_is_believed_no_longer_of_a_former_name_is_not_held_by_it() -> None:
    who = host(hostnames=(NEW_NAME,))
    silent = judgements(who, {RENAMED: SERVFAIL})
    refuted = {NAME: frozenset([net(HOME)])}
    first = conclude(who, silent, AT_HOME, Now(T0 + FIVE_MINUTES), refuted)
    later = conclude(who, silent, first.memory, Now(T0 + 4 * DAY), refuted)
    assert (first.grants, later.grants) == ((), ())
    assert first.refuted == later.refuted == {net(HOME)}
