"""Arithmetic on sets of networks: coverage, overlap, and differences.

Both families may be mixed; a network is only ever compared with its own.
"""

from __future__ import annotations

from _socket import AF_INET, AF_INET6, inet_pton
from bisect import bisect_left
from functools import cache, cached_property, lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from allowsync.model.types import Address, Network, by_network
from allowsync.typed import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

T = TypeVar("T")


def short(network: Network) -> str:
    """A network for display: a single address without its prefix length."""
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


class KeptHash:
    """Keeps its hash: it is a key, some fifty times in a run.

    Classes with slots list `_hash` among theirs: a mixin can have none.
    """

    __slots__ = ()

    _hash: int

    def __hash__(self) -> int:
        try:
            return self._hash
        except AttributeError:
            self._hash = super().__hash__()  # type: ignore[misc]
            return self._hash


class KeptText(KeptHash):
    """Keeps its text as well, in `text`: summaries and rows consist of it."""

    __slots__ = ()

    text: str

    def __str__(self) -> str:
        try:
            return self.text
        except AttributeError:
            self.text = super().__str__()  # type: ignore[misc]
            return self.text


class SpeltIPv4Address(KeptText, IPv4Address):
    """An address that keeps its text, its hash and its network of the last requested width."""

    __slots__ = ("_hash", "holder", "text")

    holder: Network


class SpeltIPv6Address(KeptText, IPv6Address):
    """The same for IPv6."""

    __slots__ = ("_hash", "holder", "text")

    holder: Network


class KeptNetwork(KeptText):
    """A network that keeps its hash, its text, and its numbers.

    Attributes:
        key: Its position in order (`allowsync.model.types.by_network`).
        listed: Whether it overlaps a list of special addresses; None before the first check.
    """

    key: tuple[int, int, int]
    listed: bool | None
    _prefixlen: int


class KeptIPv4Network(KeptNetwork, IPv4Network):
    """A network of IPv4."""

    def hosts(self) -> Iterator[IPv4Address]:
        """The usable host addresses; of a network of one or two addresses, each."""
        return super().hosts() if self._prefixlen < 31 else iter(self)


class KeptIPv6Network(KeptNetwork, IPv6Network):
    """A network of IPv6."""

    def hosts(self) -> Iterator[IPv6Address]:
        """The usable host addresses; of a network of one or two addresses, each."""
        return super().hosts() if self._prefixlen < 127 else iter(self)


@lru_cache(maxsize=1 << 17)
def network(version: int, number: int, width: int) -> KeptIPv4Network | KeptIPv6Network:
    """A network by the number of its first address. Cached: many are requested repeatedly.

    Raises:
        ValueError: Bits beyond the width are set, or the width is invalid.
    """
    kind, first, netmask, mask = _shape(version, width)
    # As `ipaddress` makes it and computes its hash, without checks of the argument.
    made: KeptIPv4Network | KeptIPv6Network = object.__new__(kind)
    made.network_address = first(number)
    if number & mask != number:
        raise ValueError(f"{made.network_address}/{width} has host bits set")
    made.netmask, made._prefixlen = netmask, width  # noqa: SLF001
    made.key = (version, number, width)
    made.listed = None
    made._hash = hash(number ^ mask)  # noqa: SLF001
    return made


@cache
def _shape(version: int, width: int) -> tuple[type[Any], type[Any], Any, int]:
    """The types of a network and of its first address, its mask, and the mask as a number."""
    kind = KeptIPv4Network if version == 4 else KeptIPv6Network
    whole = kind((0, width))
    return kind, type(whole.network_address), whole.netmask, int(whole.netmask)


def around(address: Address, width: int) -> Network:
    """The network of a width that holds an address; a `KeptText` address caches it."""
    kept = getattr(address, "holder", None)
    if kept is not None and kept.key[2] == width:
        return kept  # type: ignore[no-any-return]
    beyond = address.max_prefixlen - width
    found = network(address.version, int(address) >> beyond << beyond, width)
    if isinstance(address, (SpeltIPv4Address, SpeltIPv6Address)):
        address.holder = found
    return found


@lru_cache(maxsize=1 << 17)
def parsed_address(text: str) -> Address:
    """An address from its text. Cached: a run reads each of many thousands several times.

    Raises:
        ValueError: The text is no address.
    """
    try:
        if ":" in text:
            return SpeltIPv6Address(int.from_bytes(inet_pton(AF_INET6, text), "big"))
        return SpeltIPv4Address(int.from_bytes(inet_pton(AF_INET, text), "big"))
    except (OSError, ValueError):
        return ip_address(text)  # which raises the error with its reason


def cidr(network: Network) -> str:
    """A network in CIDR form. A kept network is formatted once: rows of the state consist of it."""
    return str(network)


@lru_cache(maxsize=1 << 17)
def parsed(text: str) -> KeptIPv4Network | KeptIPv6Network:
    """A network from its CIDR form.

    Raises:
        ValueError: The text is no network.
    """
    start, _, width = text.partition("/")
    return beginning(start, int(width))


