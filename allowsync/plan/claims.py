"""Claims of hosts to networks at a target, per host, before they become entries. Pure.

A claim is a network and a host that it admits. The entries of a target are an arrangement: where
they may not overlap, a wide one stands for every claim inside it. Plans, limits and the state use
claims, so that the end of one host's access removes exactly that host's claims, and an entry that
stays for another host is never wider than that host's claim.
"""

from __future__ import annotations

from allowsync.model.networks import Coverage, without
from allowsync.model.plan import sorted_entries
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import Basis, Entry, Family
from allowsync.model.value import Value, field, replace
from allowsync.typed import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from allowsync.model.types import Network
    from allowsync.policy.decision import Decision

# Each network with the hosts that claim exactly that one; with none where its origin is unknown.
Claims: TypeAlias = "Mapping[Network, tuple[str, ...]]"


class Situation(Value):
    """The input of a plan.

    Attributes:
        target: The target's full name.
        current: The contents of the target.
        wanted: The hosts' claims by their present decisions.
        claims: The hosts' remembered claims.
        trusted: The hosts that may have access here now: configured, and not ended.
        undecided: The undecided ones of them.
        inherited: Entries of unknown origin.
        protected: The ones of them whose time is not over.
        held_back: Unwanted claims retained by a limit.
        capabilities: The capabilities of the target.
        replaced: By network, hosts that have been given another one and keep it only briefly.
        refuted: By host, networks that were granted and are refuted.
        beside: The families that another target holds instead: `table ip6` for `table ip`.
        revoked: Networks that were revoked by command: no claim of them stays.
    """

    target: str
    current: Current
    wanted: Claims
    claims: Claims = field(default_factory=dict)
    trusted: frozenset[str] = frozenset()
    undecided: frozenset[str] = frozenset()
    inherited: frozenset[Network] = frozenset()
    protected: frozenset[Network] = frozenset()
    held_back: Claims = field(default_factory=dict)
    capabilities: Capabilities = field(default_factory=Capabilities)
    replaced: Mapping[Network, tuple[str, ...]] = field(default_factory=dict)
    refuted: Mapping[str, frozenset[Network]] = field(default_factory=dict)
    beside: frozenset[Family] = frozenset()
    revoked: frozenset[Network] = frozenset()

    @property
    def wanted_beside(self) -> Claims:
        """The wanted networks of families that another target holds instead."""
        if not self.beside:
            return {}
        return {one: hosts for one, hosts in self.wanted.items() if Family.of(one) in self.beside}

    @property
    def held(self) -> frozenset[Network]:
        """The networks the target holds."""
        return frozenset(entry.network for entry in self.current.entries)


def union(decisions: Iterable[Decision]) -> dict[Network, tuple[str, ...]]:
    """The hosts that want each network, labels sorted."""
    wanted: dict[Network, tuple[str, ...]] = {}
    for decision in decisions:
        for grant in decision.grants:
            mine = (grant.host,)
            others = wanted.setdefault(grant.network, mine)
            if others is not mine:
                wanted[grant.network] = tuple(sorted({*others, *mine}))
    return wanted


def leaving(decisions: Iterable[Decision]) -> dict[Network, tuple[str, ...]]:
    """By network, the hosts that keep it only briefly, as they were given another; sorted."""
    found: dict[Network, set[str]] = {}
    for decision in decisions:
        stays = {one.network for one in decision.grants if one.basis is not Basis.REPLACED}
        for grant in decision.grants:
            if grant.network not in stays:
                found.setdefault(grant.network, set()).add(grant.host)
    return {network: tuple(sorted(labels)) for network, labels in found.items()}


def retained(situation: Situation) -> Claims:
    """The claims that stay although no host is known to want them.

    These are the claims of undecided hosts, unless refuted; entries of unknown origin whose time is
    not over; and claims retained by a limit.
    """
    if not (situation.undecided or situation.protected or situation.held_back):
        return {}
    undecided = believed(situation, situation.undecided) if situation.undecided else {}
    unknown = dict.fromkeys(situation.protected, ())
    held, fits = situation.held, situation.capabilities.holds
    return {
        network: hosts
        for network, hosts in merged(merged(unknown, undecided), situation.held_back).items()
        if network in held or fits(network)
    }


