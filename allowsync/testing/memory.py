"""A firewall in memory: a complete backend, for tests of the code around one."""

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
    """The content of a firewall in memory, and its behaviour. Any number of backends share one.

    Attributes:
        networks: The entries, ours alone.
        others: Foreign networks in the same place.
        flaws: Its flaws; an apply repairs them.
        capabilities: Its capabilities. An apply of anything else is refused.
        findings: The findings of `check`.
        fail_read: The reason why reading fails; empty if it does not.
        fail_apply: The reason why applying and clearing fail, changing nothing; empty if not.
        again: The number of applies that still fail because of a concurrent change.
        unknown: The reason why the outcome of an apply is unknown; empty if it is known.
        lands: Whether an apply of unknown outcome takes effect.
        applied: Every applied plan, in order.
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
        """The store's capabilities."""
        return self.store.capabilities

    def check(self) -> Sequence[Finding]:
        """The store's findings."""
        return tuple(self.store.findings)

    def read(self) -> Current:
        """The store's content.

        Raises:
            BackendError: The store is set to fail.
        """
        if self.store.fail_read:
            raise BackendError(self.store.fail_read)
        return Current(
            frozenset(map(Entry, self.store.networks)),
            frozenset(self.store.others),
            tuple(self.store.flaws),
        )

    def apply(self, plan: Plan) -> None:
        """Make the store hold the final entries of a plan.

        Raises:
            BackendError: The store is set to fail, or refuses an entry.
            OutcomeUnknown: The store is set so.
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
        """Remove our entries from the store.

        Raises:
            BackendError: The store is set to fail.
        """
        if self.store.fail_apply:
            raise BackendError(self.store.fail_apply)
        self.store.networks.clear()
        self.store.flaws.clear()


class MemoryOptions(Value):
    """The options of a firewall in memory: none, the store determines everything."""


def memory_type(store: MemoryStore, name: str = "memory") -> BackendType[MemoryOptions]:
    """A kind of target whose every backend drives the same store."""

    def make(_placement: Placement, _options: MemoryOptions) -> Backend:
        return MemoryBackend(store)

    return BackendType(name, "A firewall in memory", MemoryOptions, make, api=API)
