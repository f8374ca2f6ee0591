"""The conditions of a run that are worth a notification. Pure.

    event        condition                                            subject    lasting
    moved        a name gave a new address instead of another         host       no
    stale        a name lacks a usable answer, a quarter or three     host       yes, two levels
                 quarters of `keep_unavailable` have passed
    ended        a clock withdrew an address                          host       no
                 `until` has passed                                   host       yes
    refused      a limit refused a removal                            target     yes
    suspicious   an answer, or a part of it, is rejected          host       yes
    failed       a target failed or cannot be confirmed               target     yes
    problem      something about the installation                     a place    yes

A lasting condition is reported when it begins and not again until it is over.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from allowsync.model.memory import HostMemory
from allowsync.model.networks import covers, short
from allowsync.model.notification import Event
from allowsync.model.outcome import WRONG
from allowsync.model.types import Entry, by_network
from allowsync.model.value import Value
from allowsync.plan.reasons import Reasons
from allowsync.policy.clock import Now
from allowsync.policy.screening import network_of
from allowsync.policy.tracking import settled_tracks
from allowsync.text import said

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime, timedelta

    from allowsync.model.memory import RetentionState
    from allowsync.model.types import Network
    from allowsync.plan.result import RunReport, TargetReport
    from allowsync.policy.decision import Decision
    from allowsync.policy.screening import ScreenedAnswer

# The shares of `keep_unavailable` at which a name without answers is reported.
FIRST_WARNING: Final = 0.25
LAST_WARNING: Final = 0.75


class Condition(Value):
    """A condition worth a notification.

    Attributes:
        event: Its kind.
        subject: The host, target or place it concerns.
        about: Distinguishes it among conditions of its kind and subject; stable over runs.
        text: Its description, in a sentence.
        lasting: Whether it lasts until it ends; otherwise it is over at once.
        level: Its severity; a higher one is reported again. At 0 it is not reported by itself.
        over: The text for its end; empty for none.
    """

    event: Event
    subject: str
    about: str
    text: str
    lasting: bool = True
    level: int = 1
    over: str = ""


class RetainedNetworks(Value):
    """The networks still held by the targets of a run, and the reasons for the others."""

    networks: frozenset[Network]
    reasons: Reasons


def matters(report: RunReport, before: Mapping[str, HostMemory]) -> tuple[Condition, ...]:
    """Every condition of a run, in a fixed order.

    Args:
        report: The run.
        before: The memory of each host before it.
    """
    held = (one.plan.final for one in report.targets if one.plan is not None)
    networks = frozenset(entry.network for entries in held for entry in entries)
    kept = RetainedNetworks(networks, Reasons(report.decisions, report.started))
    found: list[Condition] = []
    for name, decision in report.decisions.items():
        known = before.get(name, HostMemory())
        found += _about_host(decision, known, kept, report)
    for target in report.every_target:
        found += _about_target(target)
    found += (
        Condition(Event.PROBLEM, one.where, _steady(one.what), f"{one.where}: {one.what}")
        for one in report.notices
    )
    return tuple(found)


def _about_host(
    decision: Decision, known: HostMemory, kept: RetainedNetworks, report: RunReport
) -> Iterator[Condition]:
    if decision.ended:
        yield from _until_passed(decision, known)
        return
    yield from _moved(decision)
    if not report.offline:
        yield from _withdrawn(decision, known, kept)
        yield from _stale(decision, report.started)
        yield from _suspicious(decision)


def _until_passed(decision: Decision, known: HostMemory) -> Iterator[Condition]:
    """The end of a host's access, if it had any: an older end is no news to a new state."""
    until = decision.host.until
    if until is not None and (known.fixed or any(one.held for one in known.tracks.values())):
        name = decision.host.name
        text = f"{name}: access ended on {until:%Y-%m-%d %H:%M} UTC"
        yield Condition(Event.ENDED, name, f"until {until.isoformat()}", text)


def _moved(decision: Decision) -> Iterator[Condition]:
    name = decision.host.name
    for move in decision.moves:
        left = ", ".join(short(network) for network in move.away_from)
        text = f"{name}: {move.hostname} moved from {left} to {short(move.to)}"
        yield Condition(Event.MOVED, name, str(move.to), text, lasting=False)


