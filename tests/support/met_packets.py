"""What packets meet in a namespace that has an uplink, judged as `check` judges it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.inspect.admitted_networks import about_named, admitted
from allowsync.inspect.guarded_target import GuardedTarget, known
from allowsync.inspect.neighbours import undiscovered
from allowsync.inspect.other_ports import about_other_ports, other_openings
from allowsync.inspect.packets import answered
from allowsync.inspect.reachability import about_friends, about_strangers, judged
from allowsync.model.target import Guard, PortRange

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.model.target import Finding
    from allowsync.model.types import Entry
    from tests.support.netns import Namespace

UPLINK = "eth0"


def with_uplink(inside: Namespace, name: str = UPLINK, number: int = 1) -> None:
    """Give a namespace an interface with addresses and default routes of both families."""
    inside.command("ip", "link", "add", name, "type", "veth", "peer", "name", f"far{number}")
    inside.batch(
        f"address add 193.99.{number}.80/24 dev {name}",
        f"address add 2a02:2e0:{number}::80/64 dev {name} nodad",
        f"link set {name} up",
        f"link set far{number} up",
        f"route add default via 193.99.{number}.1 dev {name} metric {number}",
        f"route add ::/0 via 2a02:2e0:{number}::1 dev {name} metric {number}",
    )


def guard(*ports: int, interfaces: tuple[str, ...] = ("lo",)) -> Guard:
    """A guard of ports of TCP."""
    return Guard(tuple(PortRange(one, one, "tcp") for one in ports), interfaces)


def seen(
    inside: Namespace, what: Guard, entries: Iterable[Entry], *, flaws: tuple[str, ...] = ()
) -> list[Finding]:
    """What is found of one target by packets."""
    return seen_of(inside, (GuardedTarget("x/gate", what, tuple(entries), flaws=flaws),))


def seen_of(inside: Namespace, targets: Sequence[GuardedTarget]) -> list[Finding]:
    """What is found of targets by packets."""
    asked = (*about_strangers(targets), *about_friends(targets), *about_other_ports(targets))
    held = tuple(known(targets))
    answers = inside.run(answered, (*asked, *about_named(targets)), held)
    found = (*judged(targets, answers), *undiscovered(targets, answers))
    found += tuple(admitted(targets, answers))
    return [one for _, one in (*found, *other_openings(targets, answers))]