def beginning(start: str, width: int) -> KeptIPv4Network | KeptIPv6Network:
    """A network from the text of its first address, and its width.

    Raises:
        ValueError: The text is no network.
    """
    version, kind = (6, AF_INET6) if ":" in start else (4, AF_INET)
    try:
        number = int.from_bytes(inet_pton(kind, start), "big")
    except OSError:
        number = int(ip_address(start))  # which raises the error with its reason
    return network(version, number, width)


def recalled(text: str) -> Network:
    """A network from the output of `cidr`, kept as its text. Raises ValueError: it is none."""
    found = parsed(text)
    found.text = text
    return found


def recalled_address(text: str) -> Address:
    """An address from the output of `str`, kept as its text. Raises ValueError: it is none."""
    found = parsed_address(text)
    if isinstance(found, (SpeltIPv4Address, SpeltIPv6Address)):
        found.text = text
    return found


def span(network: Network) -> tuple[int, int]:
    """The numbers of the first and the last address of a network."""
    version, first, width = by_network(network)
    return first, first | ((1 << (32 if version == 4 else 128) - width) - 1)


class NetworkIndex(Generic[T]):
    """Values of the networks that overlap a given one, found without a scan of all.

    Networks nest or are disjoint, so those that overlap one are as wide or wider and begin where it
    does once cut to their width, or begin inside it.
    """

    def __init__(self, pairs: Iterable[tuple[Network, T]]) -> None:
        """Take networks, each with its value."""
        # By numbers: a network as a key costs a hash, and its ends cost address objects.
        self._held: dict[tuple[int, int, int], list[T]] = {}
        for one, what in pairs:
            self._held.setdefault(by_network(one), []).append(what)
        self._widths = {(version, width) for version, _, width in self._held}

    @cached_property
    def _keys(self) -> list[tuple[int, int, int]]:
        return sorted(self._held)

    def overlapping(self, given: Network) -> Iterator[T]:
        """The values of each network that overlaps the given one."""
        version, number, narrow = by_network(given)
        widths = [width for other, width in self._widths if other == version]
        for width in widths:
            if width <= narrow:
                beyond = given.max_prefixlen - width
                yield from self._held.get((version, number >> beyond << beyond, width), ())
        if all(width <= narrow for width in widths):
            return  # none can be inside it, and nothing has to be sorted
        end = (version, span(given)[1], given.max_prefixlen)
        place = bisect_left(self._keys, (version, number, 0))
        while place < len(self._keys) and self._keys[place] <= end:
            if self._keys[place][2] > narrow:
                yield from self._held[self._keys[place]]
            place += 1


class Coverage:
    """A set of networks that answers which of them covers an address or a network.

    Sorted by address and then widest first, so that the networks covering another are found among
    those that start at or before it. Building costs n log n, a lookup about log n.
    """

    def __init__(self, networks: Iterable[Network]) -> None:
        """Take any networks; those covered by a wider one are left out."""
        self._widest: list[Network] = []
        last: Network | None = None
        for network in sorted(networks, key=by_network):
            if last is None or not covers(last, network):
                self._widest.append(network)
                last = network
        self._keys = [by_network(network) for network in self._widest]

    def __iter__(self) -> Iterator[Network]:
        """The networks that no other covers, sorted."""
        return iter(self._widest)

    def covering(self, network: Network) -> Network | None:
        """The network of this set that covers another one, itself included; None when none does."""
        place = bisect_left(self._keys, (network.version, int(network.network_address), 129))
        candidate = self._widest[place - 1] if place else None
        return candidate if candidate is not None and covers(candidate, network) else None

    def inside(self, network: Network) -> list[Network]:
        """The networks of this set that lie within another one, sorted."""
        place = bisect_left(self._keys, by_network(network))
        last = span(network)[1]
        found = []
        while place < len(self._widest) and self._keys[place][:2] <= (network.version, last):
            found.append(self._widest[place])
            place += 1
        return found


def covers(wide: Network, narrow: Network) -> bool:
    """Whether every address of `narrow` is in `wide`."""
    return (
        wide.version == narrow.version
        and wide.prefixlen <= narrow.prefixlen
        and narrow.network_address in wide
    )


def overlap(one: Network, other: Network) -> bool:
    """Whether two networks, of one family, have an address in common."""
    return one.version == other.version and one.overlaps(other)


def touching(networks: Iterable[Network], others: Collection[Network]) -> frozenset[Network]:
    """The networks that overlap any of the others."""
    if not others:
        return frozenset()
    return frozenset(one for one in networks if any(overlap(one, other) for other in others))


def without(network: Network, taken: Coverage) -> list[Network]:
    """The remainder of a network, as few networks as possible, sorted."""
    if taken.covering(network) is not None:
        return []
    left = [network]
    for hole in taken.inside(network):
        left = [piece for part in left for piece in _exclude(part, hole)]
    return sorted(left, key=by_network)


def _exclude(part: Network, hole: Network) -> Iterable[Network]:
    if not covers(part, hole):
        return [part]
    # Both are of one family here, which the type of address_exclude cannot express.
    return part.address_exclude(hole)  # type: ignore[arg-type]
