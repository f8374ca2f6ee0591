"""Many changes of the gate while friends and strangers knock without a pause."""

from __future__ import annotations

import json
import random
import select
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.support.covers import wanted
from tests.support.gates import GUARDED, allow, planned
from tests.support.internet import (
    FRIEND,
    FRIEND6,
    SERVER,
    SERVER6,
    STRANGER,
    STRANGER6,
)
from tests.support.probe import Tally
from tests.support.sampling import share
from tests.support.scoreboard import record

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable

    from allowsync.backend.protocols import Backend
    from allowsync.model.types import Network
    from tests.packets.conftest import GateMaker
    from tests.support.internet import Internet
    from tests.support.netns import Namespace

pytestmark = [pytest.mark.root, pytest.mark.slow]

# How many applies, and how many datagrams.
SCALES = {
    "nftables": (share(500, 50), share(100_000, 10_000)),
    "iptables-nft": (share(100, 15), share(20_000, 3_000)),
    "iptables-legacy": (share(100, 15), share(20_000, 3_000)),
}

_SUPERFLUOUS = """\
*mangle
-A allowsync-x -j RETURN
-A PREROUTING -j allowsync-x
COMMIT
"""
DAMAGES = dict.fromkeys(("iptables-nft", "iptables-legacy"), _SUPERFLUOUS)


def apply_one(backend: Backend, networks: list[Network], *, rebuild: bool) -> None:
    """One change, confirmed by reading it back."""
    backend.apply(planned(backend.read(), networks, rebuild=rebuild))
    current = backend.read()
    assert {entry.network for entry in current.entries} == set(networks)
    assert current.flaws == ()


def damage(inside: Namespace, kind: str) -> None:
    """Add rules that are to go again, and change nothing."""
    for program in ("iptables", "ip6tables"):
        name = kind.replace("iptables", program) + "-restore"
        inside.command(name, "-w", "10", "-n", stdin=DAMAGES[kind])


class Prober:
    """A process that probes, and what it counted."""

    def __init__(self, inside: Namespace, role: str, server: str, source: str, goal: int) -> None:
        arguments = (role, server, str(GUARDED), source, str(goal))
        self._process = inside.start(sys.executable, "-m", "tests.support.probe", *arguments)
        assert line(self._process) == "ready"
        self._enough = False

    def __enter__(self) -> Prober:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def has_enough(self) -> bool:
        """Whether it has sent as many datagrams as are wanted."""
        out = self._process.stdout
        assert out is not None
        if not self._enough and select.select([out], [], [], 0)[0]:
            assert line(self._process) == "enough"
            self._enough = True
        return self._enough

    def finish(self) -> Tally:
        """Stop it."""
        out, _ = self._process.communicate()
        return Tally(**json.loads(out.splitlines()[-1]))


def line(process: subprocess.Popen[str]) -> str:
    """The next line a process prints."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_no_change_is_felt_by_a_friend_or_used_by_a_stranger(
    internet: Internet, gate: GateMaker, kind: str
) -> None:
    def disturb() -> None:
        if kind in DAMAGES:
            damage(internet.server, kind)

    is_felt_by_nobody(internet, gate(), SCALES[kind], disturb)


def is_felt_by_nobody(
    internet: Internet, backend: Backend, scale: tuple[int, int], disturb: Callable[[], object]
) -> None:
    """Apply many times, also to what was disturbed, while friends and strangers knock."""
    dice = random.Random(20261120)
    enough, probes = scale
    allow(internet.server, backend, *wanted(dice))
    serving = internet.server.start(sys.executable, "-m", "tests.support.echo", str(GUARDED))
    with serving, ExitStack() as stack:
        assert line(serving) == "ready"
        friends, strangers = (
            [
                stack.enter_context(Prober(inside, role, server, source, probes // 4))
                for server, source in ends
            ]
            for inside, role, ends in (
                (internet.friend, "friend", ((SERVER, FRIEND), (SERVER6, FRIEND6))),
                (internet.stranger, "stranger", ((SERVER, STRANGER), (SERVER6, STRANGER6))),
            )
        )
        applies = 0
        while applies < enough or not all(one.has_enough() for one in friends + strangers):
            if applies % 10 == 4:
                disturb()
            networks = wanted(dice, applies // 3)
            internet.server.run(apply_one, backend, networks, rebuild=applies % 10 == 9)
            applies += 1
        trusted, untrusted = ([one.finish() for one in some] for some in (friends, strangers))
        seen = json.loads(serving.communicate()[0].splitlines()[-1])

    record(
        "packets during applies",
        applies=applies,
        friend_probes=sum(one.sent + one.connects for one in trusted),
        friend_lost=sum(one.sent - one.answered + one.connects - one.connected for one in trusted),
        stranger_probes=sum(one.sent + one.connects for one in untrusted),
        stranger_in=sum(one.answered + one.connected for one in untrusted),
    )
    assert applies >= enough
    assert sum(one.sent for one in trusted + untrusted) >= probes
    assert [one.answered for one in trusted] == [one.sent for one in trusted]
    assert [one.connected for one in trusted] == [one.connects for one in trusted]
    assert [(one.answered, one.connected) for one in untrusted] == [(0, 0), (0, 0)]
    assert seen.keys() == {FRIEND, FRIEND6}
