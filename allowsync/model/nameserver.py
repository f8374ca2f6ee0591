"""Nameservers, and settings for queries to them."""

from __future__ import annotations

from datetime import timedelta
from enum import Enum

from allowsync.model.value import Value


class Transport(Enum):
    """The transport of queries to a nameserver."""

    DNS = "dns"  # UDP, then TCP (RFC 1035, RFC 7766)
    TLS = "tls"  # RFC 7858
    HTTPS = "https"  # RFC 8484


class Nameserver(Value):
    """A name server to ask.

    Attributes:
        address: An IP address as text (with `%zone` for a link-local one). Empty for HTTPS.
        port: 53, 853 or 443 unless the configuration says otherwise.
        name: The name that a TLS certificate must be valid for; where empty, the address.
        url: The whole URL of a DoH server; empty otherwise.
    """

    address: str
    port: int = 53
    transport: Transport = Transport.DNS
    name: str = ""
    url: str = ""

    def __str__(self) -> str:
        if self.transport is Transport.HTTPS:
            return self.url
        address = f"[{self.address}]" if ":" in self.address else self.address
        if self.transport is Transport.TLS:
            port = "" if self.port == 853 else f":{self.port}"
            return f"tls://{address}{port}" + (f"#{self.name}" if self.name else "")
        return self.address if self.port == 53 else f"{address}:{self.port}"


class Dnssec(Enum):
    """The requirement on DNSSEC."""

    IGNORE = "ignore"
    REQUIRE = "require"  # an answer without the AD bit from a trusted resolver is no answer


class ResolverSettings(Value):
    """Settings of DNS queries. An empty `nameservers` means the system's."""

    nameservers: tuple[Nameserver, ...] = ()
    agreement: int = 1
    dnssec: Dnssec = Dnssec.IGNORE
    timeout: timedelta = timedelta(seconds=3)
    attempts: int = 3
    deadline: timedelta = timedelta(seconds=20)
