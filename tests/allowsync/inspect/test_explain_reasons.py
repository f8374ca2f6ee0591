"""Why somebody is not let in, what would be needed, and what nobody can know of the past."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest

from allowsync.inspect.access_at import AccessAt, HostAccess
from allowsync.inspect.explain import (
    AccessVerdict,
    Explanation,
    TargetAnswer,
    about_former,
    about_host,
    about_network,
    about_past,
    told,
    unrecorded,
)
from allowsync.model.memory import HostMemory, RetentionState
from allowsync.model.types import Family, Policy, Query
from allowsync.policy.decision import Decision
from allowsync.state.history import AccessPeriod, Past
from tests.support.values import (
    GONE,
    HOME,
    MOVED,
    NAME,
    SERVFAIL,
    T0,
    A,
    Life,
    found,
    host,
    net,
)

if TYPE_CHECKING:
    from allowsync.model.types import Host

HOUR = timedelta(hours=1)


def needed(network: str) -> str:
    how = f"allowsync grant {network} --for 4h, or allowsync host add NAME {network}"
    return f"to allow it: {how}; of a host whose address changes, its DDNS hostname"


NEEDED = needed(HOME)
LEFT = AccessPeriod("alice", net(HOME), NAME, T0, T0 + HOUR, f"{NAME} moved to {MOVED}")
LEFT_SAID = (
    f"alice was allowed from {HOME}, 2026-11-20 15:00 to 2026-11-20 16:00 UTC: "
    f"{NAME} moved to {MOVED}"
)


def network(asked: str, *decisions: Decision, past: Past | None = None) -> list[str]:
    there = {one.host.name: one for one in decisions}
    return list(about_network(ip_network(asked), there, past or Past(), Policy()))


def test_where_nobody_ever_came_from_is_said_since_when() -> None:
    assert network(HOME) == ["no host used this network", NEEDED]
    assert network(HOME, past=Past(first_run=T0)) == [
        "no host used this network since 2026-11-20 15:00 UTC",
        NEEDED,
    ]


def test_of_a_past_that_cannot_be_read_nothing_is_claimed() -> None:
    assert list(about_network(net(HOME), {}, None, Policy())) == [
        "unknown whether a host used this network: the state cannot be read",
        NEEDED,
    ]


def test_who_came_from_there_is_told_the_latest_first_and_not_all() -> None:
    stays = tuple(
        replace(LEFT, began=T0 + day * 24 * HOUR, ended=T0 + (day * 24 + 1) * HOUR, why="")
        for day in range(5)
    )
    here = AccessPeriod("bob", net(MOVED), "", T0, T0 + HOUR)
    lasting = AccessPeriod("carol", net(HOME), "", T0)
    assert network(HOME, past=Past(stays=(*stays, here, lasting))) == [
        *(
            f"alice was allowed from {HOME}, 2026-11-{day} 15:00 to 2026-11-{day} 16:00 UTC"
            for day in (24, 23, 22)
        ),
        NEEDED,
    ]


def test_an_address_of_a_revoked_host_names_the_approval_alone() -> None:
    out = lived(host(revoked=T0 - HOUR), found(HOME))
    assert network(HOME, out, past=Past((LEFT,))) == [
        LEFT_SAID,
        "alice is revoked; to allow it again: allowsync approve alice",
    ]
    assert network(HOME, lived(host(), SERVFAIL), past=Past((LEFT,)))[1:] == [NEEDED]


def test_what_no_name_can_give_is_said_to_need_the_policy() -> None:
    (only,) = network("192.168.1.7")
    assert only.startswith("no hostname can give it access (")
    assert only.endswith("); policy.accept would allow that")
    accepting = Policy(accept=(ip_network("192.168.1.0/24"),))
    said = list(about_network(ip_network("192.168.1.7"), {}, Past(), accepting))
    assert said == ["no host used this network", needed("192.168.1.7")]


def test_an_address_that_a_guard_holds_back_is_said_to_be() -> None:
    lines = (f"{HOME} rejected for now: a wildcard", f"{HOME}1 rejected for now: another")
    memory = HostMemory({A: RetentionState(held_back=lines)})
    decision = Decision(host(), memory=memory)
    assert network(HOME, decision)[0] == f"alice: {NAME}: {HOME} rejected for now: a wildcard"
    assert len(network(HOME, decision)) == 3
    nowhere = ["no host used this network", needed("81.2.69.0/24")]
    assert network("81.2.69.0/24", decision) == nowhere
    # A line is about one address, even where a network begins with that.
    first = Decision(
        host(), memory=HostMemory({A: RetentionState(held_back=("81.2.69.0 rejected",))})
    )
    assert network("81.2.69.0/24", first) == nowhere
    assert len(network("81.2.69.0", first)) == 3


def about(decision: Decision, *stays: AccessPeriod, doubts: tuple[str, ...] = ()) -> list[str]:
    return list(about_host(decision, Past(stays=stays), iter(doubts)))


def lived(who: Host, *answers: object) -> Decision:
    life = Life(who)
    for one in answers:
        life.run(one)  # type: ignore[arg-type]
    return life.decision


def test_of_a_host_that_is_let_in_only_doubts_are_told() -> None:
    decision = lived(host(), found(HOME))
    assert about(decision, LEFT) == []
    assert about(decision, LEFT, doubts=("a doubt",)) == ["a doubt"]


def test_a_host_whose_access_ended_is_told_when() -> None:
    ended = lived(host(until=T0 - HOUR), found(HOME))
    assert about(ended) == ["access ended on 2026-11-20 14:00 UTC (`until`)"]


def test_a_host_that_is_revoked_is_told_how_to_let_it_in_again() -> None:
    (said,) = about(lived(host(revoked=T0 - HOUR), found(HOME)))
    assert said.startswith("revoked on 2026-11-20 14:00 UTC")
    assert said.endswith("; to allow it again: allowsync approve alice")


def test_an_end_that_lies_ahead_is_no_reason() -> None:
    later = lived(host(until=T0 + 9 * HOUR), SERVFAIL)
    assert about(later) == [f"no answer yet for alice: {NAME} (SERVFAIL)"]


def test_each_name_without_an_answer_is_told_and_no_other() -> None:
    said = {
        name: RetentionState(reason=reason)
        for name, reason in (("a", "REFUSED"), ("b", ""), ("c", "x"))
    }
    tracks = {Query(f"{name}.example.org", Family.IPV4): one for name, one in said.items()}
    decision = Decision(host(), memory=HostMemory(tracks))
    assert about(decision) == ["alice has no address: a.example.org (REFUSED), c.example.org (x)"]


def test_a_host_nothing_is_known_of_is_told_why() -> None:
    silent = lived(host(), SERVFAIL)
    assert about(silent) == [f"no answer yet for alice: {NAME} (SERVFAIL)"]
    unasked = Decision(host(), undecided=True)
    assert about(unasked) == ["no answer yet for alice: not asked yet"]


def test_a_source_nothing_is_known_of_is_told_beside_the_names() -> None:
    waiting = Decision(host(hostnames=(), sources=("cloudflare",)), undecided=True)
    assert about(waiting) == [
        "no answer yet for alice: cloudflare (its networks are not known yet)"
    ]


def test_a_host_without_an_address_is_told_since_when() -> None:
    gone = lived(host(keep_absent=timedelta(0), absent_runs=1), found(HOME), GONE, GONE)
    lasts = replace(LEFT, ended=None)
    assert about(gone, LEFT, lasts, AccessPeriod("bob", net(HOME), "", T0, T0)) == [
        f"alice has no address: {NAME} (NXDOMAIN)",
        LEFT_SAID,
    ]


def test_of_a_former_host_the_latest_places_are_told() -> None:
    out = "alice is not in the configuration any more"
    lasts = replace(LEFT, network=net(MOVED), ended=None, why="")
    bob = replace(LEFT, host="bob")
    assert list(about_former("alice", Past(stays=(LEFT, bob)))) == [out, LEFT_SAID]
    assert list(about_former("alice", Past(stays=(bob,)))) == [out, "alice never had an address"]
    assert list(about_former("alice", Past(stays=(LEFT, lasts)))) == [LEFT_SAID], "the access says"
    several = tuple(replace(LEFT, began=T0 + n * HOUR) for n in range(5))
    assert list(about_former("alice", Past(stays=several))) == [
        out,
        *(told(one) for one in (several[4], several[3], several[2])),
    ]


def test_an_earlier_access_is_a_sentence() -> None:
    assert told(LEFT) == LEFT_SAID
    lasting = AccessPeriod("bob", ip_network("81.2.69.0/24"), "", T0)
    assert told(lasting) == "bob was allowed from 81.2.69.0/24, 2026-11-20 15:00 to now"


def test_how_far_back_the_history_goes_is_said() -> None:
    early = AccessAt(T0, None, (), (), past=True)
    far = "the history does not go back that far: "
    assert list(about_past(early, Past())) == [f"{far}no run is on record"]
    assert list(about_past(early, Past(first_run=T0))) == [f"{far}it begins 2026-11-20 15:00 UTC"]
    assert list(about_past(replace(early, run=T0), Past())) == [
        "from the history; the last run before that was at 2026-11-20 15:00:00 UTC"
    ]


ACCESS = HostAccess("alice", net(HOME), NAME, None, T0, None, "")
MEMBERS = "which hosts an allowlist had then is not on record, only what its targets held"


def past(asked: str, verdict: AccessVerdict, *accesses: HostAccess) -> Explanation:
    scene = AccessAt(T0, T0, accesses, (), past=True)
    return Explanation(asked, "alice", None, scene, (TargetAnswer("web/file", verdict),), accesses)


@pytest.mark.parametrize("verdict", [AccessVerdict.NO, AccessVerdict.PARTLY])
def test_who_was_not_let_in_may_not_have_been_meant_to_be(verdict: AccessVerdict) -> None:
    assert list(unrecorded(past("alice", verdict, ACCESS))) == [MEMBERS]


@pytest.mark.parametrize("verdict", [AccessVerdict.YES, AccessVerdict.UNKNOWN])
def test_what_a_target_held_needs_no_configuration(verdict: AccessVerdict) -> None:
    assert list(unrecorded(past("alice", verdict, ACCESS))) == []


def test_who_came_from_nowhere_was_let_in_nowhere_whatever_the_allowlists() -> None:
    assert list(unrecorded(past("alice", AccessVerdict.NO))) == []


def test_one_target_that_did_not_let_them_in_is_enough() -> None:
    one = past("alice", AccessVerdict.NO, ACCESS)
    both = replace(one, places=(*one.places, TargetAnswer("ssh/file", AccessVerdict.YES)))
    assert list(unrecorded(both)) == [MEMBERS]


def test_a_name_is_looked_up_in_the_configuration_of_today() -> None:
    other = "new.example.org"
    assert list(unrecorded(past(other, AccessVerdict.YES, ACCESS))) == [
        f"{other} is a name of alice today; its names then are not on record"
    ]
    assert list(unrecorded(past(NAME.upper(), AccessVerdict.YES, ACCESS))) == []
    address = replace(past(HOME, AccessVerdict.YES, ACCESS), host=None)
    assert list(unrecorded(address)) == []


def test_where_nothing_is_on_record_it_is_not_said_twice() -> None:
    early = past("new.example.org", AccessVerdict.NO, ACCESS)
    assert list(unrecorded(replace(early, scene=replace(early.scene, run=None)))) == []