def _withdrawn(
    decision: Decision, known: HostMemory, kept: RetainedNetworks
) -> Iterator[Condition]:
    """Networks withdrawn by a clock since no usable answer came in time.

    A network retained in a target, since a limit refused its removal, is no end of access.
    """
    name, granted = decision.host.name, {grant.network for grant in decision.grants}
    for network in _held_silently(decision, known, kept.reasons.now):
        if network not in granted and not any(covers(one, network) for one in kept.networks):
            why = kept.reasons.lost(Entry(network, (name,)), name)
            text = f"{name}: access from {short(network)} is withdrawn: {why}"
            yield Condition(Event.ENDED, name, str(network), text, lasting=False)


def _held_silently(decision: Decision, known: HostMemory, now: datetime) -> list[Network]:
    """The networks held before the run by names without a usable answer in it."""
    host, after = decision.host, decision.memory.tracks
    return sorted(
        {
            network_of(one.address, host)
            for query, track in settled_tracks(host, known, Now(now)).items()
            if query in after and after[query].reason
            for one in track.held
            if one.replaced is None
        },
        key=by_network,
    )


def _stale(decision: Decision, now: datetime) -> Iterator[Condition]:
    """Names without a usable answer; reported only after a good part of their time.

    The condition lasts, even after the end of access, until the name has an address again.
    """
    name, tracks = decision.host.name, decision.memory.tracks
    for hostname in decision.host.hostnames:
        mine = [track for query, track in tracks.items() if query.hostname == hostname]
        waiting = [one for one in mine if one.held and one.unavailable_runs and not one.absent_runs]
        over = f"{name}: {hostname} has an address again"
        if waiting:
            worst = min(waiting, key=_last_good)
            level = _level(now - _last_good(worst), decision.host.policy.keep_unavailable)
            text = f"{name}: {_silence(decision, hostname, worst, now)}"
            yield Condition(Event.STALE, name, hostname, text, level=level, over=over)
        elif mine and all(one.reason for one in mine):
            yield Condition(Event.STALE, name, hostname, "", level=0, over=over)


def _level(silent: timedelta, limit: timedelta) -> int:
    """The level of a name without answers, by its share of the limit; 0 is not reported."""
    if not limit:
        return 0
    return (silent >= FIRST_WARNING * limit) + (silent >= LAST_WARNING * limit)


def _silence(decision: Decision, hostname: str, track: RetentionState, now: datetime) -> str:
    silent = said(now - _last_good(track))
    ends = [one.ends for one in decision.grants if one.ends and one.hostname == hostname]
    left = f"; access expires in {said(min(ends) - now)}" if ends else ""
    return f"{hostname} has given no usable answer for {silent} ({track.reason}){left}"


def _last_good(track: RetentionState) -> datetime:
    return track.last_found or max(one.confirmed for one in track.held)


def _suspicious(decision: Decision) -> Iterator[Condition]:
    """The rejected answers of a host's names, a condition for each kind of doubt."""
    name = decision.host.name
    doubts: dict[tuple[str, str], str] = {}
    for judged in decision.judged:
        for kind, what in _doubts(judged, decision):
            doubts.setdefault((judged.query.hostname, _steady(kind)), what)
    for (hostname, kind), what in doubts.items():
        yield Condition(Event.SUSPICIOUS, name, f"{hostname} {kind}", f"{name}: {hostname}: {what}")


def _doubts(judged: ScreenedAnswer, decision: Decision) -> Iterator[tuple[str, str]]:
    """The doubts about one answer: the kind, and the text."""
    for one in judged.rejected:
        yield one.reason, f"{one.address} is rejected: {one.reason}"
    if judged.query.hostname in decision.latched:
        what = "gone from DNS for longer than latch_absent; if it comes back and is still theirs:"
        yield "latched", f"{what} allowsync approve {decision.host.name}"


def _about_target(target: TargetReport) -> Iterator[Condition]:
    if target.outcome in WRONG or target.lacking:
        yield Condition(
            Event.FAILED,
            target.target,
            "",
            f"{target.target}: {target.said}",
            over=f"{target.target}: recovered",
        )
    if target.refusal is not None:
        losing = " ".join(target.refusal.losing)
        text = f"{target.target}: {target.refusal.said}"
        yield Condition(Event.REFUSED, target.target, losing or "unknown origin", text)


def _steady(text: str) -> str:
    """A text without numbers and addresses, so that a growing count is no new condition."""
    without_addresses = re.sub(r"[0-9a-fA-F:.]*[:.][0-9a-fA-F:.]*\d[0-9a-fA-F:.]*", "#", text)
    return re.sub(r"\d+", "#", without_addresses)
