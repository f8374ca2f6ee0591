"""The memory between runs, as values. The state database keeps them; `decide` folds.

The memory is per question and not per host, so that an IPv4 address does not suffer from answers
for the same name's IPv6 address. Addresses are kept rather than networks, so that a changed prefix
length applies to held addresses, too.
"""

from __future__ import annotations

from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from allowsync.model.types import Address, Entry, Network, Query


class HeldAddress(Value):
    """An address given by the DNS and still allowed.

    Attributes:
        address: The last address given within its network.
        since: The first grant of its network without a gap since.
        confirmed: The last answer that contained it.
        replaced: The first good answer without it; None while it is current.
        replaced_runs: The number of consecutive good answers without it.
    """

    address: Address
    since: datetime
    confirmed: datetime
    replaced: datetime | None = None
    replaced_runs: int = 0


class RetentionState(Value):
    """The retention state of one question for one host.

    Attributes:
        held: The addresses allowed because of it, in a fixed order.
        last_found: The time of the last good answer; None when there was none.
        absent_since: The time of the first proven absence after a good answer.
        absent_runs: The number of consecutive proven absences.
        unavailable_runs: The number of consecutive runs without a usable answer.
        summary: The last answer in short, to detect changes.
        reason: The reason why the last answer was not good; empty after a good one.
        latched: Whether the absence lasted longer than `latch_absent`. Lasts until an approval, or
            a good answer while the name is held by its other family.
        held_back: The addresses rejected by a guard in the last answer, a line for each.
        past: Recently replaced addresses, restored if their successor is refuted.
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
    """The memory of one host.

    Attributes:
        tracks: The retention state of each question.
        fixed: The start of each fixed network's access.
        arrivals: The first grant of each network that arrived within the last day.
        former: States of hostnames that were edited away, and that no other host took over, until a
            name that replaces them is known, or for good where they need an approval.
    """

    tracks: Mapping[Query, RetentionState] = field(default_factory=dict)
    fixed: Mapping[Network, datetime] = field(default_factory=dict)
    arrivals: Mapping[Network, datetime] = field(default_factory=dict)
    former: Mapping[Query, RetentionState] = field(default_factory=dict)


class Sighting(NamedTuple):
    """A network given recently by a host's name, or by a made-up name beside it.

    Attributes:
        name: The hostname that gave it; for made-up names their parent.
        network: The network, with the width of its grant.
        decoy: Whether a made-up name gave it.
        first: The time it was given first.
        last: The time it was given last.
        runs: The number of consecutive runs that gave it.
        missed: The number of consecutive answers without it since.
        refuted: Whether its grant was withdrawn as refuted.
        approved: Whether a person approved it.
        unproven: Whether the probes beside an arrival are unanswered.
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
    """An entry of unknown origin found in a target: since when, and for how many runs.

    A lost state leaves such entries: a host may rely on them.
    """

    network: Network
    since: datetime
    runs: int = 1


class TargetMemory(Value):
    """The memory of a target.

    Attributes:
        entries: The entries last applied, each with the hosts that own it.
        inherited: The entries of unknown origin.
        apart: The claims of each host, where these differ from the entries: an entry of a target
            without overlaps stands for every claim inside it.
    """

    entries: tuple[Entry, ...] = ()
    inherited: tuple[Inherited, ...] = ()
    apart: tuple[Entry, ...] | None = None

    @property
    def claimed(self) -> tuple[Entry, ...]:
        """The networks that hosts claimed, each with the hosts that claimed exactly that one."""
        return self.entries if self.apart is None else self.apart
