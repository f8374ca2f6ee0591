"""The backend of a gate of our own: two sets, and a chain before all other rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError
from allowsync.model.target import Capabilities, Current, Effect
from allowsync.model.types import BOTH_FAMILIES, Family
from allowsync.model.value import Value, replace
from allowsync_backends.ipset import inspection, set_store, tool
from allowsync_backends.ipset.options import Variant
from allowsync_backends.ipset.rules import PARENTS, TABLE, IpsetGate, load_script, removal_script
from allowsync_backends.ipset.sets import SHORTEST, IpsetListingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from allowsync.model.plan import Plan
    from allowsync.model.target import Finding
    from allowsync.system.process import Completed


def widths() -> dict[Family, tuple[int, int]]:
    """Return the prefix lengths of a set of ours: all but 0."""
    return {family: (SHORTEST, family.bits) for family in BOTH_FAMILIES}


class IpsetGateBackend(Value):
    """Drives the sets, and the chains `allowsync-<allowlist>` and `allowsync_<allowlist>`."""

    gate: IpsetGate
    variant: Variant = Variant.AUTO

    @property
    def capabilities(self) -> Capabilities:
        """Networks of any width but 0, of the families this kernel supports. They may overlap."""
        return Capabilities(tool.families(), widths(), overlaps=True)

    @property
    def sets(self) -> dict[str, Family]:
        """The names of the sets, each with its family."""
        return set_store.names_of(self.gate.allowlist, tool.families())

    def check(self) -> Sequence[Finding]:
        """Check that the gate is whole, and in its place."""
        from allowsync_backends.ipset.check import check_gate

        return check_gate(self.read, self.gate, self.variant)

    def read(self) -> Current:
        """Return the sets and the chains.

        Raises:
            BackendError: They could not be listed or parsed.
        """
        found = set_store.look(self.sets, self.gate.effect)
        flaws = list(found.flaws)
        for family in tool.families():
            flaws += self._flaws(family, self.table(family))
        return Current(
            found.entries,
            flaws=tuple(flaws),
            obstacles=found.obstacles,
            # Dropped sources are many, and the time of a source's last packet is not needed.
            traffic=found.traffic(flaws) if self.gate.effect is Effect.ALLOW else None,
        )

    def table(self, family: Family) -> inspection.Table:
        """Return the rules of a family.

        Raises:
            BackendError: They could not be listed or parsed.
        """
        return self._table(family, self._listed(family))

    def _listed(self, family: Family) -> Completed:
        listed = tool.ask(tool.rules_of(family, self.variant, TABLE))
        if listed.code != 0:
            raise BackendError(
                f"{self._name(family)} cannot list its rules: {tool.complaint(listed)}"
            )
        return listed

    def _table(self, family: Family, listed: Completed) -> inspection.Table:
        try:
            return inspection.table(listed.stdout)
        except IpsetListingError as error:
            raise BackendError(f"{self._name(family)}: {error}") from error

    def _name(self, family: Family) -> str:
        return tool.program(family, self.variant)

    def _flaws(self, family: Family, found: inspection.Table) -> Iterator[str]:
        name = self._name(family)
        for flaw in (
            *inspection.chain_flaws(self.gate, family, found),
            *inspection.hook_flaws(self.gate, found),
        ):
            yield f"{name}: {flaw}"

    def apply(self, plan: Plan) -> None:
        """Fill the sets, then repair the rules, one transaction a family.

        Raises:
            BackendError: Not everything was changed. `again` when the gate changed since the plan
                was made.
            OutcomeUnknown: A program was killed before it reported its end.
        """
        if plan.idle:
            return
        set_store.fill(self.sets, plan, self.gate.effect)
        if not plan.repair:
            return
        for family in tool.families():
            self._mend(family)

    def _mend(self, family: Family) -> None:
        """Create the chain, or repair it, in any state."""
        found = self.table(family)
        if not any(self._flaws(family, found)):
            return
        script = load_script(self.gate, family, inspection.astray(self.gate, found))
        done = tool.restore_rules(family, self.variant, script)
        if done.code != 0:
            now = self.table(family)
            what = f"{self._name(family)} changed nothing: {tool.complaint(done)}"
            raise BackendError(what, again=now != found)

    def clear(self) -> None:
        """Remove the chains, which opens the ports, then delete the sets.

        Raises:
            BackendError: Something is still there.
        """
        for variant in (self.variant, *self._also_there()):
            for family in tool.families():
                replace(self, variant=variant).take_down(family)
        set_store.destroy(self.sets)

    def _also_there(self) -> Iterator[Variant]:
        """Yield the other variants that may have rules.

        The meaning of `iptables` may have changed since the chains were made.
        """
        for variant in (Variant.NFT, Variant.LEGACY):
            if variant is not self.variant and tool.has_rules(variant, TABLE):
                yield variant

    def take_down(self, family: Family) -> None:
        """Delete one family's chain and the rules that lead to it. Absence is no error.

        Raises:
            BackendError: It is still there.
        """
        found = self.table(family)
        chains = [self.gate.chain(parent) for parent in PARENTS]
        if not any(chain in found.chains for chain in chains):
            return
        unhook = (one for parent in PARENTS for one in inspection.hooks(self.gate, parent, found))
        script = removal_script(self.gate, unhook)
        done = tool.restore_rules(family, self.variant, script)
        if done.code != 0:
            raise BackendError(
                f"{self._name(family)}: chain {' or '.join(chains)} could not be deleted: "
                f"{tool.complaint(done)}"
            )
