"""What a backend is, for whoever writes one: the contract and the values in it.

The names here stay; a third party's backend imports them from `allowsync.backend`.
"""

from __future__ import annotations

from allowsync.backend.api import (
    Adopting,
    AnyBackendType,
    Backend,
    BackendError,
    BackendType,
    Needs,
    OutcomeUnknown,
    Restorable,
)
from allowsync.model.target import Capabilities, Current, Finding, Placement, Severity

__all__ = [
    "Adopting",
    "AnyBackendType",
    "Backend",
    "BackendError",
    "BackendType",
    "Capabilities",
    "Current",
    "Finding",
    "Needs",
    "OutcomeUnknown",
    "Placement",
    "Restorable",
    "Severity",
]
