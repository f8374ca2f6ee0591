"""Whether friends' packets reach this machine at all: the router has to discover it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.inspect.reachability import named_entry, some
from allowsync.model.target import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.inspect.guarded_packets import PacketAnswers
    from allowsync.inspect.guarded_target import GuardedTarget

UNDISCOVERED: Final = "no router finds this machine, as neighbour discovery is dropped"
_ADVICE: Final = "accept nd-neighbor-solicit and nd-neighbor-advert of icmpv6 before that rule"


def undiscovered(
    targets: Iterable[GuardedTarget], answers: PacketAnswers
) -> Iterator[tuple[str, Finding]]:
    """Friends whose packets the router cannot deliver: rules drop neighbour discovery."""
    for one in targets:
        friends = [entry for entry in one.entries if entry.network.version == 6]
        for interface, rule in answers.undiscovered.items() if friends else ():
            whose = some(dict.fromkeys(map(named_entry, friends)))
            everywhere = answers.undiscovered.keys() >= set(answers.uplinks)
            what = f"{whose} cannot come over IPv6 by {interface}: {UNDISCOVERED}: {rule}"
            yield (
                one.name,
                Finding(Severity.ERROR if everywhere else Severity.WARNING, what, _ADVICE),
            )
