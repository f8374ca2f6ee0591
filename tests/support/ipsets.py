"""ipset targets for tests, and what is to be seen of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from allowsync_backends.ipset import TYPE, IpsetDenyOptions, IpsetOptions
from allowsync_backends.ipset.options import Variant

from allowsync.model.target import Effect, Placement
from tests.support.gates import BOTH

if TYPE_CHECKING:
    from allowsync_backends.common.ports import Port

    from allowsync.backend.api import AnyBackendType
    from allowsync.backend.protocols import Backend
    from tests.support.netns import Namespace

# Initial values are random, sizes follow from how a set came about, and counts from the packets.
_CHANCE = re.compile(r"(hashsize|maxelem|initval|bucketsize) \S+ ?| packets \d+ bytes \d+")


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


def ipset_deny_gate(
    *, ports: tuple[Port, ...] = (), allowlist: str = "x", variant: Variant = Variant.AUTO
) -> Backend:
    """A gate that drops what its sets hold: at ports, or whatever comes."""
    options = IpsetDenyOptions(ports=ports, iptables=variant)
    kind: AnyBackendType = TYPE
    made: Backend = kind.make(
        Placement(allowlist, f"{allowlist}/ipset", effect=Effect.DENY), options
    )
    return made


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
    """Let there be no rule of iptables-legacy, and no set."""
    for family in (4, 6):
        # Tables that nobody used do not exist; asking for them would create them.
        name = f"/proc/thread-self/net/ip{'' if family == 4 else '6'}_tables_names"
        for table in inside.run(_words, name):
            program = "iptables-legacy" if family == 4 else "ip6tables-legacy"
            for option in ("-F", "-X"):
                inside.command(program, "-w", "10", "-t", table, option)
    inside.command("ipset", "destroy")


def _words(path: str) -> list[str]:
    return Path(path).read_text().split() if Path(path).exists() else []
