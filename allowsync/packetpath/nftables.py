"""The ruleset of nftables: listed by netlink, and loaded from that list unchanged.

`nft list ruleset` is no copy: it cannot be loaded where iptables-nft made rules with extensions.
"""

from __future__ import annotations

import errno
import os
import struct
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from allowsync.packetpath.netlink import (
    APPEND,
    CREATE,
    NETFILTER,
    Attributes,
    ListingInterrupted,
    Netlink,
    attributes,
    first,
    given,
    native,
    number,
    packed,
    text,
    without,
)
from allowsync.packetpath.question import PacketsUnavailable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Request: TypeAlias = tuple[int, int, bytes]

# Messages that create, and those that list the same.
_NEW_TABLE, _NEW_CHAIN, _NEW_RULE, _NEW_SET = 0, 3, 6, 9
_NEW_ELEMENT, _NEW_OBJECT, _NEW_FLOWTABLE = 12, 18, 22
_TABLES, _CHAINS, _RULES, _SETS, _ELEMENTS, _OBJECTS, _FLOWTABLES = 1, 4, 7, 10, 13, 19, 23
DUMP: Final = 0xA00
_DEVICE, _DEVICES = 3, 4  # NFTA_HOOK_DEV, NFTA_HOOK_DEVS
_ATTEMPTS: Final = 5
_QUOTA: Final = 2  # NFT_OBJECT_QUOTA
_SET_TIMEOUT: Final = 11  # NFTA_SET_TIMEOUT
# Steps that the kernel may list in a form that it refuses.
_REFUSED: Final = frozenset({"dynset", "exthdr", "quota", "osf"})

INET, IPV4, ARP, NETDEV, BRIDGE, IPV6 = 1, 2, 3, 5, 7, 10
FAMILIES: Final = {
    INET: "inet", IPV4: "ip", ARP: "arp", NETDEV: "netdev", BRIDGE: "bridge", IPV6: "ip6"
}  # fmt: skip


class NftObject(NamedTuple):
    """A table, chain, rule, set or the like: its family, and its attributes as listed."""

    family: int
    held: Attributes


class Expression(NamedTuple):
    """A step of a rule: its kind, such as `cmp` or `match`, and its operands."""

    kind: str
    held: Attributes


class KernelRuleset(NamedTuple):
    """All of nftables, as listed."""

    tables: tuple[NftObject, ...]
    chains: tuple[NftObject, ...]
    sets: tuple[NftObject, ...]
    rules: tuple[NftObject, ...]
    objects: tuple[NftObject, ...]
    flowtables: tuple[NftObject, ...]
    elements: tuple[bytes, ...]


def expressions(rule: Attributes) -> tuple[Expression, ...]:
    """Return the steps of a rule."""
    return _opened(given(rule, 4))


@cache  # each rule is read for a dozen purposes
def _opened(steps: bytes) -> tuple[Expression, ...]:
    opened = [attributes(one) for _, one in attributes(steps)]
    return tuple(Expression(text(first(one, 1)), attributes(given(one, 2))) for one in opened)


def header(family: int) -> bytes:
    """Return the header of messages about nftables."""
    return struct.pack(">BBH", family, 0, 0)


def devices(chain: Attributes) -> Iterator[str]:
    """Yield the interfaces that a chain is bound to, at ingress or egress."""
    for kind, value in attributes(given(chain, 4)):
        if kind & 0x3FFF == _DEVICE:
            yield text(value)
        elif kind & 0x3FFF == _DEVICES:
            yield from (text(one) for _, one in attributes(value))


def list_ruleset() -> KernelRuleset:
    """List the ruleset of the current network namespace.

    Raises:
        PacketsUnavailable: The rights are missing, or the ruleset keeps changing.
    """
    try:
        netlink = Netlink(NETFILTER)
    except OSError as error:
        raise PacketsUnavailable(f"the kernel lists no nftables rules: {error.strerror}") from error
    try:
        for _ in range(_ATTEMPTS):
            try:
                return _listed(netlink)
            except ListingInterrupted:
                continue
            except OSError as error:
                if error.errno != errno.ENOENT:  # a table was deleted meanwhile
                    raise PacketsUnavailable(
                        f"nftables cannot be listed: {error.strerror}"
                    ) from error
    finally:
        netlink.close()
    raise PacketsUnavailable("the nftables ruleset keeps changing")


