"""The nouns of allowsync as values without behaviour.

The names that backends of third parties import, `from allowsync.model import Entry, Network`, stay.
"""

from __future__ import annotations

from allowsync.model.types import (
    BOTH_FAMILIES,
    Address,
    Basis,
    Entry,
    Family,
    Grant,
    Host,
    Limits,
    Network,
    Policy,
    Query,
    by_network,
)

__all__ = [
    "BOTH_FAMILIES",
    "Address",
    "Basis",
    "Entry",
    "Family",
    "Grant",
    "Host",
    "Limits",
    "Network",
    "Policy",
    "Query",
    "by_network",
]
