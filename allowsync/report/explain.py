"""An explanation as text for people, 80 columns wide, and as JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allowsync.inspect.explain import AccessVerdict, through
from allowsync.model.networks import short
from allowsync.model.types import Basis
from allowsync.packetpath.question import PacketVerdict
from allowsync.report.json import entry_document, instant
from allowsync.report.text import filled
from allowsync.text import Line, said

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from allowsync.inspect.access_at import AccessAt, HostAccess
    from allowsync.inspect.explain import Explanation, MetPacket, TargetAnswer
    from allowsync.packetpath.question import Answer, Question

_WORDS = {
    AccessVerdict.YES: ("allowed", "was allowed"),
    AccessVerdict.PARTLY: ("allowed in part", "was allowed in part"),
    AccessVerdict.NO: ("not allowed", "was not allowed"),
    AccessVerdict.UNKNOWN: ("unknown", "unknown"),
}
# The origin of a network without a hostname; by the history alone, it is one or the other.
_BY_NETWORK = {Basis.FIXED: "fixed in the configuration", Basis.GRANTED: "granted by command"}
_BY_EITHER = "fixed or granted by command"
_COLOURS = {
    AccessVerdict.YES: "green",
    AccessVerdict.PARTLY: "yellow",
    AccessVerdict.NO: "red",
    AccessVerdict.UNKNOWN: "yellow",
}


def explain_lines(one: Explanation) -> Iterator[Line]:
    """The answer first, then targets, hosts, and reasons."""
    for text in one.open:
        yield from (Line(line, "red") for line in filled(text, "", "  "))
    yield Line(_headline(one), _COLOURS[one.verdict])
    width = max((len(place.target) for place in one.places), default=0)
    for place in one.places:
        first = f"  {place.target:<{width}}  "
        for text in filled(_place(place, one), first, " " * len(first)):
            yield Line(text, "green" if place.through else _COLOURS[place.verdict])
    for packet in _packets(one.packets):
        yield from map(Line, filled(packet, "  ", "    "))
    for access in one.accesses:
        yield from map(Line, filled(_access(access, one.scene), "", "    "))
    for reason in one.reasons:
        yield from map(Line, filled(reason, "- ", "  "))


def _packets(met: Iterable[MetPacket]) -> Iterator[str]:
    """The result of each packet, once for packets with the same one."""
    alike: dict[tuple[str, str, str], list[Question]] = {}
    outcomes: dict[tuple[str, str, str], set[tuple[str, str, str]]] = {}
    for one in met:
        key, asked = _outcome(one.answer), one.answer.question
        alike.setdefault(key, []).append(asked)
        outcomes.setdefault((key[0], *_way(asked)), set()).add(key)
    for (port, verdict, why), several in alike.items():
        ways = {
            f"{source}{f' at {asked.destination}' if differs else ''} by {interface}": None
            for asked in several
            for source, interface in (_way(asked),)
            for differs in (len(outcomes[port, source, interface]) > 1,)
        }
        said = f": {why}" if why else ""
        yield f"{port} from {', '.join(ways)}: {verdict}{said}"


def _way(asked: Question) -> tuple[str, str]:
    """A packet's source, and its interface."""
    return str(asked.source), asked.interface or "any uplink"


def _outcome(answer: Answer) -> tuple[str, str, str]:
    """A packet's port, its result, and the reason."""
    asked = answer.question
    onward = f" to {answer.to[1]} port {answer.to[2]} by {answer.to[0]}" if answer.to else ""
    unheard = "" if _is_heard(answer) else "no program listens there"
    why = "; ".join(filter(None, (*answer.rules, answer.reason, unheard)))
    return f"{asked.port}/{asked.protocol}", f"{answer.verdict.value}{onward}", why


def _is_heard(answer: Answer) -> bool:
    """False if a packet reaches this machine and no program listens for it."""
    return answer.heard or answer.verdict is not PacketVerdict.DELIVERED


