"""A firewall in memory: a whole backend, for tests of what stands around one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from allowsync.backend.api import API, BackendError, BackendType, OutcomeUnknown
from allowsync.model.target import Capabilities, Current, Finding, Placement
from allowsync.model.types import Entry, Network
from allowsync.model.value import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from allowsync.backend.protocols import Backend
    from allowsync.model.plan import Plan


@dataclass(slots=True)
class MemoryStore:
    """What a firewall in memory holds, and how it is to behave. Any number of backends share one.

    Attributes:
        networks: The entries, ours alone.
        others: Strangers' networks at the same place.
        flaws: What is wrong; an apply repairs it.
        capabilities: What it can hold. An apply of anything else is refused.
        findings: What `check` finds.
        fail_read: Why reading fails; empty when it does not.
        fail_apply: Why applying and clearing fail, changing nothing; empty when they do not.
        again: How many applies still fail because something changed in between.
        unknown: Why the outcome of an apply is not known; empty when it is.
        lands: Whether an apply of unknown outcome takes effect.
        applied: Every plan that was carried out, in order.
    """

    networks: set[Network] = field(default_factory=set)
    others: set[Network] = field(default_factory=set)
    flaws: list[str] = field(default_factory=list)
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(atomic=True))
    findings: list[Finding] = field(default_factory=list)
    fail_read: str = ""
    fail_apply: str = ""
    again: int = 0
    unknown: str = ""
    lands: bool = True
    applied: list[Plan] = field(default_factory=list)


class MemoryBackend(Value):
    """Drives a firewall in memory."""

    store: MemoryStore

    @property
    def capabilities(self) -> Capabilities:
        """What the store says."""
        return self.store.capabilities

    def check(self) -> Sequence[Finding]:
        """What the store says."""
        return tuple(self.store.findings)

    def read(self) -> Current:
        """What the store holds.

        Raises:
            BackendError: The store is told to fail.
        """
        if self.store.fail_read:
            raise BackendError(self.store.fail_read)
        return Current(
            frozenset(map(Entry, self.store.networks)),
            frozenset(self.store.others),
            tuple(self.store.flaws),
        )

    def apply(self, plan: Plan) -> None:
        """Let the store hold what the plan says.

        Raises:
            BackendError: The store is told to fail, or does not take an entry.
            OutcomeUnknown: The store is told so.
        """
        if plan.idle:
            return
        if self.store.again:
            self.store.again -= 1
            raise BackendError("something changed in between", again=True)
        self._refuse(plan)
        if self.store.lands or not self.store.unknown:
            self.store.networks = {entry.network for entry in plan.final}
            self.store.flaws.clear()
            self.store.applied.append(plan)
        if self.store.unknown:
            raise OutcomeUnknown(self.store.unknown)

    def _refuse(self, plan: Plan) -> None:
        if self.store.fail_apply:
            raise BackendError(self.store.fail_apply)
        for entry in plan.final:
            if not self.store.capabilities.holds(entry.network):
                raise BackendError(f"{entry.network} does not fit")
        most = self.store.capabilities.max_entries
        if most is not None and len(plan.final) > most:
            raise BackendError(f"{len(plan.final)} entries do not fit, it holds {most}")

    def clear(self) -> None:
        """Empty the store of what is ours.

        Raises:
            BackendError: The store is told to fail.
        """
        if self.store.fail_apply:
            raise BackendError(self.store.fail_apply)
        self.store.networks.clear()
        self.store.flaws.clear()


class MemoryOptions(Value):
    """A firewall in memory has no options: the store says it all."""


def memory_type(store: MemoryStore, name: str = "memory") -> BackendType[MemoryOptions]:
    """A kind of target whose every backend drives the same store."""

    def make(_placement: Placement, _options: MemoryOptions) -> Backend:
        return MemoryBackend(store)

    return BackendType(name, "A firewall in memory", MemoryOptions, make, api=API)
