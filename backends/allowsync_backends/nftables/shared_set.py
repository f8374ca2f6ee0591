"""A set of the user's own ruleset, as values: its elements by owner. Pure.

Ours carry the comment `allowsync:<allowlist>`, of a denylist `allowsync:<denylist>:blocked`. All
others are foreign and are not touched, except those with a timeout: a host must not lose access
when they expire, so ours replace them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

from allowsync.backend.api import BackendError
from allowsync.model.networks import Coverage, without
from allowsync.model.target import Effect
from allowsync.model.types import Family
from allowsync.model.value import Value
from allowsync_backends.nftables.gate import SET_TYPES, as_element
from allowsync_backends.nftables.nft_json import Element, Json, elements, objects
from allowsync_backends.nftables.scripts import overlapping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from allowsync.model.types import Network

# Declarations of a set by `typeof` whose elements are addresses (nft(8)).
_TYPEOF: Final = {
    Family.IPV4: {("ip", "saddr"), ("ip", "daddr"), ("arp", "saddr ip"), ("arp", "daddr ip")},
    Family.IPV6: {("ip6", "saddr"), ("ip6", "daddr"), ("icmpv6", "taddr")},
}
# A comment that a script can quote.
_QUOTABLE: Final = re.compile(r'[^"\x00-\x1f\x7f]+')
_CONNECTION: Final = {Family.IPV4: "ip", Family.IPV6: "ip6"}


class SharedSet(Value):
    """One set, as found.

    Attributes:
        place: Family, table and name: `inet filter trusted4`.
        family: The family of its elements.
        interval: Whether it holds networks, or single addresses only.
        size: The limit of its elements; None without one.
        ours: Elements with our comment.
        others: All other elements, also those with a timeout.
        turned: Elements of ours for the opposite effect.
    """

    place: str
    family: Family
    interval: bool
    size: int | None
    ours: tuple[Element, ...]
    others: tuple[Element, ...]
    turned: tuple[Element, ...] = ()

    def networks_of_others(self, *, temporary: bool) -> Iterator[Network]:
        """Yield others' elements: those with a timeout, or those without."""
        for element in self.others:
            if bool(element.lifetime) is temporary:
                yield from element.networks


def mark_of(name: str, effect: Effect) -> str:
    """Return the comment that marks an element as ours."""
    return f"allowsync:{name}:blocked" if effect is Effect.DENY else f"allowsync:{name}"


def shared_set(
    place: str, family: Family, mark: str, listing: str, opposite: str | None = None
) -> SharedSet:
    """Return the set in a listing; `opposite` is our mark of the opposite effect.

    Raises:
        ListingError: The listing cannot be parsed.
        BackendError: The set cannot be shared; with advice.
    """
    found = next((one for kind, one in objects(listing) if kind == "set"), {})
    _refuse_unfit(place, family, found)
    members = elements(found, family)
    return SharedSet(
        place,
        family,
        "interval" in _flags(found),
        int(found["size"]) if "size" in found else None,
        tuple(one for one in members if one.comment == mark),
        tuple(one for one in members if one.comment not in (mark, opposite)),
        tuple(one for one in members if one.comment == opposite),
    )


def _holds_addresses(declared: Any, family: Family) -> bool:
    """Whether a set's type is that of addresses, also in nft 1.1's form of `typeof`."""
    match declared:
        case {"typeof": {"payload": {"protocol": str(protocol), "field": str(name)}}}:
            return (protocol, name) in _TYPEOF[family]
        case {"typeof": {"ct": {"key": str(key)}}}:
            spoken = _CONNECTION[family]
            return key in (f"{spoken} saddr", f"{spoken} daddr")
        case other:
            return bool(other == SET_TYPES[family])


def _flags(found: Json) -> Sequence[str]:
    flags = found.get("flags", ())
    return (flags,) if isinstance(flags, str) else flags