def _headline(one: Explanation) -> str:
    what = one.asked if one.network is None else short(one.network)
    words = _WORDS[one.verdict][one.scene.past]
    if one.verdict is AccessVerdict.UNKNOWN:
        words = "unknown whether it was allowed" if one.scene.past else "unknown"
        return f"{what}: {words}"
    asked = [place for place in one.places if not place.through]
    yes = sum(place.verdict in (AccessVerdict.YES, AccessVerdict.PARTLY) for place in asked)
    if len(asked) < len(one.places) and yes == len(asked):
        count = " at each layer"
    else:
        count = f" at {yes} of {len(asked)} targets" if yes and len(asked) > 1 else ""
    when = f" on {one.scene.at:%Y-%m-%d %H:%M:%S} UTC" if one.scene.past else ""
    if one.unguarded is not None:
        count = ""
    verb = words if one.scene.past else f"is {words}"
    return f"{what} {verb}{count}{when}"


def _place(place: TargetAnswer, one: Explanation) -> str:
    if place.through:
        return f"through {place.through}: {place.said}"
    entries = ", ".join(through(entry, one.network) for entry in place.entries)
    by = (
        f" by {entries}"
        if entries and place.verdict in (AccessVerdict.YES, AccessVerdict.PARTLY)
        else ""
    )
    verdict = _WORDS[place.verdict][0]
    return f"{verdict}{by}" + (f": {place.said}" if place.said else "")


def _access(access: HostAccess, scene: AccessAt) -> str:
    by = _BY_EITHER if access.basis is None else _BY_NETWORK.get(access.basis, _BY_EITHER)
    way = f" through {access.hostname}" if access.hostname else f", {by}"
    parts = [
        f"{access.host}: {short(access.network)}{way}",
        f"since {access.since:%Y-%m-%d %H:%M} UTC",
    ]
    if scene.past:
        if access.until is not None:
            why = f" ({access.said})" if access.said else ""
            parts.append(f"until {access.until:%Y-%m-%d %H:%M} UTC{why}")
    else:
        parts += [access.said] if access.said else []
        if access.until is not None:
            parts.append(f"expires in {said(access.until - scene.at)}")
    return ", ".join(parts)


def explain_document(one: Explanation, exit_code: int) -> dict[str, Any]:
    """The answer (`allowsync.explain/1`)."""
    scene = one.scene
    return {
        "schema": "allowsync.explain/1",
        "exit_code": exit_code,
        "asked": one.asked,
        "host": one.host,
        "network": None if one.network is None else str(one.network),
        "at": instant(scene.at),
        "past": scene.past,
        "last_run": None if scene.run is None else instant(scene.run),
        "allowed": one.verdict.value,
        "targets": [
            {
                "target": place.target,
                "allowed": place.verdict.value,
                "entries": [entry_document(entry) for entry in place.entries],
                "reason": place.said or None,
            }
            for place in one.places
        ],
        "access": [_access_document(access) for access in one.accesses],
        "open": list(one.open),
        "packets": [_packet_document(packet) for packet in one.packets],
        "reasons": list(one.reasons),
        "problems": [],
    }


def _access_document(access: HostAccess) -> dict[str, Any]:
    return {
        "host": access.host,
        "network": str(access.network),
        "hostname": access.hostname or None,
        "basis": None if access.basis is None else access.basis.value,
        "since": instant(access.since),
        "until": None if access.until is None else instant(access.until),
        "said": access.said or None,
    }


def _packet_document(one: MetPacket) -> dict[str, Any]:
    answer, asked = one.answer, one.answer.question
    onward = dict(zip(("interface", "address", "port"), answer.to or (), strict=False))
    return {
        "target": one.target or None,
        "source": str(asked.source),
        "interface": asked.interface or None,
        "destination": None if asked.destination is None else str(asked.destination),
        "port": f"{asked.port}/{asked.protocol}",
        "verdict": answer.verdict.value,
        "rules": list(answer.rules),
        "to": {**onward, "address": str(onward["address"])} if onward else None,
        "reason": answer.reason or None,
        "heard": _is_heard(answer),
    }
