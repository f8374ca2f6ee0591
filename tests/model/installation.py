"""An installation whose every surrounding is a value: DNS by nameserver, firewalls, both clocks.

The engine, the policy, the planner and the state are the real ones; the firewalls are in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

from allowsync.config.settings import Config
from allowsync.engine.options import Request
from allowsync.engine.run import run
from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.clock import Pulse
from allowsync.model.nameserver import ResolverSettings
from allowsync.model.types import Family, Host, Query
from allowsync.state import Store
from allowsync.state.files import last_run_marks, take_mark
from allowsync.testing.memory import MemoryStore, memory_type
from tests.support.values import T0
from tests.support.world import allowlist

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from allowsync.backend.api import BackendType
    from allowsync.model.types import Network
    from allowsync.plan.result import RunReport
    from allowsync.testing.memory import MemoryOptions


@dataclass(frozen=True, slots=True)
class Halved:
    """One address, and NXDOMAIN about the other family, as broken nameservers say (RFC 4074)."""

    address: str


# What one nameserver has for a name: addresses of both families, or how it fails.
Records: TypeAlias = tuple[str, ...] | Halved | Absent | Unavailable

NAMESERVERS: Final = ("192.0.2.1", "192.0.2.2", "192.0.2.3")
LISTS: Final = ("web", "vpn")
FIREWALLS: Final = ("web/packets", "web/proxy", "vpn/packets")
GONE: Final = "the gate is not there"
_NOTHING: Final = Absent("NXDOMAIN")


def list_of(firewall: str) -> str:
    """The allowlist that a firewall enforces."""
    return firewall.partition("/")[0]


def reply(zone: Mapping[str, Records], query: Query) -> Answer:
    """What a nameserver with that zone answers; a wildcard stands for names that it has not."""
    records = zone.get(query.hostname)
    if records is None:
        records = zone.get("*." + query.hostname.partition(".")[2], _NOTHING)
    match records:
        case tuple():
            return _of_family(records, query.family, "NODATA")
        case Halved(address):
            return _of_family((address,), query.family, "NXDOMAIN")
        case _:
            return records


@cache
def _of_family(records: tuple[str, ...], family: Family, none: str) -> Answer:
    addresses = [ip_address(one) for one in records]
    mine = [one for one in addresses if Family.of(one) is family]
    return Found(tuple(sorted(mine, key=int)), 60) if mine else Absent(none)


@dataclass
class Installation:
    """Two allowlists, three firewalls, three nameservers, and clocks that may be wrong.

    Attributes:
        folder: Where the state lies.
        hosts: The configured hosts.
        members: The hosts of each allowlist.
        stores: The firewalls, each by the name of its list and its own.
        zones: What each nameserver has.
        agreement: How many of them have to agree.
        truth: The time that it really is.
        ahead: By how much the wall clock is ahead of it.
        boot: How often the machine started.
        booted: When it started last.
        pages: Networks of parking pages: nobody's home, so no promise keeps them.
    """

    folder: Path
    hosts: dict[str, Host]
    members: dict[str, tuple[str, ...]]
    stores: dict[str, MemoryStore] = field(
        default_factory=lambda: {one: MemoryStore(flaws=[GONE]) for one in FIREWALLS}
    )
    zones: dict[str, dict[str, Records]] = field(
        default_factory=lambda: {one: {} for one in NAMESERVERS}
    )
    agreement: int = 1
    truth: datetime = T0
    ahead: timedelta = timedelta(0)
    boot: int = 1
    booted: datetime = T0 - timedelta(days=30)
    pages: frozenset[Network] = frozenset()

    @property
    def state(self) -> Path:
        return self.folder / "lib" / "state.db"

    @property
    def wall(self) -> datetime:
        return self.truth + self.ahead

    @property
    def config(self) -> Config:
        kinds: dict[str, list[BackendType[MemoryOptions]]] = {one: [] for one in LISTS}
        for name, store in self.stores.items():
            kinds[list_of(name)].append(memory_type(store, name.partition("/")[2]))
        lists = {name: allowlist(name, self.members[name], *mine) for name, mine in kinds.items()}
        resolver = ResolverSettings(agreement=self.agreement)
        return Config(Path("config.yaml"), self.hosts, lists, self.state, resolver=resolver)

    @property
    def labels(self) -> dict[str, str]:
        """Each configured hostname with the label of its host."""
        return {name: label for label, host in self.hosts.items() for name in host.hostnames}

    def run(self, minutes: int = 5, **asked: object) -> RunReport:
        """One run, so many minutes after what went before."""
        self.truth += timedelta(minutes=minutes)
        request = Request(**asked)  # type: ignore[arg-type]
        pulse = Pulse(self.wall, f"boot-{self.boot}", self.truth - self.booted)
        return run(self.config, request, Dns(self.zones), pulse)

    def approve(self, label: str) -> None:
        """What `allowsync approve` does about a label that the last run knew."""
        with Store.writing(self.state) as store:
            store.approve(label, self.hosts[label].hostnames, self.wall)

    def reboot(self) -> None:
        """The machine starts anew: its firewalls are empty, and its uptime begins."""
        self.boot += 1
        self.booted = self.truth
        take_mark(last_run_marks(self.state)[1])
        self.flush()

    def flush(self, names: Iterable[str] = FIREWALLS) -> None:
        """What keeps strangers out is gone from the firewalls, and the entries with it."""
        for store in (self.stores[name] for name in names):
            store.networks.clear()
            store.flaws[:] = [GONE]

    def says(self, name: str, records: Records, servers: Iterable[str] = NAMESERVERS) -> None:
        for server in servers:
            self.zones[server][name] = records


@dataclass(frozen=True, slots=True)
class Dns:
    """Three nameservers, asked in order until one says something, or every one of them."""

    zones: Mapping[str, Mapping[str, Records]]

    def __call__(self, queries: Iterable[Query]) -> Mapping[Query, Answer]:
        return {query: self.first(query) for query in queries}

    def first(self, query: Query) -> Answer:
        answers = [reply(zone, query) for zone in self.zones.values()]
        good = [one for one in answers if not isinstance(one, Unavailable)]
        return good[0] if good else answers[0]

    def survey(self, queries: Iterable[Query]) -> Mapping[Query, Mapping[str, Answer]]:
        return {
            query: {name: reply(zone, query) for name, zone in self.zones.items()}
            for query in queries
        }
