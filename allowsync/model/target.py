"""What a target can hold, what it holds, and what `check` found there."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING

from allowsync.model.types import BOTH_FAMILIES, Entry, Family, Network

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What one target can hold.

    Attributes:
        families: The families it can hold entries of.
        prefixes: The narrowest and widest prefix length per family as (shortest, longest).
        comment_length: How many characters of label each entry can carry; 0 when none.
        max_entries: How many entries fit; None when there is no bound worth naming.
        atomic: Whether a plan is applied as a whole or not at all.
        overlaps: Whether entries may cover each other.
        labels: Whether what is written depends on whose each entry is (`Entry.hosts` and
            `Entry.replaced`). `read` tells that then, and a change of it alone is a change, too.
    """

    families: tuple[Family, ...] = BOTH_FAMILIES
    prefixes: Mapping[Family, tuple[int, int]] = field(
        default_factory=lambda: {family: (0, family.bits) for family in BOTH_FAMILIES}
    )
    comment_length: int = 0
    max_entries: int | None = None
    atomic: bool = False
    overlaps: bool = False
    labels: bool = False

    def holds(self, network: Network) -> bool:
        """Whether a network is of a family and a width that the target takes."""
        family = Family.of(network)
        if family not in self.families:
            return False
        shortest, longest = self.prefixes[family]
        return shortest <= network.prefixlen <= longest


@dataclass(frozen=True, slots=True)
class Current:
    """What a target holds.

    Attributes:
        entries: What is ours, never a stranger's.
        others: Strangers' networks at the same place, where that place is shared. What they cover
            is allowed already and cannot be added again where entries may not overlap; where they
            may, the very same network cannot.
        flaws: What is wrong with all that is ours around the entries (a missing table, a rule
            somebody deleted, a reload that is outstanding), in words. `apply` puts them right.
    """

    entries: frozenset[Entry] = frozenset()
    others: frozenset[Network] = frozenset()
    flaws: tuple[str, ...] = ()


class Severity(Enum):
    """How much a finding matters."""

    ERROR = "error"  # the target cannot be used, or has no effect
    WARNING = "warning"  # it works, but not as its owner probably thinks
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something `check` found: what it saw, and what to do about it."""

    severity: Severity
    what: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a backend stands: the allowlist it enforces and the target's full name."""

    allowlist: str
    target: str
