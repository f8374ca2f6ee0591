"""Capabilities and contents of a target, and findings of `check`."""

from __future__ import annotations

from enum import Enum

from allowsync.model.types import BOTH_FAMILIES, Entry, Family, Network
from allowsync.model.value import Value, field
from allowsync.typed import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping


def installation_of(configuration: bytes) -> str:
    """The mark of a configuration, from its absolute path."""
    from zlib import crc32

    return f"{crc32(configuration):08x}"


class Capabilities(Value):
    """The capabilities of one target.

    Attributes:
        families: The supported families.
        prefixes: The prefix lengths per family as (shortest, longest).
        max_entries: The most entries that fit; None when there is no relevant bound.
        family_entries: The most entries that fit, for families with a bound of their own.
        atomic: Whether a plan is applied as a whole or not at all.
        overlaps: Whether entries may overlap.
        labels: Whether the hosts of each entry are written (`Entry.hosts`), in a comment for
            example. `read` returns them then, and a change of them alone is applied, too.
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
        """Whether its number of entries is limited."""
        return self.max_entries is not None or bool(self.family_entries)

    def excess(self, networks: Collection[Network]) -> str:
        """The reason why entries for some networks do not fit, as text; empty where they do."""
        if self.max_entries is not None and len(networks) > self.max_entries:
            return f"{len(networks)} entries do not fit, it holds {self.max_entries}"
        for family, most in self.family_entries.items():
            count = sum(1 for one in networks if Family.of(one) is family)
            if count > most:
                return f"{count} entries of {family.value} do not fit, it holds {most}"
        return ""

    def holds(self, network: Network) -> bool:
        """Whether the target supports a network's family and width."""
        shortest, longest = self.widths(Family.of(network))
        return shortest <= network.prefixlen <= longest

    def widths(self, family: Family) -> tuple[int, int]:
        """The shortest and the longest prefix of a family; an empty range where unsupported."""
        return self.prefixes[family] if family in self.families else (1, 0)


class Traffic(Value):
    """Packets recently seen from networks, as a firewall remembers or counts them.

    Attributes:
        ages: The seconds since the last packet of each recent source. A source of IPv6 is 64 bits
            wide.
        counts: The number of packets from each network since its entry was added.
        anew: Whether counting was interrupted, so that packets may have been missed, or their
            counts lost. It resumes after a repair.
        remembers: The seconds for which `ages` are remembered; None for an unlimited time.
    """

    ages: Mapping[Network, int] = field(default_factory=dict)
    counts: Mapping[Network, int] = field(default_factory=dict)
    anew: bool = False
    remembers: int | None = None


class Current(Value):
    """The contents of a target.

    Attributes:
        entries: Entries of allowsync, never foreign ones.
        others: Foreign networks at the same place, where that place is shared. Networks they cover
            are allowed already and cannot be added again where entries may not overlap; where they
            may, only the identical network cannot.
        flaws: Flaws around the entries of allowsync (a missing table, a deleted rule, an
            outstanding reload), as text. `apply` repairs them.
        ineffective: Entries of allowsync that admit no packet, each with the reason and the remedy:
            foreign rules in front of them, which `apply` cannot repair.
        temporary: Foreign networks at the same place that expire by themselves, not among `others`.
            They are admitted for now; entries of allowsync are needed all the same.
        obstacles: The flaws that `apply` cannot repair, each with the remedy.
        traffic: Packets recently seen from networks; None where these are not counted.
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
    """The remedy for a target with flaws."""
    if obstacles:
        return "; ".join(dict.fromkeys(obstacles.values()))
    return REPAIRS


class Severity(Enum):
    """The severity of a finding."""

    ERROR = "error"  # the target cannot be used, or has no effect
    WARNING = "warning"  # it works, but probably not as its owner expects
    INFO = "info"


class Finding(Value):
    """A fact found by `check`, and the remedy."""

    severity: Severity
    what: str
    advice: str = ""


def flaw_findings(
    flaws: Iterable[str], obstacles: Mapping[str, str] | None = None
) -> Iterator[Finding]:
    """The findings of `check` for a target's flaws, one for each.

    Args:
        flaws: The flaws.
        obstacles: The flaws that no run repairs, each with the remedy: none of the others is
            repaired while one of these is present.
    """
    obstacles = obstacles or {}
    for flaw in flaws:
        if flaw in obstacles:
            yield Finding(Severity.ERROR, flaw, obstacles[flaw])
        else:
            yield Finding(Severity.WARNING, flaw, remedy(obstacles))


class Effect(Enum):
    """The effect of a target on packets from its networks."""

    ALLOW = "allow"  # they pass, and no others
    DENY = "deny"  # they are dropped, and no others


class Placement(Value):
    """The target that a backend is made for.

    Attributes:
        allowlist: The allowlist, or the denylist, it enforces.
        target: The target's full name.
        installation: The identifier of the configuration on this machine, for marks in the
            firewall; empty where there is none.
        effect: The effect of its entries: those of a denylist drop packets.
    """

    allowlist: str
    target: str
    installation: str = ""
    effect: Effect = Effect.ALLOW


class Front(Value):
    """A network in front of machines, at which a target enforces an allowlist.

    Attributes:
        source: The source that publishes the networks it connects from.
        ports: The TCP ports it passes on.
    """

    source: str
    ports: tuple[int, ...]


class TrustedProxies(Value):
    """The proxies that a server trusts to report the addresses of its clients.

    Attributes:
        networks: The networks these proxies connect from; none where the address of the connection
            is taken for the client's.
        headers: The headers that hold the client's address.
        ports: The TCP ports at which the allowlist applies; none where unknown.
        advice: The way to configure a trusted proxy.
    """

    networks: tuple[Network, ...] = ()
    headers: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()
    advice: str = ""


class Place(NamedTuple):
    """A named object in a firewall that holds entries: a set, a table, a file, a list.

    Two places are identical if kind and name are, whichever backends name them. The kinds that
    several backends may name are listed in docs/writing-a-backend.md.

    Attributes:
        kind: Its kind: `file`, `nftables set`, `ipset`.
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
        """The ports shared with another range; None where there are none."""
        first, last = max(self.first, other.first), min(self.last, other.last)
        if self.protocol != other.protocol or first > last:
            return None
        return PortRange(first, last, self.protocol)


class Guard(Value):
    """The ports that a target guards in this machine's packet filter.

    Attributes:
        ports: The ports that hosts of the allowlist reach, and others do not.
        open_interfaces: The unguarded interfaces; `docker*` stands for a prefix.
        forwarded: Whether only forwarded packets are guarded, by the port they are forwarded to.
        adds_up: Whether it only ever allows, so that several such targets of one kind at a port add
            up. Otherwise a packet has to pass each.
    """

    ports: tuple[PortRange, ...]
    open_interfaces: tuple[str, ...] = ()
    forwarded: bool = False
    adds_up: bool = False
