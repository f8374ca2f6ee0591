"""UFW: our backend, beside a script that calls ufw for each address."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

from allowsync_backends.common.ports import Port, Protocol

from tests.bench.elements import networks, plan
from tests.bench.scenario import OURS, Figure, Scenario, at_most, faster
from tests.bench.sets import holds, timed
from tests.support.netns import Namespace
from tests.support.ufw import backend, with_ufw

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Network

    from tests.bench.scenario import Sample, Sides

SCRIPT = "one ufw call each"
STATUS = "ufw status numbered"
MANY, FEW = 1000, 10
SAMPLE = 60  # calls; each later one takes longer, so what is made of them is too little
PORTS = (Port(443, 443, Protocol.TCP),)
PROGRAMS = ("ufw", "iptables")


def ufw(*arguments: str) -> None:
    """Call ufw, which must not fail."""
    subprocess.run(["ufw", *arguments], check=True, capture_output=True)


def rule(network: IPv4Network) -> tuple[str, ...]:
    """What a script says of an address."""
    source = str(network.network_address)
    return ("allow", "proto", "tcp", "from", source, "to", "any", "port", "443")


@contextmanager
def adding() -> Iterator[Sides]:
    """A thousand addresses into an empty UFW."""
    wanted = networks(range(MANY))
    with Namespace() as here, Namespace() as there:
        with_ufw(here)
        with_ufw(there)
        yield {OURS: lambda: here.run(_add, wanted), SCRIPT: lambda: there.run(_add_some, wanted)}


def _add(wanted: list[IPv4Network]) -> Sample:
    target = backend(ports=PORTS)
    target.clear()
    taken = timed(lambda: target.apply(plan(add=wanted)))
    holds(target, wanted)
    return taken


def _add_some(wanted: list[IPv4Network]) -> Sample:
    sample = wanted[:SAMPLE]
    for network in sample:
        subprocess.run(["ufw", "delete", *rule(network)], check=True, capture_output=True)

    def calls() -> None:
        for network in sample:
            ufw(*rule(network))

    return {Figure.WALL: timed(calls)[Figure.WALL] * MANY / SAMPLE}


@contextmanager
def moving() -> Iterator[Sides]:
    """One of ten friends has another address."""
    wanted = networks(range(FEW))
    with Namespace() as here, Namespace() as there:
        for inside in (here, there):
            with_ufw(inside)
        here.run(_put, wanted)
        there.run(_call_each, wanted)
        # Each time another address takes the place of the one before.
        ours, theirs = count(MANY), count(MANY)
        last = {OURS: wanted[-1], SCRIPT: wanted[-1]}

        def move() -> Sample:
            old, new = last[OURS], networks(range(n := next(ours), n + 1))[0]
            last[OURS] = new
            return here.run(_move, wanted[:-1], old, new)

        def move_by_hand() -> Sample:
            old, new = last[SCRIPT], networks(range(n := next(theirs), n + 1))[0]
            last[SCRIPT] = new
            return there.run(_move_by_hand, old, new)

        yield {OURS: move, SCRIPT: move_by_hand}


def _put(wanted: Iterable[IPv4Network]) -> None:
    backend(ports=PORTS).apply(plan(add=list(wanted)))


def _call_each(wanted: Iterable[IPv4Network]) -> None:
    for network in wanted:
        ufw(*rule(network))


def _move(kept: list[IPv4Network], old: IPv4Network, new: IPv4Network) -> Sample:
    target = backend(ports=PORTS)
    taken = timed(lambda: target.apply(plan(add=[new], remove=[old], keep=kept)))
    holds(target, [*kept, new])
    return taken


def _move_by_hand(old: IPv4Network, new: IPv4Network) -> Sample:
    def calls() -> None:
        ufw(*rule(new))
        ufw("delete", *rule(old))

    return timed(calls)


@contextmanager
def looking() -> Iterator[Sides]:
    """Nothing to do, with a thousand addresses: read all of it."""
    wanted = networks(range(MANY))
    with Namespace() as here:
        with_ufw(here)
        here.run(_put, wanted)
        yield {
            OURS: lambda: here.run(timed, partial(holds, backend(ports=PORTS), wanted)),
            STATUS: lambda: here.run(timed, lambda: ufw("status", "numbered")),
        }


SCENARIOS = (
    Scenario(
        "ufw-add",
        f"{MANY} addresses into UFW (the script's time from {SAMPLE} of them)",
        adding,
        (faster(100, SCRIPT),),
        runs=3,
        warmups=0,
        root=True,
        programs=PROGRAMS,
        slow=True,
    ),
    Scenario(
        "ufw-move",
        f"UFW: 1 of {FEW} friends moved",
        moving,
        (faster(5, SCRIPT),),
        root=True,
        programs=PROGRAMS,
    ),
    Scenario(
        "ufw-idle",
        f"UFW: nothing to do, {MANY} addresses",
        looking,
        (at_most(Figure.WALL, 1.5, STATUS),),
        root=True,
        programs=PROGRAMS,
    ),
)
