"""Values that tests are written in: short names for what would otherwise be three lines each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network

from allowsync.model.answer import Absent, Answer, Found, Unavailable
from allowsync.model.clock import Clock
from allowsync.model.memory import HostMemory
from allowsync.model.types import Entry, Family, Host, Network, Policy, Query
from allowsync.policy.clock import Now
from allowsync.policy.decision import Decision, decide

T0 = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
FIVE_MINUTES = timedelta(minutes=5)

V4, V6 = Family.IPV4, Family.IPV6
NAME = "alice.example.org"
A = Query(NAME, V4)
AAAA = Query(NAME, V6)

HOME = "81.2.69.1"
MOVED = "81.2.69.2"
ELSEWHERE = "81.2.69.3"
HOME6 = "2a01:4f8:1:2::7"

GONE = Absent("NXDOMAIN")
SERVFAIL = Unavailable("SERVFAIL")


def host(name: str = "alice", *, families: tuple[Family, ...] = (V4,), **fields: object) -> Host:
    """A host with one hostname; policy keys may be given beside a host's own fields."""
    keys = {key: fields.pop(key) for key in list(fields) if key in Policy.__dataclass_fields__}
    fields.setdefault("hostnames", (f"{name}.example.org",))
    policy = Policy(**keys)  # type: ignore[arg-type]
    return Host(name, families=families, policy=policy, **fields)  # type: ignore[arg-type]


def found(*addresses: str, ttl: int = 60) -> Found:
    return Found(tuple(sorted(map(ip_address, addresses), key=int)), ttl)


def net(text: str) -> Network:
    return ip_network(text)


def nets(*texts: str) -> set[Network]:
    return {ip_network(text) for text in texts}


def entry(text: str, *hosts: str) -> Entry:
    return Entry(ip_network(text), hosts)


def allowed(decision: Decision) -> set[str]:
    return {str(grant.network) for grant in decision.grants}


class Life:
    """One host over many runs, five minutes apart unless told otherwise."""

    def __init__(self, who: Host, start: datetime = T0) -> None:
        self.host = who
        self.instant = start - FIVE_MINUTES
        self.memory = HostMemory()
        self.decision = Decision(who)

    def run(
        self,
        *answers: Answer,
        after: timedelta = FIVE_MINUTES,
        clock: Clock = Clock.STEADY,
        who: Host | None = None,
    ) -> Decision:
        """One run in which the host's queries get these answers, in order."""
        self.host = who or self.host
        self.instant += after
        said = dict(zip(self.host.queries, answers, strict=False))
        self.decision = decide(self.host, said, self.memory, Now(self.instant, clock))
        self.memory = self.decision.memory
        return self.decision
