"""What a target can hold, what it holds, and what `check` found there."""

from __future__ import annotations

from enum import Enum

from allowsync.model.types import BOTH_FAMILIES, Entry, Family, Network
from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping


def installation_of(configuration: bytes) -> str:
    """What marks say of a configuration, by its absolute path."""
    from zlib import crc32

    return f"{crc32(configuration):08x}"


class Capabilities(Value):
    """What one target can hold.

    Attributes:
        families: The families it can hold entries of.
        prefixes: The narrowest and widest prefix length per family as (shortest, longest).
        max_entries: How many entries fit; None when there is no bound worth naming.
        family_entries: How many entries fit of a family that has a bound of its own.
        atomic: Whether a plan is applied as a whole or not at all.
        overlaps: Whether entries may cover each other.
        labels: Whether the hosts of each entry are written (`Entry.hosts`), in a comment for
            example. `read` gives them then, and a change of them alone is applied, too.
        replaced: With `labels`, whether `Entry.replaced` is written and read as well.
    """

    families: tuple[Family, ...] = BOTH_FAMILIES
    prefixes: Mapping[Family, tuple[int, int]] = field(
        default_factory=lambda: {family: (0, family.bits) for family in BOTH_FAMILIES}
    )
    max_entries: int | None = None
    atomic: bool = False
    overlaps: bool = False
    labels: bool = False
    replaced: bool = False
    family_entries: Mapping[Family, int] = field(default_factory=dict)

    @property
    def bounded(self) -> bool:
        """Whether it can be full."""
        return self.max_entries is not None or bool(self.family_entries)

    def excess(self, networks: Collection[Network]) -> str:
        """That entries for some networks do not fit, in words; empty where they do."""
        if self.max_entries is not None and len(networks) > self.max_entries:
            return f"{len(networks)} entries do not fit, it holds {self.max_entries}"
        for family, most in self.family_entries.items():
            count = sum(1 for one in networks if Family.of(one) is family)
            if count > most:
                return f"{count} entries of {family.value} do not fit, it holds {most}"
        return ""

    def holds(self, network: Network) -> bool:
        """Whether a network is of a family and a width that the target takes."""
        shortest, longest = self.widths(Family.of(network))
        return shortest <= network.prefixlen <= longest

    def widths(self, family: Family) -> tuple[int, int]:
        """The shortest and the longest prefix it takes of a family; of none that it does not."""
        return self.prefixes[family] if family in self.families else (1, 0)


class Traffic(Value):
    """When packets last came from networks, as a firewall remembers or counts them.

    Attributes:
        ages: How many seconds ago, for each source that one came from lately. A source of IPv6 is
            64 bits wide.
        counts: How many came from each network since it was put there.
        anew: Whether what counts is not whole, so that packets may have come unseen, or been
            forgotten with it. It counts again once it is repaired.
        remembers: For how many seconds `ages` are remembered; None: for good.
    """

    ages: Mapping[Network, int] = field(default_factory=dict)
    counts: Mapping[Network, int] = field(default_factory=dict)
    anew: bool = False
    remembers: int | None = None


class Current(Value):
    """What a target holds.

    Attributes:
        entries: What is ours, never a stranger's.
        others: Strangers' networks at the same place, where that place is shared. What they cover
            is allowed already and cannot be added again where entries may not overlap; where they
            may, the very same network cannot.
        flaws: What is wrong with all that is ours around the entries (a missing table, a rule
            was deleted, a reload that is outstanding), in words. `apply` puts them right.
        ineffective: Those of our entries that let no packet in, each with the reason and what to
            do: what others put in front of them, so that `apply` cannot put it right.
        temporary: Strangers' networks at the same place that go by themselves, not among `others`.
            They let in for now; ours have to be there all the same.
        obstacles: Those of the flaws that `apply` cannot put right, each with what to do.
        traffic: When packets last came from networks; None where that is not counted.
    """

    entries: frozenset[Entry] = frozenset()
    others: frozenset[Network] = frozenset()
    flaws: tuple[str, ...] = ()
    ineffective: Mapping[Network, str] = field(default_factory=dict)
    temporary: frozenset[Network] = frozenset()
    obstacles: Mapping[str, str] = field(default_factory=dict)
    traffic: Traffic | None = field(default=None, compare=False)


