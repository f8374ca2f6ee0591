"""Judges a listing of the gate's table against the wanted gate. Pure."""

from __future__ import annotations

from allowsync.model.target import Current, Effect, Traffic
from allowsync.model.types import BOTH_FAMILIES, Entry, Family
from allowsync.typed import TYPE_CHECKING, Any
from allowsync_backends.nftables.gate import (
    CHAINS,
    PRIORITY,
    SEEN_BITS,
    SEEN_FOR,
    SET_TYPES,
    NftGate,
    seen_set,
)
from allowsync_backends.nftables.nft_json import (
    Element,
    Json,
    NftListingError,
    elements,
    leaves,
    objects,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync.model.types import Network

_OTHER = {Effect.ALLOW: "a denylist", Effect.DENY: "an allowlist"}
_CHAIN = {"type": "filter", "prio": PRIORITY, "policy": "accept"}


def absent(gate: NftGate) -> Current:
    """Return the state without the table."""
    traffic = Traffic(anew=True) if gate.sets else None
    return Current(flaws=(f"table inet {gate.table} does not exist",), traffic=traffic)


def dormant(gate: NftGate, text: str) -> bool:
    """Whether a table is dormant, from its listing as text.

    nft 1.0.6 crashes, or prints garbage, when it lists such a table as JSON.
    """
    lines = [line.strip() for line in text.splitlines()[:2]]
    return lines[:1] == [f"table inet {gate.table} {{"] and "dormant" in " ".join(lines[1:])


def switched_off(gate: NftGate) -> str:
    """Return the flaw of a dormant table."""
    return f"table inet {gate.table} is switched off, or has flags that are not ours"


def current(gate: NftGate, listing: str) -> Current:
    """Return the content of the gate's table, and its faults.

    Where its rules have the other effect, its networks do not count: blocked networks are no hosts'
    whose access is to stay.

    Raises:
        NftListingError: The listing cannot be parsed.
    """
    listed = objects(listing)
    named = [one for kind, one in listed if kind == "table"]
    if not named:
        raise NftListingError("nft listed no table")
    sets = {one.get("name"): one for kind, one in listed if kind == "set"}
    held = {
        family: elements(sets[family.value], family)
        for family in BOTH_FAMILIES
        if sets.get(family.value, {}).get("type") == SET_TYPES[family]
    }
    rules = [one for kind, one in listed if kind == "rule"]
    other = _effect(rules) not in (None, gate.effect)
    flaws = [
        *([f"table inet {gate.table} is that of {_OTHER[gate.effect]}"] if other else []),
        *([switched_off(gate)] if named[0].get("flags") else []),
        *_set_flaws(gate, sets, held),
        *_chain_flaws([one for kind, one in listed if kind == "chain"]),
        *_rule_flaws(gate, rules),
        *_foreign(gate, listed, sets),
    ]
    return Current(
        frozenset() if other else frozenset(map(Entry, _networks(held.values()))),
        flaws=tuple(flaws),
        traffic=_traffic(sets, flaws) if gate.sets else None,
    )


def _traffic(sets: dict[Any, Json], flaws: Sequence[str]) -> Traffic:
    return Traffic(dict(_seen(sets)), anew=bool(flaws), remembers=SEEN_FOR)


def _effect(rules: Iterable[Json]) -> Effect | None:
    """Return the rules' effect on the sets; None where none of them drops by one."""
    found = [leaves(one.get("expr")) for one in rules]
    by_set = [said for said in found if "drop" in said and any(one[:1] == "@" for one in said)]
    if not by_set:
        return None
    return Effect.ALLOW if any("!=" in said for said in by_set) else Effect.DENY


def _seen(sets: dict[Any, Json]) -> Iterator[tuple[Network, int]]:
    """Yield each recorded source with the age of its last packet, in seconds."""
    for family in BOTH_FAMILIES:
        found = sets.get(seen_set(family))
        for one in elements(found, family) if found and _remembers(found, family) else ():
            if one.rest is not None:
                narrow = SEEN_BITS[family]
                yield one.networks[0].supernet(new_prefix=narrow), max(SEEN_FOR - one.rest, 0)


def mendable(listing: str, gate: NftGate) -> bool:
    """Whether a table's chains and sets are sound: only rules and elements may be wrong.

    A missing chain is allowed, for it can be added without harm.
    """
    try:
        listed = objects(listing)
    except NftListingError:
        return False
    sets = {one.get("name"): one for kind, one in listed if kind == "set"}
    sound = {family for family in BOTH_FAMILIES if _is_sound(sets.get(family.value), family)}
    return (
        sound == set(BOTH_FAMILIES)
        and all(
            name not in sets or _remembers(sets[name], family) for name, family in gate.sets.items()
        )
        and not any(one.get("flags") for kind, one in listed if kind == "table")
        and all(_is_hooked(one) for kind, one in listed if kind == "chain")
        and not any(_foreign(gate, listed, sets))
    )


def _networks(held: Iterable[Sequence[Element]]) -> Iterator[Network]:
    return (network for found in held for element in found for network in element.networks)


def _set_flaws(
    gate: NftGate, sets: dict[Any, Json], held: dict[Family, tuple[Element, ...]]
) -> Iterator[str]:
    for family in BOTH_FAMILIES:
        name = family.value
        if name not in sets:
            yield f"set {name} does not exist"
        elif not _is_sound(sets[name], family):
            yield f"set {name} is of another type, or has other flags"
        elif not all(element.plain for element in held[family]):
            yield f"set {name} holds ranges, or elements that expire"
        elif gate.sets and not _remembers(sets.get(seen_set(family)), family):
            yield f"set {seen_set(family)} does not exist, or is of another type"


def _remembers(listed: Json | None, family: Family) -> bool:
    """Whether a set of recorded sources is as we would create it."""
    if listed is None or listed.get("type") != SET_TYPES[family]:
        return False
    return listed.get("timeout") == SEEN_FOR and not listed.get("map")


def _is_sound(listed: Json | None, family: Family) -> bool:
    """Whether a set is as we would create it, apart from its elements."""
    if listed is None or listed.get("type") != SET_TYPES[family]:
        return False
    foreign = any(listed.get(key) for key in ("timeout", "size", "auto-merge", "stmt", "map"))
    return listed.get("flags") in (["interval"], "interval") and not foreign


def _chain_flaws(chains: list[Json]) -> Iterator[str]:
    named = {chain.get("name"): chain for chain in chains}
    for name in CHAINS:
        if name not in named:
            yield f"chain {name} does not exist"
        elif not _is_hooked(named[name]):
            yield f"chain {name} has another hook, priority or policy"


def _is_hooked(chain: Json) -> bool:
    """Whether a chain is one of ours, with the right hook."""
    meant = {**_CHAIN, "hook": CHAINS.get(str(chain.get("name")))}
    return all(chain.get(key) == value for key, value in meant.items())


def _rule_flaws(gate: NftGate, rules: list[Json]) -> Iterator[str]:
    # In listing order: all of one chain, then all of the other.
    there = [rule.get("comment") for name in CHAINS for rule in rules if rule.get("chain") == name]
    meant = list(gate.comments)
    ours = [comment for comment in there if comment in meant]
    if meant and not ours and any(_is_marked(comment) for comment in there):
        yield "the rules of the gate are not those of the configuration"
        return
    if set(ours) != set(meant):
        yield "a rule of the gate is missing"
    if len(there) != len(set(ours)):
        yield "the gate has a rule that does not belong there"
    elif ours != meant[: len(ours)] and set(ours) == set(meant):
        yield "the rules of the gate are in another order"
    if _changed(gate, rules):
        yield "a rule of the gate says something else"


def _is_marked(comment: Any) -> bool:
    return isinstance(comment, str) and comment.startswith("allowsync:")


def _changed(gate: NftGate, rules: list[Json]) -> bool:
    """Whether a rule with one of our comments differs from ours."""
    meant = {
        comment: (rule.chain, leaves(rule.expressions))
        for comment, rule in zip(gate.comments, gate.rules, strict=True)
    }
    return any(
        (rule.get("chain"), leaves(rule.get("expr"))) != meant[rule["comment"]]
        for rule in rules
        if rule.get("comment") in meant
    )


def _foreign(
    gate: NftGate, listed: Sequence[tuple[str, Json]], sets: dict[Any, Json]
) -> Iterator[str]:
    """Report objects in our table that we never create."""
    kinds = {"table", "set", "chain", "rule"}
    known = {*(family.value for family in BOTH_FAMILIES), *gate.sets}
    chains = {one.get("name") for kind, one in listed if kind == "chain"}
    if not {kind for kind, _ in listed} <= kinds or sets.keys() - known or chains - CHAINS.keys():
        yield "the table holds something that does not belong there"
