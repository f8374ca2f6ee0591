"""ipset targets for tests, and what is to be seen of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from allowsync_backends.ipset import TYPE, IpsetOptions
from allowsync_backends.ipset.options import Variant

from allowsync.backend import Placement
from tests.support.gates import BOTH

if TYPE_CHECKING:
    from allowsync_backends.ports import Port

    from allowsync.backend import Backend
    from tests.support.netns import Namespace

# Initial values are random, and sizes follow from how a set came about.
_CHANCE = re.compile(r"(hashsize|maxelem|initval|bucketsize) \S+ ?")


def ipset_gate(
    *,
    ports: tuple[Port, ...] = BOTH,
    interfaces: tuple[str, ...] = ("lo",),
    allowlist: str = "x",
    variant: Variant = Variant.AUTO,
) -> Backend:
    """A gate in front of ports."""
    options = IpsetOptions(ports=ports, open_interfaces=interfaces, iptables=variant)
    return TYPE.make(Placement(allowlist, f"{allowlist}/ipset"), options)


def bare_sets(
    *, allowlist: str = "x", end_streams: bool = True, variant: Variant = Variant.AUTO
) -> Backend:
    """Two sets without rules."""
    options = IpsetOptions(end_streams=end_streams, iptables=variant)
    return TYPE.make(Placement(allowlist, f"{allowlist}/ipset"), options)


def rules(inside: Namespace, variant: Variant = Variant.AUTO) -> str:
    """All rules of both families' mangle tables."""
    suffix = "" if variant is Variant.AUTO else f"-{variant.value}"
    return "".join(
        inside.command(f"{program}{suffix}", "-w", "10", "-t", "mangle", "-S")
        for program in ("iptables", "ip6tables")
    )


def sets(inside: Namespace) -> list[str]:
    """All sets and their elements, sorted, without what is left to chance."""
    return sorted(_CHANCE.sub("", line) for line in inside.command("ipset", "save").splitlines())


def clean(inside: Namespace) -> None:
    """Let there be no rule and no set."""
    for program in ("iptables", "ip6tables"):
        for variant in ("nft", "legacy"):
            for table in ("mangle", "filter", "nat"):
                for option in ("-F", "-X"):
                    inside.command(f"{program}-{variant}", "-w", "10", "-t", table, option)
    inside.command("ipset", "destroy")
