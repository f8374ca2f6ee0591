"""What it costs to see by packets: `check` and `explain`, by friends and by what lies beside."""

from __future__ import annotations

from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import cycle
from typing import TYPE_CHECKING

from tests.bench.elements import block_list, networks
from tests.bench.place import place
from tests.bench.scenario import OURS, Figure, Scenario, at_most
from tests.support.met_packets import with_uplink

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from tests.bench.place import Place
    from tests.bench.scenario import Sample, Sides
    from tests.support.netns import Namespace

GATE = {"nftables": {"ports": ["443/tcp"]}}
FEW, MANY, BLOCKED = 3, 200, 100_000
ALONE = "3 friends"
NOTHING_DUE = "nothing due"


@contextmanager
def asking(
    command: tuple[str, ...], friends: int, beside: Callable[[Namespace], object] | None = None
) -> Iterator[Sides]:
    """The same command for three friends and no other rules."""
    with ExitStack() as stack:
        large = stack.enter_context(guarded(friends, beside))
        small = stack.enter_context(guarded(FEW))
        yield {OURS: partial(_asked, large, command), ALONE: partial(_asked, small, command)}


@contextmanager
def guarded(friends: int, beside: Callable[[Namespace], object] | None = None) -> Iterator[Place]:
    """A machine with an uplink and a gate, of which packets tell that it works.

    Raises:
        RuntimeError: No packet was tried, so that there is nothing to measure.
    """
    with place(0.0) as here:
        with_uplink(here.namespace)
        if beside is not None:
            beside(here.namespace)
        here.configure(friends, GATE)
        here.settle()
        said = here.namespace.command(*here.command("explain", "host1"))
        if "delivered" not in said:
            raise RuntimeError(f"no packet was delivered: {said}")
        yield here


def _asked(here: Place, command: tuple[str, ...]) -> Sample:
    """What it costs, whatever it prints."""
    return here.cost("/bin/sh", "-c", 'exec "$@" >/dev/null', "sh", *here.command(*command))


def ranges(inside: Namespace) -> None:
    """Somebody's list of 100,000 ranges in nftables."""
    inside.nft(block_list(BLOCKED))


def addresses(inside: Namespace) -> None:
    """Somebody's list of 100,000 addresses in ipset, and a rule that drops them."""
    lines = [f"create blocked hash:net family inet maxelem {BLOCKED}"]
    lines += [f"add blocked {one.network_address + (64 << 24)}" for one in networks(range(BLOCKED))]
    inside.command("ipset", "restore", stdin="\n".join([*lines, ""]))
    rule = "-A INPUT -m set --match-set blocked src -j DROP"
    inside.command("iptables-nft", *rule.split())


@contextmanager
def applying() -> Iterator[Sides]:
    """A run that changes an address, and looks by packets; one with nothing to do."""
    with guarded(FEW) as changed, guarded(FEW) as idle:
        offices = cycle(("193.99.144.8/32", "193.99.144.9/32"))

        def change() -> Sample:
            changed.configure(FEW, GATE, office=next(offices))
            return _asked(changed, ("apply",))

        yield {OURS: change, NOTHING_DUE: partial(_asked, idle, ("apply",))}


def _scenario(
    name: str, title: str, sides: Callable[[], AbstractContextManager[Sides]], limit: float
) -> Scenario:
    return Scenario(
        f"packets-{name}",
        title,
        sides,
        (at_most(Figure.WALL, limit, ALONE),),
        root=True,
        programs=("nft", "ipset"),
    )


CHECK, EXPLAIN = ("check",), ("explain", "host1")
SCENARIOS = (
    *(
        _scenario(f"{name}-{what}", f"`{name}`, by packets: {title}", sides, limit)
        for name, command in (("check", CHECK), ("explain", EXPLAIN))
        for what, title, sides, limit in (
            ("200", "200 friends", partial(asking, command, MANY), 2),
            ("nft", "beside 100,000 ranges in nftables", partial(asking, command, FEW, ranges), 6),
            ("ipset", "beside 100,000 in ipset", partial(asking, command, FEW, addresses), 3),
        )
    ),
    Scenario(
        "packets-apply",
        "a run that changes a gate and looks at it by packets, beside one with nothing to do",
        applying,
        (at_most(Figure.WALL, 3, NOTHING_DUE),),
        root=True,
        programs=("nft",),
    ),
)
