"""The history as one list of events in chronological order. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, assert_never

from allowsync.model.access_order import LiftedOrder, Revocation, TemporaryGrant
from allowsync.model.networks import short
from allowsync.plan.reasons import NO_NEWS
from allowsync.policy.screening import UNHEARD
from allowsync.state.access_log import CHANGED, RECOVERED, REPAIRED

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from allowsync.model.access_order import Order
    from allowsync.model.types import Network
    from allowsync.state.history import Past, PastAnswer, PastChange
    from allowsync.state.records import TargetTransition


class HistoryEvent(NamedTuple):
    """An event of the history.

    Attributes:
        at: The time of its run.
        what: Its kind: `grant`, `revoke` and `approve` by command; `answer`, `granted`, `ended`,
            `added`, `removed`, or the outcome of a target.
        who: The host or the target it concerns.
        text: The event in words.
        hosts: The hosts it concerns.
        network: The network it concerns, if it is about one.
        confirmed: False if a change was sent to a target and its outcome is unknown.
    """

    at: datetime
    what: str
    who: str
    text: str
    hosts: tuple[str, ...] = ()
    network: Network | None = None
    confirmed: bool = True


_ORDER = ("grant", "revoke", "approve", "answer", "granted", "ended", "added", "removed")


def events(past: Past, since: datetime, host: str | None = None) -> list[HistoryEvent]:
    """Every event since an instant, of one host or of all.

    The events of one run are in a fixed order: answers, decisions, changes.
    """
    found = [
        *map(_answer, past.answers),
        *_stays(past, since),
        *map(_change, past.changes),
        *map(_turn, past.turns),
        *map(_order, past.orders),
    ]
    mine = (one for one in found if one.at >= since and (host is None or host in one.hosts))
    return sorted(mine, key=lambda one: (one.at, _place(one)))


def _place(event: HistoryEvent) -> int:
    return _ORDER.index(event.what) if event.what in _ORDER else len(_ORDER)


def _order(one: Order) -> HistoryEvent:
    match one:
        case TemporaryGrant():
            text = (
                f"{short(one.network)} granted on {', '.join(one.allowlists)} until "
                f"{one.ends:%Y-%m-%d %H:%M} UTC"
            )
            return HistoryEvent(one.at, "grant", one.name, text, (one.name,), one.network)
        case Revocation():
            hosts = () if one.network is not None else (one.subject,)
            text = "revoked, until it is approved"
            return HistoryEvent(one.at, "revoke", one.subject, text, hosts, one.network)
        case LiftedOrder():
            over = one.action == "revoke"
            text = "the temporary grant was revoked" if over else "approved: no longer revoked"
            return HistoryEvent(one.at, one.action, one.subject, text, (one.subject,))
        case _:
            assert_never(one)


def _answer(one: PastAnswer) -> HistoryEvent:
    text = f"{one.query.hostname} ({_FAMILIES[one.query.family.value]}): {_said(one.summary)}"
    return HistoryEvent(one.at, "answer", one.host, text, (one.host,))


_FAMILIES = {"ipv4": "IPv4", "ipv6": "IPv6"}
_WORDS = {"absent": "no address in DNS", "unavailable": "no answer from DNS"}


def _said(summary: str) -> str:
    kind, _, rest = summary.partition(" ")
    if kind == "found":
        return rest.replace(" ", ", ")
    if rest.startswith(UNHEARD):
        return f"{NO_NEWS} ({rest.removeprefix(UNHEARD)})"
    if kind in _WORDS:
        return f"{_WORDS[kind]} ({rest})"
    return "approved" if kind == "approved" else summary


def _stays(past: Past, since: datetime) -> Iterator[HistoryEvent]:
    granted = {one.name for one in past.orders if isinstance(one, TemporaryGrant)}
    for one in past.stays:
        where = (one.host,)
        if one.began >= since:
            fixed = "by command" if one.host in granted else "by the configuration"
            through = f"through {one.hostname}" if one.hostname else fixed
            text = f"allowed from {short(one.network)} {through}"
            yield HistoryEvent(one.began, "granted", one.host, text, where, one.network)
        if one.ended is not None:
            text = f"no longer allowed from {short(one.network)}" + (
                f": {one.why}" if one.why else ""
            )
            yield HistoryEvent(one.ended, "ended", one.host, text, where, one.network)


def _change(one: PastChange) -> HistoryEvent:
    added = one.action == "add"
    whose = ", ".join(one.entry.hosts)
    parts = [
        short(one.entry.network) + (f" for {whose}" if whose else ""),
        "it was missing" if one.again else one.why,
        "" if one.confirmed else "could not be confirmed",
    ]
    return HistoryEvent(
        one.at,
        "added" if added else "removed",
        one.target,
        ": ".join(part for part in parts if part),
        one.entry.hosts,
        one.entry.network,
        one.confirmed,
    )


_TURNS = {
    "refused": "refused",
    "failed": "failed",
    "unknown": "unknown",
    REPAIRED: "repaired",
    CHANGED: "changed",
    RECOVERED: "recovered",
}


def _turn(one: TargetTransition) -> HistoryEvent:
    said = _TURNS.get(one.outcome, one.outcome)
    return HistoryEvent(
        one.at, one.outcome, one.target, f"{said}: {one.what}" if one.what else said
    )
