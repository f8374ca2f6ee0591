"""Whether somebody is let in: a network at a target, and what comes of it for a host."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network

import pytest

from allowsync.inspect.access_at import AccessAt, HostAccess, TargetContents
from allowsync.inspect.explain import (
    AccessVerdict,
    Explanation,
    TargetAnswer,
    asked_network,
    of_host,
    of_network,
    through,
    where,
)
from allowsync.model.types import Entry
from tests.support.values import ELSEWHERE, HOME, MOVED, NAME, T0, entry, net, nets

WEB, SSH = "web/file", "ssh/file"
YES, PARTLY, NO, UNKNOWN = (
    AccessVerdict.YES,
    AccessVerdict.PARTLY,
    AccessVerdict.NO,
    AccessVerdict.UNKNOWN,
)
MISSING = "it was found missing on a day"


@pytest.mark.parametrize(
    ("text", "network"),
    [
        (" 81.2.69.1 ", "81.2.69.1/32"),
        ("81.2.69.77/24", "81.2.69.0/24"),
        ("2A01:04F8::1", "2a01:4f8::1/128"),
        ("2a01:4f8::1/64", "2a01:4f8::/64"),
        ("81.2.69", None),
        ("81.2.69.1/33", None),
        ("alice", None),
        ("", None),
        ("1", None),
    ],
)
def test_what_is_asked_about_may_be_written_loosely(text: str, network: str | None) -> None:
    assert asked_network(text) == (None if network is None else ip_network(network))


@pytest.mark.parametrize(
    ("asked", "held", "verdict"),
    [
        ("81.2.69.1/32", ["81.2.69.1/32"], YES),
        ("81.2.69.1/32", ["81.2.69.0/24"], YES),
        ("81.2.69.1/32", ["81.2.70.0/24"], NO),
        ("81.2.69.1/32", [], NO),
        ("81.2.69.0/24", ["81.2.69.1/32"], PARTLY),
        ("81.2.69.0/24", ["81.2.69.0/25", "81.2.69.128/25"], YES),
        ("0.0.0.0/0", ["81.2.69.1/32"], PARTLY),
        ("::/0", ["81.2.69.1/32"], NO),
        ("2a01:4f8:1:2::7/128", ["2a01:4f8:1:2::/64"], YES),
    ],
)
def test_a_network_is_allowed_where_what_is_held_covers_it(
    asked: str, held: list[str], verdict: AccessVerdict
) -> None:
    entries = tuple(entry(one, "alice") for one in held)
    place = where(ip_network(asked), TargetContents(WEB, entries))
    assert place.verdict is verdict
    assert bool(place.entries) is (verdict is not NO)


def test_what_others_put_there_lets_in_as_well_and_is_said() -> None:
    place = where(net(HOME), TargetContents(WEB, others=frozenset(nets(MOVED, HOME))))
    assert place == TargetAnswer(WEB, YES, said=f"{HOME} was added outside allowsync")


def test_what_may_have_been_missing_is_not_claimed() -> None:
    doubtful = TargetContents(WEB, (entry(HOME, "alice"),), doubtful={net(HOME): MISSING})
    assert where(net(HOME), doubtful) == TargetAnswer(
        WEB, UNKNOWN, (entry(HOME, "alice"),), MISSING
    )
    assert where(net(MOVED), doubtful) == TargetAnswer(WEB, NO)


def test_a_doubt_is_none_where_something_else_covers_it() -> None:
    wide = entry("81.2.69.0/24", "office")
    both = TargetContents(WEB, (entry(HOME, "alice"), wide), doubtful={net(HOME): MISSING})
    assert where(net(HOME), both).verdict is YES


def test_of_a_target_that_cannot_be_read_nothing_is_claimed() -> None:
    assert where(net(HOME), TargetContents(WEB, unknown="no nft")) == TargetAnswer(
        WEB, UNKNOWN, said="no nft"
    )


def access(host: str, network: str) -> HostAccess:
    return HostAccess(host, net(network), NAME, None, T0, None, "")


def scene(
    *accesses: HostAccess, holdings: tuple[TargetContents, ...], past: bool = False
) -> AccessAt:
    return AccessAt(T0, T0, accesses, holdings, past=past)


ALICE, ALICE_TOO, BOB = access("alice", HOME), access("alice", MOVED), access("bob", ELSEWHERE)
HOLDING = TargetContents(WEB, (entry(HOME, "alice"), entry(ELSEWHERE, "bob")))


def host(
    *accesses: HostAccess,
    holding: TargetContents = HOLDING,
    members: str = "alice bob",
    past: bool = False,
) -> Explanation:
    """The answer about Alice."""
    there = scene(*accesses, holdings=(holding,), past=past)
    return of_host("alice", "alice", there, {WEB: members.split()})


def test_a_host_is_allowed_where_all_it_comes_from_is() -> None:
    found = host(ALICE, BOB)
    assert found.accesses == (ALICE,)
    assert found.places == (TargetAnswer(WEB, YES, (entry(HOME, "alice"),)),)


def test_a_host_is_allowed_in_part_where_some_it_comes_from_is() -> None:
    (place,) = host(ALICE, ALICE_TOO).places
    assert place.verdict is PARTLY
    assert place.said == "it is out of sync: see allowsync status"


def test_a_host_that_comes_from_nowhere_is_not_allowed() -> None:
    assert host().places == (TargetAnswer(WEB, NO),)
    assert host().verdict is NO


def test_of_a_host_with_a_doubtful_network_nothing_is_claimed() -> None:
    doubtful = replace(HOLDING, entries=(entry(HOME, "alice"),), doubtful={net(HOME): MISSING})
    found = host(ALICE, ALICE_TOO, holding=doubtful, past=True)
    assert found.places == (TargetAnswer(WEB, UNKNOWN, (entry(HOME, "alice"),), MISSING),)


def test_nothing_is_known_of_a_host_where_the_target_cannot_be_read() -> None:
    for accesses in ((), (ALICE,)):
        found = host(*accesses, holding=TargetContents(WEB, unknown="no nft"))
        assert found.places == (TargetAnswer(WEB, UNKNOWN, said="no nft"),)


@pytest.mark.parametrize(
    ("holding", "place"),
    [
        (HOLDING, TargetAnswer(WEB, NO)),
        (
            TargetContents(WEB, (entry(HOME),)),
            TargetAnswer(WEB, UNKNOWN, said="it holds entries whose host is unknown"),
        ),
        (TargetContents(WEB, unknown="no nft"), TargetAnswer(WEB, UNKNOWN, said="no nft")),
    ],
)
def test_of_a_host_of_which_nothing_is_known_no_is_said_where_all_entries_are_others(
    holding: TargetContents, place: TargetAnswer
) -> None:
    there = replace(scene(holdings=(holding,)), unclear=frozenset({"alice"}))
    assert of_host("alice", "alice", there, {WEB: ["alice"]}).places == (place,)


def test_who_is_not_in_the_allowlist_is_said_not_to_be() -> None:
    empty = TargetContents(WEB)
    (place,) = host(ALICE, holding=empty, members="bob").places
    assert place.said == "alice is not among the hosts of web"
    both = of_network(HOME, net(HOME), scene(ALICE, access("carol", HOME), holdings=(empty,)),
                      {WEB: ["bob"]})  # fmt: skip
    assert both.places[0].said == "alice, carol are not among the hosts of web"


def test_the_allowlists_of_today_are_not_held_against_the_past() -> None:
    (place,) = host(ALICE, holding=TargetContents(WEB), members="bob", past=True).places
    assert place == TargetAnswer(WEB, NO)


def test_a_target_that_is_configured_no_more_is_told_of_without_its_hosts() -> None:
    there = scene(ALICE, holdings=(TargetContents(SSH),))
    assert of_network(HOME, net(HOME), there, {}).places == (TargetAnswer(SSH, NO),)


@pytest.mark.parametrize(
    ("left_behind", "verdict", "shut_out"),
    [(MOVED, UNKNOWN, (SSH,)), (HOME, YES, ())],
)
def test_a_gate_that_was_left_behind_makes_a_yes_uncertain_where_it_lets_no_packet_pass(
    left_behind: str, verdict: AccessVerdict, shut_out: tuple[str, ...]
) -> None:
    gate = TargetContents(SSH, (entry(left_behind, "alice"),))
    there = replace(scene(ALICE, holdings=(HOLDING,)), gates=(gate,))
    found = of_network(HOME, net(HOME), there, {WEB: ["alice"]})
    assert (found.verdict, found.shut_out) == (verdict, shut_out)


def test_an_address_has_the_access_it_lies_in() -> None:
    found = of_network(HOME, net(HOME), scene(ALICE, BOB, holdings=(HOLDING,)), {WEB: ["alice"]})
    assert (found.verdict, found.accesses) == (YES, (ALICE,))


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([NO, YES], YES),
        ([PARTLY, UNKNOWN], PARTLY),
        ([NO, UNKNOWN], UNKNOWN),
        ([NO, NO], NO),
        ([], NO),
    ],
)
def test_the_answer_is_what_is_certain_first(
    verdicts: list[AccessVerdict], expected: AccessVerdict
) -> None:
    places = tuple(TargetAnswer(WEB, one) for one in verdicts)
    now = scene(holdings=())
    assert Explanation("x", None, None, now, places, ()).verdict is expected


def test_before_anything_is_on_record_there_is_no_answer() -> None:
    early = replace(scene(holdings=(), past=True), run=None)
    assert Explanation("x", None, None, early, (), ()).verdict is UNKNOWN


def test_an_entry_is_told_by_whose_it_is_and_how_wide() -> None:
    wide = entry("81.2.69.0/24", "alice", "bob")
    assert through(wide, net(HOME)) == "the wider entry 81.2.69.0/24 (alice, bob)"
    assert through(wide, wide.network) == "81.2.69.0/24 (alice, bob)"
    assert through(entry(HOME), None) == f"{HOME} (host unknown)"
    narrow = entry(HOME, "alice")
    assert through(narrow, wide.network) == f"{HOME} (alice)"


def test_only_without_any_run_before_it_the_past_is_unknown() -> None:
    for past, run in ((True, T0), (False, None)):
        there = replace(scene(holdings=(), past=past), run=run)
        assert Explanation("x", None, None, there, (), ()).verdict is NO


def test_a_verdict_is_a_word_to_programs() -> None:
    assert [one.value for one in (YES, PARTLY, NO, UNKNOWN)] == ["yes", "partly", "no", "unknown"]


def test_everything_there_is_to_say_of_a_place_is_said() -> None:
    others = frozenset((*nets(MOVED, HOME), net("2a01:4f8::/64")))
    doubtful = {net("81.2.69.1"): "lost", net("81.2.69.3"): MISSING}
    entries = tuple(Entry(one, ("alice",)) for one in doubtful)
    found = where(ip_network("81.2.69.0/24"), TargetContents(WEB, entries, others, doubtful))
    named = ", ".join(sorted((HOME, MOVED)))
    assert found.said == f"{named} were added outside allowsync; lost; {MISSING}"
    (place,) = host(ALICE, ALICE_TOO, holding=TargetContents(WEB, others=others)).places
    foreign = "was added outside allowsync"
    assert place.said == f"{HOME} {foreign}; {MOVED} {foreign}"


def test_who_is_let_in_lacks_nothing_where_others_of_the_network_are_not() -> None:
    wide = ip_network("81.2.69.0/24")
    found = of_network(str(wide), wide, scene(ALICE, holdings=(HOLDING,)), {WEB: ["alice"]})
    assert (found.places[0].verdict, found.places[0].said) == (PARTLY, "")
    half = replace(HOLDING, entries=(entry(HOME, "alice"),), others=frozenset(nets(MOVED)))
    found = of_network(str(wide), wide, scene(ALICE, holdings=(half,)), {WEB: ["bob"]})
    assert found.places[0].said == (
        f"{MOVED} was added outside allowsync; alice is not among the hosts of web"
    )


@pytest.mark.parametrize("verdict", AccessVerdict)
def test_at_a_port_without_a_target_packets_alone_decide(verdict: AccessVerdict) -> None:
    scene = AccessAt(T0, T0, (), (), past=False)
    answer = Explanation(HOME, None, net(HOME), scene, (TargetAnswer(WEB, YES),), ())
    assert replace(answer, unguarded=verdict).verdict is verdict
