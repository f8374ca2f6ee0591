"""What somebody would write who takes dnspython's own async resolver."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import dns.asyncresolver

from allowsync.model.types import Family

if TYPE_CHECKING:
    from allowsync.model.nameserver import Nameserver
    from allowsync.model.types import Query

IN_FLIGHT = 100


def resolve(asked: list[Query], server: Nameserver) -> None:
    """Ask everything, a hundred questions at a time. Raises what dnspython raises."""
    resolver = dns.asyncresolver.Resolver(configure=False)
    resolver.nameservers = [server.address]
    resolver.port = server.port
    asyncio.run(_resolve(resolver, asked))


async def _resolve(resolver: dns.asyncresolver.Resolver, asked: list[Query]) -> None:
    window = asyncio.Semaphore(IN_FLIGHT)

    async def ask(query: Query) -> None:
        rdtype = "A" if query.family is Family.IPV4 else "AAAA"
        async with window:
            await resolver.resolve(query.hostname + ".", rdtype, search=False)

    await asyncio.gather(*map(ask, asked))