def _listed(netlink: Netlink) -> KernelRuleset:
    def every(kind: int) -> tuple[NftObject, ...]:
        bodies = netlink.dump(DUMP | kind, header(0))
        return tuple(NftObject(one[0], attributes(one[4:])) for one in bodies)

    def some(kind: int) -> tuple[NftObject, ...]:
        try:
            return every(kind)
        except OSError as error:
            if error.errno in (errno.EOPNOTSUPP, errno.EINVAL):  # a kernel without them
                return ()
            raise

    tables, chains, sets, rules = (every(one) for one in (_TABLES, _CHAINS, _SETS, _RULES))
    elements: list[bytes] = []
    for family, held in sets:
        which = header(family) + packed([(1, given(held, 1)), (2, given(held, 2))])
        elements += netlink.dump(DUMP | _ELEMENTS, which)
    objects, flowtables = some(_OBJECTS), some(_FLOWTABLES)
    return KernelRuleset(tables, chains, sets, rules, objects, flowtables, tuple(elements))


def load(ruleset: KernelRuleset) -> list[str]:
    """Load a ruleset into the current network namespace. Returns the refused parts."""
    elements = [(_NEW_ELEMENT, CREATE, one) for one in _elements(ruleset)]
    rules = [_rule(one) for one in ruleset.rules]
    frame = _frame(ruleset, anonymous=False)
    netlink = Netlink(NETFILTER)
    try:
        return [*_send(netlink, frame), *_send(netlink, elements), *_send(netlink, rules)]
    finally:
        netlink.close()


def load_for_words(ruleset: KernelRuleset) -> list[str]:
    """Load the objects that `nft` needs to print rules, anonymous sets as such, in one go."""
    anonymous = {
        (family, given(held, 1), given(held, 2))
        for family, held in ruleset.sets
        if number(first(held, 3)) & 1
    }

    def is_shown(body: bytes) -> bool:
        held = attributes(body[4:])
        key = (body[0], given(held, 1), given(held, 2))
        return key in anonymous and first(held, 3) is not None

    elements = [(_NEW_ELEMENT, CREATE, one) for one in ruleset.elements if is_shown(one)]
    rules = [_rule(one) for one in ruleset.rules]
    netlink = Netlink(NETFILTER)
    try:
        return _send(netlink, _frame(ruleset, anonymous=True) + elements + rules)
    finally:
        netlink.close()


def _elements(ruleset: KernelRuleset) -> Iterator[bytes]:
    """Yield elements in loadable form: an interval's end without its listed timeout."""
    timed = {
        (family, given(held, 1), given(held, 2))
        for family, held in ruleset.sets
        if first(held, _SET_TIMEOUT) is not None
    }
    for body in ruleset.elements:
        held = attributes(body[4:])
        if first(held, 3) is None:
            continue
        if (body[0], given(held, 1), given(held, 2)) in timed:
            kept = [(kind, _loadable_elements(v) if kind & 0x3FFF == 3 else v) for kind, v in held]
            body = body[:4] + packed(kept)
        yield body


def _loadable_elements(listed: bytes) -> bytes:
    several = [(kind, attributes(value)) for kind, value in attributes(listed)]
    return packed(
        [
            (kind, packed(without(held, 4) if number(first(held, 3)) & 1 else held))
            for kind, held in several
        ]
    )


def _frame(ruleset: KernelRuleset, *, anonymous: bool) -> list[Request]:
    """Return the requests for all but elements and rules; handles number sets in the copy."""
    requests = []
    for family, held in ruleset.tables:  # without an owner, not persistent
        requests.append((_NEW_TABLE, CREATE, family, _flags(without(held, 3, 4, 7), 2, 1)))
    for family, held in ruleset.objects:
        kept = without(held, 5, 6)
        if number(first(held, 3)) == _QUOTA:
            kept = [
                (kind, packed(_flags(attributes(value), 2, 1)) if kind & 0x3FFF == 4 else value)
                for kind, value in kept
            ]
        requests.append((_NEW_OBJECT, CREATE, family, kept))
    keep = 0xFFFFFFFF if anonymous else 0xFFFFFFFE  # named ones may wait for their rules
    for position, (family, held) in enumerate(ruleset.sets, 1):
        named = _flags(without(held, 16, 19, 20), 3, keep)
        requests.append((_NEW_SET, CREATE, family, [*named, (10, struct.pack(">I", position))]))
    for family, held in ruleset.chains:
        requests.append((_NEW_CHAIN, CREATE, family, _flags(without(held, 2, 6, 8), 10, 1)))
    for family, held in ruleset.flowtables:
        requests.append((_NEW_FLOWTABLE, CREATE, family, _flags(without(held, 4, 5), 7, 0)))
    return [(kind, how, header(family) + packed(held)) for kind, how, family, held in requests]


