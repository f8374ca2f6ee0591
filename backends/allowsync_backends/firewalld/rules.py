"""The rich rules of a zone that open ports to our sets (firewalld.richlanguage(5))."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from allowsync.model.value import Value
from allowsync_backends.common.firewalld_bus import PERMANENT, RUNTIME, FirewalldRefusal, method

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.model.types import Family
    from allowsync_backends.common.firewalld_bus import Bus, Call
    from allowsync_backends.common.ports import Port


class ZoneRules(Value):
    """The rules of a zone that open ports to our sets.

    Attributes:
        zone: The name of the zone.
        path: Its object on the disk; empty where there is none.
        in_force: Those in force; None where firewalld has not loaded the zone.
        kept: Those on the disk.
    """

    zone: str
    path: str = ""
    in_force: frozenset[str] | None = None
    kept: frozenset[str] = frozenset()


def wanted(sets: Mapping[str, Family], ports: Iterable[Port]) -> frozenset[str]:
    """Return the wanted rules, in firewalld's form. Pure."""
    return frozenset(
        f'rule family="{family.value}" source ipset="{name}" '
        f'port port="{port.numbers}" protocol="{port.protocol.value}" accept'
        for name, family in sets.items()
        for port in ports
    )


def _ours(sets: Iterable[str], rules: Iterable[str]) -> frozenset[str]:
    names = "|".join(map(re.escape, sets))
    ours = re.compile(
        rf'rule family="ipv[46]" source ipset="({names})" port port="[0-9-]+" protocol="\w+" accept'
    )
    return frozenset(filter(ours.fullmatch, rules))


def look(bus: Bus, zone: str, sets: Iterable[str]) -> ZoneRules:
    """Return our rules of a zone.

    Raises:
        BackendError: They could not be read.
    """
    names, path, in_force, kept = tuple(sets), "", None, []
    try:
        path = bus.ask(method(PERMANENT, "config", "getZoneByName", "s", zone), "o")
        kept = bus.ask(method(path, "config.zone", "getRichRules"), "as")
        in_force = bus.ask(method(RUNTIME, "zone", "getRichRules", "s", zone), "as")
    except FirewalldRefusal as error:
        if error.code != "INVALID_ZONE":
            raise
    loaded = None if in_force is None else _ours(names, in_force)
    return ZoneRules(zone, path, loaded, _ours(names, kept))


def kept_changes(found: ZoneRules, rules: frozenset[str]) -> tuple[Call, ...]:
    """Return the calls after which the zone on the disk has exactly these rules of ours. Pure."""
    more, less = sorted(rules - found.kept), sorted(found.kept - rules)
    return (
        *(method(found.path, "config.zone", "addRichRule", "s", one) for one in more),
        *(method(found.path, "config.zone", "removeRichRule", "s", one) for one in less),
    )


def changes(found: ZoneRules, rules: frozenset[str]) -> tuple[Call, ...]:
    """Return the calls after which the zone in force has exactly these rules of ours. Pure."""
    held = found.in_force or frozenset()
    more, less = sorted(rules - held), sorted(held - rules)
    return (
        *(method(RUNTIME, "zone", "addRichRule", "ssi", found.zone, one, 0) for one in more),
        *(method(RUNTIME, "zone", "removeRichRule", "ss", found.zone, one) for one in less),
    )
