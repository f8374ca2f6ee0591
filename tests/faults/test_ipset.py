"""Runs on ipset and iptables that are killed, fail, or are meddled with."""

from __future__ import annotations

import errno
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest

from testkit.fake_dns.nameserver import NameServer
from tests.faults.conftest import memory_folder
from tests.faults.harness import Warm
from tests.faults.ipset_stage import (
    IpsetStage,
    among_many,
    bare_target,
    deed,
    ipset_target,
)
from tests.faults.judging import READING, converges, is_honest, is_polite, reference
from tests.faults.random_kills import EVERYONE, kill_at_random
from tests.faults.scenes import Scene, friend_moved
from tests.support.netns import Namespace
from tests.support.sampling import sample, share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.faults.harness import Place, Ran
    from tests.faults.judging import Reference
    from tests.faults.stage import Seen

pytestmark = [pytest.mark.root, pytest.mark.slow]

SET = "allowsync-web-4"
CHAIN = "allowsync-web"
EVERY = 60
MOST = 4  # disturbed runs for each scene in a sample
# How many processes list what is there, before and after it is changed: at least these.
LISTINGS = 3

SCENES = (
    Scene("a first run", targets=ipset_target, fresh=True),
    Scene("a friend moved and one left", friend_moved, ipset_target),
    Scene("few of many changed", friend_moved, among_many(ipset_target)),
    Scene("few of many changed in bare sets", friend_moved, among_many(bare_target)),
    Scene("the rules were flushed", deed("iptables-nft -t mangle -F"), ipset_target),
    Scene(
        "a set was swapped for one that forgets",
        deed("ipset create other hash:net timeout 60", f"ipset swap other {SET}"),
        ipset_target,
    ),
    Scene("a stranger was let in", deed(f"ipset add {SET} 6.6.6.6"), ipset_target),
)


@contextmanager
def staged() -> Iterator[IpsetStage]:
    """A stage in a network namespace of its own."""
    with memory_folder() as folder, ExitStack() as stack:
        inside = stack.enter_context(Namespace())
        server = stack.enter_context(inside.run(NameServer, {}))
        warm = stack.enter_context(Warm(inside))
        yield IpsetStage(folder, server, warm, inside)


@pytest.fixture
def stage(as_root: None) -> Iterator[IpsetStage]:
    """A stage for one test."""
    with staged() as one:
        yield one


@pytest.fixture(scope="module")
def at_move(as_root: None) -> Iterator[tuple[IpsetStage, Reference]]:
    """One that is put back again and again, and how a run on it comes out undisturbed."""
    with staged() as one:
        SCENES[1].set_up(one)
        yield one, reference(one, one.argv(), 0)


def places(known: Reference) -> list[Place]:
    """Every other message of the tools that change something, and one in `EVERY` other calls."""
    told: list[Place] = []
    others: list[Place] = []
    tools = sorted({place.process for place in known.ran.calls} - {0})
    for place in known.ran.calls:
        changing = place.process in tools[LISTINGS:-LISTINGS]
        if place.name in ("sendto", "sendmsg", "execve") and changing:
            told.append(place)
        elif place.name not in READING or place.name == "sendto":
            others.append(place)
    return [*told[::2], *others[::EVERY]]


def elements(seen: Seen) -> set[str]:
    """The elements of our two sets, and nothing of the drafts."""
    assert seen.gate is not None
    return {line for line in seen.gate[0] if line.startswith(f"add {CHAIN}-") and "t " not in line}


def holds(seen: Seen, known: Reference) -> None:
    """Whoever was let in and is to be let in still is; nobody else is; no rule is half there."""
    before, after, now = elements(known.before), elements(known.after), elements(seen)
    assert seen.gate is not None
    assert known.before.gate is not None
    assert known.after.gate is not None
    assert now <= before | after
    guarded = f"-j {CHAIN}" in seen.gate[1]
    if guarded or f"-j {CHAIN}" in known.before.gate[1] or before:
        assert before & after <= now
    if guarded and not before:
        assert now == after
    halves = [gate[1].split("\n\n") for gate in (known.before.gate, known.after.gate, seen.gate)]
    for old, new, there in zip(*halves, strict=True):
        assert there in (old, new)


@pytest.mark.parametrize("scene", SCENES, ids=str)
def test_a_kill_never_leaves_a_gate_open_or_a_friend_out(stage: IpsetStage, scene: Scene) -> None:
    argv = stage.argv(scene.command)
    scene.set_up(stage)
    known = reference(stage, argv, scene.code)
    kills = 0
    for number, place in enumerate(sample(places(known), MOST, SCENES.index(scene))):
        whom = ("all", "program", "child")[number % 3] if place.process else "all"
        stage.put_back()
        ran = stage.warm.killed(place, whom, *argv)
        kills += bool(ran.hit)
        try:
            judge(stage, known, ran, died=bool(ran.hit) and whom != "child")
            converges(stage, argv, known)
        except AssertionError as error:
            error.add_note(f"killed {whom} at {place}")
            raise
    assert kills > share(5, 1)
    record("crash_points", kills=kills)
    record("lockouts", where="runs that were killed", count=0)


