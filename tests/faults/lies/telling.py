"""Lies told to whole runs: a good answer first, then the lie, and what is left of access then."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from allowsync.config.settings import Config
from allowsync.dns.client import Resolver
from allowsync.engine.options import Request
from allowsync.engine.run import run
from allowsync.model.answer import Absent, Found, Unavailable
from allowsync.model.nameserver import ResolverSettings
from allowsync.model.types import Host, Query
from allowsync.policy.screening import network_of
from allowsync.testing.memory import MemoryStore, memory_type
from testkit.fake_dns.forgeries import Truncated
from testkit.fake_dns.nameserver import NameServer
from testkit.fake_dns.tls import Authority, TlsFront
from tests.faults.lies.case import At, Case, Over, Says
from tests.support.values import FIVE_MINUTES, T0
from tests.support.world import allowlist

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from allowsync.model.answer import Answer
    from allowsync.model.nameserver import Nameserver
    from allowsync.model.types import Family, Network
    from allowsync.plan.result import RunReport
    from allowsync.policy.screening import ScreenedAnswer

# Who will answer is waited for, however slow this machine is; who will not need not be.
PATIENCE = ResolverSettings(
    timeout=timedelta(seconds=30), attempts=1, deadline=timedelta(seconds=60)
)
IMPATIENCE = ResolverSettings(timeout=timedelta(seconds=0.5), attempts=1)


@dataclass(frozen=True, slots=True)
class Asking:
    """The real resolver, as a run asks it."""

    resolver: Resolver

    def __call__(self, queries: Iterable[Query]) -> Mapping[Query, Answer]:
        return self.resolver.resolve(queries)

    def survey(self, queries: Iterable[Query]) -> Mapping[Query, Mapping[str, Answer]]:
        return self.resolver.survey(queries)


@dataclass(frozen=True, slots=True)
class Told:
    """What came of one lie."""

    at: At
    judged: ScreenedAnswer
    before: frozenset[Network]
    after: frozenset[Network]
    host: Host

    @property
    def says(self) -> Says | None:
        """What the lie was taken for; None when that is none of the cases."""
        match self.judged.answer:
            case Found(addresses) if addresses == (self.at.home,):
                return Says.HOME
            case Found(addresses) if self.at.home in addresses:
                return Says.MORE
            case Absent():
                return Says.ABSENT
            case Unavailable(suspicious=True):
                return Says.SUSPICIOUS
            case Unavailable():
                return Says.NOTHING
            case _:
                return None

    @property
    def ours(self) -> frozenset[Network]:
        """Every network this home could ever have."""
        return frozenset(network_of(ip_address(self.at.address(n)), self.host) for n in range(1, 5))

    @property
    def lost(self) -> bool:
        """Whether the firewall lacks what it held for this home before."""
        return not self.before & self.ours or not self.before & self.ours <= self.after


def tell(
    folder: Path, family: Family, cases: Mapping[str, Case], over: Over = Over.UDP
) -> tuple[dict[str, Told], frozenset[Network]]:
    """Tell every lie to a run, and what the firewall holds that is nobody's home."""
    places = {name: At(number, family) for number, name in enumerate(cases)}
    outcomes: dict[str, Told] = {}
    strangers: frozenset[Network] = frozenset()
    for number, (settings, some) in enumerate(_parties(cases, over)):
        mine = {name: at for name, at in places.items() if name in some}
        told, held = _tell_some(folder / str(number), mine, cases, settings, over)
        outcomes |= told
        strangers |= held - frozenset(network for one in told.values() for network in one.ours)
    return outcomes, strangers


def _parties(
    cases: Mapping[str, Case], over: Over
) -> Iterator[tuple[ResolverSettings, Collection[str]]]:
    """Which lies are told together, and how long their answers are waited for.

    Over UDP and TCP each question is on its own; over TLS all share a connection.
    """
    mute = {name for name, case in cases.items() if case.of(over) is Says.NOTHING}
    alone = {name for name in mute if over is Over.TLS and cases[name].alone}
    yield PATIENCE, cases.keys() - mute
    yield IMPATIENCE, mute - alone
    for name in sorted(alone):
        yield IMPATIENCE, {name}


@contextmanager
def _serving(zones: dict[str, object], over: Over, folder: Path) -> Iterator[Serving]:
    """A name server that is asked that way and in no other one."""
    with NameServer(zones) as server:
        if over is not Over.TLS:
            yield server
            return
        folder.mkdir(parents=True, exist_ok=True)
        authority = Authority(folder)
        with (
            authority.trusted(),
            TlsFront(server, authority.serves(server.address)) as front,
        ):
            yield front
        assert front.in_clear == []


def _tell_some(
    folder: Path,
    places: Mapping[str, At],
    cases: Mapping[str, Case],
    settings: ResolverSettings,
    over: Over,
) -> tuple[dict[str, Told], frozenset[Network]]:
    zones: dict[str, object] = {at.name: at.good for at in places.values()}
    hosts = [Host(f"n{at.number}", (at.name,), families=(at.family,)) for at in places.values()]
    with _serving(zones, over, folder / "certificates") as server:
        world = Installation(folder, hosts, [server])
        world.run()
        before = world.held
        for name, at in places.items():
            lie = cases[name].value(at)
            zones[at.name] = Truncated(lie) if over is Over.TCP else lie
        world.settings = settings
        decisions = world.run().decisions
    told = {
        name: Told(at, decisions[f"n{at.number}"].judged[0], before, world.held, host)
        for (name, at), host in zip(places.items(), hosts, strict=True)
    }
    return told, world.held


class Serving(Protocol):
    """Whoever can be named as a name server in a configuration."""

    @property
    def nameserver(self) -> Nameserver:
        """As a configuration names it."""
        ...


@dataclass(slots=True)
class Installation:
    """Hosts, name servers, and a firewall in memory, over whole runs five minutes apart."""

    folder: Path
    hosts: Sequence[Host]
    servers: Sequence[Serving]
    settings: ResolverSettings = PATIENCE
    store: MemoryStore = field(default_factory=MemoryStore)
    instant: datetime = T0

    @property
    def held(self) -> frozenset[Network]:
        return frozenset(self.store.networks)

    def run(self) -> RunReport:
        self.instant += FIVE_MINUTES
        named = {host.name: host for host in self.hosts}
        web = allowlist("web", tuple(named), memory_type(self.store))
        state = self.folder / "lib" / "state.db"
        config = Config(Path("config.yaml"), named, {"web": web}, state, self.settings)
        servers = [server.nameserver for server in self.servers]
        asking = Asking(Resolver(self.settings, servers=servers))
        return run(config, Request(), asking, self.instant)
