"""current + desired → Plan. Pure.

a claim           wanted          not wanted, and …
                  kept            … of a host that is not trusted here now: goes
                                  … of an undecided host: stays, unless it was taken back
                                  … of unknown origin, and its time is not over: stays
                                  … held back by a limit: stays
                                  … anything else, a stranger's addition included: goes

The target should hold the entries for the claims that stay, and nothing else. Claims are per host
(see `allowsync.plan.claims`); their arrangement as entries comes afterwards.
"""

from __future__ import annotations

from allowsync.model.plan import Plan, sorted_entries
from allowsync.model.types import Entry, Family, Network, by_network
from allowsync.model.value import Value
from allowsync.plan.claims import (
    Claims,
    Situation,
    arrange,
    as_entries,
    merged,
    owners,
    retained,
    without_claims,
)
from allowsync.typed import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from allowsync.model.target import Capabilities

__all__ = ["Planned", "Situation", "apart", "make_plan", "planned", "unfit"]

ANY_WIDTH: Final = {4: (0, 32), 6: (0, 128)}


class Planned(Value):
    """A plan, and the claims that its entries stand for once it is applied.

    `apart` are the claims of hosts where they differ from the entries, else None.
    """

    plan: Plan
    claims: Claims
    apart: tuple[Entry, ...] | None


def make_plan(situation: Situation) -> Plan:
    """The difference between the current and the desired entries of a target."""
    return planned(situation).plan


def planned(situation: Situation) -> Planned:
    """The plan, with the claims that stay."""
    held = situation.held
    wanted = _held_of(situation.wanted, situation.capabilities)
    stays = retained(situation)
    claims = merged(wanted, stays)
    in_step = held == claims.keys() and not situation.current.others
    final = claims if in_step else arrange(claims, situation)
    withheld = held & (stays.keys() - wanted.keys()) if stays else frozenset()
    replaced = _replaced(wanted, stays, situation)
    entries = {
        network: Entry(network, labels, replaced.get(network, ()) if replaced else ())
        for network, labels in final.items()
    }
    same = final.keys() == held
    stay = entries if same else {one: entries[one] for one in final.keys() & held}
    gone = {} if same else owners(held - final.keys(), situation.claims)
    plan = Plan(
        situation.target,
        add=() if same else sorted_entries(entries[one] for one in final.keys() - held),
        remove=sorted_entries(Entry(network, hosts) for network, hosts in gone.items()),
        keep=sorted_entries(
            one for network, one in stay.items() if not withheld or network not in withheld
        ),
        withheld=sorted_entries(entries[network] for network in final.keys() & withheld),
        repair=(*situation.current.flaws, *_relabelled(entries, situation)),
    )
    return Planned(plan, claims, None if final is claims else apart(final, claims))


def _held_of(wanted: Claims, capabilities: Capabilities) -> Claims:
    """The wanted networks that the target can hold."""
    widths = {4: capabilities.widths(Family.IPV4), 6: capabilities.widths(Family.IPV6)}
    if widths == ANY_WIDTH:
        return wanted
    return {
        network: hosts
        for network, hosts in wanted.items()
        if widths[network.version][0] <= network.prefixlen <= widths[network.version][1]
    }


def apart(entries: Claims, claims: Claims) -> tuple[Entry, ...] | None:
    """The claims of hosts that entries stand for; None where each stands for exactly its own."""
    if entries == claims:
        return None
    return as_entries({network: hosts for network, hosts in claims.items() if hosts})


def unfit(situation: Situation) -> tuple[Entry, ...]:
    """The wanted networks that neither the target, by family or width, nor another one can hold."""
    wanted = situation.wanted
    if (fits := _held_of(wanted, situation.capabilities)) is wanted:
        return ()
    lacking = {one: hosts for one, hosts in wanted.items() if one not in fits}
    return as_entries(without_claims(lacking, situation.wanted_beside))


def _replaced(
    wanted: Claims, stays: Claims, situation: Situation
) -> Mapping[Network, tuple[str, ...]]:
    """The hosts that are about to lose a network, where labels say so, or that have another one."""
    if not situation.capabilities.replaced:
        return {}
    elsewhere = {host for hosts in wanted.values() for host in hosts}
    held_back = {
        network: tuple(host for host in hosts if host in elsewhere)
        for network, hosts in stays.items()
        if network not in wanted
    }
    return {**situation.replaced, **held_back}


def _relabelled(final: Mapping[Network, Entry], situation: Situation) -> Iterator[str]:
    """The entries whose host labels are outdated, where labels are written. Unknown is no change.

    Where no host can be read, as a comment has no room for all, the labels last written count.
    """
    if not situation.capabilities.labels:
        return
    entries = situation.current.entries
    other = {
        one.network
        for one in entries
        if one.network in final and final[one.network].hosts and final[one.network] != one
    }
    unread = {one.network for one in entries if one.network in other and not one.hosts}
    if unread:
        before = arrange(situation.claims, situation)
        other -= {one for one in unread if before.get(one) == final[one].hosts}
    for network in sorted(other, key=by_network):
        hosts = final[network].hosts
        yield f"host labels of {network} are outdated ({', '.join(hosts)})"
