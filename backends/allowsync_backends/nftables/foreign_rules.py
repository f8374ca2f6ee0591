"""What other people's chains do to our ports. Pure.

Only certainty counts: a rule that cannot be understood may accept anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync_backends.common.ports import Port
    from allowsync_backends.nftables.nft_json import Json


def shut_out(ruleset: Sequence[tuple[str, Json]], port: Port) -> Iterator[str]:
    """The input chains that drop by policy and have no rule that could accept a port.

    Each is named as `inet filter input`.
    """
    for kind, chain in ruleset:
        if kind != "chain" or chain.get("hook") != "input" or chain.get("policy") != "drop":
            continue
        if not _may_accept(ruleset, _place(chain, "name"), port, frozenset()):
            yield " ".join(_place(chain, "name"))


def uses(listed: Sequence[tuple[str, Json]], name: str) -> bool:
    """Whether a rule of a table mentions one of its sets."""
    return any(f"@{name}" in _texts(rule.get("expr")) for kind, rule in listed if kind == "rule")


def _place(of: Json, name: str) -> tuple[str, str, str]:
    return str(of.get("family")), str(of.get("table")), str(of.get(name))


def _may_accept(
    ruleset: Sequence[tuple[str, Json]],
    place: tuple[str, str, str],
    port: Port,
    seen: frozenset[tuple[str, str, str]],
) -> bool:
    """Whether a chain, or one it leads to, could accept a new connection to a port."""
    if place in seen:
        return False
    for kind, rule in ruleset:
        if kind != "rule" or _place(rule, "chain") != place:
            continue
        statements = rule.get("expr") or ()
        if not all(_may_match(statement, port) for statement in statements):
            continue
        for target in _verdicts(statements):
            if target is None:
                return True
            if _may_accept(ruleset, (*place[:2], target), port, seen | {place}):
                return True
    return False


def _verdicts(statements: Any) -> Iterator[str | None]:
    """Where a rule may lead: None for an accept, or for what is not understood; else a chain."""
    for statement in statements:
        match statement:
            case {"jump": {"target": str(target)}} | {"goto": {"target": str(target)}}:
                yield target
            case {"vmap": {"data": {"set": [*pairs]}}}:
                yield from _verdicts(pair[1] for pair in pairs)
            case {"accept": _} | {"vmap": _} | {"xt": _} | {"queue": _}:
                yield None
            case _:
                pass


def _may_match(statement: Any, port: Port) -> bool:
    """Whether a statement could let a new packet from abroad to a port pass on."""
    match statement:
        case {"match": {"op": "==" | "in", "left": left, "right": right}}:
            return _may_be(left, right, port)
        case _:
            return True


def _may_be(left: Any, right: Any, port: Port) -> bool:
    protocol = port.protocol.value
    match left:
        case {"payload": {"protocol": "th", "field": "dport"}}:
            return _may_hold(right, port)
        case {"payload": {"protocol": "tcp" | "udp" as used, "field": field}}:
            return bool(used == protocol) and (field != "dport" or _may_hold(right, port))
        case {"payload": {"protocol": "icmp" | "icmpv6" | "igmp" | "esp" | "ah"}}:
            return False
        case {"payload": {"protocol": "ip" | "ip6", "field": "protocol" | "nexthdr"}} | {
            "meta": {"key": "l4proto"}
        }:
            return protocol in _texts(right) or not _all_named(right)
        case {"ct": {"key": "state"}}:
            return "new" in _texts(right) or not _all_named(right)
        case {"meta": {"key": "iif" | "iifname"}}:
            return _texts(right) != {"lo"}
        case _:
            return True


def _may_hold(right: Any, port: Port) -> bool:
    """Whether ports on the right side of a match include some of a range; unknown is yes."""
    match right:
        case int():
            return port.first <= right <= port.last
        case {"range": [int(first), int(last)]}:
            return first <= port.last and port.first <= last
        case {"set": [*several]} | [*several]:
            return any(_may_hold(one, port) for one in several)
        case _:
            return True


def _all_named(right: Any) -> bool:
    """Whether a right side consists of names that can be read here, and of nothing else."""
    return bool(_texts(right)) and not any(text.startswith("@") for text in _texts(right))


def _texts(value: Any) -> set[str]:
    match value:
        case str():
            return {value}
        case dict():
            return {text for one in value.values() for text in _texts(one)}
        case list() | tuple():
            return {text for one in value for text in _texts(one)}
        case _:
            return set()