def judge(stage: IpsetStage, known: Reference, ran: Ran, *, died: bool) -> None:
    seen = stage.look()
    holds(seen, known)
    if died:
        assert ran.code == -9
    else:
        is_polite(ran)
        is_honest(ran, seen, known)


def test_a_tool_that_the_kernel_refuses_is_no_way_to_lose_anybody(stage: IpsetStage) -> None:
    argv = stage.argv()
    scene = SCENES[1]
    scene.set_up(stage)
    known = reference(stage, argv, 0)
    faults = 0
    refused = [one for one in places(known) if one.process and one.name != "execve"]
    for number, place in enumerate(sample(refused, MOST)):
        error = (errno.ENOSPC, errno.ENOMEM, errno.EPERM, errno.EIO)[number % 4]
        stage.put_back()
        ran = stage.warm.failing(place, error, *argv)
        faults += bool(ran.hit)
        try:
            judge(stage, known, ran, died=False)
            converges(stage, argv, known)
        except AssertionError as problem:
            problem.add_note(f"{errno.errorcode[error]} at {place}")
            raise
    assert faults > share(8, 2)
    record("injected_faults", faults=faults)


DEEDS = {
    "a set is flushed": (f"ipset flush {SET}",),
    "a stranger is added": (f"ipset add {SET} 6.6.6.6",),
    "a friend is deleted": (f"ipset -exist del {SET} 81.2.69.1",),
    "the newcomer is there already": (f"ipset -exist add {SET} 81.2.69.77",),
    "a set is swapped": (
        "ipset create other hash:net counters",
        f"ipset swap other {SET}",
    ),
    "everything is gone": ("iptables-nft -t mangle -F", "ip6tables-nft -t mangle -F",
                           f"ipset destroy {SET}"),
    "the rules are flushed": (f"iptables-nft -t mangle -F {CHAIN}",),
    "the way in is deleted": ("iptables-nft -t mangle -D PREROUTING 1",),
    "a rule lets everybody pass": (f"iptables-nft -t mangle -I {CHAIN} -j RETURN",),
    "a draft is planted": (f"ipset create {SET}t hash:ip",),
}  # fmt: skip


# What a run still reads back after it has begun to.
READ_BACK = ("set 4", "set 6", "iptables", "ip6tables")


def starts(ran: Ran) -> list[Place]:
    """Where the run starts a tool."""
    return [
        one
        for one in ran.calls
        if one.name == "execve"
        and one.what.rpartition("/")[2].startswith(("ipset", "iptables", "ip6tables"))
    ]


@pytest.mark.parametrize("commands", DEEDS.values(), ids=DEEDS)
def test_whatever_others_do_between_any_two_steps_is_told_or_put_right(
    at_move: tuple[IpsetStage, Reference], commands: tuple[str, ...]
) -> None:
    stage, known = at_move
    argv = stage.argv()
    cases = 0
    moments, turn = starts(known.ran), list(DEEDS.values()).index(commands)
    # Every other one; the deeds take turns.
    for place in sample(moments[turn % 2 :: 2], 2, turn // 2):
        stage.put_back()
        ran = stage.warm.interrupted(place, lambda: deed(*commands)(stage), *argv)
        assert ran.hit
        try:
            is_polite(ran)
            remove_what_was_swapped(stage)
            # What was read back before somebody came cannot tell of it.
            if place in moments[: -len(READ_BACK)]:
                is_honest(ran, stage.look(), known)
            converges(stage, argv, known)
        except AssertionError as error:
            error.add_note(f"{commands} at {place}")
            raise
        cases += 1
    assert cases > share(4, 1)
    record("interference_cases", cases=cases)


def remove_what_was_swapped(stage: IpsetStage) -> None:
    """Take away the stranger's set, which is nothing of ours."""
    assert stage.inside is not None
    if "other" in stage.inside.command("ipset", "-n", "list").split():
        stage.inside.command("ipset", "destroy", "other")


def test_kills_at_random_neither_open_a_gate_nor_lock_anyone_out(stage: IpsetStage) -> None:
    Scene("a friend moved and one left", friend_moved, ipset_target).set_up(stage)
    gate = stage.look().gate
    assert gate is not None
    rules = gate[1]

    def let_in() -> set[str]:
        seen = stage.look()
        assert seen.gate is not None
        return elements(seen) if seen.gate[1] == rules else {EVERYONE}

    kill_at_random(stage, "ipset", let_in)
