"""The backend of UFW: its files and the kernel's chains, changed together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Capabilities, Current
from allowsync.model.types import BOTH_FAMILIES, Entry, Family
from allowsync.model.value import Value
from allowsync_backends.ufw import inspection, lock, rules_store, settings
from allowsync_backends.ufw.lock import UfwLock
from allowsync_backends.ufw.rules_file import RuleOwnership
from allowsync_backends.ufw.rules_reader import UfwSnapshot, look
from allowsync_backends.ufw.tuples import UfwRule, comment_of, rule_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Finding
    from allowsync.model.types import Network
    from allowsync_backends.ufw.options import UfwOptions


class UfwBackend(Value):
    """Drives the rules of UFW that are marked as those of one allowlist."""

    allowlist: str
    options: UfwOptions
    installation: str = ""

    @property
    def mine(self) -> RuleOwnership:
        """The ownership test of our rules."""
        return RuleOwnership(self.allowlist, self.options.route, self.installation)

    @property
    def capabilities(self) -> Capabilities:
        """Networks of the families that UFW has rules for. A rule of width 0 is never ours."""
        try:
            families = settings.read().families
        except BackendError:
            families = BOTH_FAMILIES
        return Capabilities(
            families=families,
            prefixes={family: (1, family.bits) for family in BOTH_FAMILIES},
            overlaps=True,
        )

    def check(self) -> Sequence[Finding]:
        """Check that the rules have an effect, and that others do not make them pointless."""
        from allowsync_backends.ufw.check import check

        return check(self.look, self.mine, self.options)

    def look(self) -> UfwSnapshot:
        """Take a snapshot; a second one, while no ufw runs, where something is wrong.

        Raises:
            BackendError: Something cannot be read, or is damaged.
        """
        try:
            seen = look(route=self.options.route)
            if not self.judged(seen).flaws:
                return seen
        except BackendError:
            if not lock.exists():
                raise
        if not lock.exists():
            return seen
        with UfwLock():
            return look(route=self.options.route)

    def judged(self, seen: UfwSnapshot) -> Current:
        """Return a snapshot, judged."""
        return inspection.current(self.mine, self.options.ports, seen)

    def read(self) -> Current:
        """Return the rules in the files, and their faults or those of the kernel's.

        Raises:
            BackendError: Something cannot be read, or is damaged.
        """
        return self.judged(self.look())

    def apply(self, plan: Plan) -> None:
        """Bring files and kernel in sync with the plan; end the streams of removed networks.

        Raises:
            BackendError: Nothing was changed, or not all removed networks are out.
            OutcomeUnknown: The kernel may hold old or new rules.
        """
        if plan.idle:
            return
        with UfwLock():
            seen = look(route=self.options.route)
            if not seen.settings.enabled:
                raise _ineffective(inspection.INACTIVE, inspection.TURN_ON)
            if not seen.in_force:
                raise _ineffective(inspection.BYPASSED, inspection.SET_UP)
            self._change(seen, plan.final)
        if inspection.is_open(self.mine, self.options.ports, seen):
            raise BackendError(f"{inspection.OPEN}; its rules were written; {inspection.SHUT}")

    def clear(self) -> None:
        """Remove our rules, also while UFW is switched off.

        Raises:
            BackendError: Something of ours may be left.
        """
        if not any(rules_store.path(family).exists() for family in BOTH_FAMILIES):
            return
        with UfwLock():
            seen = look(route=self.options.route)
            self._change(self._with_dormant_families(seen), ())

    def _with_dormant_families(self, seen: UfwSnapshot) -> UfwSnapshot:
        """Return the same with rules of families that UFW ignores at present."""
        rest = [
            one for one in BOTH_FAMILIES if one not in seen.files and rules_store.path(one).exists()
        ]
        files = {**seen.files, **{family: rules_store.read(family) for family in rest}}
        return UfwSnapshot(seen.settings, files, seen.kernel)

    def _change(self, seen: UfwSnapshot, final: Iterable[Entry]) -> None:
        from allowsync_backends.ufw.change import carry_out, planned

        entries = list(final)
        changes = {
            family: planned(
                self.mine, self.options.ports, seen, family, self._rules(entries, family)
            )
            for family in seen.files
        }
        before = {entry.network for entry in self.judged(seen).entries}
        gone = before - {entry.network for entry in entries}
        carry_out(changes, lambda: self._end_streams(gone, (entry.network for entry in entries)))

    def _rules(self, entries: Iterable[Entry], family: Family) -> dict[UfwRule, str]:
        """Return the rules for entries of a family, each with its comment."""
        return {
            rule_of(entry.network, port): comment_of(self.allowlist, entry.hosts, self.installation)
            for entry in entries
            if Family.of(entry.network) is family
            for port in self.options.ports
        }

    def _end_streams(self, gone: Iterable[Network], remaining: Iterable[Network]) -> None:
        from allowsync_backends.common.conntrack import end_streams, taken_away

        if self.options.end_streams:
            end_streams(taken_away(gone, remaining), self.options.ports)

    def adoptable(self, wanted: Iterable[Entry]) -> tuple[Entry, ...]:
        """Return the entries with a rule made by hand, equal to ours but for its comment.

        Raises:
            BackendError: The rules cannot be read.
        """
        by_hand = {rule for file in self.look().files.values() for rule in file.foreign(self.mine)}
        return tuple(
            entry
            for entry in wanted
            if any(rule_of(entry.network, port) in by_hand for port in self.options.ports)
        )

    def adopt(self, entries: Iterable[Entry]) -> None:
        """Mark the rules of `adoptable` entries as ours, and change nothing else about them.

        Raises:
            BackendError: Nothing was changed.
        """
        from allowsync_backends.ufw.rules_store import Drafts, Stage

        chosen = list(entries)
        with UfwLock():
            files = look(route=self.options.route).files
            after = {
                family: file.adopting(self.mine, self._rules(chosen, family))
                for family, file in files.items()
            }
            drafts = Drafts({
                (family, Stage.FIRST): file.text
                for family, file in after.items()
                if file.text != files[family].text
            })  # fmt: skip
            drafts.put(Stage.FIRST)


def _ineffective(what: str, advice: str) -> BackendError:
    """Return the error where a rule would have no effect."""
    return BackendError(f"{what}. Nothing was written; {advice}")
