"""The three clocks, and everything else that says where a host may come from."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.answer import Absent
from allowsync.model.clock import Clock
from allowsync.model.memory import HeldAddress, HostMemory, RetentionState
from allowsync.model.types import Basis, Query
from allowsync.model.value import replace
from allowsync.plan.claims import leaving, union
from allowsync.policy.clock import Now
from allowsync.policy.decision import (
    Decision,
    Move,
    conclude,
    judgements,
    recall,
    unmoved,
)
from allowsync.policy.screening import network_of
from tests.support.values import (
    AAAA,
    ELSEWHERE,
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
    Life,
    allowed,
    found,
    host,
    net,
)

if TYPE_CHECKING:
    from allowsync.model.answer import Answer

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def test_a_good_answer_grants_its_address() -> None:
    decision = Life(host()).run(found(HOME))
    (grant,) = decision.grants
    assert (grant.network, grant.basis, grant.ends) == (net(HOME), Basis.FRESH, None)
    assert grant.since == grant.confirmed == T0
    assert not decision.rests_on_old_knowledge


def test_an_ipv6_address_grants_its_prefix() -> None:
    life = Life(host(families=(V4, V6), ipv6_prefix=56))
    assert allowed(life.run(found(HOME), found(HOME6))) == {f"{HOME}/32", "2a01:4f8:1::/56"}


@pytest.mark.parametrize("silence", [SERVFAIL])
def test_no_answer_removes_nothing_until_keep_unavailable_is_over(silence: Answer) -> None:
    life = Life(host())
    life.run(found(HOME))
    for _ in range(3 * 288 - 1):
        assert allowed(life.run(silence)) == {f"{HOME}/32"}
        assert life.decision.grants[0].basis is Basis.STALE
        assert life.decision.rests_on_old_knowledge
    assert allowed(life.run(silence)) == set()
    assert not life.decision.undecided


def test_a_stale_grant_says_when_it_ends_and_what_it_lacks() -> None:
    life = Life(host())
    life.run(found(HOME))
    (grant,) = life.run(SERVFAIL).grants
    assert (grant.ends, grant.why) == (T0 + 3 * DAY, "SERVFAIL")


def test_one_silent_run_ends_nothing_however_long_ago_the_last_answer_is() -> None:
    life = Life(host(keep_unavailable=timedelta(seconds=1)))
    life.run(found(HOME))
    assert allowed(life.run(SERVFAIL, after=HOUR)) == {f"{HOME}/32"}
    assert allowed(life.run(SERVFAIL)) == set()


def test_an_absence_needs_its_time_and_its_runs() -> None:
    quick = Life(host(absent_runs=6))
    quick.run(found(HOME))
    for _ in range(20):  # plenty of runs, too little time
        assert allowed(quick.run(GONE, after=timedelta(seconds=10))) == {f"{HOME}/32"}
    slow = Life(host(absent_runs=6))
    slow.run(found(HOME))
    for _ in range(5):  # plenty of time, too few runs
        assert allowed(slow.run(GONE, after=HOUR)) == {f"{HOME}/32"}
    assert allowed(slow.run(GONE, after=HOUR)) == set()


def test_absences_count_in_a_row_only() -> None:
    life = Life(host(absent_runs=3, keep_absent=timedelta(0)))
    life.run(found(HOME))
    for answer in (GONE, GONE, SERVFAIL, GONE, GONE):
        assert allowed(life.run(answer)) == {f"{HOME}/32"}
    assert allowed(life.run(GONE)) == set()


def test_a_good_answer_resets_the_clock_of_absence() -> None:
    life = Life(host(absent_runs=2, keep_absent=timedelta(0)))
    for answer in (found(HOME), GONE, found(HOME), GONE):
        assert allowed(life.run(answer)) == {f"{HOME}/32"}
    (grant,) = life.decision.grants
    assert grant.ends == life.instant


def test_a_replaced_address_stays_for_its_time_and_its_runs() -> None:
    life = Life(host())
    life.run(found(HOME))
    for _ in range(3):  # at 0, 5 and 10 minutes
        assert allowed(life.run(found(MOVED))) == {f"{HOME}/32", f"{MOVED}/32"}
    old = next(grant for grant in life.decision.grants if grant.network == net(HOME))
    assert (old.basis, old.ends) == (Basis.REPLACED, T0 + 4 * FIVE_MINUTES)
    assert not life.decision.rests_on_old_knowledge
    assert allowed(life.run(found(MOVED))) == {f"{MOVED}/32"}


def test_a_replaced_address_needs_its_runs_however_much_time_passed() -> None:
    life = Life(host(replaced_runs=3))
    life.run(found(HOME))
    for _ in range(2):
        assert f"{HOME}/32" in allowed(life.run(found(MOVED), after=HOUR))
    assert allowed(life.run(found(MOVED), after=HOUR)) == {f"{MOVED}/32"}


def test_a_replaced_address_that_comes_back_is_current_again_and_keeps_its_since() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(found(MOVED))
    back = {grant.network: grant for grant in life.run(found(HOME)).grants}
    assert (back[net(HOME)].basis, back[net(HOME)].since) == (Basis.FRESH, T0)
    assert back[net(MOVED)].basis is Basis.REPLACED


def test_a_replaced_address_is_stale_like_the_others_while_the_dns_is_silent() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(found(MOVED))
    silent = life.run(SERVFAIL, after=HOUR)
    assert {grant.basis for grant in silent.grants} == {Basis.STALE}
    assert allowed(silent) == {f"{HOME}/32", f"{MOVED}/32"}


def test_a_move_is_told_with_where_from() -> None:
    life = Life(host())
    life.run(found(HOME))
    assert life.run(found(MOVED)).moves == (Move("alice.example.org", net(MOVED), (net(HOME),)),)
    assert life.run(found(MOVED)).moves == ()


def test_an_address_more_or_less_is_no_move() -> None:
    life = Life(host())
    life.run(found(HOME))
    assert life.run(found(HOME, MOVED)).moves == ()
    assert life.run(found(MOVED)).moves == ()


def test_families_have_separate_fates() -> None:
    life = Life(host(families=(V4, V6), absent_runs=1, keep_absent=timedelta(0)))
    life.run(found(HOME), found(HOME6))
    assert allowed(life.run(GONE, SERVFAIL)) == {"2a01:4f8:1:2::/64"}
    assert life.decision.grants[0].basis is Basis.STALE


def test_a_host_with_several_names_is_their_union() -> None:
    life = Life(host(hostnames=("a.example", "b.example")))
    assert allowed(life.run(found(HOME), found(MOVED))) == {f"{HOME}/32", f"{MOVED}/32"}
    assert allowed(life.run(SERVFAIL, found(MOVED))) == {f"{HOME}/32", f"{MOVED}/32"}


def test_the_best_basis_wins_where_two_names_give_one_network() -> None:
    life = Life(host(hostnames=("a.example", "b.example")))
    life.run(found(HOME), SERVFAIL)
    (grant,) = life.run(SERVFAIL, found(HOME)).grants
    assert (grant.basis, grant.since, grant.hostname) == (Basis.FRESH, T0, "b.example")


def test_fixed_networks_are_always_allowed_and_never_asked_about() -> None:
    office = host("office", hostnames=(), networks=(ip_network("203.0.113.0/24"),))
    life = Life(office)
    assert office.queries == ()
    life.run()
    (grant,) = life.run(after=30 * DAY).grants
    assert (grant.basis, grant.since, grant.hostname) == (Basis.FIXED, T0, "")
    assert not life.decision.undecided


def test_a_fixed_network_outweighs_a_silent_name() -> None:
    life = Life(host(networks=(net(HOME),)))
    assert life.run(found(HOME)).grants[0].basis is Basis.FIXED
    assert life.run(SERVFAIL).grants[0].basis is Basis.FIXED


def test_a_host_of_which_nothing_is_known_is_undecided() -> None:
    life = Life(host(families=(V4, V6)))
    decision = life.run(SERVFAIL, SERVFAIL)
    assert (decision.grants, decision.undecided, decision.unheard) == ((), True, True)
    assert decision.rests_on_old_knowledge


def test_an_unproven_absence_of_the_other_family_leaves_a_found_host_decided() -> None:
    decision = Life(host(families=(V4, V6))).run(found(HOME), SERVFAIL)
    assert (decision.undecided, decision.unheard) == (False, True)
    assert not decision.rests_on_old_knowledge


def test_a_proven_absence_of_a_new_name_is_knowledge() -> None:
    decision = Life(host()).run(GONE)
    assert (decision.grants, decision.undecided) == ((), False)


def test_until_ends_access_at_once_whatever_the_dns_says() -> None:
    life = Life(host(until=T0 + HOUR))
    (grant,) = life.run(found(HOME)).grants
    assert grant.ends == T0 + HOUR
    ended = life.run(found(HOME), after=HOUR)
    assert (ended.grants, ended.ended, ended.undecided) == ((), True, False)
    assert life.run(SERVFAIL, clock=Clock.JUMPED).grants == ()


def test_until_comes_before_a_clock_that_would_run_longer() -> None:
    life = Life(host(until=T0 + HOUR))
    life.run(found(HOME))
    assert life.run(SERVFAIL).grants[0].ends == T0 + HOUR


def test_a_name_taken_out_of_the_configuration_ends_its_grants_at_once() -> None:
    life = Life(host(hostnames=("a.example", "b.example")))
    life.run(found(HOME), found(MOVED))
    assert allowed(life.run(SERVFAIL, who=host(hostnames=("a.example",)))) == {f"{HOME}/32"}
    assert set(life.memory.tracks) == set(life.host.queries)


def test_a_family_taken_out_of_the_configuration_ends_its_grants_at_once() -> None:
    life = Life(host(families=(V4, V6)))
    life.run(found(HOME), found(HOME6))
    assert allowed(life.run(SERVFAIL, who=host(families=(V4,)))) == {f"{HOME}/32"}


def test_a_changed_width_applies_to_what_is_held() -> None:
    life = Life(host(families=(V6,), ipv6_prefix=64))
    life.run(found(HOME6))
    wider = life.run(SERVFAIL, who=host(families=(V6,), ipv6_prefix=48))
    assert allowed(wider) == {"2a01:4f8:1::/48"}
    assert wider.grants[0].since == T0


def test_held_addresses_that_come_to_share_a_network_are_one() -> None:
    life = Life(host(families=(V6,), ipv6_prefix=128))
    life.run(found("2a01:4f8:1:2::7"))
    life.run(found("2a01:4f8:1:2::8"))
    merged = life.run(SERVFAIL, who=host(families=(V6,), ipv6_prefix=64))
    assert [(str(one.network), one.since) for one in merged.grants] == [("2a01:4f8:1:2::/64", T0)]
    (held,) = life.memory.tracks[AAAA].held
    assert held.replaced is None


def test_another_address_in_the_same_prefix_is_no_move() -> None:
    life = Life(host(families=(V6,)))
    life.run(found("2a01:4f8:1:2::7"))
    decision = life.run(found("2a01:4f8:1:2::8"))
    assert (allowed(decision), decision.moves) == ({"2a01:4f8:1:2::/64"}, ())


def test_a_held_address_that_is_on_the_reject_list_now_goes_at_once() -> None:
    lan = "192.168.1.5"
    life = Life(host(accept=(ip_network("192.168.0.0/16"),)))
    assert allowed(life.run(found(lan))) == {f"{lan}/32"}
    assert allowed(life.run(SERVFAIL, who=host())) == set()


@pytest.mark.parametrize("clock", [Clock.BACKWARDS, Clock.JUMPED])
def test_a_run_whose_clock_jumped_expires_nothing_and_counts_nothing(clock: Clock) -> None:
    nothing = timedelta(0)
    life = Life(host(keep_unavailable=nothing, keep_absent=nothing, absent_runs=1,
                     keep_replaced=nothing, replaced_runs=1))  # fmt: skip
    life.run(found(HOME))
    for answer in (SERVFAIL, SERVFAIL, GONE, GONE, found(MOVED)):
        life.run(answer, clock=clock)
        assert f"{HOME}/32" in allowed(life.decision)
    assert life.memory.tracks[A].held[0].replaced_runs == 0
    assert allowed(life.run(found(MOVED))) == {f"{MOVED}/32"}


def test_nothing_remembered_lies_in_the_future_after_the_clock_was_put_back() -> None:
    life = Life(host(), start=T0 + 400 * DAY)
    life.run(found(HOME))
    life.run(GONE)
    life.run(SERVFAIL, after=-400 * DAY, clock=Clock.BACKWARDS)
    track = life.memory.tracks[A]
    assert track.last_found == track.absent_since == life.instant
    assert track.held[0].confirmed == track.held[0].since == life.instant
    for _ in range(3 * 288):
        life.run(SERVFAIL)
    assert life.decision.grants == ()


def test_a_query_that_was_not_asked_changes_nothing_but_the_basis() -> None:
    life = Life(host())
    life.run(found(HOME))
    before = life.memory
    decision = life.run(after=30 * DAY)
    assert (allowed(decision), decision.memory) == ({f"{HOME}/32"}, before)
    assert decision.grants[0].basis is Basis.STALE
    assert decision.grants[0].ends == life.instant


def test_recalling_gives_each_basis_as_the_last_run_left_it() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(found(MOVED))
    seen = recall(life.host, life.memory, Now(life.instant + HOUR))
    assert {grant.basis for grant in seen.grants} == {Basis.FRESH, Basis.REPLACED}
    ended = recall(host(until=T0), life.memory, Now(life.instant))
    assert (ended.ended, ended.grants) == (True, ())


def test_a_suspicious_answer_adds_nothing_and_removes_nothing() -> None:
    life = Life(host())
    life.run(found(HOME))
    assert allowed(life.run(found("127.0.0.1"))) == {f"{HOME}/32"}
    many = found(*(f"81.2.70.{n}" for n in range(5)))
    assert allowed(life.run(many)) == {f"{HOME}/32"}
    assert life.decision.grants[0].basis is Basis.STALE


def test_what_is_left_of_an_answer_after_the_reject_list_is_believed() -> None:
    decision = Life(host()).run(found(HOME, "10.0.0.1"))
    assert allowed(decision) == {f"{HOME}/32"}
    assert [str(one.address) for one in decision.judged[0].rejected] == ["10.0.0.1"]


def test_hosts_that_share_an_address_share_an_entry() -> None:
    alice = Life(host("alice")).run(found(HOME, MOVED))
    bob = Life(host("bob")).run(found(HOME))
    assert union([bob, alice]) == {net(HOME): ("alice", "bob"), net(MOVED): ("alice",)}


def test_who_is_about_to_leave_a_network_is_told_of_those_alone_that_moved() -> None:
    alice = Life(host("alice"))
    alice.run(found(HOME))
    moved = alice.run(found(MOVED))
    bob = Life(host("bob")).run(found(HOME))
    assert leaving([bob, moved]) == {net(HOME): ("alice",)}
    carol = Life(host("carol"))
    carol.run(found(HOME))
    assert leaving([moved, bob, carol.run(found(MOVED))]) == {net(HOME): ("alice", "carol")}


def test_a_network_that_a_host_has_by_another_of_its_names_is_not_about_to_go() -> None:
    fixed = Life(host("alice", networks=(net(HOME),)))
    fixed.run(found(HOME))
    decision = fixed.run(found(MOVED))
    assert leaving([decision]) == {}


def test_networks_are_as_wide_as_the_host_says() -> None:
    who = host(families=(V4, V6), ipv4_prefix=24, ipv6_prefix=48)
    given = found(HOME, HOME6).addresses
    assert [str(network_of(one, who)) for one in given] == ["81.2.69.0/24", "2a01:4f8:1::/48"]


def test_what_comes_back_after_it_was_given_up_starts_anew() -> None:
    life = Life(host(absent_runs=1, keep_absent=timedelta(0)))
    life.run(found(HOME))
    life.run(GONE)
    (grant,) = life.run(found(HOME)).grants
    assert grant.since == life.instant
    assert life.memory.tracks[A].absent_since is None


def test_memory_of_a_host_never_seen_is_empty() -> None:
    assert HostMemory() == HostMemory({}, {})
    assert allowed(Life(host()).run(found(ELSEWHERE))) == {f"{ELSEWHERE}/32"}


def test_one_stale_grant_is_enough_to_rest_on_old_knowledge() -> None:
    life = Life(host(families=(V4, V6)))
    life.run(found(HOME), found(HOME6))
    assert life.run(found(HOME), SERVFAIL).rests_on_old_knowledge


def test_what_a_guard_holds_back_matters_to_whoever_has_no_access() -> None:
    held_back = HostMemory({A: RetentionState(last_found=T0, held_back=(f"{HOME} rejected: it",))})
    granted = Life(host()).run(found(HOME)).grants
    assert Decision(host(), memory=held_back).rests_on_old_knowledge
    assert not Decision(host(), grants=granted, memory=held_back).rests_on_old_knowledge
    assert not Decision(host()).rests_on_old_knowledge


def test_only_the_names_that_wait_for_an_approval_are_named() -> None:
    who = host(hostnames=("a.example", "b.example"))
    tracks = {
        query: RetentionState(summary="absent NXDOMAIN", latched=query.hostname == "b.example")
        for query in who.queries
    }
    assert Decision(who, memory=HostMemory(tracks)).latched == ("b.example",)


def test_what_is_known_of_a_host_is_not_forgotten_because_its_access_ended() -> None:
    life = Life(host(until=T0 + HOUR))
    known = life.run(found(HOME)).memory
    assert life.run(found(HOME), after=HOUR).memory == known
    assert recall(life.host, known, Now(life.instant)).memory == known


def test_a_fresh_grant_lacks_nothing() -> None:
    (grant,) = Life(host()).run(found(HOME)).grants
    assert grant.why == ""


def test_a_silence_after_an_absence_has_the_clock_of_silence() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(GONE)
    assert life.run(SERVFAIL).grants[0].ends == T0 + 3 * DAY


def test_the_clock_of_silence_starts_with_the_last_good_answer_whatever_that_gave() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(found(MOVED))
    assert {one.ends for one in life.run(SERVFAIL).grants} == {T0 + FIVE_MINUTES + 3 * DAY}


def test_where_no_good_answer_is_on_record_its_addresses_tell_when_that_was() -> None:
    held = HeldAddress(ip_address(HOME), T0 - DAY, T0)
    memory = HostMemory({A: RetentionState((held,), unavailable_runs=1, reason="SERVFAIL")})
    (grant,) = recall(host(), memory, Now(T0 + HOUR)).grants
    assert grant.ends == T0 + 3 * DAY


def test_a_move_is_told_although_the_old_address_goes_at_once() -> None:
    life = Life(host(keep_replaced=timedelta(0), replaced_runs=1))
    life.run(found(HOME))
    assert life.run(found(MOVED)).moves == (Move("alice.example.org", net(MOVED), (net(HOME),)),)
    assert allowed(life.decision) == {f"{MOVED}/32"}


def test_a_second_move_is_told_with_the_first_as_where_from() -> None:
    life = Life(host())
    life.run(found(HOME))
    life.run(found(MOVED))
    (move,) = life.run(found(ELSEWHERE)).moves
    assert move.away_from == (net(MOVED),)


INSTANTS = st.sampled_from([T0 - DAY, T0 - FIVE_MINUTES, T0, T0 + FIVE_MINUTES])
HELD = st.builds(
    HeldAddress,
    st.sampled_from([HOME, MOVED, "10.0.0.7"]).map(ip_address),
    INSTANTS,
    INSTANTS,
    st.sampled_from([None, None, T0 - FIVE_MINUTES]),
)
TRACKS = st.builds(
    RetentionState,
    st.lists(HELD, min_size=1, max_size=2, unique_by=lambda one: one.address).map(tuple),
    last_found=st.sampled_from([T0 - FIVE_MINUTES, T0 - FIVE_MINUTES, None]),
    absent_since=st.sampled_from([None, None, T0 - HOUR]),
    reason=st.sampled_from(["", "SERVFAIL"]),
    held_back=st.sampled_from([(), ("81.2.69.9 rejected: it is shared",)]),
    past=st.sampled_from([(), (), (HeldAddress(ip_address(ELSEWHERE), T0 - HOUR, T0 - HOUR),)]),
    summary=st.sampled_from([f"found {HOME}", f"found {MOVED}", ""]),
) | st.builds(
    RetentionState,
    last_found=st.sampled_from([None, None, T0 - DAY]),
    absent_since=st.sampled_from([T0 - HOUR, T0 - 30 * DAY, T0 + HOUR, None]),
    absent_runs=st.sampled_from([0, 1, 7]),
    unavailable_runs=st.just(0),
    summary=st.sampled_from(["absent NXDOMAIN", "absent NODATA"]),
    reason=st.just("NXDOMAIN"),
    latched=st.booleans(),
    held_back=st.sampled_from([(), ("81.2.69.9 rejected: it is shared",)]),
    past=st.sampled_from([(), (), (HeldAddress(ip_address(ELSEWHERE), T0 - HOUR, T0 - HOUR),)]),
)
OLD = Query("old.example.org", V4)
OTHER = Query("other.example.org", V4)


@given(
    tracks=st.dictionaries(st.sampled_from([A, OTHER, OLD]), TRACKS, max_size=3),
    former=st.sampled_from([{}, {}, {OLD: RetentionState(last_found=T0)}]),
    said=st.tuples(
        st.sampled_from([found(HOME), found(MOVED), found(HOME, MOVED), GONE, SERVFAIL]),
        st.sampled_from([found(MOVED), found("10.0.0.7"), GONE, GONE]),
    ),
    fields=st.sampled_from(
        [{}, {}, {"until": T0 + DAY}, {"ipv4_prefix": 24}, {"networks": (net(ELSEWHERE),)}]
    ),
    two=st.booleans(),
)
def test_a_host_given_what_it_holds_is_decided_about_like_any_other(
    tracks: dict[Query, RetentionState],
    former: dict[Query, RetentionState],
    said: tuple[Answer, Answer],
    fields: dict[str, Any],
    two: bool,
) -> None:
    who = host(hostnames=(NAME, OTHER.hostname) if two else (NAME,), **fields)
    memory = HostMemory(tracks, arrivals={net(HOME): T0 - HOUR}, former=former)
    answers = dict(zip((A, OTHER), said, strict=True))
    same = unmoved(who, answers, memory, Now(T0))
    assert same in (None, conclude(who, judgements(who, answers), memory, Now(T0)))


PLAIN = RetentionState(
    (HeldAddress(ip_address(HOME), T0 - DAY, T0 - FIVE_MINUTES),),
    T0 - FIVE_MINUTES,
    summary=f"found {HOME}",
)
NEVER_GAVE = RetentionState(
    absent_since=T0 - HOUR, absent_runs=1, summary="absent NXDOMAIN", reason="NXDOMAIN"
)


AT_HOME = found(HOME)


def moved_on(
    track: RetentionState = PLAIN,
    *,
    given: Answer = AT_HOME,
    fixed: Any = None,
    **who: Any,
) -> bool:
    """Whether there is more to a host with one track and one answer than the time that passed."""
    memory = HostMemory({A: track}, fixed or {})
    return unmoved(host(**who), {A: given}, memory, Now(T0)) is None


def test_only_what_is_held_by_an_old_plain_answer_is_unmoved() -> None:
    assert not moved_on()
    assert moved_on(given=found(MOVED))
    assert moved_on(given=found(HOME, MOVED))
    assert moved_on(given=found(HOME, "10.0.0.7"))
    assert moved_on(given=SERVFAIL)
    assert moved_on(replace(PLAIN, absent_since=T0 - HOUR))
    assert moved_on(replace(PLAIN, reason="SERVFAIL"))
    assert moved_on(replace(PLAIN, held_back=("81.2.69.9 rejected: it is shared",)))
    assert moved_on(replace(PLAIN, past=(replace(PLAIN.held[0], address=ip_address(MOVED)),)))
    assert moved_on(replace(PLAIN, last_found=None))
    assert moved_on(replace(PLAIN, last_found=T0 + HOUR))
    for counted in ({"absent_runs": 1}, {"unavailable_runs": 1}, {"latched": True}):
        assert moved_on(replace(PLAIN, **counted))
    assert moved_on(replace(PLAIN, summary=f"found {HOME} {MOVED}"))
    assert moved_on(fixed={net(ELSEWHERE): T0 - DAY})
    for odd in (
        *({"since": T0}, {"confirmed": T0 + HOUR}, {"replaced": T0 - HOUR}),
        {"replaced_runs": 1},
    ):
        assert moved_on(replace(PLAIN, held=(replace(PLAIN.held[0], **odd),)))
    assert moved_on(until=T0)
    assert moved_on(ipv4_prefix=1)  # of which a part is special
    assert moved_on(networks=(net(ELSEWHERE),))
    assert moved_on(sources=("cloudflare",))
    assert moved_on(published=(("cloudflare", (net(ELSEWHERE),)),))
    assert moved_on(revoked_networks=(net(HOME),))
    assert moved_on(hostnames=(NAME, "new.example.org"))


def test_a_name_that_never_had_an_address_is_unmoved_while_that_is_all() -> None:
    assert not moved_on(NEVER_GAVE, given=GONE)
    assert not moved_on(replace(NEVER_GAVE, absent_since=T0 - 30 * DAY, latched=True), given=GONE)
    assert moved_on(NEVER_GAVE, given=found(HOME))
    assert moved_on(NEVER_GAVE, given=Absent("NODATA"))
    assert moved_on(NEVER_GAVE, given=SERVFAIL)
    assert moved_on(replace(NEVER_GAVE, absent_since=T0 - 30 * DAY), given=GONE)
    assert moved_on(replace(NEVER_GAVE, absent_since=T0 + HOUR), given=GONE)
    assert moved_on(replace(NEVER_GAVE, absent_since=None), given=GONE)
    assert moved_on(replace(NEVER_GAVE, last_found=T0 - DAY), given=GONE)
    assert moved_on(replace(NEVER_GAVE, absent_runs=0), given=GONE)
    assert moved_on(replace(NEVER_GAVE, past=PLAIN.held), given=GONE)
    assert moved_on(replace(NEVER_GAVE, held_back=("81.2.69.9 rejected: shared",)), given=GONE)
    assert moved_on(PLAIN, given=GONE)


def test_what_never_had_an_address_is_remembered_alike_from_run_to_run() -> None:
    life = Life(host())
    life.run(GONE)
    first = life.decision.memory.tracks[A]
    assert life.run(GONE).memory.tracks[A] == first
    assert life.run(Absent("NODATA")).memory.tracks[A].absent_runs == 2
    life.run(found(HOME))
    life.run(GONE)
    assert life.run(GONE).memory.tracks[A].absent_runs == 2


def test_what_is_remembered_of_other_names_is_not_passed_over() -> None:
    who, answers = host(), {A: found(HOME)}
    assert unmoved(who, answers, HostMemory({A: PLAIN, OLD: PLAIN}), Now(T0)) is None
    assert unmoved(who, answers, HostMemory({OLD: PLAIN}), Now(T0)) is None
    assert unmoved(who, answers, HostMemory({A: PLAIN}, former={OLD: PLAIN}), Now(T0)) is None


def test_what_a_proxy_is_known_to_have_now_is_not_passed_over() -> None:
    memory, edge = HostMemory({A: PLAIN}), (net(HOME),)
    assert unmoved(host(), {A: found(HOME)}, memory, Now(T0), edge) is None


def test_two_names_in_one_network_are_one_grant_of_the_older() -> None:
    who = host(hostnames=(NAME, OTHER.hostname))
    answers = {A: found(HOME), OTHER: found(HOME)}
    assert unmoved(who, answers, HostMemory({A: PLAIN, OTHER: PLAIN}), Now(T0)) is None
