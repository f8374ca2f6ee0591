"""Several firewalls in memory, one behind the other, and all they held at every instant."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from allowsync.backend.api import BackendError, BackendType
from allowsync.config.settings import Target
from allowsync.engine.apply import enforce
from allowsync.engine.prepare import Draft, draft
from allowsync.model.clock import Clock
from allowsync.model.memory import TargetMemory
from allowsync.model.target import Capabilities
from allowsync.model.types import Entry, Network
from allowsync.policy.clock import Now
from allowsync.testing.memory import MemoryBackend, MemoryOptions, MemoryStore
from tests.support.values import T0, Life, host, net

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from allowsync.model.plan import Plan
    from allowsync.plan.limits import LimitRefusal
    from allowsync.policy.decision import Decision

Wants = dict[str, str]  # which networks each host wants, or had, in one text
Held = frozenset[Network]


@dataclass
class Layer:
    """One target.

    Attributes:
        name: Its backend's name.
        holds: What it holds at first.
        atomic: Whether a plan is one step; else it puts in what is new, one by one, then takes out.
        overlaps: Whether its entries may cover each other.
        room: How many entries fit.
        fails: Whether to fail when it is told to `add` or to `remove` anything.
        flaw: What is wrong around its entries; an apply puts it right.
        labels: Whether it is to say whose its entries are, which it then never does right.
    """

    name: str
    holds: str = ""
    atomic: bool = True
    overlaps: bool = True
    room: int | None = None
    fails: Collection[str] = ()
    flaw: str = ""
    labels: bool = False
    store: MemoryStore = field(init=False)

    def __post_init__(self) -> None:
        capabilities = Capabilities(
            atomic=self.atomic,
            overlaps=self.overlaps,
            max_entries=self.room,
            labels=self.labels,
        )
        flaws = [self.flaw] if self.flaw else []
        self.store = MemoryStore(nets_of(self.holds), capabilities=capabilities, flaws=flaws)

    @property
    def now(self) -> set[Network]:
        return set(self.store.networks)


@dataclass
class Layers:
    """All of them.

    Attributes:
        layers: The targets of the allowlist `web`, in order.
        kept: Why nobody may be removed; None where somebody may.
        instants: What each held, from the first to the last.
        calls: Which target was told to apply what, as `name +added -removed`.
    """

    layers: Sequence[Layer]
    kept: LimitRefusal | None = None
    instants: list[tuple[Held, ...]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def drafts(self, want: Wants, had: Wants | None = None) -> list[Draft]:
        """What is meant to happen for hosts that want some networks.

        Args:
            want: Which networks each host wants. Who is not in it is not trusted any more.
            had: Whose the networks are that the targets hold, as is remembered.
        """
        memory = TargetMemory(tuple(remembered(had or {})))
        decisions = [decision(label, want[label]) for label in sorted(want)]
        return [self._draft(layer, decisions, memory) for layer in self.layers]

    def enforce(self, drafts: Sequence[Draft]) -> list[Draft]:
        """Carry out drafts, and take note of every instant."""
        self.note()
        return enforce(drafts)

    def run(self, want: Wants, had: Wants | None = None) -> list[Draft]:
        """Both."""
        return self.enforce(self.drafts(want, had))

    def note(self) -> None:
        """Take note of what they hold."""
        self.instants.append(tuple(frozenset(one.store.networks) for one in self.layers))

    def _draft(self, layer: Layer, decisions: Sequence[Decision], memory: TargetMemory) -> Draft:
        kind = BackendType(
            layer.name,
            "A layer",
            MemoryOptions,
            lambda _place, _options: Stepping(layer.store, layer, self),
        )
        target = Target(f"web/{layer.name}", "web", kind, MemoryOptions())
        now = Now(T0, Clock.STEADY)
        return draft(target, decisions, memory, None, now, allow_empty=True, kept=self.kept)


class Stepping(MemoryBackend):
    """Drives a layer, an entry at a time where it can do no better."""

    layer: Layer
    around: Layers

    def apply(self, plan: Plan) -> None:
        self.around.calls.append(said(self.layer.name, plan))
        for what, entries in (("add", plan.add), ("remove", plan.remove)):
            if entries and what in self.layer.fails:
                raise BackendError(f"told to fail to {what}")
        if not (self.layer.atomic or self.store.again or self.store.unknown):
            self._step_by_step(plan)
        super().apply(plan)
        self.around.note()

    def _step_by_step(self, plan: Plan) -> None:
        for entry in plan.final:
            if len(self.store.networks | {entry.network}) > (self.layer.room or 1 << 32):
                raise BackendError("it is full")
            self.store.networks.add(entry.network)
            self.around.note()
        for entry in plan.remove:
            self.store.networks.discard(entry.network)
            self.around.note()


def said(name: str, plan: Plan) -> str:
    """What a plan changes, in short."""
    added = "".join(f" +{one.network}" for one in plan.add)
    removed = "".join(f" -{one.network}" for one in plan.remove)
    return f"{name}{added}{removed}".replace("/32", "")


def decision(label: str, wants: str) -> Decision:
    """What is decided about a host with fixed networks."""
    networks = tuple(nets_of(wants))
    return Life(host(label, hostnames=(), networks=networks)).run()


def remembered(had: Mapping[str, str]) -> Iterable[Entry]:
    """Entries with the labels of all who had them."""
    labels: dict[Network, list[str]] = {}
    for label, texts in had.items():
        for network in nets_of(texts):
            labels.setdefault(network, []).append(label)
    return (Entry(network, tuple(sorted(hosts))) for network, hosts in labels.items())


def nets_of(texts: str) -> set[Network]:
    return {net(text) for text in texts.split()}