REPAIRS: Final = "the next 'allowsync apply' repairs it"


def remedy(obstacles: Mapping[str, str]) -> str:
    """What to do about a target that is not as it should be."""
    if obstacles:
        return "; ".join(dict.fromkeys(obstacles.values()))
    return REPAIRS


class Severity(Enum):
    """How much a finding matters."""

    ERROR = "error"  # the target cannot be used, or has no effect
    WARNING = "warning"  # it works, but not as its owner probably thinks
    INFO = "info"


class Finding(Value):
    """Something `check` found: what it saw, and what to do about it."""

    severity: Severity
    what: str
    advice: str = ""


def flaw_findings(
    flaws: Iterable[str], obstacles: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """What `check` says of a target that is not as it should be, one finding for each flaw.

    Args:
        flaws: What is wrong.
        obstacles: What of that no run repairs, each with what to do: as long as one is in the way,
            none of the others is repaired.
    """
    obstacles = obstacles or {}
    for flaw in flaws:
        if flaw in obstacles:
            yield Finding(Severity.ERROR, flaw, obstacles[flaw])
        else:
            yield Finding(Severity.WARNING, flaw, remedy(obstacles))


class Effect(Enum):
    """What a target does with packets from the networks it holds."""

    ALLOW = "allow"  # they pass, and no others
    DENY = "deny"  # they are dropped, and no others


class Placement(Value):
    """The target that a backend is made for.

    Attributes:
        allowlist: The allowlist, or the denylist, it enforces.
        target: The target's full name.
        installation: What tells one configuration on this machine from another, for marks in the
            firewall; empty where there is none.
        effect: What its entries do: those of a denylist are dropped.
    """

    allowlist: str
    target: str
    installation: str = ""
    effect: Effect = Effect.ALLOW


class Front(Value):
    """A network in front of machines, at which a target enforces an allowlist.

    Attributes:
        source: The source that publishes the networks it connects to machines from.
        ports: The TCP ports it passes on.
    """

    source: str
    ports: tuple[int, ...]


class TrustedProxies(Value):
    """Which proxies a server believes about the addresses of its clients.

    Attributes:
        networks: The networks these proxies connect from; none where the address of the connection
            is taken for the client's.
        headers: The headers that it takes the address from.
        ports: The TCP ports at which it asks its allowlist; none where they are not known.
        advice: How it is told to believe a proxy.
    """

    networks: tuple[Network, ...] = ()
    headers: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    advice: str = ""


class Place(NamedTuple):
    """A named thing in a firewall that holds entries: a set, a table, a file, a list.

    Two places are the same one if kind and name are, whichever backends name them. The kinds that
    several backends could name are listed in docs/writing-a-backend.md.

    Attributes:
        kind: What it is: `file`, `nftables set`, `ipset`.
        name: Its full name, part by part: `("inet", "filter", "trusted4")`.
        shared: Whether several targets may use it, each for entries of its own.
    """

    kind: str
    name: tuple[str, ...]
    shared: bool = False

    def __str__(self) -> str:
        return f"the {self.kind} {' '.join(self.name)}"


class PortRange(NamedTuple):
    """Ports of one protocol, both ends included."""

    first: int
    last: int
    protocol: str  # `tcp` or `udp`

    def __str__(self) -> str:
        """As it is written in a configuration: `443/tcp`, `8000-8010/udp`."""
        numbers = f"{self.first}" if self.first == self.last else f"{self.first}-{self.last}"
        return f"{numbers}/{self.protocol}"

    def shared(self, other: PortRange) -> PortRange | None:
        """The ports that are of another range as well; None where there are none."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        if self.protocol != other.protocol or first > last:
            return None
        return PortRange(first, last, self.protocol)


class Guard(Value):
    """What a target guards in this machine's packet filter.

    Attributes:
        ports: The ports that hosts of the allowlist reach, and others do not.
        open_interfaces: Those that are not guarded; `docker*` stands for all that begin so.
        forwarded: Whether only what is forwarded is guarded, by the port it is forwarded to.
        adds_up: Whether it only ever allows, so that what several such targets of one kind allow at
            a port adds up. Otherwise a packet has to pass each.
    """

    ports: tuple[PortRange, ...]
    open_interfaces: tuple[str, ...] = ()
    forwarded: bool = False
    adds_up: bool = False
