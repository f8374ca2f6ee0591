"""Loading and changing large ipsets: our backend, beside `ipset restore` and nothing else."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from allowsync_backends.ipset import TYPE, IpsetOptions

from allowsync.model.target import Placement
from tests.bench.elements import networks, plan
from tests.bench.scenario import OURS, Figure, Scenario, at_most
from tests.bench.sets import CHANGED, holds, timed
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from ipaddress import IPv4Network

    from allowsync.backend.protocols import Backend
    from allowsync.model.plan import Plan
    from tests.bench.scenario import Sample, Sides

BARE = "bare ipset restore"


def sets() -> Backend:
    """The sets of the allowlist `web`, without rules."""
    return TYPE.make(Placement("web", "web/ipset"), IpsetOptions(end_streams=False))


def restore(script: str) -> None:
    """Carry out a script, by ipset and nothing else.

    Raises:
        subprocess.CalledProcessError: ipset refused it.
    """
    subprocess.run(["ipset", "-exist", "restore"], input=script.encode(), check=True)


def by_hand(wanted: Iterable[IPv4Network], size: int) -> str:
    """What somebody would write to fill a set."""
    lines = [f"create bare hash:net family inet maxelem {max(65536, size)}"]
    lines += [f"add bare {one.network_address}" for one in wanted]
    return "\n".join([*lines, ""])


def change_by_hand(add: Iterable[IPv4Network], remove: Iterable[IPv4Network]) -> str:
    """What somebody would write to change it."""
    lines = [f"del bare {one.network_address}" for one in remove]
    lines += [f"add bare {one.network_address}" for one in add]
    return "\n".join([*lines, ""])


@contextmanager
def loading(size: int) -> Iterator[Sides]:
    """From nothing to that many entries, each side in a namespace of its own."""
    wanted, backend = networks(range(size)), sets()
    with Namespace() as here, Namespace() as there:
        yield {
            OURS: lambda: here.run(_load, backend, wanted),
            BARE: lambda: there.run(_load_by_hand, wanted),
        }


def _load(backend: Backend, wanted: list[IPv4Network]) -> Sample:
    backend.clear()
    everything = plan(add=wanted, repair=backend.read().flaws)
    taken = timed(lambda: backend.apply(everything))
    holds(backend, wanted)
    return taken


def _load_by_hand(wanted: list[IPv4Network]) -> Sample:
    script = by_hand(wanted, len(wanted))
    restore("destroy bare\n")
    return timed(lambda: restore(script))


@contextmanager
def changing(size: int) -> Iterator[Sides]:
    """Ten of that many entries replaced by others, and back."""
    always = networks(range(CHANGED, size))
    first, second = networks(range(CHANGED)), networks(range(size, size + CHANGED))
    backend = sets()
    with Namespace() as here, Namespace() as there:
        here.run(_load, backend, first + always)
        there.run(restore, by_hand(first + always, size))
        plans = cycle(
            (
                plan(add=second, remove=first, keep=always),
                plan(add=first, remove=second, keep=always),
            )
        )
        scripts = cycle((change_by_hand(second, first), change_by_hand(first, second)))
        yield {
            OURS: lambda: here.run(_apply, backend, next(plans)),
            BARE: lambda: there.run(timed, partial(restore, next(scripts))),
        }


def _apply(backend: Backend, wanted: Plan) -> Sample:
    taken = timed(lambda: backend.apply(wanted))
    holds(backend, [entry.network for entry in wanted.final])
    return taken


SCENARIOS = (
    Scenario(
        "ipset-load-10000",
        "ipset: load 10,000 entries",
        partial(loading, 10_000),
        (at_most(Figure.WALL, 1.5, BARE),),
        root=True,
        programs=("ipset",),
    ),
    Scenario(
        "ipset-load-100000",
        "ipset: load 100,000 entries",
        partial(loading, 100_000),
        (at_most(Figure.WALL, 1.5, BARE),),
        runs=3,
        root=True,
        programs=("ipset",),
        slow=True,
    ),
    Scenario(
        "ipset-change",
        "ipset: change 10 of 10,000 entries",
        partial(changing, 10_000),
        (at_most(Figure.WALL, 3, BARE),),
        runs=9,
        root=True,
        programs=("ipset",),
    ),
)
