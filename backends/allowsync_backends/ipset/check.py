"""The findings of `allowsync check` about an ipset target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Effect, Finding, Severity, flaw_findings
from allowsync_backends.ipset import firewalld, inspection, set_store, tool
from allowsync_backends.ipset.foreign_rules import FORWARDED, covers_docker, publishes, users_of
from allowsync_backends.ipset.options import Variant
from allowsync_backends.ipset.rules import PARENTS, TABLE
from allowsync_backends.ipset.sets import IpsetListingError, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from allowsync.model.target import Current
    from allowsync.model.types import Family
    from allowsync_backends.ipset.rules import IpsetGate

_TABLES = ("filter", "nat", "mangle", "raw")


def check_gate(read: Callable[[], Current], gate: IpsetGate, variant: Variant) -> Sequence[Finding]:
    """Return findings about a gate of our own."""
    unusable = tool.usable()
    if unusable:
        return (Finding(Severity.ERROR, unusable),)
    return (
        *_gate_state(read, variant, gate.effect),
        *_other_variant(gate, variant),
        *firewalld.running(),
    )


def _gate_state(read: Callable[[], Current], variant: Variant, effect: Effect) -> Iterator[Finding]:
    try:
        current = read()
        refused = list(_refused(variant)) if current.flaws else []
    except BackendError as error:
        yield Finding(Severity.ERROR, str(error))
        return
    yield from refused
    if refused:
        return
    yield from flaw_findings(current.flaws, current.obstacles)
    if effect is Effect.ALLOW and not current.flaws and not current.entries:
        yield Finding(
            Severity.WARNING,
            "the gate is shut for everyone: it holds no entry",
            "see 'allowsync status' for what the hosts' names resolve to",
        )


def _refused(variant: Variant) -> Iterator[Finding]:
    """Report chains of another program in the place of iptables', which block a gate.

    `iptables-restore --test` does not detect them; the kernel does.
    """
    if _meant(variant) is not Variant.NFT:
        return
    for family in tool.families():
        if why := tool.hook_refusal(family):
            name = tool.program(family, variant)
            yield Finding(
                Severity.ERROR,
                f"the gate cannot be put up: {name} has no place in table {TABLE}: {why}",
                "see 'nft list tables'; another program uses the names of iptables",
            )


def _other_variant(gate: IpsetGate, used: Variant) -> Iterator[Finding]:
    """Report rules of ours in the other iptables, from before the system switched."""
    for variant in (Variant.NFT, Variant.LEGACY):
        if variant in (used, _meant(used)):
            continue
        if not tool.has_rules(variant, TABLE):
            continue
        for family in tool.families():
            name = tool.program(family, variant)
            try:
                found = _table(family, variant, TABLE)
            except BackendError:
                continue
            for parent, chain in ((one, gate.chain(one)) for one in PARENTS):
                if chain in found.chains:
                    yield Finding(
                        Severity.WARNING,
                        f"{name} has a chain {chain} too, which is not kept up to date",
                        "delete it: "
                        + "".join(
                            f"{name} -t {TABLE} {rule.replace('-A ', '-D ', 1)}; "
                            for rule in inspection.hooks(gate, parent, found)
                        )
                        + f"{name} -t {TABLE} -F {chain}; "
                        f"{name} -t {TABLE} -X {chain}",
                    )


def _meant(variant: Variant) -> Variant:
    """Return the variant behind the name `iptables`, where that is used."""
    if variant is not Variant.AUTO:
        return variant
    try:
        said = tool.version()
    except BackendError:
        return Variant.AUTO
    return Variant.NFT if "nf_tables" in said else Variant.LEGACY


def check_sets(
    sets: Mapping[str, Family],
    variant: Variant,
    *,
    end_streams: bool,
    effect: Effect = Effect.ALLOW,
) -> Sequence[Finding]:
    """Return findings about sets for the user's own rules."""
    from allowsync_backends.common.conntrack import missing_tools

    unusable = tool.usable()
    if unusable:
        return (Finding(Severity.ERROR, unusable),)
    try:
        found = set_store.look(sets, effect)
    except BackendError as error:
        return (Finding(Severity.ERROR, str(error)),)
    return (
        *flaw_findings(found.flaws, found.obstacles),
        *_unused(sets, variant, found, effect),
        *(_docker(sets, variant, found) if effect is Effect.ALLOW else ()),
        *(missing_tools() if end_streams else ()),
    )


def _unused(
    ours: Mapping[str, Family], variant: Variant, found: set_store.SetsFound, effect: Effect
) -> Iterator[Finding]:
    for name, family in ours.items():
        one = found.sets[name]
        if one.shape is Shape.MISSING or one.references:
            continue
        if family not in tool.families():
            continue
        if not tool.forwards(family) and _only_forwarded(ours, family, variant, found):
            yield Finding(
                Severity.INFO,
                f"no rule uses set {name}: rules guard what is forwarded, and nothing is over "
                f"{family.value.replace('ip', 'IP')}",
                "a program of this machine that serves a port over it, such as docker-proxy, is "
                "guarded by a rule in INPUT",
            )
            continue
        program = tool.program(family, Variant.AUTO)
        rule = f"{program} -A INPUT -p tcp --dport 443 -m set ! --match-set {name} src -j DROP"
        advice = f"let a rule accept what comes from it, and drop the rest: {rule}"
        if effect is Effect.DENY:
            rule = f"{program} -I INPUT -m set --match-set {name} src -j DROP"
            advice = f"let a rule drop what comes from it: {rule}"
        yield Finding(
            Severity.ERROR if one.networks else Severity.WARNING,
            f"no rule uses set {name}: it has no effect",
            advice,
        )


def _only_forwarded(
    ours: Mapping[str, Family], unused: Family, variant: Variant, found: set_store.SetsFound
) -> bool:
    """Whether the sets of other families are used, and for forwarded packets alone."""
    chains: list[str] = []
    for name, family in ours.items():
        if family is unused or not found.sets[name].references:
            continue
        try:
            tables = {one: _table(family, variant, one) for one in _TABLES}
        except BackendError:
            return False
        chains += users_of(tables, name)
    return bool(chains) and set(chains) <= FORWARDED


def _docker(
    sets: Mapping[str, Family], variant: Variant, found: set_store.SetsFound
) -> Iterator[Finding]:
    """Report sets used only in chains that packets to ports published by Docker never pass."""
    for name, family in sets.items():
        if family not in tool.families() or not found.sets[name].references:
            continue
        try:
            tables = {one: _table(family, variant, one) for one in _TABLES}
        except BackendError:
            continue
        users = list(users_of(tables, name))
        if publishes(tables) and users and not covers_docker(users):
            program = tool.program(family, variant)
            yield Finding(
                Severity.WARNING,
                f"{program}: set {name} is used in chain {', '.join(users)} only, where ports "
                "published by Docker never come by",
                f"use it in chain DOCKER-USER too: {program} -I DOCKER-USER -m conntrack "
                f"--ctorigdstport 443 --ctdir ORIGINAL -m set ! --match-set {name} src -j DROP",
            )


def _table(family: Family, variant: Variant, table: str) -> inspection.Table:
    listed = tool.ask(tool.rules_of(family, variant, table))
    if listed.code != 0:
        raise BackendError(tool.complaint(listed))
    try:
        return inspection.table(listed.stdout)
    except IpsetListingError as error:
        raise BackendError(str(error)) from error
