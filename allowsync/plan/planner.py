"""current + desired → Plan. Pure.

the target holds     wanted          not wanted, and …
yes                  keep            … labelled with a host that is not trusted here now: remove
                                     … labelled with an undecided host: withheld
                                     … inherited, and its time is not over: withheld
                                     … held back by a limit: withheld
                                     … anything else, a stranger's addition included: remove
no                   add             -
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.model.networks import Coverage, without
from allowsync.model.plan import Plan, sorted_entries
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import Entry, Family, Network, by_network
from allowsync.model.value import Value, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Situation(Value):
    """All that a plan is made from.

    Attributes:
        target: The target's full name.
        current: What it holds.
        wanted: Which networks it should hold, and for whom.
        labels: For whom each entry was put there, as far as that is remembered.
        trusted: The hosts that may have access here now: configured, and not ended.
        undecided: Those of them of which nothing is known.
        inherited: Entries of unknown origin.
        protected: Those of them whose time is not over.
        held_back: Entries a limit does not let go.
        capabilities: What the target can hold.
        replaced: Who has a network no longer than for a moment, having been given another.
        beside: The families that a target beside it holds in its stead: `table ip6` for `table ip`.
    """

    target: str
    current: Current
    wanted: Mapping[Network, tuple[str, ...]]
    labels: Mapping[Network, tuple[str, ...]] = field(default_factory=dict)
    trusted: frozenset[str] = frozenset()
    undecided: frozenset[str] = frozenset()
    inherited: frozenset[Network] = frozenset()
    protected: frozenset[Network] = frozenset()
    held_back: frozenset[Network] = frozenset()
    capabilities: Capabilities = field(default_factory=Capabilities)
    replaced: Mapping[Network, tuple[str, ...]] = field(default_factory=dict)
    beside: frozenset[Family] = frozenset()

    @property
    def wanted_beside(self) -> Mapping[Network, tuple[str, ...]]:
        """What of the wanted networks a target beside it holds in its stead."""
        if not self.beside:
            return {}
        return {one: hosts for one, hosts in self.wanted.items() if Family.of(one) in self.beside}


def make_plan(situation: Situation) -> Plan:
    """The difference between what a target holds and what it should hold."""
    held = {entry.network for entry in situation.current.entries}
    wanted = {
        network: labels
        for network, labels in situation.wanted.items()
        if situation.capabilities.holds(network)
    }
    withheld = {
        network: situation.labels.get(network, ())
        for network in held - wanted.keys()
        if _is_withheld(network, situation)
    }
    in_step = held == wanted.keys() and not situation.current.others
    final = wanted if in_step else _arrange({**withheld, **wanted}, situation)
    replaced = _replaced(wanted, withheld, situation)
    entries = {
        network: Entry(network, labels, replaced.get(network, ()))
        for network, labels in final.items()
    }
    return Plan(
        situation.target,
        add=sorted_entries(entries[network] for network in final.keys() - held),
        remove=sorted_entries(
            Entry(network, situation.labels.get(network, ())) for network in held - final.keys()
        ),
        keep=sorted_entries(entries[network] for network in final.keys() & held - withheld.keys()),
        withheld=sorted_entries(entries[network] for network in final.keys() & withheld.keys()),
        repair=(*situation.current.flaws, *_relabelled(entries, situation)),
    )


def unfit(situation: Situation) -> tuple[Entry, ...]:
    """What is wanted but held neither by the target, for its family or its width, nor beside it."""
    beside = situation.wanted_beside
    return sorted_entries(
        Entry(network, labels)
        for network, labels in situation.wanted.items()
        if not situation.capabilities.holds(network) and network not in beside
    )


def _replaced(
    wanted: Mapping[Network, tuple[str, ...]],
    withheld: Mapping[Network, tuple[str, ...]],
    situation: Situation,
) -> Mapping[Network, tuple[str, ...]]:
    """Who is about to leave a network, where that is written; also a host that has another one."""
    if not situation.capabilities.replaced:
        return {}
    elsewhere = {host for hosts in wanted.values() for host in hosts}
    held_back = {
        network: tuple(host for host in hosts if host in elsewhere)
        for network, hosts in withheld.items()
    }
    return {**situation.replaced, **held_back}


def _relabelled(final: Mapping[Network, Entry], situation: Situation) -> Iterator[str]:
    """What is not as it is written, where it is written whose an entry is. Unknown is no change."""
    if not situation.capabilities.labels:
        return
    other = [
        one.network
        for one in situation.current.entries
        if one.network in final and final[one.network].hosts and final[one.network] != one
    ]
    for network in sorted(other, key=by_network):
        hosts = final[network].hosts
        yield f"host labels of {network} are outdated ({', '.join(hosts)})"


def _is_withheld(network: Network, situation: Situation) -> bool:
    if network in situation.held_back or network in situation.protected:
        return True
    return not situation.undecided.isdisjoint(situation.labels.get(network, ()))


def _arrange(
    wanted: dict[Network, tuple[str, ...]], situation: Situation
) -> dict[Network, tuple[str, ...]]:
    """Leave out what a stranger holds already; where they may not overlap, also what is covered.

    The wider one takes over the labels of what it covers, so that no host seems to lose access.
    """
    if situation.capabilities.overlaps:
        others = situation.current.others
        return {one: hosts for one, hosts in wanted.items() if one not in others}
    widest = Coverage(wanted)
    labels: dict[Network, set[str]] = {network: set() for network in widest}
    for network, hosts in wanted.items():
        covering = widest.covering(network)
        labels[network if covering is None else covering].update(hosts)
    covered = Coverage(situation.current.others)
    return {
        piece: tuple(sorted(hosts))
        for network, hosts in labels.items()
        for piece in without(network, covered)
    }
