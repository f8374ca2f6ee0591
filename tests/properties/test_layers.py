"""Whatever several targets hold, want, cannot do or refuse: nobody falls between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from allowsync.model.networks import Coverage
from allowsync.model.outcome import Outcome
from tests.support.layers import Layer, Layers, Wants, nets_of
from tests.support.sampling import share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from allowsync.engine.prepare import Draft
    from allowsync.model.types import Network

WIDE = "81.2.69.0/24"
NETWORKS = ("81.2.69.1", "81.2.69.2", "81.2.69.3", "81.2.70.4", WIDE, "2a01:4f8:1:2::/64")
STRANGER = "6.6.6.6"

some = st.lists(st.sampled_from(NETWORKS), unique=True, max_size=3).map(" ".join)
people = st.dictionaries(st.sampled_from(["alice", "bob", "carol"]), some, max_size=3)


@st.composite
def layers(draw: st.DrawFn) -> list[Layer]:
    """Two to four targets that hold this and that."""
    count = draw(st.integers(2, 4))
    return [draw(layer(f"layer{number}")) for number in range(count)]


@st.composite
def layer(draw: st.DrawFn, name: str) -> Layer:
    overlaps = draw(st.booleans())
    held = draw(st.sets(st.sampled_from((*NETWORKS, STRANGER)), max_size=4))
    if not overlaps and WIDE in held:
        held -= {"81.2.69.1", "81.2.69.2", "81.2.69.3"}
    room = draw(st.one_of(st.none(), st.none(), st.integers(max(1, len(held)), 6)))
    one = Layer(
        name,
        " ".join(sorted(held)),
        # What cannot hold entries that overlap can only replace them in one step.
        atomic=draw(st.booleans()) or not overlaps,
        overlaps=overlaps,
        room=room,
        fails=draw(st.sampled_from([(), (), (), ("add",), ("remove",)])),
        flaw=draw(st.sampled_from(["", "", "the chain is gone"])),
    )
    one.store.again = draw(st.sampled_from([0, 0, 0, 1]))
    one.store.unknown = draw(st.sampled_from(["", "", "", "the line went dead"]))
    one.store.lands = draw(st.booleans())
    return one


def lets_in(held: Collection[Network], networks: Iterable[Network]) -> bool:
    """Whether everybody who comes from some networks is let in."""
    cover = Coverage(held)
    return all(cover.covering(one) is not None for one in networks)


def full(one: Layer, want: set[Network]) -> bool:
    """Whether a target may be unable to hold what is new beside what is old."""
    return one.room is not None and one.room < len(want | nets_of(one.holds))


def over(one: Layer, want: Wants, had: Wants) -> set[Network]:
    """What a target that can be full holds for nobody but those who may have no access any more."""
    if one.room is None:
        return set()
    theirs = {label: nets_of(texts) for label, texts in had.items()}
    for_others = {net for label in want.keys() & theirs.keys() for net in theirs[label]}
    for_them = {net for label in theirs.keys() - want.keys() for net in theirs[label]}
    return nets_of(one.holds) & for_them - for_others


def nobody_is_lost(place: Layers, want: Wants, had: Wants) -> None:
    """At every instant each target lets in whom it let in before, or whom it should."""
    for number, one in enumerate(place.layers):
        before = place.instants[0][number] - over(one, want, had)
        if full(one, wanted(want)) and not one.atomic:
            continue
        for instant in place.instants:
            kept = lets_in(instant[number], before)
            assert kept or lets_in(instant[number], wanted(want)), one


def nothing_goes_too_early(place: Layers, done: list[Draft], want: Wants, had: Wants) -> None:
    """When anything has gone, all that is new is in everywhere.

    Where something could not be put in, those alone are out whose access has ended.
    """
    counted = [
        number
        for number, one in enumerate(place.layers)
        if done[number].report.outcome in (Outcome.APPLIED, Outcome.UNCHANGED)
        and not full(one, wanted(want))
    ]
    stay = [
        nets_of(one.holds) - (over(one, want, had) if one.fails or one.store.unknown else set())
        for one in place.layers
    ]
    for instant in place.instants:
        gone = [
            number
            for number, one in enumerate(place.layers)
            if not full(one, wanted(want)) and not lets_in(instant[number], stay[number])
        ]
        if gone:
            for number in counted:
                assert lets_in(instant[number], wanted(want)), (place.calls, number)


def ends_as_alone(place: Layers, done: list[Draft], want: Wants, had: Wants) -> None:
    """What each target holds in the end is what it would hold as the only one."""
    for one, draft in zip(place.layers, done, strict=True):
        if draft.report.outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            if one.store.unknown:
                continue
            ended = over(one, want, had)
            assert lets_in(one.now, nets_of(one.holds) - ended) or full(one, wanted(want))
            if one.fails == ("add",) and draft.report.reason.startswith("revoked or expired"):
                assert not one.now & ended
            continue
        single = Layers([Layer(one.name, one.holds, one.atomic, one.overlaps, one.room)])
        single.run(want, had)
        assert one.now == single.layers[0].now


def each_change_is_told_once(place: Layers, done: list[Draft]) -> None:
    """The report of a target is the difference between what it held and what it holds."""
    for number, draft in enumerate(done):
        plan = draft.report.plan
        if plan is None or draft.report.outcome in (Outcome.FAILED, Outcome.UNKNOWN):
            continue
        before, after = place.instants[0][number], place.layers[number].now
        assert {one.network for one in plan.add} == after - before
        assert {one.network for one in plan.remove} == before - after
        assert {one.network for one in plan.final} == after


def wanted(want: Wants) -> set[Network]:
    return nets_of(" ".join(want.values()))


@settings(max_examples=share(300, 100))
@given(layers(), people, people)
def test_at_no_instant_is_a_friend_between_two_layers(
    those: list[Layer], want: Wants, had: Wants
) -> None:
    place = Layers(those)
    done = place.run(want, had)
    nobody_is_lost(place, want, had)
    nothing_goes_too_early(place, done, want, had)
    ends_as_alone(place, done, want, had)
    each_change_is_told_once(place, done)
    record("lockouts", where="between two layers", count=0)


@settings(max_examples=share(100, 40))
@given(layers(), people, people)
def test_a_target_is_changed_at_most_twice_and_one_alone_but_once(
    those: list[Layer], want: Wants, had: Wants
) -> None:
    for one in those:
        one.store.again, one.store.unknown, one.fails = 0, "", ()
    place = Layers(those)
    place.run(want, had)
    told = [call.partition(" ")[0] for call in place.calls]
    assert all(told.count(name) <= 2 for name in told)
    touched = set(told)
    if len(touched) == 1 and not any(full(one, wanted(want)) for one in those):
        assert len(told) == 1
