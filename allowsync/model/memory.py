"""What allowsync remembers between runs, as values. The state database keeps them; `decide` folds.

Everything is kept per question and not per host, so that an IPv4 address never pays for what
happens to the same name's IPv6 address. Addresses are kept rather than networks, so that a changed
prefix length applies to what is held already.
"""

from __future__ import annotations

from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from allowsync.model.types import Address, Entry, Network, Query


class HeldAddress(Value):
    """An address the DNS gave and that is still allowed.

    Attributes:
        address: The address that was given last within its network.
        since: When its network was first granted without a gap.
        confirmed: When an answer last contained it.
        replaced: When a good answer first came without it; None while it is current.
        replaced_runs: How many good answers in a row came without it.
    """

    address: Address
    since: datetime
    confirmed: datetime
    replaced: datetime | None = None
    replaced_runs: int = 0


class RetentionState(Value):
    """What is known of one question asked for one host.

    Attributes:
        held: The addresses allowed because of it, in a fixed order.
        last_found: When the last good answer came; None when there never was one.
        absent_since: When the first proven absence after a good answer came.
        absent_runs: How many proven absences in a row.
        unavailable_runs: How many runs in a row without a usable answer.
        summary: The last answer in short, to notice when it changes.
        reason: Why the last answer was not a good one; empty after a good one.
        latched: Whether the absence lasted longer than `latch_absent`. Lasts until an approval, or
            a good answer while the name is held by its other family.
        held_back: What a guard refused of the last answer, a line for each address.
        past: Addresses that were replaced lately: what comes back if their successor is refuted.
    """

    held: tuple[HeldAddress, ...] = ()
    last_found: datetime | None = None
    absent_since: datetime | None = None
    absent_runs: int = 0
    unavailable_runs: int = 0
    summary: str = ""
    reason: str = ""
    latched: bool = False
    held_back: tuple[str, ...] = ()
    past: tuple[HeldAddress, ...] = ()

    @property
    def known(self) -> bool:
        """Whether the DNS ever gave a usable answer to this question."""
        return self.last_found is not None or self.absent_since is not None


class HostMemory(Value):
    """What is known of one host.

    Attributes:
        tracks: A track per question.
        fixed: Since when each fixed network stands.
        arrivals: When each network that is new since a day ago was first granted.
        former: Tracks of hostnames that were edited away, and that no other host got instead, until
            a name that replaces them is known.
    """

    tracks: Mapping[Query, RetentionState] = field(default_factory=dict)
    fixed: Mapping[Network, datetime] = field(default_factory=dict)
    arrivals: Mapping[Network, datetime] = field(default_factory=dict)
    former: Mapping[Query, RetentionState] = field(default_factory=dict)


class Sighting(NamedTuple):
    """A network that came lately: to a host's name, or to a made-up name beside it.

    Attributes:
        name: The hostname that gave it; of made-up names their parent.
        network: The network, as wide as it would be granted.
        decoy: Whether a made-up name gave it.
        first: When it was given first.
        last: When it was given last.
        runs: For how many runs in a row it was given.
        missed: How many answers in a row came without it since.
        refuted: Whether it had been granted, and was taken back.
        approved: Whether a person vouched for it.
        unproven: Whether what is asked beside an arrival was not answered yet.
    """

    name: str
    network: Network
    decoy: bool
    first: datetime
    last: datetime
    runs: int = 1
    missed: int = 0
    refuted: bool = False
    approved: bool = False
    unproven: bool = False


class Inherited(Value):
    """An entry found in a target of which nothing was known, since when, and for how many runs.

    That is what a lost state leaves behind: a host may rely on it.
    """

    network: Network
    since: datetime
    runs: int = 1


class TargetMemory(Value):
    """What is known of a target.

    Attributes:
        entries: What was last put there, each with the hosts that are let in by it.
        inherited: What was found there unexplained.
        apart: What each host claimed, where that is not just the entries: those of a target that
            takes no overlapping ones stand for every claim inside them.
    """

    entries: tuple[Entry, ...] = ()
    inherited: tuple[Inherited, ...] = ()
    apart: tuple[Entry, ...] | None = None

    @property
    def claimed(self) -> tuple[Entry, ...]:
        """The networks that hosts claimed, each with those that claimed just that one."""
        return self.entries if self.apart is None else self.apart
