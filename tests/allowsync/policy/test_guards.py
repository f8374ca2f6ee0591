"""The guards on new addresses: what each refuses, and what none ever touches."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address
from itertools import count
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.memory import HeldAddress, HostMemory, RetentionState, Sighting
from allowsync.model.types import Query
from allowsync.policy.clock import Now
from allowsync.policy.decision import conclude, judgements, unmoved
from allowsync.policy.dns64 import PROBE, translation_prefixes
from allowsync.policy.evidence import Evidence, disputed, siblings, to_prove
from allowsync.policy.guards import Verdict, guard
from allowsync.policy.newcomers import NewAddress, newcomers
from allowsync.policy.orphans import confirmed_by
from allowsync.policy.screening import network_of
from allowsync.policy.sightings import Ledger, given_again
from allowsync.policy.tracking import latched, recent, settled_tracks
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
    found,
    host,
    net,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from allowsync.model.types import Host
    from allowsync.policy.decision import Decision
    from allowsync.policy.screening import ScreenedAnswer

NOW = Now(T0)
DAY = timedelta(days=1)
HALF_A_DAY = DAY / 2
EMPTY = Ledger()
SIBLING = Query("made-up.example.org", V4)


def holding(*addresses: str, query: Query = A) -> HostMemory:
    held = tuple(HeldAddress(ip_address(one), T0 - 2 * DAY, T0 - FIVE_MINUTES) for one in addresses)
    return HostMemory({query: RetentionState(held, T0 - FIVE_MINUTES, summary="found")})


def gone_since(span: timedelta, query: Query = A, **fields: object) -> HostMemory:
    track = RetentionState(
        (), T0 - span, T0 - span, 9, summary="absent NXDOMAIN", reason="NXDOMAIN"
    )
    return HostMemory({query: replace(track, **fields)})  # type: ignore[arg-type]


def verdict(
    answers: dict[Query, Answer],
    *hosts: Host,
    memories: dict[str, HostMemory] | None = None,
    evidence: Evidence | None = None,
    ledger: Ledger = EMPTY,
    now: Now = NOW,
) -> Verdict:
    memories = memories or {}
    hosts = hosts or (host(),)
    judged = {one.name: judgements(one, answers) for one in hosts}
    new = newcomers(hosts, judged, memories, ledger, now, {})
    holders = {one.name: (one, memories.get(one.name, HostMemory())) for one in hosts}
    found = replace(evidence or Evidence(), arrivals=to_prove(new, ledger))
    return guard(new, judged, found, holders, ledger, now)


def guarded(
    answers: dict[Query, Answer],
    *hosts: Host,
    memories: dict[str, HostMemory] | None = None,
    evidence: Evidence | None = None,
) -> dict[str, tuple[ScreenedAnswer, ...]]:
    """What is believed of the answers, by host."""
    return verdict(answers, *hosts, memories=memories, evidence=evidence).judged


def told(judged: ScreenedAnswer) -> tuple[Answer, list[str]]:
    return judged.answer, [str(one.address) for one in judged.rejected]


def only(believed: dict[str, tuple[ScreenedAnswer, ...]]) -> ScreenedAnswer:
    ((judged,),) = believed.values()
    return judged


NOT_NEW = {
    "held for this question": (host(), holding(HOME)),
    "held for another question": (
        host(hostnames=("old.example.org", NAME)),
        holding(HOME, query=Query("old.example.org", V4)),
    ),
    "in a wide network that is held": (host(ipv4_prefix=24), holding("81.2.69.200")),
    "in a fixed network": (host(networks=(net("81.2.69.0/24"),)), HostMemory()),
}


@pytest.mark.parametrize(("who", "memory"), NOT_NEW.values(), ids=NOT_NEW)
def test_what_a_host_holds_already_is_not_new(who: Host, memory: HostMemory) -> None:
    judged = {"alice": judgements(who, {A: found(HOME)})}
    assert newcomers([who], judged, {"alice": memory}, Ledger(), NOW, {}) == ()


NEW = {
    "never heard of": (host(), HostMemory()),
    "another one is held": (host(), holding(MOVED)),
    "held for a name that is asked no more": (
        host(),
        holding(HOME, query=Query("old.example.org", V4)),
    ),
    "a neighbour of a fixed network": (host(networks=(net("81.2.68.0/24"),)), HostMemory()),
}


@pytest.mark.parametrize(("who", "memory"), NEW.values(), ids=NEW)
def test_what_it_does_not_hold_is_new(who: Host, memory: HostMemory) -> None:
    judged = {"alice": judgements(who, {A: found(HOME), AAAA: GONE})}
    (one,) = newcomers([who], judged, {"alice": memory}, Ledger(), NOW, {})
    assert (one.host, one.query, str(one.address)) == (who, A, HOME)
    assert str(one.network) == f"{HOME}/32"


def test_what_is_no_answer_holds_nothing_new() -> None:
    who = host(families=(V4, V6))
    judged = {"alice": judgements(who, {A: SERVFAIL, AAAA: found(HOME6)})}
    assert [one.query for one in newcomers([who], judged, {}, Ledger(), NOW, {})] == [AAAA]


# latch_absent


def test_a_name_that_was_gone_for_long_is_not_believed_before_it_is_approved() -> None:
    judged = only(guarded({A: found(HOME)}, memories={"alice": gone_since(8 * DAY)}))
    assert told(judged)[1] == [HOME]
    assert isinstance(judged.answer, Unavailable)
    assert judged.answer.suspicious
    assert "allowsync approve alice" in judged.rejected[0].reason


@pytest.mark.parametrize("span", [timedelta(0), 6 * DAY, 7 * DAY])
def test_a_name_that_was_gone_for_no_longer_than_the_latch_is_believed(span: timedelta) -> None:
    judged = only(guarded({A: found(HOME)}, memories={"alice": gone_since(span)}))
    assert told(judged) == (found(HOME), [])


def test_a_latch_may_be_longer_for_one_host() -> None:
    patient = host(latch_absent=30 * DAY)
    judged = only(guarded({A: found(HOME)}, patient, memories={"alice": gone_since(8 * DAY)}))
    assert told(judged) == (found(HOME), [])


def test_a_family_that_was_always_absent_latches_nothing_while_the_other_was_found() -> None:
    who = host(families=(V4, V6))
    tracks = {**holding(HOME).tracks, **gone_since(90 * DAY, AAAA).tracks}
    believed = guarded({AAAA: found(HOME6)}, who, memories={"alice": HostMemory(tracks)})
    assert told(only(believed)) == (found(HOME6), [])


@pytest.mark.parametrize(
    "other",
    [
        RetentionState(unavailable_runs=9, summary="unavailable SERVFAIL", reason="SERVFAIL"),
        RetentionState((), None, T0, 1, summary="absent NODATA", reason="NODATA"),
        RetentionState(unavailable_runs=1, summary="unavailable refused", held_back=("refused",)),
    ],
    ids=["silent", "absent for a moment", "refused"],
)
def test_a_family_that_is_asked_for_the_first_time_opens_no_latch(other: RetentionState) -> None:
    tracks = {**gone_since(8 * DAY).tracks, AAAA: other}
    assert latched(settled_tracks(host(families=(V4, V6)), HostMemory(tracks), Now(T0)), NAME)


@pytest.mark.parametrize(
    ("last_found", "waits"), [(T0 - 4 * DAY, False), (T0 - 91 * DAY, True), (None, True)]
)
def test_a_name_that_had_one_family_alone_is_not_gone_when_that_is_silent(
    last_found: datetime | None, waits: bool
) -> None:
    """The other one was absent all the time, and what was held is over."""
    silent = RetentionState((), last_found, unavailable_runs=900, reason="SERVFAIL")
    tracks = {A: silent, **gone_since(90 * DAY, AAAA, latched=True).tracks}
    assert latched(settled_tracks(host(families=(V4, V6)), HostMemory(tracks), NOW), NAME) is waits


def test_a_family_that_was_never_asked_opens_no_latch() -> None:
    tracks = settled_tracks(host(families=(V4, V6)), gone_since(8 * DAY), Now(T0))
    assert latched(tracks, NAME)
    assert not latched(tracks, "other.example.org")


def test_silence_after_an_absence_is_no_absence() -> None:
    memory = gone_since(8 * DAY, absent_runs=0, reason="SERVFAIL")
    assert told(only(guarded({A: found(HOME)}, memories={"alice": memory}))) == (found(HOME), [])


def test_silence_and_refusals_open_no_latch() -> None:
    who, memory = host(), gone_since(8 * DAY)
    for answer in (GONE, SERVFAIL, found(HOME), SERVFAIL, GONE, found(HOME)):
        believed = guarded({A: answer}, who, memories={"alice": memory})
        decision = conclude(who, believed["alice"], memory, NOW)
        memory = decision.memory
        assert (decision.grants, decision.latched) == ((), (NAME,))
    assert decision.rests_on_old_knowledge
    assert [hostname for hostname, _ in decision.held_back] == [NAME]


OTHER_NAME = "other.example.org"
BESIDE = {
    "another name of the host, for long": (
        host(hostnames=(OTHER_NAME, NAME)),
        holding(HOME, query=Query(OTHER_NAME, V4)).tracks,
    ),
    "another name of the host, lately": (
        host(hostnames=(OTHER_NAME, NAME)),
        {Query(OTHER_NAME, V4): RetentionState((HeldAddress(ip_address(HOME), T0, T0),), T0)},
    ),
    "a name that was edited away": (
        host(hostnames=(NAME,)),
        holding(HOME, query=Query(OTHER_NAME, V4)).tracks,
    ),
    "a fixed network": (host(networks=(net("81.2.69.0/24"),)), {}),
}


@pytest.mark.parametrize(("who", "beside"), BESIDE.values(), ids=BESIDE)
def test_nothing_that_a_host_has_beside_opens_a_latch(
    who: Host, beside: dict[Query, RetentionState]
) -> None:
    memory = HostMemory({**beside, **gone_since(8 * DAY).tracks})
    ledger = Ledger((Sighting(OTHER_NAME, net(HOME), decoy=False, first=T0, last=T0),))
    for address in (HOME, MOVED):
        seen = verdict({A: found(address)}, who, memories={"alice": memory}, ledger=ledger)
        assert told(only(seen.judged))[1] == [address]
        decision = conclude(who, seen.judged["alice"], memory, NOW)
        memory = decision.memory
        assert decision.latched == (NAME,)
        assert not memory.tracks[A].held


def test_what_another_host_has_opens_no_latch() -> None:
    bob = Query("bob.example.org", V4)
    memories = {"alice": gone_since(8 * DAY), "bob": holding(HOME, query=bob)}
    believed = guarded({A: found(HOME)}, host(), host("bob"), memories=memories)
    assert told(believed["alice"][0])[1] == [HOME]


def test_who_comes_back_to_the_address_that_is_still_held_is_in_and_the_latch_is_shut() -> None:
    """The machine slept for a week after one run in which the name was absent."""
    who, held = host(), holding(HOME).tracks[A].held
    memory = gone_since(8 * DAY, held=held, absent_runs=1)
    for address, granted in ((HOME, HOME), (MOVED, HOME)):
        believed = guarded({A: found(address)}, who, memories={"alice": memory})
        decision = conclude(who, believed["alice"], memory, NOW)
        memory = decision.memory
        assert [str(one.network) for one in decision.grants] == [f"{granted}/32"]
        assert decision.latched == (NAME,)


def test_a_family_opens_its_latch_while_the_name_is_held_by_the_other() -> None:
    who = host(families=(V4, V6))
    tracks = {AAAA: holding(HOME6).tracks[A], **gone_since(8 * DAY, latched=True).tracks}
    decision = conclude(who, judgements(who, {A: found(HOME)}), HostMemory(tracks), NOW)
    assert not decision.memory.tracks[A].latched


def test_a_host_that_ended_waits_for_no_approval() -> None:
    ended = conclude(host(until=T0), (), gone_since(8 * DAY), NOW)
    assert ended.latched == ()


# max_sharing


def name_of(label: str) -> Query:
    return Query(f"{label}.example.org", V4)


def parked(*labels: str) -> dict[Query, Answer]:
    return {name_of(label): found(ELSEWHERE) for label in labels}


def test_an_address_nobody_had_and_several_hosts_give_is_not_believed() -> None:
    hosts = [host(one) for one in ("alice", "bob", "carol", "dave")]
    believed = guarded(parked("alice", "bob", "carol", "dave"), *hosts)
    for (judged,) in believed.values():
        assert told(judged)[1] == [ELSEWHERE]
        assert "alice, bob, carol and 1 more resolved to it within" in judged.rejected[0].reason


def test_an_address_another_host_has_is_believed() -> None:
    hosts = [host("alice"), host("bob"), host("carol")]
    memories = {"carol": holding(ELSEWHERE, query=name_of("carol"))}
    believed = guarded(parked("alice", "bob"), *hosts, memories=memories)
    assert told(believed["alice"][0]) == told(believed["bob"][0]) == (found(ELSEWHERE), [])


def test_an_address_in_a_fixed_network_of_another_host_is_believed() -> None:
    office = host("office", hostnames=(), networks=(net("81.2.69.0/24"),))
    believed = guarded(parked("alice", "bob"), host("alice"), host("bob"), office)
    assert told(believed["alice"][0]) == (found(ELSEWHERE), [])


def test_each_host_has_a_max_sharing_of_its_own() -> None:
    believed = guarded(parked("alice", "bob"), host("alice"), host("bob", max_sharing=2))
    assert told(believed["alice"][0])[1] == [ELSEWHERE]
    assert told(believed["bob"][0]) == (found(ELSEWHERE), [])


def test_an_answer_with_too_many_addresses_gives_them_all_the_same() -> None:
    flood = found(ELSEWHERE, *(f"81.2.70.{n}" for n in range(9)))
    answers: dict[Query, Answer] = {name_of("alice"): found(ELSEWHERE), name_of("bob"): flood}
    believed = guarded(answers, host("alice"), host("bob"))
    assert told(believed["alice"][0])[1] == [ELSEWHERE]


def test_two_names_of_one_host_share_nothing() -> None:
    who = host(hostnames=("alice.example.org", "bob.example.org"))
    believed = guarded(parked("alice", "bob"), who)
    assert [told(one) for one in believed["alice"]] == [(found(ELSEWHERE), [])] * 2


# canary


def canary(answer: Answer) -> Evidence:
    return Evidence(siblings={A: (SIBLING,)}, answers={SIBLING: {"": answer}})


@pytest.mark.parametrize("answer", [found(HOME), found(MOVED, HOME)])
def test_an_address_that_a_made_up_name_gives_too_is_not_believed(answer: Answer) -> None:
    judged = only(guarded({A: found(HOME)}, evidence=canary(answer)))
    assert told(judged)[1] == [HOME]
    assert "the domain example.org answers for any name" in judged.rejected[0].reason


@pytest.mark.parametrize("answer", [GONE, SERVFAIL])
def test_a_sibling_that_says_anything_else_proves_nothing(answer: Answer) -> None:
    assert told(only(guarded({A: found(HOME)}, evidence=canary(answer)))) == (found(HOME), [])


def test_what_was_said_of_a_sibling_is_the_same_in_every_run() -> None:
    """Or the history would grow with each run that refuses."""
    said = set()
    for label in ("one", "two"):
        sibling = Query(f"{label}.example.org", V4)
        evidence = Evidence(siblings={A: (sibling,)}, answers={sibling: {"": found(HOME)}})
        said.add(only(guarded({A: found(HOME)}, evidence=evidence)))
    assert len(said) == 1


def arrival(who: Host, query: Query, address: str, *, latched: bool = False) -> NewAddress:
    came = ip_address(address)
    return NewAddress(who, query, came, network_of(came, who), latched)


def siblings_of(*newcomers: NewAddress) -> dict[Query, list[str]]:
    numbers = count(1)
    made_up = siblings(newcomers, lambda: f"x{next(numbers)}")
    return {query: [one.hostname for one in beside] for query, beside in made_up.items()}


def test_each_new_name_and_family_gets_three_siblings_with_the_same_parent() -> None:
    who = host(families=(V4, V6))
    new = [arrival(who, A, one) for one in (HOME, MOVED)]
    assert siblings_of(*new, arrival(who, AAAA, HOME6)) == {
        A: ["x1.example.org", "x2.example.org", "x3.example.org"],
        AAAA: ["x4.example.org", "x5.example.org", "x6.example.org"],
    }


@pytest.mark.parametrize("hostname", ["example.org", "localhost"])
def test_a_name_below_a_single_label_has_no_sibling(hostname: str) -> None:
    assert siblings_of(arrival(host(), Query(hostname, V4), HOME)) == {}


def test_without_canary_and_while_latched_no_sibling_is_asked() -> None:
    assert siblings_of(arrival(host(canary=False), A, HOME)) == {}
    assert siblings_of(arrival(host(), A, HOME, latched=True)) == {}
    assert disputed([arrival(host(), A, HOME, latched=True)]) == (A,)


# agreement


@pytest.mark.parametrize(
    ("said", "believed"),
    [
        ([found(HOME), found(HOME), SERVFAIL], True),
        ([found(HOME, MOVED), found(HOME), GONE], True),
        ([found(HOME), found(MOVED), GONE], False),
        ([SERVFAIL, SERVFAIL, SERVFAIL], False),
        ([], False),
    ],
)
def test_as_many_nameservers_as_agreement_says_must_give_it(
    said: list[Answer], believed: bool
) -> None:
    answers = {A: {str(number): one for number, one in enumerate(said)}}
    judged = only(guarded({A: found(HOME)}, evidence=Evidence(agreement=2, answers=answers)))
    assert (told(judged)[1] == []) is believed
    if not believed:
        assert "fewer than agreement (2)" in judged.rejected[0].reason


WILD_AT_ONE: dict[str, Answer] = {"one": found(HOME), "two": GONE, "three": GONE}
GIVEN_BY = {
    "a wildcard at one nameserver": (12, WILD_AT_ONE, 3, HostMemory(), True),
    "a wildcard at two": (12, {**WILD_AT_ONE, "two": found(HOME)}, 3, HostMemory(), False),
    "a name at one": (12, {}, 1, HostMemory(), False),
    "a latched name": (12, {}, 3, gone_since(8 * DAY), False),
    "too many moves": (0, {}, 3, HostMemory(), True),
}


@pytest.mark.parametrize(
    ("moves", "beside", "giving", "memory", "tenable"), GIVEN_BY.values(), ids=GIVEN_BY
)
def test_what_is_kept_out_as_new_is_told_from_what_is_believed_of_no_host(
    moves: int,
    beside: dict[str, Answer],
    giving: int,
    memory: HostMemory,
    tenable: bool,
) -> None:
    given = {str(number): found(HOME) for number in range(giving)}
    evidence = Evidence((), 2, {A: (SIBLING,)}, {A: given, SIBLING: beside})
    who = host(max_moves=moves)
    seen = guarded({A: found(HOME)}, who, memories={"alice": memory}, evidence=evidence)
    (rejected,) = only(seen).rejected
    assert rejected.tenable is tenable
    assert confirmed_by([conclude(who, seen["alice"], memory, NOW)]) == (
        {net(HOME)} if tenable else frozenset()
    )


def test_every_disputed_question_is_asked_once() -> None:
    new = [arrival(host(), A, one) for one in (HOME, MOVED)]
    assert disputed(new) == (A,)


# max_moves


def test_more_new_networks_than_max_moves_are_held_back() -> None:
    who = host(max_moves=2)
    judged = only(guarded({A: found(HOME, MOVED, ELSEWHERE)}, who))
    assert told(judged) == (found(HOME, MOVED), [ELSEWHERE])
    assert "had 2 new networks within 24 hours" in judged.rejected[0].reason


@pytest.mark.parametrize(("ago", "believed"), [(DAY, True), (DAY - FIVE_MINUTES, False)])
def test_a_move_counts_for_a_day(ago: timedelta, believed: bool) -> None:
    memory = replace(holding(HOME), arrivals={net(HOME): T0 - ago})
    judged = only(guarded({A: found(MOVED)}, host(max_moves=1), memories={"alice": memory}))
    assert isinstance(judged.answer, Found) is believed


def test_who_comes_back_within_the_day_has_not_moved_anew() -> None:
    memory = replace(holding(HOME), arrivals={net(HOME): T0, net(MOVED): T0})
    judged = only(guarded({A: found(MOVED)}, host(max_moves=2), memories={"alice": memory}))
    assert told(judged) == (found(MOVED), [])


def test_an_arrival_does_not_lie_in_the_future() -> None:
    assert recent({net(HOME): T0 + DAY}, Now(T0)) == {net(HOME): T0}


def test_what_another_guard_refused_is_no_move() -> None:
    said: dict[str, Answer] = {"one": found(HOME, MOVED), "two": found(MOVED)}
    evidence = Evidence(agreement=2, answers={A: said})
    judged = only(guarded({A: found(HOME, MOVED)}, host(max_moves=1), evidence=evidence))
    assert told(judged) == (found(MOVED), [HOME])


def test_arrivals_are_remembered() -> None:
    who = host()
    memory = HostMemory()
    for number, address in enumerate((HOME, HOME, MOVED)):
        now = Now(T0 + number * FIVE_MINUTES)
        memory = conclude(who, judgements(who, {A: found(address)}), memory, now).memory
    assert memory.arrivals == {net(HOME): T0, net(MOVED): T0 + 2 * FIVE_MINUTES}


# all of them

ADDRESSES = [f"81.2.69.{number}" for number in range(1, 7)]
SOME = st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=4, unique=True)
ANSWERS = st.one_of(
    SOME.map(lambda some: found(*some)), st.sampled_from([GONE, SERVFAIL, Absent("NODATA")])
)


@given(
    said=st.tuples(ANSWERS, ANSWERS),
    known=st.tuples(st.lists(st.sampled_from(ADDRESSES), unique=True), st.just(())),
    beside=ANSWERS,
    others=st.lists(ANSWERS, max_size=3),
    agreement=st.integers(1, 3),
    max_moves=st.integers(1, 3),
    shut=st.booleans(),
)
def test_what_is_refused_is_never_granted_and_what_is_held_never_refused(
    said: tuple[Answer, Answer],
    known: tuple[list[str], tuple[()]],
    beside: Answer,
    others: list[Answer],
    agreement: int,
    max_moves: int,
    shut: bool,
) -> None:
    hosts = (host("alice", max_moves=max_moves), host("bob", max_moves=max_moves))
    queries = [name_of(one.name) for one in hosts]
    memories = {
        one.name: holding(*held, query=query)
        for one, held, query in zip(hosts, known, queries, strict=True)
    }
    if shut:
        memories["bob"] = gone_since(8 * DAY, queries[1])
    evidence = Evidence(
        agreement=agreement,
        siblings=dict.fromkeys(queries, (SIBLING,)),
        answers={
            SIBLING: {"": beside},
            **{query: {str(n): one for n, one in enumerate(others)} for query in queries},
        },
    )
    answers = dict(zip(queries, said, strict=True))
    believed = guarded(answers, *hosts, memories=memories, evidence=evidence)
    for one in hosts:
        (judged,) = believed[one.name]
        held = {str(old.address) for t in memories[one.name].tracks.values() for old in t.held}
        refused = {str(no.address) for no in judged.rejected}
        decision = conclude(one, believed[one.name], memories[one.name], NOW)
        granted = {str(grant.network.network_address) for grant in decision.grants}
        assert not refused & granted
        assert not refused & held
        assert held <= granted
        if isinstance(answers[judged.query], Found) and isinstance(judged.answer, Unavailable):
            assert judged.answer.suspicious
        if isinstance(judged.answer, Found):
            moved_in = {str(address) for address in judged.answer.addresses} - held
            assert len(moved_in) <= max_moves


def test_each_refusal_says_what_was_seen_and_what_can_be_done() -> None:
    def refusal(who: Host, *, evidence: Evidence = Evidence(), **memory: HostMemory) -> str:  # noqa: B008
        believed = guarded({A: found(HOME)}, who, memories=memory, evidence=evidence)
        return only(believed).rejected[0].reason

    alice = host()
    assert refusal(alice, alice=gone_since(8 * DAY)) == (
        "its name was gone for longer than latch_absent (7 d) and may have a new owner; "
        "if it is still theirs: allowsync approve alice"
    )
    names = ("amy", "bob", "cat", "dan")
    cases = ((names[:3], "amy, bob, cat resolved"), (names, "cat and 1 more resolved"))
    for some, listed in cases:
        believed = guarded(parked(*some), *(host(one) for one in some))
        reason = believed["amy"][0].rejected[0].reason
        assert listed in reason
        assert reason.endswith(
            "more hosts than max_sharing (1), and no host had it before; "
            "if they live together, raise max_sharing for them"
        )
    made_up = Evidence(siblings={A: (SIBLING,)}, answers={SIBLING: {"ns": found(HOME)}})
    assert refusal(alice, evidence=made_up) == (
        "the domain example.org answers for any name (wildcard, canary); "
        "if that is intended, set canary: false for alice"
    )
    split = Evidence(agreement=2, answers={A: {"one": found(HOME), "two": found(MOVED)}})
    assert refusal(alice, evidence=split) == (
        "1 of 2 nameservers returned it, fewer than agreement (2); "
        "compare their answers: allowsync resolve alice"
    )
    moved = HostMemory(arrivals={net(MOVED): T0 - FIVE_MINUTES})
    assert refusal(host(max_moves=1), alice=moved) == (
        "alice had 1 new networks within 24 hours, all that max_moves allows; "
        "it is granted once one of them is a day old; or raise max_moves"
    )


# over runs


class Runs:
    """Some hosts below one domain, over many runs, five minutes apart."""

    def __init__(
        self, *hosts: Host, homes: bool = True, wildcard: Answer = GONE, agreement: int = 1
    ) -> None:
        self.hosts = hosts
        self.agreement = agreement
        self.ledger = EMPTY
        self.wildcard = wildcard
        self.instant = T0
        self.memories = {
            one.name: holding(f"81.2.70.{number}", query=name_of(one.name))
            for number, one in enumerate(hosts, 1)
            if homes
        }
        self.granted: dict[str, set[str]] = {}

    def __call__(
        self,
        gave: Mapping[str, Answer],
        passed: timedelta = FIVE_MINUTES,
        beside: Sequence[Answer] | None = None,
        alone: str = "",
    ) -> dict[str, set[str]]:
        """One run: what each host gave, else nothing; who may come from where afterwards.

        Where several nameservers have to agree, one alone says it of the names that are `alone`.
        """
        self.instant += passed
        now = Now(self.instant)
        answers = {name_of(one.name): gave.get(one.name, SERVFAIL) for one in self.hosts}
        judged = {one.name: judgements(one, answers) for one in self.hosts}
        new = newcomers(self.hosts, judged, self.memories, self.ledger, now, {})
        asked = siblings(new, map("x{}".format, count()).__next__)
        said: Sequence[Answer] = beside or [self.wildcard]
        heard = {
            one: self._by_each(said[n % len(said)], alone == "made-up names")
            for made in asked.values()
            for n, one in enumerate(made)
        }
        if self.agreement > 1:
            heard |= {
                one: self._by_each(answers[one], one == name_of(alone)) for one in disputed(new)
            }
        holders = {one.name: (one, self.memories.get(one.name, HostMemory())) for one in self.hosts}
        evidence = Evidence(to_prove(new, self.ledger), self.agreement, asked, heard)
        found = guard(new, judged, evidence, holders, self.ledger, now)
        self.ledger = found.ledger
        for one in self.hosts:
            known = self.memories.get(one.name, HostMemory())
            decision = conclude(one, found.judged[one.name], known, now, found.refuted)
            self.memories[one.name] = decision.memory
            self.granted[one.name] = {str(g.network.network_address) for g in decision.grants}
        return self.granted

    def _by_each(self, said: Answer, alone: bool) -> dict[str, Answer]:
        if self.agreement == 1:
            return {"": said}
        return {"one": said, "two": GONE if alone else said, "three": GONE if alone else said}


PAGE = "45.9.9.9"
FOUR = tuple(host(one) for one in ("alice", "bob", "carol", "dave"))
HOMES = {one.name: {f"81.2.70.{number}"} for number, one in enumerate(FOUR, 1)}


@pytest.mark.parametrize(
    "order", [("alice", "bob", "carol", "dave"), ("dave", "carol", "bob", "alice")]
)
@pytest.mark.parametrize("apart", [FIVE_MINUTES, timedelta(hours=3)])
def test_parking_that_comes_in_steps_moves_none(order: tuple[str, ...], apart: timedelta) -> None:
    run = Runs(*FOUR)
    at_home = {name: found(*home) for name, home in HOMES.items()}
    run(at_home)
    for number in range(1, 5):
        at_home.update(dict.fromkeys(order[:number], found(PAGE)))
        run(at_home, apart)
    for _ in range(9):
        granted = run(dict.fromkeys(HOMES, found(PAGE)))
    assert granted == HOMES


def test_parking_of_two_that_are_a_whole_domain_moves_neither() -> None:
    run = Runs(*FOUR[:2])
    run({"alice": found(PAGE), "bob": found("81.2.70.2")})
    granted = run({"alice": found(PAGE), "bob": found(PAGE)})
    assert granted == {name: HOMES[name] for name in ("alice", "bob")}


def test_a_visitor_of_somebody_who_just_moved_is_refused_and_the_mover_stays() -> None:
    run = Runs(*FOUR)
    at_home = {name: found(*home) for name, home in HOMES.items()}
    run({**at_home, "alice": found(PAGE)})
    granted = run({**at_home, "alice": found(PAGE), "bob": found(PAGE)})
    assert PAGE in granted["alice"]
    assert granted["bob"] == HOMES["bob"]


@pytest.mark.parametrize("stay", [2, 4])
def test_parking_of_one_name_after_the_other_is_believed_of_the_first_alone(stay: int) -> None:
    run = Runs(*FOUR)
    at_home = {name: found(*home) for name, home in HOMES.items()}
    for name in HOMES:
        for _ in range(stay):
            granted = run({**at_home, name: found(PAGE)})
            if name in ("carol", "dave"):
                assert granted == HOMES
        for _ in range(5):
            granted = run(at_home)
        assert granted == HOMES


def test_a_network_that_another_host_left_is_believed_when_it_came_three_times() -> None:
    """Two customers of one provider may get the same address within a day."""
    run = Runs(*FOUR[:2])
    at_home = {name: found(*HOMES[name]) for name in ("alice", "bob")}
    for _ in range(2):
        run({**at_home, "alice": found(PAGE)})
    for _ in range(5):
        run(at_home)
    came = [PAGE in run({**at_home, "bob": found(PAGE)})["bob"] for _ in range(4)]
    assert came == [False, False, True, True]


def test_what_was_approved_is_so_while_it_comes() -> None:
    run = Runs(*FOUR)
    at_home = {name: found(*home) for name, home in HOMES.items()}
    gone = {name: found(PAGE) for name in HOMES}
    run(gone)
    marked = (one._replace(approved=True) for one in run.ledger.sightings)
    run.ledger = Ledger(tuple(marked))
    assert PAGE in run(gone)["alice"]
    for _ in range(3):
        run(at_home)
    assert not any(one.approved for one in run.ledger.sightings)


def test_a_household_moves_together() -> None:
    run = Runs(*FOUR)
    run.memories["bob"] = holding("81.2.70.1", query=name_of("bob"))
    granted = run({"alice": found(PAGE), "bob": found(PAGE)})
    assert PAGE in granted["alice"] & granted["bob"]


def test_a_visitor_at_a_home_that_was_long_there_is_believed() -> None:
    run = Runs(*FOUR)
    granted = run({"alice": found("81.2.70.1"), "bob": found("81.2.70.1")})
    assert "81.2.70.1" in granted["bob"]


def test_parking_in_one_network_of_ipv6_is_seen_though_each_has_its_own_address() -> None:
    hosts = [host(one, families=(V6,)) for one in ("alice", "bob", "carol")]
    answers: dict[Query, Answer] = {
        Query(f"{one.name}.example.org", V6): found(f"2a01:4f8:9:9::{number}")
        for number, one in enumerate(hosts, 1)
    }
    believed = guarded(answers, *hosts)
    assert all(isinstance(judged.answer, Unavailable) for (judged,) in believed.values())


ROTATING = [found(f"45.9.9.{number}") for number in (1, 2, 3)]


@pytest.mark.parametrize("start", range(3))
def test_a_wildcard_that_hands_out_one_of_several_lets_none_in(start: int) -> None:
    run = Runs(host())
    for number in range(40):
        beside = [ROTATING[(number + n + start) % 3] for n in range(2)]
        granted = run({"alice": ROTATING[number % 3]}, beside=beside)
        assert granted == {"alice": {"81.2.70.1"}}


def test_where_a_parent_answers_for_any_name_an_arrival_has_to_come_three_times() -> None:
    run = Runs(host(), wildcard=found(PAGE))
    assert run({"alice": found(MOVED)})["alice"] == {"81.2.70.1"}
    run({"alice": found(ELSEWHERE)})
    for _ in range(2):
        assert MOVED not in run({"alice": found(MOVED)})["alice"]
    assert MOVED in run({"alice": found(MOVED)})["alice"]


def test_what_a_made_up_name_gave_once_is_refused_while_the_window_lasts() -> None:
    run = Runs(host())
    run({"alice": found(PAGE)}, beside=[found(PAGE)])
    for _ in range(2):
        assert run({"alice": found(PAGE)})["alice"] == {"81.2.70.1"}
    assert PAGE in run({"alice": found(PAGE)})["alice"], "gone in three runs in a row"


def test_what_was_believed_is_taken_back_when_a_made_up_name_gives_it() -> None:
    run = Runs(*FOUR[:2], wildcard=GONE)
    assert PAGE in run({"alice": found(PAGE), "bob": found("81.2.70.2")})["alice"]
    granted = run({"alice": found(PAGE), "bob": found(MOVED)}, beside=[found(PAGE)])
    assert granted["alice"] == HOMES["alice"]


@pytest.mark.parametrize(("alone", "kept"), [("bob", True), ("", False)])
def test_one_nameserver_takes_back_nothing_by_giving_it_for_others(alone: str, kept: bool) -> None:
    run = Runs(*FOUR[:2], agreement=2)
    run({"alice": found(PAGE), "bob": found("81.2.70.2")})
    for _ in range(3):
        granted = run({"alice": found(PAGE), "bob": found(PAGE)}, alone=alone)
        assert (PAGE in granted["alice"]) is kept
        assert granted["bob"] == HOMES["bob"]


@pytest.mark.parametrize(("alone", "kept"), [("made-up names", True), ("", False)])
def test_one_nameserver_takes_back_nothing_by_giving_it_for_made_up_names(
    alone: str, kept: bool
) -> None:
    run = Runs(*FOUR[:2], agreement=2)
    run({"alice": found(PAGE), "bob": found("81.2.70.2")})
    granted = run({"alice": found(PAGE), "bob": found(MOVED)}, beside=[found(PAGE)], alone=alone)
    assert (PAGE in granted["alice"]) is kept
    assert (MOVED in granted["bob"]) is False
    granted = run({"alice": found(PAGE), "bob": found(ELSEWHERE)})
    assert (PAGE in granted["alice"]) is kept


def test_what_one_nameserver_gave_for_a_made_up_name_lets_no_host_in() -> None:
    run = Runs(*FOUR[:2], agreement=2)
    run({"alice": found(PAGE), "bob": found(PAGE)}, beside=[found(PAGE)], alone="made-up names")
    assert run({"alice": found(PAGE)})["alice"] == HOMES["alice"]


def test_what_was_taken_back_comes_back_after_its_place_was_given_up() -> None:
    """The old address was dropped by its clock; it is remembered while the window lasts."""
    run = Runs(*FOUR, homes=True)
    at_home = {name: found(*home) for name, home in HOMES.items()}
    for _ in range(6):
        granted = run({**at_home, "alice": found(PAGE)})
    assert granted["alice"] == {PAGE}
    granted = run(dict.fromkeys(HOMES, found(PAGE)))
    assert granted == HOMES


def test_an_address_of_a_dns64_resolver_is_not_believed() -> None:
    who = host(families=(V6,))
    made_up = "2001:67c:2b0::5102:4501"
    evidence = Evidence(answers={PROBE: {"": found("2001:67c:2b0::c000:aa")}})
    judged = only(guarded({AAAA: found(made_up)}, who, evidence=evidence))
    assert isinstance(judged.answer, Unavailable)
    assert "DNS64" in judged.rejected[0].reason
    assert "accept" not in judged.rejected[0].reason
    assert told(only(guarded({AAAA: found(HOME6)}, who, evidence=evidence))) == (found(HOME6), [])


def test_what_a_probe_gives_is_a_prefix_only_where_a_well_known_address_is_in_it() -> None:
    given = ("81.2.69.1", "2a01:4f8::1", "2a01:4f8:64:1:c0:0:aa00:0")
    answers: list[Answer] = [GONE, *map(found, given)]
    assert translation_prefixes(answers) == {net("2a01:4f8:64:1::/64")}


@pytest.mark.parametrize("failure", [SERVFAIL, None])
@pytest.mark.parametrize(
    "made_up",
    [
        "2001:67c:2b0:db32::5102:4501",
        "2001:67c:2b0:db32:51:245:100:0",
        "2001:67c:2b0:db51:2:4501::",
        "2001:67c:2b0:5102:45:100::",
        "2001:67c:2b51:245:1::",
        "2001:67c:5102:4501::",
    ],
)
def test_what_dns64_may_have_made_is_not_believed_where_a_nameserver_does_not_tell(
    made_up: str, failure: Answer | None
) -> None:
    who = host(families=(V4, V6))
    hosts: dict[Query, Answer] = {A: found("81.2.69.1"), AAAA: found(made_up)}
    silent: dict[str, Answer] = {"one": GONE} | ({} if failure is None else {"two": failure})
    conclusive: dict[str, Answer] = {"one": GONE}
    for answers, believed in ({PROBE: silent}, failure is None), ({PROBE: conclusive}, True):
        judged = guarded(hosts, who, evidence=Evidence(answers=answers))["alice"][1]
        assert isinstance(judged.answer, Found) is believed
        assert believed or "ipv4only.arpa" in judged.rejected[0].reason


def test_what_dns64_may_have_made_of_an_ipv4_address_held_is_not_believed() -> None:
    """Its name gives none just now, nor does a nameserver tell whether it does that."""
    who = host(families=(V4, V6))
    memory = {"alice": holding("81.2.69.1")}
    made_up = found("2001:67c:2b0:db32::5102:4501")
    evidence = Evidence(answers={PROBE: {"one": SERVFAIL}})
    answers: dict[Query, Answer] = {A: SERVFAIL, AAAA: made_up}
    judged = guarded(answers, who, evidence=evidence, memories=memory)["alice"][1]
    assert "ipv4only.arpa" in judged.rejected[0].reason


def test_a_home_that_holds_its_ipv4_address_otherwise_is_believed() -> None:
    evidence = Evidence(answers={PROBE: {"one": SERVFAIL}})
    who = host(families=(V4, V6))
    for home in ("2001:67c:5102:4501::1", "2001:67c:2b0:db32:ff00::5102:4501", "2001:67c:2b0::1"):
        judged = guarded({A: found("81.2.69.1"), AAAA: found(home)}, who, evidence=evidence)
        assert isinstance(judged["alice"][1].answer, Found)


def test_what_a_person_approved_is_believed_whatever_else_gives_it() -> None:
    seen = Sighting(NAME, net(HOME), decoy=False, first=T0, last=T0, approved=True)
    judged = verdict({A: found(HOME)}, evidence=canary(found(HOME)), ledger=Ledger((seen,))).judged
    assert told(only(judged)) == (found(HOME), [])


def test_without_canary_no_made_up_name_speaks_against_an_address() -> None:
    who = host(canary=False)
    believed = guarded({A: found(HOME)}, who, evidence=canary(found(HOME)))
    assert told(only(believed)) == (found(HOME), [])


ON_RECORD = st.builds(
    Sighting,
    st.sampled_from([NAME, "bob.example.org", "old.example.org"]),
    st.sampled_from([net(HOME), net(MOVED), net("81.2.69.0/24")]),
    decoy=st.just(False),
    first=st.just(T0 - HALF_A_DAY),
    last=st.just(T0 - FIVE_MINUTES),
    refuted=st.booleans(),
)


def unmoved_of(
    hosts: Iterable[Host], answers: Mapping[Query, Answer], memories: Mapping[str, HostMemory]
) -> dict[str, Decision]:
    """The decisions about those hosts whose answers give just what they are held by."""
    found = {one.name: unmoved(one, answers, memories[one.name], NOW) for one in hosts}
    return {name: one for name, one in found.items() if one is not None}


@given(
    sightings=st.lists(ON_RECORD, max_size=4, unique_by=lambda one: one[:3]),
    since=st.sampled_from([T0 - DAY, T0 - HALF_A_DAY]),
    both=st.sampled_from([HOME, MOVED]),
    decoy=st.sampled_from([None, "81.2.69.0/24"]),
)
def test_what_only_moves_on_in_time_is_guarded_like_anything_else(
    sightings: list[Sighting], since: datetime, both: str, decoy: str | None
) -> None:
    """Beside a made-up name elsewhere, which tells nothing, every guard looks at each address."""
    hosts = (host(), host("bob"))
    held = {"alice": HOME, "bob": both}
    tracks = {
        name: RetentionState(
            (HeldAddress(ip_address(one), since, T0 - FIVE_MINUTES),),
            T0 - DAY,
            summary=f"found {one}",
        )
        for name, one in held.items()
    }
    memories = {one.name: HostMemory({one.queries[0]: tracks[one.name]}) for one in hosts}
    answers = {one.queries[0]: found(held[one.name]) for one in hosts}
    judged = {one.name: judgements(one, answers) for one in hosts}
    steady = unmoved_of(hosts, answers, memories)
    if decoy is not None:
        sightings = [*sightings, Sighting("example.org", net(decoy), True, T0, T0)]
    ledger = Ledger(tuple(sightings))
    new = newcomers(hosts, judged, memories, ledger, NOW, {})
    assert newcomers(hosts, judged, memories, ledger, NOW, steady) == new
    holders = {one.name: (one, memories[one.name]) for one in hosts}
    elsewhere = Sighting("example.net", net("192.0.2.0/24"), True, T0 - FIVE_MINUTES, T0)
    beside = Ledger((*sightings, elsewhere))
    quickly = guard(new, judged, Evidence(), holders, ledger, NOW)
    slowly = guard(new, judged, Evidence(), holders, beside, NOW)
    assert quickly.judged == slowly.judged
    assert quickly.refuted == slowly.refuted
    assert {*slowly.ledger.sightings} - {*quickly.ledger.sightings} == {elsewhere}


NAMES = {"alice": NAME, "bob": "bob.example.org", "carol": "carol.example.org"}


@given(
    on_record=st.lists(
        st.builds(
            Sighting,
            st.sampled_from([*NAMES.values(), "old.example.org"]),
            st.sampled_from([net(HOME), net(MOVED), net(ELSEWHERE), net("81.2.69.0/24")]),
            decoy=st.sampled_from([False, False, False, True]),
            first=st.just(T0 - HALF_A_DAY),
            last=st.just(T0 - FIVE_MINUTES),
            runs=st.just(7),
            missed=st.sampled_from([0, 1]),
            refuted=st.sampled_from([False, False, False, True]),
        ),
        max_size=3,
        unique_by=lambda one: one[:3],
    ),
    held=st.lists(st.sampled_from([HOME, MOVED, ELSEWHERE]), min_size=3, max_size=3),
    moved=st.lists(
        st.sampled_from([None, None, None, found(HOME), found("10.0.0.7"), GONE, SERVFAIL]),
        min_size=3,
        max_size=3,
    ),
    since=st.sampled_from([T0 - DAY, T0 - HALF_A_DAY]),
    width=st.sampled_from([32, 32, 24]),
)
def test_a_run_that_gives_all_once_more_is_on_record_as_guards_put_it(
    on_record: list[Sighting],
    held: list[str],
    moved: list[Answer | None],
    since: datetime,
    width: int,
) -> None:
    hosts = [host(name, hostnames=(NAMES[name],)) for name in NAMES]
    hosts[2] = replace(hosts[2], ipv4_prefix=width)
    tracks = [
        RetentionState(
            (HeldAddress(ip_address(one), since, T0 - FIVE_MINUTES),),
            T0 - FIVE_MINUTES,
            summary=f"found {one}",
        )
        for one in held
    ]
    memories = {
        one.name: HostMemory({one.queries[0]: track})
        for one, track in zip(hosts, tracks, strict=True)
    }
    answers = {
        one.queries[0]: found(home) if answer is None else answer
        for one, home, answer in zip(hosts, held, moved, strict=True)
    }
    judged = {one.name: judgements(one, answers) for one in hosts}
    ledger = Ledger(tuple(on_record))
    steady = unmoved_of(hosts, answers, memories)
    again = given_again(ledger, hosts, judged, memories, steady, NOW)
    if again is None:
        return
    new = newcomers(hosts, judged, memories, ledger, NOW, steady)
    holders = {one.name: (one, memories[one.name]) for one in hosts}
    guarded = guard(new, judged, Evidence(), holders, ledger, NOW)
    assert all(one.granted for one in new)
    assert guarded == Verdict(judged, Ledger(again.sightings), {})


def test_guards_look_where_a_run_gives_anything_else_than_what_is_on_record() -> None:
    sighting = Sighting(NAME, net(HOME), False, T0 - HALF_A_DAY, T0 - FIVE_MINUTES, runs=7)
    decoy = Sighting("example.org", net(ELSEWHERE), True, T0 - HALF_A_DAY, T0)

    def looks(answer: Answer, *on_record: Sighting, who: Host | None = None) -> bool:
        one = who or host()
        judged, memories = {"alice": judgements(one, {A: answer})}, {"alice": holding(HOME, MOVED)}
        return given_again(Ledger(on_record), [one], judged, memories, {}, NOW) is None

    assert not looks(found(HOME), sighting)
    assert not looks(found(HOME, MOVED), sighting)
    assert not looks(SERVFAIL)
    assert looks(SERVFAIL, sighting)
    assert looks(found(MOVED), sighting)
    assert looks(found(HOME, ELSEWHERE), sighting)
    assert looks(found(HOME, "10.0.0.7"), sighting)
    assert looks(found(HOME), sighting._replace(name="bob.example.org"))
    assert looks(found(HOME), sighting._replace(refuted=True))
    assert looks(found(HOME), sighting, decoy)
    assert looks(found(HOME), sighting, sighting._replace(name="bob.example.org"))
    assert looks(found(HOME), sighting, sighting._replace(network=net("81.2.69.0/24")))
    assert looks(found(HOME), sighting, who=host(ipv4_prefix=24))


def test_what_comes_once_more_has_come_in_one_run_more() -> None:
    sighting = Sighting(NAME, net(HOME), False, T0 - HALF_A_DAY, T0 - FIVE_MINUTES, 7, missed=1)
    (again,) = Ledger((sighting,), T0).sightings
    assert again == sighting._replace(last=T0, runs=8, missed=0)


def test_what_an_edited_name_gave_is_on_record_under_the_present_one() -> None:
    former = Sighting(OTHER_NAME, net(HOME), False, T0 - DAY, T0 - HALF_A_DAY, runs=7)
    present = Sighting(NAME, net(HOME), False, T0, T0, refuted=True)
    decoy = Sighting(OTHER_NAME, net(HOME), True, T0, T0)
    elsewhere = Sighting(OTHER_NAME, net(MOVED), False, T0, T0)
    edited = {OTHER_NAME: NAME}
    assert Ledger((former, decoy, elsewhere)).renamed(edited).sightings == (
        former._replace(name=NAME),
        decoy,
        elsewhere._replace(name=NAME),
    )
    assert Ledger((former, present)).renamed(edited).sightings == (
        present._replace(first=former.first),
    )
