"""The rules as loaded in the copy: without effects outside, and without rate limits.

Questions come all at once, where packets come over a day. So in the copy a limit of rate or of
connections is never reached; answers name it as their condition. Pure.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final

from allowsync.packetpath.netlink import attribute, attributes, first, given, number, packed, text
from allowsync.packetpath.nftables import (
    Expression,
    KernelRuleset,
    NftObject,
    expressions,
    with_steps,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from allowsync.packetpath.netlink import Attributes

# Targets that act outside the copy's namespace: audit records, LEDs, timers in sysfs.
_OUTSIDE: Final = frozenset({"AUDIT", "LED", "IDLETIMER", "LOG", "NFLOG"})
# No program listens in the copy: TPROXY would do nothing, without any trace event.
_DROP: Final = Expression(
    "immediate", [(1, struct.pack(">I", 0)), (0x8002, packed([(0x8002, attribute(1, bytes(4)))]))]
)
# Packets of no family: no packet matches it.
_NEVER: Final = (
    Expression("meta", [(2, struct.pack(">I", 15)), (1, struct.pack(">I", 1))]),
    Expression(
        "cmp", [(1, struct.pack(">I", 1)), (2, struct.pack(">I", 0)), (0x8003, attribute(1, b"\0"))]
    ),
)
_FLAGS: Final = {"limit": 5, "connlimit": 2}  # the attribute of the flag "over"
_LIMITS_OF_OBJECTS: Final = {4: "limit", 5: "connlimit"}
_HASHLIMIT_MODE, _ABOVE = 272, 0x10
_CONNLIMIT_NUMBER, _CONNLIMIT_FLAGS, _UP_TO = 16, 20, 1
_SMALLEST: Final = 28  # bytes of an IPv4 packet of UDP without content

_LEGACY_OUTSIDE: Final = re.compile(rf" -j ({'|'.join(sorted(_OUTSIDE))})\b.*")
_LEGACY_BELOW: Final = re.compile(
    r" -m limit --limit \S+(?: --limit-burst \d+)?"
    r"| -m hashlimit --hashlimit-upto \S+(?: --hashlimit-\S+ [^-\s]\S*)*"
    r"| -m connlimit --connlimit-upto \d+(?: --connlimit-mask \d+)?(?: --connlimit-[sd]addr)?"
)
_LEGACY_BEYOND: Final = re.compile(
    r" -m hashlimit --hashlimit-above \S+(?: --hashlimit-\S+ [^-\s]\S*)*"
    r"| -m connlimit --connlimit-above \d+(?: --connlimit-mask \d+)?(?: --connlimit-[sd]addr)?"
)
# A single connection exceeds these limits.
_LEGACY_ALWAYS_BEYOND: Final = re.compile(
    r" -m connlimit --connlimit-above 0(?: --connlimit-\S+(?: \d+)?)*"
)
_LEGACY_NEVER_BELOW: Final = re.compile(
    r" -m connlimit --connlimit-upto 0(?: --connlimit-\S+(?: \d+)?)*"
)
_LEGACY_HITS: Final = re.compile(r" -m recent\b.* --hitcount [1-9]")
_STOPS: Final = frozenset({0, -3, -4})  # NF_DROP, or NFT_JUMP and NFT_GOTO to a chain that may
_LEGACY_STOPS: Final = re.compile(r" -[jg] (?!ACCEPT\b|RETURN\b|N?F?LOG\b|\w*MARK\b)")
_RECENT_HITS, _RECENT_MODE, _RECENT_SETS = 4, 8, 2  # struct xt_recent_mtinfo

_LEGACY_NEVER: Final = " -m mark --mark 0x1/0x0"


def unlimited(ruleset: KernelRuleset) -> KernelRuleset:
    """Return an nftables ruleset for the copy: rule by rule, in the same places."""
    objects = {
        (family, given(held, 1), given(held, 2), number(first(held, 3))): attributes(given(held, 4))
        for family, held in ruleset.objects
    }
    changed = []
    for family, held in ruleset.rules:
        steps = expressions(held)
        place = family, given(held, 1)
        kept = tuple(part for step in steps for part in _parts(step, place, objects))
        changed.append(NftObject(family, held if kept == steps else with_steps(held, kept)))
    return ruleset._replace(rules=tuple(changed))


def unlimited_legacy(saved: str) -> str:
    """Return the same of tables as iptables-legacy saves them."""
    lines = []
    for line in saved.splitlines():
        kept = _LEGACY_ALWAYS_BEYOND.sub("", _LEGACY_OUTSIDE.sub("", line))
        kept = _LEGACY_BELOW.sub("", _LEGACY_NEVER_BELOW.sub(_LEGACY_NEVER, kept))
        lines.append(_LEGACY_BEYOND.sub(_LEGACY_NEVER, kept))
    return "\n".join(lines) + "\n"


def limited(step: Expression) -> str:
    """Return the kind of limit that a step has; "" for none."""
    if step.kind in _FLAGS:
        return step.kind
    if step.kind == "objref":
        return _LIMITS_OF_OBJECTS.get(number(first(step.held, 1)), "")
    if step.kind == "dynset":
        return next((one.kind for one in _of_elements(step) if one.kind in _FLAGS), "")
    name = text(first(step.held, 1)) if step.kind == "match" else ""
    return name if name in ("limit", "hashlimit", "connlimit") else ""


def counts_only(step: Expression) -> bool:
    """Whether a match of `recent` only records a source, and matches always."""
    info = given(step.held, 3)
    is_recent = step.kind == "match" and text(first(step.held, 1)) == "recent"
    return is_recent and info[_RECENT_MODE : _RECENT_MODE + 1] == bytes([_RECENT_SETS])


def stops_beyond(rule: Sequence[Expression]) -> bool:
    """Whether a rule stops packets beyond a limit, or jumps where they may be stopped."""
    return any(map(_stops, rule)) and any(map(_asks_beyond, rule))


def stops_beyond_legacy(rule: str) -> bool:
    """Whether a rule of iptables does, in words."""
    found = _LEGACY_BEYOND.search(rule) or _LEGACY_HITS.search(rule)
    return bool(found and _LEGACY_STOPS.search(rule))


def _stops(step: Expression) -> bool:
    if step.kind != "immediate":
        return step.kind in ("reject", "target")
    verdict = first(attributes(given(attributes(given(step.held, 2)), 2)), 1)
    return verdict is not None and int.from_bytes(verdict, "big", signed=True) in _STOPS


def _asks_beyond(step: Expression) -> bool:
    if step.kind == "match" and text(first(step.held, 1)) == "recent":
        return any(given(step.held, 3)[_RECENT_HITS:_RECENT_MODE])
    several = _of_elements(step) if step.kind == "dynset" else (step,)
    return any(bool(limited(one)) and _is_beyond(one) for one in several)


def _parts(
    step: Expression,
    place: tuple[int, bytes],
    objects: Mapping[tuple[int, bytes, bytes, int], Attributes],
) -> tuple[Expression, ...]:
    """Return the steps that replace a step in the copy."""
    if step.kind == "tproxy":
        return (_DROP,)
    if step.kind == "log" or (step.kind == "target" and text(first(step.held, 1)) in _OUTSIDE):
        return ()
    if not (kind := limited(step)):
        return (step,)
    if step.kind == "objref":
        which = number(first(step.held, 1))
        several = [Expression(kind, objects.get((*place, given(step.held, 2), which), []))]
    else:
        several = list(_of_elements(step)) if step.kind == "dynset" else [step]
    beyond, nothing = any(map(_is_beyond, several)), any(map(_lets_nothing, several))
    return _NEVER if beyond is not nothing else ()


def _of_elements(step: Expression) -> Iterator[Expression]:
    """Yield the expressions of the elements that a step adds."""
    several = attributes(given(step.held, 10)) or [(1, given(step.held, 7))]
    for _, one in several:
        held = attributes(one)
        yield Expression(text(first(held, 1)), attributes(given(held, 2)))


def _lets_nothing(step: Expression) -> bool:
    """Whether the first packet exceeds a limit already."""
    held, name = step.held, text(first(step.held, 1))
    if step.kind == "connlimit":
        return number(first(held, 1)) == 0
    if step.kind == "limit":  # of bytes: rate and burst (nft_limit.c)
        return (
            bool(number(first(held, 4))) and sum(number(first(held, k)) for k in (1, 3)) < _SMALLEST
        )
    if step.kind == "match" and name == "connlimit":
        return not any(given(held, 3)[_CONNLIMIT_NUMBER:_CONNLIMIT_FLAGS])
    return False


def _is_beyond(step: Expression) -> bool:
    """Whether a step matches packets beyond a limit, and not those within."""
    if step.kind in _FLAGS:
        return bool(number(first(step.held, _FLAGS[step.kind])) & 1)
    name, info = text(first(step.held, 1)), given(step.held, 3)
    if name == "hashlimit" and len(info) > _HASHLIMIT_MODE + 4:
        return bool(struct.unpack_from("=I", info, _HASHLIMIT_MODE)[0] & _ABOVE)
    if name == "connlimit":
        return not struct.unpack_from("=I", info, _CONNLIMIT_FLAGS)[0] & _UP_TO
    return False
