"""Killed at every system call that changes something, or that decides what is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.faults.judging import (
    READING,
    Reference,
    asks,
    converges,
    is_as_far_as_asked,
    is_honest,
    is_polite,
    is_whole,
    nobody_is_between,
    places,
    reference,
)
from tests.faults.random_kills import EVERYONE, kill_at_random
from tests.faults.scenes import CLEARS, FILES, GATES, Scene, friend_moved, gate_target
from tests.support.sampling import sample, share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.harness import Place, Ran
    from tests.faults.stage import Stage

pytestmark = pytest.mark.slow

# A sweep as a whole is halved, so that no half takes for ever; a sample is one part.
PARTS = share(2, 1)
MOST = 5  # kills for each scene in a sample
parts = pytest.mark.parametrize("part", range(PARTS))


def deaths(known: Reference, state_every: int) -> Iterator[tuple[Place, str]]:
    """Who dies where: at its own calls the program, at a child's both, or either."""
    for place in places(known.ran.calls, state_every=state_every):
        several = place.process and place.name not in READING
        for whom in ("all", "program", "child") if several else ("all",):
            yield place, whom


def kill_everywhere(stage: Stage, scene: Scene, part: int, state_every: int = 1) -> None:
    argv = stage.argv(scene.command)
    scene.set_up(stage)
    known = reference(stage, argv, scene.code)
    kills, turn = 0, (FILES + GATES).index(scene)
    for place, whom in sample(list(deaths(known, state_every))[part::PARTS], MOST, turn):
        stage.put_back()
        ran = stage.warm.killed(place, whom, *argv)
        kills += bool(ran.hit)
        try:
            judge(stage, known, ran, whom, place)
            converges(stage, argv, known)
            if whom != "child" and scene.code == 0:
                assert stage.history() == known.history
        except AssertionError as error:
            error.add_note(f"killed {whom} at {place}")
            raise
    assert kills > share(20, 3)
    record("crash_points", kills=kills)
    record("lockouts", where="runs that were killed", count=0)


def judge(stage: Stage, known: Reference, ran: Ran, whom: str, place: Place) -> None:
    seen = stage.look()
    if ran.hit and whom == "child" and asks(place, known):
        is_polite(ran)
        is_as_far_as_asked(ran, seen, known)
        return
    is_whole(seen, known)
    if ran.hit and whom != "child":
        assert ran.code == -9
        nobody_is_between(seen, known)
    else:
        is_polite(ran)
        is_honest(ran, seen, known)


@parts
@pytest.mark.parametrize("scene", FILES, ids=str)
def test_a_kill_never_leaves_a_file_torn_or_a_friend_out(
    stage: Stage, scene: Scene, part: int
) -> None:
    kill_everywhere(stage, scene, part)


@pytest.mark.root
@parts
@pytest.mark.parametrize("scene", GATES, ids=str)
def test_a_kill_never_leaves_a_gate_open_or_empty(guarded: Stage, scene: Scene, part: int) -> None:
    kill_everywhere(guarded, scene, part, state_every=4)


@pytest.mark.root
@pytest.mark.parametrize("scene", CLEARS, ids=str)
def test_a_clear_that_was_killed_can_be_done_again(guarded: Stage, scene: Scene) -> None:
    argv = guarded.argv(scene.command)
    scene.set_up(guarded)
    known = reference(guarded, argv, scene.code)
    kills = 0
    for place, whom in sample(deaths(known, state_every=2), MOST, CLEARS.index(scene)):
        guarded.put_back()
        ran = guarded.warm.killed(place, whom, *argv)
        kills += bool(ran.hit)
        is_whole(guarded.look(), known)
        assert guarded.warm.run(*argv).code == 0, place
        assert guarded.look() == known.after, place
        assert guarded.leftovers() == frozenset(), place
        assert guarded.memory() == known.memory, place
    record("crash_points", kills=kills)


@pytest.mark.root
def test_kills_at_random_neither_open_a_gate_nor_lock_anyone_out(guarded: Stage) -> None:
    Scene("a friend moved and one left", friend_moved, gate_target).set_up(guarded)
    gate = guarded.look().gate
    assert gate is not None
    rules = gate[1]

    def let_in() -> set[str]:
        found = guarded.look().gate
        return set(found[0]) if found is not None and found[1] == rules else {EVERYONE}

    kill_at_random(guarded, "nftables", let_in)
