"""Reasons for adding, removing or keeping an entry, as text. Pure.

Derived from the facts after the run, not from events during it: a removal refused by a limit has
the same reason a day later.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from allowsync.model.networks import covers, overlap, short
from allowsync.model.types import Basis, Entry, Family, Grant
from allowsync.model.value import Value
from allowsync.policy.screening import REJECTED, UNHEARD, network_of
from allowsync.text import said

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping
    from datetime import datetime

    from allowsync.model.memory import RetentionState
    from allowsync.model.plan import Plan
    from allowsync.model.types import Query
    from allowsync.policy.decision import Decision

NO_NEWS: Final = "no news from the fleet"


class Reasons(Value):
    """Explains the entries of one run.

    Attributes:
        decisions: The decision about each host of the run.
        now: The instant of the run.
    """

    decisions: Mapping[str, Decision]
    now: datetime

    def added(self, entry: Entry) -> str:
        """The reason why an entry is added; empty when it is simply new."""
        for decision in self._known(entry.hosts):
            for move in decision.moves:
                if move.to == entry.network:
                    left = ", ".join(short(network) for network in move.away_from)
                    return f"{move.hostname} moved from {left}"
        if not entry.hosts or any(decision.grants for decision in self._known(entry.hosts)):
            return ""
        return self.withheld(entry)  # a wider entry admitted its host so far

    def removed(self, entry: Entry, plan: Plan) -> str:
        """The reason why an entry is removed."""
        covering = next((one for one in plan.final if covers(one.network, entry.network)), None)
        if covering is not None:
            return f"covered by {covering.network}"
        if not entry.hosts:
            return "no trusted host uses this network"
        return "; ".join(dict.fromkeys(self.lost(entry, label) for label in entry.hosts))

    def kept(self, entry: Entry) -> str:
        """The reason why an entry without a present confirmation stays; empty when it has one."""
        if not any(
            grant.basis is Basis.STALE for one in self._known(entry.hosts) for grant in one.grants
        ):
            return ""
        grants = self._granted(entry)
        if not grants or any(grant.basis is not Basis.STALE for grant in grants):
            return ""
        return self._stale(max(grants, key=lambda grant: grant.confirmed))

    def withheld(self, entry: Entry, undecided: Collection[str] = ()) -> str:
        """The reason why an entry that no host is known to want stays.

        Args:
            entry: The entry.
            undecided: The undecided hosts of its target: hosts of a followed list have no decision
                without a document of it.
        """
        if not entry.hosts:
            return "retained for now: its host is unknown"
        return "; ".join(
            dict.fromkeys(self._retained(entry, one, undecided) for one in entry.hosts)
        )

    def _retained(self, entry: Entry, label: str, undecided: Collection[str]) -> str:
        decision = self.decisions.get(label)
        if decision is not None and decision.undecided:
            return f"retained: no answer yet for {label} ({_silent(decision)})"
        if decision is None and label in undecided:
            known = f"retained: it is not known whether {label} is still allowed"
            return f"{known}: no news of its list"
        return f"retained: removal blocked by limits: {self.lost(entry, label)}"

    def _granted(self, entry: Entry) -> list[Grant]:
        """The grants of an entry's hosts within it, or around it (beside foreign entries)."""
        return [
            grant
            for decision in self._known(entry.hosts)
            for grant in decision.grants
            if covers(entry.network, grant.network) or covers(grant.network, entry.network)
        ]

    def _known(self, labels: Iterable[str]) -> Iterator[Decision]:
        return (self.decisions[label] for label in labels if label in self.decisions)

    def lost(self, entry: Entry, label: str) -> str:
        """The reason why a host does not use an entry's network any more."""
        decision = self.decisions.get(label)
        elsewhere = decision is not None and any(
            covers(grant.network, entry.network) for grant in decision.grants
        )
        if decision is None or elsewhere:
            return f"{label} is no longer allowed here"
        if decision.ended:
            return decision.ending
        for revoked in decision.host.revoked_networks:
            if overlap(revoked, entry.network):
                return f"{short(revoked)} is revoked"
        family = Family.of(entry.network)
        tracks = {
            query: track
            for query, track in decision.memory.tracks.items()
            if query.family is family
        }
        for query, track in tracks.items():
            given = [
                short(network_of(one.address, decision.host))
                for one in track.held
                if one.replaced is None
            ]
            if given and not track.reason:
                return f"{query.hostname} moved to {', '.join(given)}"
        silent = next((track for track in tracks.values() if track.reason), None)
        if silent is not None:
            return self._silence(silent)
        published = decision.host.published
        return "no longer among its networks" if published else "no longer configured"

    def _silence(self, track: RetentionState) -> str:
        times = track.absent_runs or track.unavailable_runs
        count = "once" if times == 1 else f"{times} times"
        since = track.absent_since if track.absent_runs else track.last_found
        span = "" if since is None else f" for {said(self.now - since)}"
        what = "gone from DNS" if track.absent_runs else _no_answer(track.reason)
        uncounted = track.absent_runs and track.last_found is None  # see `tracking.never_gave`
        often = "" if uncounted else f", {count}"
        return f"{what}{span} ({track.reason.removeprefix(UNHEARD)}{often})"

    def _stale(self, grant: Grant) -> str:
        ends = "" if grant.ends is None else f"; expires in {said(grant.ends - self.now)}"
        if not grant.why:
            return f"kept: last confirmed {said(self.now - grant.confirmed)} ago, not asked now"
        track = self._tracks_of(grant).get(Family.of(grant.network))
        if track is not None and track.absent_runs and track.absent_since is not None:
            span = said(self.now - track.absent_since)
            return f"kept: gone from DNS for {span} ({grant.why}){ends}"
        if grant.why.startswith(REJECTED):
            return f"kept: answer rejected ({grant.why.removeprefix(REJECTED)}){ends}"
        span = said(self.now - grant.confirmed)
        if grant.why.startswith(UNHEARD):
            why = grant.why.removeprefix(UNHEARD)
            return f"kept: no news from the fleet for {span} ({why}){ends}"
        return f"kept: no answer from DNS for {span} ({grant.why}){ends}"

    def _tracks_of(self, grant: Grant) -> dict[Family, RetentionState]:
        tracks: Mapping[Query, RetentionState] = self.decisions[grant.host].memory.tracks
        return {
            query.family: track
            for query, track in tracks.items()
            if query.hostname == grant.hostname
        }


def _no_answer(reason: str) -> str:
    """The party without an answer: the DNS, or the machine that asks it for this one."""
    return NO_NEWS if reason.startswith(UNHEARD) else "no answer from DNS"


def _silent(decision: Decision) -> str:
    for track in decision.memory.tracks.values():
        if track.reason:
            return track.reason
    unknown = ", ".join(decision.host.sources)
    return f"the networks of {unknown} are not known" if unknown else "not asked"
