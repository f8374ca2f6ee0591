"""Judges a snapshot of firewalld against the wanted state. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.target import Current
from allowsync.model.types import Entry, Family
from allowsync.model.value import Value
from allowsync.text import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from allowsync.model.types import Network
    from allowsync_backends.firewalld.rules import ZoneRules
    from allowsync_backends.firewalld.sets import FirewalldSet

LOAD: Final = (
    "'firewall-cmd --reload' loads what is on the disk; it removes what was set without "
    "--permanent, which 'firewall-cmd --runtime-to-permanent' keeps"
)


class FirewalldSnapshot(Value):
    """The state of a target in firewalld.

    Attributes:
        mark: The mark of the allowlist.
        families: The names of our sets, each with its family.
        in_force: The loaded ones, by name.
        kept: Those on the disk, by name.
        rules: Our rules of the zone; None where the target has none.
        wanted: The wanted rules.
        elsewhere: Rules of ours in other zones, where none are wanted.
    """

    mark: str
    families: Mapping[str, Family]
    in_force: Mapping[str, FirewalldSet]
    kept: Mapping[str, FirewalldSet]
    rules: ZoneRules | None = None
    wanted: frozenset[str] = frozenset()
    elsewhere: tuple[ZoneRules, ...] = ()

    @property
    def foreign(self) -> tuple[str, ...]:
        """The sets of our names that are not ours, or of another kind."""
        return tuple(
            name
            for name, family in self.families.items()
            for layer in (self.in_force, self.kept)
            if name in layer and not layer[name].is_ours(self.mark, family)
        )

    @property
    def networks(self) -> frozenset[Network]:
        """The networks of our sets in force."""
        ours = [one for name, one in self.in_force.items() if name not in self.foreign]
        return frozenset(network for one in ours for network in one.networks)


def current(seen: FirewalldSnapshot, *, reload: bool) -> Current:
    """Return the state in force, and its faults, or those of the next reload."""
    obstacles = refusals(seen) | ({} if reload else _waiting(seen))
    flaws = (*obstacles, *_flaws(seen), *_rule_flaws(seen))
    return Current(
        frozenset(map(Entry, seen.networks)),
        flaws=tuple(dict.fromkeys(flaws)),
        obstacles=obstacles,
    )


def refusals(seen: FirewalldSnapshot) -> dict[str, str]:
    """Return the reasons why nothing may be changed, each with advice."""
    found: dict[str, str] = {}
    for name in seen.foreign:
        what = f"ipset {name} of firewalld is not allowsync's, or cannot hold networks for good"
        found[what] = (
            "rename the allowlist, or remove what uses the set, and the set: "
            f"firewall-cmd --permanent --delete-ipset={name}; firewall-cmd --reload"
        )
    if seen.rules is not None and (seen.rules.in_force is None or not seen.rules.path):
        what = f"firewalld has no zone {seen.rules.zone}, or has it on the disk only"
        found[what] = "see 'firewall-cmd --get-zones' for the zones there are"
    return found


def _waiting(seen: FirewalldSnapshot) -> dict[str, str]:
    """Return parts that a run cannot load by itself: on the disk alone, or about to be."""
    names = [name for name in seen.kept if name not in seen.in_force]
    missing = [name for name in seen.families if name not in {*seen.kept, *seen.in_force}]
    put = dict.fromkeys(map(_missing, missing), f"the next 'allowsync apply' writes it; {LOAD}")
    return put | dict.fromkeys(map(_not_loaded, names), LOAD)


def _missing(name: str) -> str:
    return f"ipset {name} is missing"


def _not_loaded(name: str) -> str:
    return f"ipset {name} is on the disk, but firewalld has not loaded it"


def _flaws(seen: FirewalldSnapshot) -> Iterator[str]:
    for name in seen.families:
        now, later = seen.in_force.get(name), seen.kept.get(name)
        if now is None and later is None:
            yield _missing(name)
        elif later is None:
            yield f"ipset {name} is not on the disk: a reload of firewalld would take it away"
        elif now is None:
            yield _not_loaded(name)
        elif now.networks != later.networks:
            yield f"ipset {name} on the disk holds other networks than what is in force"
        for layer in (now, later):
            if layer is not None and len(layer.networks) < len(layer.texts):
                yield f"ipset {name} holds what is no network, or one twice"


def _rule_flaws(seen: FirewalldSnapshot) -> Iterator[str]:
    if seen.rules is not None and seen.rules.in_force is not None:
        yield from _zone_flaws(seen.rules, seen.wanted)
    for one in seen.elsewhere:
        yield from _zone_flaws(one, frozenset())


def _zone_flaws(found: ZoneRules, wanted: frozenset[str]) -> Iterator[str]:
    for where, held in (("in force", found.in_force or frozenset()), ("on the disk", found.kept)):
        zone = f"zone {found.zone} {where}"
        if missing := wanted - held:
            yield f"{counted(len(missing), 'rule is', 'rules are')} missing from {zone}"
        if more := held - wanted:
            yield f"{counted(len(more), 'rule', 'rules')} of {zone} not as configured"
