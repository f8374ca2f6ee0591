"""Our two sets: their names, the parsing of `ipset list`, and scripts that change them. Pure.

Those of a denylist have `skbinfo` (ipset(8)), which no rule reads, as the mark of their effect: it
changes together with the content of a set in one step, whatever rules there are.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING, Final

from allowsync.model.networks import beginning
from allowsync.model.target import Effect
from allowsync.model.types import Family
from allowsync.model.value import Value, field

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from allowsync.model.types import Network

TYPE: Final = "hash:net"
SHORTEST: Final = 1  # the widest network a set of that type takes, in bits

# ipset's default, at no cost: memory depends on the content of a set.
MIN_CAPACITY: Final = 65536
MIN_BUCKETS: Final = 1024

_FAMILIES: Final = {Family.IPV4: "inet", Family.IPV6: "inet6"}
_SUFFIXES: Final = {Family.IPV4: "4", Family.IPV6: "6"}

# Harmless traits of a set. All others change the meaning of its elements, or their lifetime.
_HARMLESS: Final = {"family", "hashsize", "maxelem", "bucketsize", "initval"}

_EXTENSIONS: Final = {Effect.ALLOW: "counters", Effect.DENY: "counters skbinfo"}
_OPPOSITE: Final = {Effect.ALLOW: "a denylist", Effect.DENY: "an allowlist"}

_COUNTED: Final = re.compile(r"\S+ packets ([0-9]+) bytes [0-9]+")
_SET_LINE: Final = re.compile('<ipset name="(.+)"/>')


class IpsetListingError(ValueError):
    """The output of a program is no listing of the requested kind."""


class Shape(Enum):
    """The kind of a set as found."""

    MISSING = "missing"
    SOUND = "sound"
    ODD = "odd"  # other flags, or elements that are no plain networks; can be swapped
    TURNED = "turned"  # of the opposite effect: its content is not ours; can be swapped
    FOREIGN = "foreign"  # of another type or family; cannot be swapped


class SetContent(Value):
    """A set as found.

    Attributes:
        shape: Its kind.
        networks: Its networks; none where they are unknown.
        references: The number of rules that use it.
        counts: The packets from each network; None without counters.
    """

    shape: Shape
    networks: tuple[Network, ...] = ()
    references: int = 0
    counts: tuple[int, ...] | None = field(default=None, compare=False)


def set_name(allowlist: str, family: Family) -> str:
    """Return the name of a set, of at most 30 characters; ipset allows 31."""
    return f"allowsync-{allowlist}-{_SUFFIXES[family]}"


def draft_name(name: str) -> str:
    """Return the name of the set that is filled before it replaces another."""
    return f"{name}t"


def names_in(listing: str) -> frozenset[str]:
    """Return the names in the output of `ipset -n -o xml list`, where they are not escaped.

    Raises:
        IpsetListingError: It cannot be parsed, or is not whole.
    """
    first, *lines = listing.split("\n")
    found = [_SET_LINE.fullmatch(line) for line in lines[:-2]]
    if (first, *lines[-2:]) != ("<ipsets>", "</ipsets>", "") or None in found:
        raise IpsetListingError("ipset printed something that is not a listing of its sets")
    return frozenset(one[1] for one in found if one)


def held(listing: str, name: str, family: Family, effect: Effect = Effect.ALLOW) -> SetContent:
    """Parse the output of `ipset list NAME`, for a set of that effect.

    Raises:
        IpsetListingError: It cannot be parsed, or is not whole.
    """
    head, marker, body = listing.partition("Members:\n")
    facts = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    if not marker or facts.get("Name") != name or "Header" not in facts:
        raise IpsetListingError(f"ipset printed something that is not a listing of set {name}")
    try:
        return _held(facts, body.splitlines(), family, effect)
    except (KeyError, ValueError) as error:
        raise IpsetListingError(
            f"set {name} is listed in a way that cannot be understood"
        ) from error


def _held(
    facts: Mapping[str, str], members: Sequence[str], family: Family, effect: Effect
) -> SetContent:
    traits, strange = _traits(facts["Header"])
    references = int(facts["References"])
    if facts["Type"] != TYPE or traits["family"] != _FAMILIES[family]:
        return SetContent(Shape.FOREIGN, references=references)
    if ("skbinfo" in traits) is not (effect is Effect.DENY):
        return SetContent(Shape.TURNED, references=references)
    networks = tuple(_network(member.split(" ", 1)[0], family) for member in members)
    counted = [_COUNTED.fullmatch(member) for member in members] if "counters" in traits else []
    if strange or (None in counted if counted else any(" " in member for member in members)):
        return SetContent(Shape.ODD, networks, references)
    if int(facts.get("Number of entries", len(networks))) != len(networks):
        raise ValueError(len(networks))
    counts = tuple(int(one[1]) for one in counted if one) if "counters" in traits else None
    return SetContent(Shape.SOUND, networks, references, counts)


def _traits(header: str) -> tuple[dict[str, str], bool]:
    """Return the traits in a header that every set has, and whether there are others."""
    words = iter(header.split())
    traits: dict[str, str] = {}
    strange = False
    for word in words:
        if word in _HARMLESS:
            traits[word] = next(words, "")
        elif word in ("counters", "skbinfo"):
            traits[word] = ""
        else:
            strange = True
    return traits, strange


def _network(text: str, family: Family) -> Network:
    start, slash, width = text.partition("/")
    network = beginning(start, int(width) if slash else family.bits)
    if Family.of(network) is not family:
        raise ValueError(text)
    return network


def flaws(name: str, found: SetContent, effect: Effect = Effect.ALLOW) -> Iterator[str]:
    """Report the faults of a set, in words."""
    match found.shape:
        case Shape.MISSING:
            yield f"set {name} does not exist"
        case Shape.ODD:
            yield f"set {name} has other flags, or elements that are no plain networks"
        case Shape.TURNED:
            yield f"set {name} is that of {_OPPOSITE[effect]}, which had the opposite effect"
        case Shape.FOREIGN:
            yield f"set {name} is of another type"
        case Shape.SOUND:
            return


def obstacle(name: str, found: SetContent) -> str:
    """Return advice for a set that can be neither swapped nor deleted; empty where it can."""
    if found.shape is not Shape.FOREIGN or not found.references:
        return ""
    return (
        f"set {name} is of another type, and rules use it, so it can be neither swapped nor "
        f"deleted; find them with 'iptables-save | grep {name}' and 'ip6tables-save | grep "
        f"{name}', delete them, then run again"
    )


def capacity_for(count: int) -> int:
    """Return the capacity of a new set: twice the number of elements, as a power of two."""
    return max(MIN_CAPACITY, 1 << (2 * count - 1).bit_length()) if count else MIN_CAPACITY


def in_place(add: Mapping[str, Iterable[Network]], remove: Mapping[str, Iterable[Network]]) -> str:
    """Return the script that changes sets in place: all additions before any deletion.

    If it ends half way, the sets hold more than wanted, never less. To be run with `-exist`, so
    that present or missing elements are no error.
    """
    lines = [f"add {name} {_text(one)}" for name, networks in add.items() for one in networks]
    lines += [f"del {name} {_text(one)}" for name, networks in remove.items() for one in networks]
    return _joined(lines)


def swapping(
    wanted: Mapping[str, tuple[Family, Sequence[Network]]], effect: Effect = Effect.ALLOW
) -> str:
    """Return the script that replaces the content of sets, each in one step, all at the end.

    For sets of the right type and family; others cannot be swapped.
    """
    return replacing(wanted, dict.fromkeys(wanted, Shape.SOUND), frozenset(), effect)


def replacing(
    wanted: Mapping[str, tuple[Family, Sequence[Network]]],
    shapes: Mapping[str, Shape],
    names: frozenset[str],
    effect: Effect = Effect.ALLOW,
) -> str:
    """Return the script that fills sets, in any state.

    Args:
        wanted: Family and networks of each set, by its name.
        shapes: The present kind of each.
        names: All present sets; a leftover draft is deleted first.
        effect: The effect that rules give to the sets.
    """
    lines = [f"destroy {draft_name(name)}" for name in wanted if draft_name(name) in names]
    for name, (family, networks) in wanted.items():
        lines += _filled(draft_name(name), family, networks, effect)
    after: list[str] = []
    for name in wanted:
        draft = draft_name(name)
        match shapes[name]:
            case Shape.SOUND | Shape.ODD | Shape.TURNED:
                lines.append(f"swap {draft} {name}")
                after.append(f"destroy {draft}")
            case Shape.FOREIGN:
                lines += [f"destroy {name}", f"rename {draft} {name}"]
            case Shape.MISSING:
                lines.append(f"rename {draft} {name}")
    return _joined([*lines, *after])


def _filled(
    name: str, family: Family, networks: Sequence[Network], effect: Effect
) -> Iterator[str]:
    count = len(networks)
    buckets = max(MIN_BUCKETS, 1 << (count // 2).bit_length())
    yield (
        f"create {name} {TYPE} family {_FAMILIES[family]} hashsize {buckets} "
        f"maxelem {capacity_for(count)} {_EXTENSIONS[effect]}"
    )
    yield from (f"add {name} {_text(network)}" for network in networks)


def _text(network: Network) -> str:
    if network.prefixlen == network.max_prefixlen:
        return str(network.network_address)
    return str(network)


def _joined(lines: Sequence[str]) -> str:
    return "\n".join([*lines, ""]) if lines else ""
