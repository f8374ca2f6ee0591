"""What must hold, told by what happened: a second, far simpler account than the program's own."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

from allowsync.model.answer import Absent, Answer, Found
from allowsync.model.outcome import Outcome
from allowsync.model.types import Basis
from tests.support.values import net

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.model.types import Network
    from allowsync.plan.result import RunReport
    from tests.support.world import World

KEPT = timedelta(days=3)  # the default of policy.keep_unavailable
IN_STEP = (Outcome.APPLIED, Outcome.UNCHANGED, Outcome.REFUSED)


@dataclass(slots=True)
class Ledger:
    """Who was given what by whom.

    Attributes:
        given: Every network that an answer, or the configuration, ever gave.
        strangers: What somebody put into the firewall since the last run that knew it.
        left: What was in the firewall when nothing was known of it.
        secure: Networks by host that no silence may cost them yet, and when they were confirmed.
        orphaned: Those of these hosts of which the firewall alone knows, since the state was lost.
        known: Whether the firewall was ever planned for since the state was lost.
    """

    given: set[Network] = field(default_factory=set)
    strangers: set[Network] = field(default_factory=set)
    left: set[Network] = field(default_factory=set)
    secure: dict[str, tuple[datetime, frozenset[Network]]] = field(default_factory=dict)
    orphaned: set[str] = field(default_factory=set)
    known: bool = False

    def lost(self) -> None:
        """The state is gone, and with it all knowledge of whose an entry is."""
        self.known = False
        self.orphaned |= self.secure.keys()

    def flushed(self) -> None:
        """Somebody emptied the firewall: what only it knew is known to nobody."""
        self.strangers.clear()
        for label in self.orphaned & self.secure.keys():
            del self.secure[label]

    def before(self, world: World) -> None:
        """A run is about to begin."""
        for answer in world.says.values():
            if isinstance(answer, Found):
                self.given |= {net(str(one)) for one in answer.addresses}
        for who in world.hosts.values():
            self.given |= set(who.networks)
        if not self.known and not world.store.fail_read:
            self.left |= world.store.networks

    def after(self, world: World, report: RunReport, held: set[Network]) -> None:
        """Check a run that came to its end. `held` is what the firewall held before it."""
        was_known = self.known
        (target,) = report.targets
        planned = target.plan is not None
        self.known = self.known or planned
        self._confirm(world, report)
        if target.outcome not in IN_STEP:
            return
        now = world.store.networks
        if was_known:
            assert not now & self.strangers, "a stranger's addition survived"
        else:
            assert held <= now, "a run that knew nothing removed something"
        self.strangers.clear()
        assert now <= self.given | self.left, "nobody ever gave this"
        for label, (_, networks) in self.secure.items():
            assert networks <= now, f"silence cost {label} their access"
        self._nobody_who_ended(world, report)

    def _confirm(self, world: World, report: RunReport) -> None:
        """Take note of what every host was found at, and of what may be taken away."""
        for label in world.hosts:
            decision = report.decisions[label]
            answer = world.says[f"{label}.example.org"]
            if decision.ended:
                self.secure.pop(label, None)
            elif report.offline:
                self._age(label, world.instant)
            elif any(one.basis is Basis.FRESH for one in decision.grants):
                fresh = (one.network for one in decision.grants if one.basis is Basis.FRESH)
                self.secure[label] = (world.instant, frozenset(fresh))
                self.orphaned.discard(label)
            elif says_gone(answer):
                self.secure.pop(label, None)
            else:
                self._age(label, world.instant)

    def _age(self, label: str, instant: datetime) -> None:
        if label in self.secure:
            confirmed, networks = self.secure[label]
            self.secure[label] = (min(confirmed, instant), networks)
            if instant - confirmed >= KEPT:
                del self.secure[label]

    def _nobody_who_ended(self, world: World, report: RunReport) -> None:
        (target,) = report.targets
        assert target.plan is not None
        trusted = {name for name, one in report.decisions.items() if not one.ended}
        for one in target.plan.final:
            assert not one.hosts or trusted & set(one.hosts), f"{one} belongs to nobody any more"
        for decision in report.decisions.values():
            assert not (decision.ended and decision.grants)


def says_gone(answer: Answer) -> bool:
    return isinstance(answer, Absent)