def _flags(held: Attributes, kind: int, keep: int) -> Attributes:
    """Mask the flags in attributes of one kind."""

    def kept(one: int, value: bytes) -> bytes:
        return struct.pack(">I", number(value) & keep) if one & 0x3FFF == kind else value

    return [(one, kept(one, value)) for one, value in held]


def _rule(rule: NftObject) -> Request:
    body, steps = without(rule.held, 3, 6, 9), expressions(rule.held)
    if any(one.kind in _REFUSED for one in steps):
        body = with_steps(body, [_loadable(one) for one in steps])
    if any(one.kind in ("match", "target") for one in steps):
        body.append((0x8005, packed(_compatibility(steps, rule.family))))
    return (_NEW_RULE, CREATE | APPEND, header(rule.family) + packed(body))


def with_steps(rule: Attributes, steps: Sequence[Expression]) -> Attributes:
    """Return a rule with other steps."""
    written = [
        (1, packed([(1, one.kind.encode() + b"\0"), (0x8002, packed(one.held))])) for one in steps
    ]
    return [(kind, packed(written) if kind & 0x3FFF == 4 else value) for kind, value in rule]


def _loadable(step: Expression) -> Expression:
    """Leave out the listed attributes of a step that the kernel refuses."""
    if step.kind == "dynset":  # a timeout of 0 is none
        kept = [(kind, value) for kind, value in step.held if kind != 6 or any(value)]
    elif step.kind == "quota":  # the flag follows from the amount used
        kept = _flags(step.held, 2, 1)
    elif step.kind == "osf" and not any(given(step.held, 3)):  # flags are one that is, or none
        kept = without(step.held, 3)
    elif step.kind == "exthdr" and first(step.held, 7) is not None:  # sets a part of a header
        kept = without(step.held, 5)
    elif step.kind == "exthdr" and first(step.held, 1) is None:  # removes a TCP option
        kept = without(step.held, 3, 4, 5)
    else:
        return step
    return Expression(step.kind, kept)


def _compatibility(steps: Sequence[Expression], family: int) -> Attributes:
    """Return the protocol for the extensions of a rule: the kernel does not list it."""
    loads = _loads_ethernet_type if family == BRIDGE else _loads_protocol
    protocol, inverted = 0, False
    for before, after in pairwise(steps):
        if after.kind == "cmp" and loads(before):
            # As ebtables has it, in the byte order of the packet.
            protocol = native(given(attributes(given(after.held, 3)), 1))
            inverted = number(first(after.held, 2)) != 0
            break
    flags = 2 if protocol and inverted else 0
    return [(1, struct.pack(">I", protocol)), (2, struct.pack(">I", flags))]


def _loads_protocol(step: Expression) -> bool:
    if step.kind == "meta":
        return number(first(step.held, 2)) == 16
    where, length = number(first(step.held, 3)), number(first(step.held, 4))
    return step.kind == "payload" and where in (6, 9) and length == 1


def _loads_ethernet_type(step: Expression) -> bool:
    if step.kind == "meta":
        return number(first(step.held, 2)) == 1
    place = (number(first(step.held, kind)) for kind in (2, 3, 4))
    return step.kind == "payload" and tuple(place) == (0, 12, 2)


def _send(netlink: Netlink, requests: list[Request]) -> list[str]:
    """Send requests in as few batches as possible."""
    refused: list[str] = []
    part: list[Request] = []
    size = 0
    for one in requests:
        length = len(one[2]) + 32
        if part and size + length > netlink.largest_batch:
            refused += _refused(netlink, part)
            part, size = [], 0
        part.append(one)
        size += length
    if part:
        refused += _refused(netlink, part)
    return refused


def _refused(netlink: Netlink, part: list[Request]) -> list[str]:
    return [
        f"nftables: {_named(part, one.position)}: {one.said or os.strerror(one.errno)}"
        for one in netlink.batch(part)
    ]


def _named(part: list[Request], position: int) -> str:
    if not 0 <= position < len(part):
        return "batch"
    kind, _, body = part[position]
    held = attributes(body[4:])
    names = " ".join(text(first(held, one)) for one in (1, 2) if kind or one == 1)
    return f"{FAMILIES.get(body[0], '')} {names}".strip()