def believed(situation: Situation, hosts: frozenset[str]) -> Claims:
    """The remembered claims of some hosts, without refuted and revoked networks."""
    nothing: frozenset[Network] = frozenset()
    found = {
        network: tuple(
            host
            for host in claimed
            if host in hosts and network not in situation.refuted.get(host, nothing)
        )
        for network, claimed in situation.claims.items()
        if network not in situation.revoked
    }
    return {network: claimed for network, claimed in found.items() if claimed}


def as_it_stands(situation: Situation, *, remembered: bool) -> Situation:
    """The situation where revocations are unknown: no host gains access, and none loses it.

    Args:
        situation: The situation.
        remembered: Whether remembered claims count where the target lost all its entries.
    """
    before = believed(situation, situation.trusted)
    stands = Coverage(situation.held or (before if remembered else ()))

    def within(claims: Claims) -> Claims:
        found: dict[Network, set[str]] = {}
        for one, hosts in claims.items():
            for piece in _standing(one, stands):
                found.setdefault(piece, set()).update(hosts)
        return {piece: tuple(sorted(hosts)) for piece, hosts in found.items()}

    return replace(
        situation,
        wanted=within(situation.wanted),
        claims=within(situation.claims),
        held_back=merged(situation.held_back, within(before)),
    )


def _standing(claim: Network, held: Coverage) -> list[Network]:
    """The held part of a claim: all of it, or pieces beside foreign changes."""
    return [claim] if held.covering(claim) is not None else held.inside(claim)


def unexplained(situation: Situation) -> frozenset[Network]:
    """The entries that neither stand for a remembered claim nor were revoked."""
    known = Coverage((*situation.claims, *situation.revoked))
    return frozenset(one for one in situation.held if known.covering(one) is None)


def merged(some: Claims, others: Claims) -> Claims:
    """The union of claims, labels sorted."""
    if not (some and others):
        return some or others
    both = {
        network: tuple(sorted({*some[network], *others[network]}))
        for network in some.keys() & others.keys()
    }
    return {**some, **others, **both}


def without_claims(claims: Claims, taken: Claims) -> dict[Network, tuple[str, ...]]:
    """The claims that are not among others."""
    found = {}
    for network, hosts in claims.items():
        still = taken.get(network)
        if still is None:
            found[network] = hosts
        elif still != hosts:
            left = tuple(host for host in hosts if host not in still)
            if left:
                found[network] = left
    return found


def owners(networks: Iterable[Network], claims: Claims) -> dict[Network, tuple[str, ...]]:
    """The hosts that claimed each of some entries, as far as remembered.

    An entry without a claim of its own is a piece of a wider one, beside foreign entries; or it is
    foreign itself, and no host claims it.
    """
    found = {network: claims.get(network, ()) for network in networks}
    pieces = [network for network, hosts in found.items() if not hosts]
    if pieces:
        widest = Coverage(claims)
        for piece in pieces:
            covering = widest.covering(piece)
            found[piece] = () if covering is None else claims[covering]
    return found


def arrange(claims: Claims, situation: Situation) -> Claims:
    """The entries that admit exactly the claimed networks.

    Without foreign entries' networks. Where entries may not overlap, also without covered networks;
    the wider entry has the labels of every host it admits.
    """
    if situation.capabilities.overlaps:
        others = situation.current.others
        return {one: hosts for one, hosts in claims.items() if one not in others}
    widest = Coverage(claims)
    labels: dict[Network, set[str]] = {network: set() for network in widest}
    for network, hosts in claims.items():
        covering = widest.covering(network)
        labels[network if covering is None else covering].update(hosts)
    covered = Coverage(situation.current.others)
    return {
        piece: tuple(sorted(hosts))
        for network, hosts in labels.items()
        for piece in without(network, covered)
    }


def as_entries(claims: Claims) -> tuple[Entry, ...]:
    """Claims in the order of a plan."""
    return sorted_entries(Entry(network, hosts) for network, hosts in claims.items())


def hosts_of(claims: Claims) -> Iterator[str]:
    """Yield every host with a claim, once for each claim."""
    for hosts in claims.values():
        yield from hosts
