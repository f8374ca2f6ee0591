"""The contract of a backend and its values, for third parties.

These names are stable; a third party's backend imports them from `allowsync.backend`.
"""

from __future__ import annotations

from allowsync.backend.api import (
    API,
    MARK,
    AnyBackendType,
    BackendError,
    BackendType,
    Marked,
    Needs,
    OutcomeUnknown,
    hosts_of,
    is_marked,
    mark,
)
from allowsync.model.target import (
    Capabilities,
    Current,
    Effect,
    Finding,
    Front,
    Guard,
    Place,
    Placement,
    PortRange,
    Severity,
    Traffic,
    TrustedProxies,
)
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from allowsync.backend.protocols import Adopting, Backend, Proxied, Restorable

__all__ = [
    "API",
    "MARK",
    "Adopting",
    "AnyBackendType",
    "Backend",
    "BackendError",
    "BackendType",
    "Capabilities",
    "Current",
    "Effect",
    "Finding",
    "Front",
    "Guard",
    "Marked",
    "Needs",
    "OutcomeUnknown",
    "Place",
    "Placement",
    "PortRange",
    "Proxied",
    "Restorable",
    "Severity",
    "Traffic",
    "TrustedProxies",
    "hosts_of",
    "is_marked",
    "mark",
]


def __getattr__(name: str) -> object:
    """Import a protocol on first use: runs need none, and would import `typing` for them."""
    if name in __all__:
        from allowsync.backend import protocols

        return getattr(protocols, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """The names for third parties, for `help`."""
    return __all__
