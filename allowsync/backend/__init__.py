"""The contract of a backend, and the values in it, for third parties.

The names here stay; a third party's backend imports them from `allowsync.backend`.
"""

from __future__ import annotations

from allowsync.backend.api import (
    API,
    MARK,
    Adopting,
    AnyBackendType,
    Backend,
    BackendError,
    BackendType,
    Marked,
    Needs,
    OutcomeUnknown,
    Proxied,
    Restorable,
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