def _refuse_unfit(place: str, family: Family, found: Json) -> None:
    needed = SET_TYPES[family]
    if not _holds_addresses(found.get("type"), family):
        raise BackendError(f"set {place} is not of type {needed}; name one that is")
    if "constant" in _flags(found):
        raise BackendError(f"set {place} is constant and cannot be filled; take the flag away")
    if found.get("timeout"):
        what = "would lose our entries between two runs, for it has a timeout"
        raise BackendError(f"set {place} {what}; name one without")
    if found.get("auto-merge"):
        raise BackendError(merging(place))


def merging(place: str) -> str:
    """Return why a set with auto-merge is refused."""
    return (
        f"set {place} has auto-merge: adjacent elements merge, and lose their owner's comment; "
        "remove the flag, or create a second set for allowsync"
    )


def merges(text: str) -> bool:
    """Whether a set has auto-merge, from its listing as text: nft 1.0.6 leaves it out of JSON."""
    return any(line.strip() == "auto-merge" for line in text.splitlines())


def odd(one: SharedSet) -> tuple[Element, ...]:
    """Return useless elements with our mark: ranges, those with a timeout, turned ones."""
    return (*(element for element in one.ours if not element.plain), *one.turned)


def removal(one: SharedSet, texts: Iterable[str]) -> str:
    """Return the commands that delete elements, present or not; empty for none."""
    members = ", ".join(texts)
    if not members:
        return ""
    # Deleting a missing element would abort the whole script, so it is added first.
    return f"add element {one.place} {{ {members} }}\ndelete element {one.place} {{ {members} }}\n"


def addition(one: SharedSet, networks: Iterable[Network], mark: str) -> str:
    """Return the command that adds networks as ours; empty for none."""
    members = ", ".join(f'{as_element(network)} comment "{mark}"' for network in networks)
    return f"add element {one.place} {{ {members} }}\n" if members else ""


class SetChange(Value):
    """The networks to remove from a set, to add, and to hold in the end."""

    remove: tuple[Network, ...]
    add: tuple[Network, ...]
    final: tuple[Network, ...]


def scripts(one: SharedSet, change: SetChange, mark: str) -> tuple[str, ...]:
    """Return the transactions that carry out a change, one where that is possible.

    nft compares new intervals with those present at the start, even with those that the same script
    deletes. A network that replaces a wider or a narrower one therefore needs a refill of the set,
    or, where others' elements would be flushed with ours, a second transaction.
    """
    strange = odd(one)
    add = change.final if strange else change.add
    displaced = _displaced(one, add)
    gone = [as_element(network) for network in change.remove]
    gone += [element.text for element in (*strange, *displaced)]
    cut = [element for element in displaced if not set(element.networks) <= set(add)]
    clashing = bool(strange or cut) or overlapping(change.add, change.remove)
    if not (one.interval and clashing):
        return (removal(one, gone) + addition(one, add, mark),)
    if not one.others:
        return (f"flush set {one.place}\n" + addition(one, change.final, mark),)
    rest = "".join(_rest(one, element, add) for element in cut)
    return (removal(one, gone), addition(one, change.final, mark) + rest)


def _displaced(one: SharedSet, networks: Iterable[Network]) -> list[Element]:
    """Return others' elements with a timeout in the place of ours."""
    passing = [element for element in one.others if element.lifetime]
    if not passing:
        return []
    coming = list(networks)
    return [element for element in passing if overlapping(element.networks, coming)]


def _rest(one: SharedSet, element: Element, networks: Iterable[Network]) -> str:
    """Return the command that restores the rest of another's element, with its remaining lifetime.

    Empty where its last second has begun.
    """
    taken = Coverage(networks)
    left = [piece for network in element.networks for piece in without(network, taken)]
    if not left or element.lifetime.endswith(" 0s"):
        return ""
    said = f' comment "{element.comment}"' if _QUOTABLE.fullmatch(element.comment) else ""
    members = ", ".join(f"{as_element(piece)} {element.lifetime}{said}" for piece in left)
    return f"add element {one.place} {{ {members} }}\n"
