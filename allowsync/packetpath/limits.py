"""Parts of a question's scope that are not asked: named, never left out in silence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.packetpath.behind import MOST_NEIGHBOURS, MOST_NETWORKS, networks_behind
from allowsync.packetpath.nftables import ARP
from allowsync.packetpath.question import Aim
from allowsync.packetpath.source_ports import source_ports
from allowsync.packetpath.times import timed_chains
from allowsync.packetpath.translation import (
    MOST_ADDRESSES,
    MOST_PORTS,
    named_ports,
    public_addresses,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.packetpath.original import Original
    from allowsync.packetpath.question import Question
    from allowsync.packetpath.sources import NamedSources


def unasked(
    questions: Iterable[Question], source: Original, named: NamedSources
) -> tuple[str, ...]:
    """Return the parts of the questions' scope that are left out, in words."""
    several = tuple(questions)
    aims = {one.aim for one in several}
    found = list(_more(("networks that rules name", named.left_out)))
    if ports_from := source_ports(several, source):
        found.append(f"packets from source ports that rules name ({', '.join(ports_from)})")
    if not source.uplinks:
        found.append("packets from afar, as no interface has a default route")
    if timed := timed_chains(several, source):
        found.append(f"other times than now, by which rules go ({', '.join(timed)})")
    if any(family == ARP for family, _ in source.ruleset.chains):
        found.append("rules for ARP, by which neighbours find this machine over IPv4")
    if Aim.TRANSLATED in aims:
        ports, addresses = named_ports(source), public_addresses(source)
        found += _more(
            ("ports that address translation names", len(ports) - MOST_PORTS),
            ("addresses that address translation names", len(addresses) - MOST_ADDRESSES),
        )
    if Aim.BEHIND in aims:
        behind = networks_behind(source)
        asked = list(behind.values())[:MOST_NETWORKS]
        found += _more(
            ("networks behind this machine", len(behind) - MOST_NETWORKS),
            ("neighbours", sum(max(0, len(seen) - MOST_NEIGHBOURS) for seen in asked)),
        )
    return tuple(found)


def _more(*counted: tuple[str, int]) -> Iterator[str]:
    yield from (f"{number} more {what}" for what, number in counted if number > 0)
