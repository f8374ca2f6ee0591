"""Sets and gates of any allowlist, found by their names and the mark in the rules to them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.backend.api import Marked
from allowsync.model.target import Effect, Place
from allowsync.model.value import replace
from allowsync_backends.common import command as tools
from allowsync_backends.ipset import inspection, tool
from allowsync_backends.ipset.gate_backend import IpsetGateBackend
from allowsync_backends.ipset.options import Variant
from allowsync_backends.ipset.rules import PARENTS, TABLE, IpsetGate

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_SET: Final = re.compile(r"allowsync-([a-z][a-z0-9_]{0,17})-[46]")
_MARK: Final = re.compile(r'--comment "?allowsync:([0-9a-f]{8})')


def marked(known: Collection[Place]) -> tuple[Marked, ...]:
    """Return the present gates, except those at known places.

    A gate has sets, for a rule cannot name a missing one.

    Raises:
        BackendError: Sets or rules cannot be listed.
    """
    if not tools.may(tools.CAP_NET_ADMIN | tools.CAP_NET_RAW):
        return ()
    names = (_SET.fullmatch(name) for name in tool.set_names())
    allowlists = sorted({found[1] for found in names if found})
    return tuple(
        one
        for allowlist in allowlists
        if Place("ipset", (f"allowsync-{allowlist}-4",)) not in known
        for one in _gate(allowlist)
    )


def _gate(allowlist: str) -> Iterator[Marked]:
    """Yield a gate, made by either iptables."""
    gate = IpsetGate(allowlist, ())
    backend = IpsetGateBackend(gate)
    chains = {gate.chain(parent) for parent in PARENTS}
    for variant in (Variant.AUTO, Variant.NFT, Variant.LEGACY):
        if variant is not Variant.AUTO and not tool.has_rules(variant, TABLE):
            continue
        tables = [replace(backend, variant=variant).table(family) for family in tool.families()]
        if not any(chains & found.chains.keys() for found in tables):
            continue
        hooks = [
            rule
            for found in tables
            for one in PARENTS
            for rule in inspection.hooks(gate, one, found)
        ]
        marks = [found[1] for found in map(_MARK.search, hooks) if found]
        place = Place("iptables chain", (gate.chain("PREROUTING"),))
        effects = {inspection.effect(gate, found) for found in tables}
        drops = bool(hooks) and effects - {None} != {Effect.DENY}
        yield Marked(allowlist, place, backend, marks[0] if marks else "", drops)
        return
