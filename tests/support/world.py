"""A whole installation in memory but for its state file: hosts, a DNS, firewalls, and a clock."""

from __future__ import annotations

import shutil
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from allowsync.config.settings import Allowlist, Config, Denylist, Target
from allowsync.engine.options import Request
from allowsync.engine.run import run
from allowsync.inspect.status import AccessStatus, look
from allowsync.model.answer import Absent
from allowsync.model.nameserver import ResolverSettings
from allowsync.model.target import Place
from allowsync.model.types import Host, Limits, Query
from allowsync.testing.memory import MemoryStore, memory_type
from tests.support.values import FIVE_MINUTES, T0, found, host, net

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

    from allowsync.backend.api import BackendType
    from allowsync.config.channels import NotifyChannel
    from allowsync.model.answer import Answer
    from allowsync.plan.result import RunReport, TargetReport
    from allowsync.testing.memory import MemoryOptions

FRIENDS = ("alice", "bob", "carol", "dave")


@dataclass
class World:
    """Four friends, one allowlist `web` with one target `web/memory`, unless told otherwise.

    `says` is what the DNS answers per hostname (`*.<parent>` is a wildcard); every host's name is
    `<label>.example.org`. `nameservers` is what single nameservers say instead. `asked` is what a
    run asked first, `beside` what it asked after that, `surveyed` what it asked everywhere.
    """

    folder: Path
    hosts: dict[str, Host] = field(default_factory=lambda: {one: host(one) for one in FRIENDS})
    store: MemoryStore = field(default_factory=MemoryStore)
    limits: Limits = field(default_factory=Limits)
    says: dict[str, Answer] = field(default_factory=dict)
    members: tuple[str, ...] | None = None
    extra: tuple[Allowlist, ...] = ()
    configured: bool = True
    places: tuple[str, ...] = ()
    instant: datetime = T0 - FIVE_MINUTES
    resolver: ResolverSettings = field(default_factory=ResolverSettings)
    notify: tuple[NotifyChannel, ...] = ()
    nameservers: dict[str, dict[str, Answer]] = field(default_factory=dict)
    asked: list[Query] = field(default_factory=list)
    beside: list[Query] = field(default_factory=list)
    surveyed: list[Query] = field(default_factory=list)
    denylists: tuple[Denylist, ...] = ()

    def __post_init__(self) -> None:
        for number, label in enumerate(FRIENDS, start=1):
            self.says.setdefault(f"{label}.example.org", found(f"81.2.69.{number}"))

    @property
    def state(self) -> Path:
        return self.folder / "lib" / "state.db"

    def copy(self, folder: Path) -> World:
        """The same in another folder, where neither has a part in what the other does."""
        shutil.copytree(self.state.parent, folder / "lib")
        return deepcopy(replace(self, folder=folder))

    @property
    def config(self) -> Config:
        members = self.members if self.members is not None else tuple(self.hosts)
        mine = (
            (allowlist("web", members, memory_type(self.store), places=self.places),)
            if self.configured
            else ()
        )
        lists = {one.name: one for one in (*mine, *self.extra)}
        denied = {one.name: one for one in self.denylists}
        path = self.state.parent / "config.yaml"
        return Config(path, self.hosts, lists, self.state, limits=self.limits,
                      resolver=self.resolver, notify=self.notify, denylists=denied)  # fmt: skip

    def run(
        self,
        *only: str,
        after: timedelta = FIVE_MINUTES,
        dry_run: bool = False,
        force: bool = False,
        offline: bool = False,
    ) -> RunReport:
        self.instant += after
        request = Request(only, force=force, offline=offline, dry_run=dry_run)
        return run(self.config, request, Dns(self), self.instant)

    def runs(self, count: int, **options: timedelta) -> RunReport:
        reports = [self.run(**options) for _ in range(count)]  # type: ignore[arg-type]
        return reports[-1]

    def look(self) -> AccessStatus:
        return look(self.config, self.instant)

    def everybody(self, answer: Answer) -> None:
        self.says = dict.fromkeys(self.says, answer)

    def change(self, label: str, **fields: object) -> None:
        self.hosts[label] = replace(self.hosts[label], **fields)  # type: ignore[arg-type]

    @property
    def held(self) -> set[str]:
        """What the firewall holds, single addresses without their width."""
        return {str(one).removesuffix("/32") for one in self.store.networks}

    def plant(self, *texts: str) -> None:
        self.store.networks |= {net(text) for text in texts}


@dataclass(slots=True)
class Dns:
    """What the world says, as the resolver of one run."""

    world: World
    again: bool = False

    def __call__(self, queries: Iterable[Query]) -> Mapping[Query, Answer]:
        asked = list(queries)
        (self.world.beside if self.again else self.world.asked).extend(asked)
        self.again = True
        return {query: self._said(query, {}) for query in asked}

    def survey(self, queries: Iterable[Query]) -> Mapping[Query, Mapping[str, Answer]]:
        asked = list(queries)
        self.world.surveyed += asked
        everywhere = self.world.nameservers or {"192.0.2.53": {}}
        return {
            query: {name: self._said(query, own) for name, own in everywhere.items()}
            for query in asked
        }

    def _said(self, query: Query, own: Mapping[str, Answer]) -> Answer:
        says = {**self.world.says, **own}
        wildcard = says.get("*." + query.hostname.partition(".")[2], Absent("NXDOMAIN"))
        return says.get(query.hostname, wildcard)


@dataclass(frozen=True, slots=True)
class Somewhere:
    """Options that say what a target has for itself."""

    names: tuple[str, ...]

    def places(self, allowlist: str) -> tuple[Place, ...]:
        return tuple(Place("gate", (name,)) for name in self.names)


def allowlist(
    name: str,
    members: Iterable[str],
    *kinds: BackendType[MemoryOptions],
    places: tuple[str, ...] = (),
) -> Allowlist:
    written = {"places": list(places)}
    targets = tuple(
        Target(f"{name}/{kind.name}", name, kind, Somewhere(places), written) for kind in kinds
    )
    return Allowlist(name, tuple(members), targets)


def only_target(report: RunReport) -> TargetReport:
    (target,) = report.targets
    return target
