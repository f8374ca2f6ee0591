"""Loading and changing large sets: our backend, beside nft and a script."""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from allowsync_backends.common.ports import Port, Protocol
from allowsync_backends.nftables import TYPE, NftablesOptions

from allowsync.model.target import Placement
from tests.bench.elements import block_list, change, networks, nft, plan, table
from tests.bench.scenario import OURS, Figure, Scenario, at_most
from tests.support.netns import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from ipaddress import IPv4Network

    from allowsync.backend.protocols import Backend
    from allowsync.model.plan import Plan
    from allowsync.model.types import Network
    from tests.bench.scenario import Sample, Sides

BARE = "bare nft -f"
BARE_HASH = "bare nft -f, hash set"
BLOCKED = 100_000
CHANGED = 10


def gate() -> Backend:
    """The gate of the allowlist `web`."""
    options = NftablesOptions(ports=(Port(443, 443, Protocol.TCP), Port(443, 443, Protocol.UDP)))
    return TYPE.make(Placement("web", "web/nftables"), options)


def timed(work: Callable[[], None]) -> Sample:
    """How long something takes."""
    started = time.perf_counter()
    work()
    return {Figure.WALL: time.perf_counter() - started}


def holds(backend: Backend, wanted: Iterable[Network]) -> None:
    """Make sure that what was measured was done.

    Raises:
        RuntimeError: The gate holds something else, or is not whole.
    """
    current = backend.read()
    if {entry.network for entry in current.entries} != set(wanted) or current.flaws:
        raise RuntimeError(f"{len(current.entries)} entries, {current.flaws}")


@contextmanager
def loading(size: int) -> Iterator[Sides]:
    """From nothing to that many entries, each side in a namespace of its own."""
    wanted, backend = networks(range(size)), gate()
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
    nft("add table inet bare\ndelete table inet bare\n")
    return timed(lambda: nft(table(wanted)))


@contextmanager
def changing(size: int, beside: str = "") -> Iterator[Sides]:
    """Ten of that many entries replaced by others, and back, beside somebody's tables."""
    always = networks(range(CHANGED, size))
    first, second = networks(range(CHANGED)), networks(range(size, size + CHANGED))
    backend = gate()
    with ExitStack() as stack:
        here, there, hashed = (stack.enter_context(Namespace()) for _ in range(3))
        for namespace in (here, there, hashed):
            namespace.run(nft, beside)
        here.run(_load, backend, first + always)
        there.run(nft, table(first + always))
        hashed.run(nft, table(first + always, flags=""))
        plans = cycle(_there_and_back(first, second, always))
        scripts = cycle((change(second, first), change(first, second)))
        hash_scripts = cycle((change(second, first), change(first, second)))
        yield {
            OURS: lambda: here.run(_apply, backend, next(plans)),
            BARE: lambda: there.run(timed, partial(nft, next(scripts))),
            BARE_HASH: lambda: hashed.run(timed, partial(nft, next(hash_scripts))),
        }


def _there_and_back(
    first: list[IPv4Network], second: list[IPv4Network], always: list[IPv4Network]
) -> tuple[Plan, Plan]:
    return (
        plan(add=second, remove=first, keep=always),
        plan(add=first, remove=second, keep=always),
    )


def _apply(backend: Backend, wanted: Plan) -> Sample:
    taken = timed(lambda: backend.apply(wanted))
    holds(backend, [entry.network for entry in wanted.final])
    return taken


SCENARIOS = (
    Scenario(
        "nft-load-10000",
        "nftables: load 10,000 entries",
        partial(loading, 10_000),
        (at_most(Figure.WALL, 1.5, BARE),),
        root=True,
        programs=("nft",),
    ),
    Scenario(
        "nft-load-100000",
        "nftables: load 100,000 entries",
        partial(loading, 100_000),
        (at_most(Figure.WALL, 1.5, BARE),),
        runs=3,
        root=True,
        programs=("nft",),
        slow=True,
    ),
    Scenario(
        "nft-change",
        "nftables: change 10 of 10,000 entries",
        partial(changing, 10_000),
        (at_most(Figure.WALL, 2, BARE),),
        runs=9,
        root=True,
        programs=("nft",),
    ),
    Scenario(
        "nft-change-beside",
        "nftables: change 10 of 10,000 entries beside a stranger's 100,000 ranges",
        lambda: changing(10_000, block_list(BLOCKED)),
        (at_most(Figure.WALL, 2, BARE),),
        root=True,
        programs=("nft",),
        slow=True,
    ),
)
