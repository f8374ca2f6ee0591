"""What a configuration says once it is valid. Made by `allowsync.config.load`, read by all."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any

from allowsync.model import Host, Limits, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from allowsync.backend import AnyBackendType
    from allowsync.config.channels import Channel, Heartbeat
    from allowsync.config.sources import SourceOptions


class Transport(Enum):
    """How a nameserver is spoken to."""

    DNS = "dns"  # UDP, then TCP (RFC 1035, RFC 7766)
    TLS = "tls"  # RFC 7858
    HTTPS = "https"  # RFC 8484


@dataclass(frozen=True, slots=True)
class Nameserver:
    """A name server to ask.

    Attributes:
        address: An IP address as text (with `%zone` for a link-local one). Empty for HTTPS.
        port: 53, 853 or 443 unless the configuration says otherwise.
        name: The name a TLS certificate must be good for; where it is empty, the address.
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
    """What is asked of DNSSEC."""

    IGNORE = "ignore"
    REQUIRE = "require"  # an answer without the AD bit from a trusted resolver is no answer


@dataclass(frozen=True, slots=True)
class ResolverSettings:
    """How the DNS is asked. An empty `nameservers` means the system's."""

    nameservers: tuple[Nameserver, ...] = ()
    agreement: int = 1
    dnssec: Dnssec = Dnssec.IGNORE
    timeout: timedelta = timedelta(seconds=3)
    attempts: int = 3
    deadline: timedelta = timedelta(seconds=20)


@dataclass(frozen=True, slots=True)
class Target:
    """One place an allowlist is enforced.

    Attributes:
        name: `<allowlist>/<backend>`, or `<allowlist>/<name>` when the target has a name.
        allowlist: The allowlist enforced there.
        backend: What drives it.
        options: An instance of `backend.options`.
        written: The options as plain JSON values, enough to build `options` again later, when the
            target is no longer configured. Never holds a secret.
    """

    name: str
    allowlist: str
    backend: AnyBackendType
    options: Any
    written: Mapping[str, Any] = field(default_factory=dict)

    @property
    def claims(self) -> tuple[str, ...]:
        """What the target has for itself: a table, a file. Says a class of options with `claims`.

        Raises:
            Exception: Whatever a third party's code raises.
        """
        claims = getattr(self.options, "claims", None)
        return () if claims is None else tuple(map(str, claims(self.allowlist)))

    @property
    def elsewhere(self) -> bool:
        """Whether the target is reached over the network only. Not so where that is not known."""
        try:
            return self.backend.needs(self.options).online
        except Exception:  # noqa: BLE001 - a defect of one backend must not stop the others
            return False


@dataclass(frozen=True, slots=True)
class Allowlist:
    """A named set of hosts and the targets it is enforced at, in configured order."""

    name: str
    hosts: tuple[str, ...]
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True)
class Secret:
    """A value nobody may see: it masks itself in every text made from it."""

    value: str

    def __repr__(self) -> str:
        return "****"

    __str__ = __repr__


class Event(Enum):
    """What a notice can be about."""

    MOVED = "moved"  # a friend has a new address
    STALE = "stale"  # a name gives no usable answer, and a good part of its time has passed
    ENDED = "ended"  # access was withdrawn by a clock, or `until` has passed
    REFUSED = "refused"  # a limit refused a removal
    SUSPICIOUS = "suspicious"  # an answer was not believed
    FAILED = "failed"  # a target failed, or is in step again
    PROBLEM = "problem"  # something about the installation: the state, the clock


TOLD_UNASKED = tuple(one for one in Event if one is not Event.MOVED)


class Pinged(Enum):
    """Whose conventions a heartbeat follows."""

    AUTO = "auto"  # as the URL looks
    HEALTHCHECKS = "healthchecks"
    UPTIME_KUMA = "uptime_kuma"
    PLAIN = "plain"  # a request after each good run, and nothing else


@dataclass(frozen=True, slots=True)
class Config:
    """A whole valid configuration."""

    path: Path
    hosts: Mapping[str, Host]
    allowlists: Mapping[str, Allowlist]
    state: Path
    resolver: ResolverSettings = field(default_factory=ResolverSettings)
    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    notify: tuple[Channel, ...] = ()
    heartbeat: Heartbeat | None = None
    metrics: Path | None = None
    history: timedelta = timedelta(days=400)
    report: Path | None = None
    sources: Mapping[str, SourceOptions] = field(default_factory=dict)

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every target of every allowlist, in configured order."""
        return tuple(target for one in self.allowlists.values() for target in one.targets)
