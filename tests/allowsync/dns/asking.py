"""Short ways to ask a name server under test."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from allowsync.dns.client import Resolver
from allowsync.model.nameserver import Dnssec, Nameserver, ResolverSettings
from allowsync.model.types import Family, Query

if TYPE_CHECKING:
    from allowsync.model.answer import Answer
    from testkit.fake_dns.nameserver import NameServer

ALICE = "alice.example.org"
IPV4 = "203.0.113.7"
IPV6 = "2001:db8::7"
BOTH = [IPV4, IPV6]


def settings(
    *servers: NameServer | Nameserver,
    timeout: float = 20.0,
    attempts: int = 3,
    deadline: float = 60.0,
    dnssec: Dnssec = Dnssec.IGNORE,
) -> ResolverSettings:
    """Settings with those name servers; spans in seconds."""
    return ResolverSettings(
        nameservers=tuple(s if isinstance(s, Nameserver) else s.nameserver for s in servers),
        timeout=timedelta(seconds=timeout),
        attempts=attempts,
        deadline=timedelta(seconds=deadline),
        dnssec=dnssec,
    )


def ask(using: ResolverSettings, hostname: str = ALICE, family: Family = Family.IPV4) -> Answer:
    """The answer to one query."""
    query = Query(hostname, family)
    return Resolver(using).resolve([query])[query]


def children() -> list[str]:
    """The copies of this process that were not waited for, by number, the oldest first.

    The kernel lists them in the order in which they were made; their numbers begin anew at 32768.
    """
    mine = Path("/proc/self/cmdline").read_bytes()
    made = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    return [pid for pid in made if Path(f"/proc/{pid}/cmdline").read_bytes() in (mine, b"")]
