"""Options of an nftables target."""

from __future__ import annotations

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.types import Family
from allowsync.model.value import Value
from allowsync_backends.common import interface_list, port_list
from allowsync_backends.common.ports import Port  # noqa: TC001 - a kept configuration has it

_NAME = r"[A-Za-z_][A-Za-z0-9_./-]{0,63}"


class SharedSets(Value):
    """Sets of the user's own ruleset, to be filled."""

    table: str = option(
        lambda: kinds.Pattern(
            rf"(?:inet|ip|ip6|bridge|netdev) {_NAME}", 'a table such as "inet filter"'
        ),
        help="The table of the sets: its family and its name.",
    )
    ipv4: str | None = option(
        lambda: kinds.Pattern(_NAME, "the name of a set"),
        help="The set of type `ipv4_addr`. Without it, IPv4 networks are not added to any set.",
        default=None,
    )
    ipv6: str | None = option(
        lambda: kinds.Pattern(_NAME, "the name of a set"),
        help="The set of type `ipv6_addr`. Without it, IPv6 networks are not added to any set.",
        default=None,
    )

    def __post_init__(self) -> None:
        if self.ipv4 is None and self.ipv6 is None:
            raise ValueError("needs ipv4 or ipv6: the name of at least one set")
        if self.ipv4 == self.ipv6:
            raise ValueError(f"one set cannot hold both families, got {self.ipv4!r} twice")

    @property
    def names(self) -> dict[Family, str]:
        """The configured sets, by family."""
        both = {Family.IPV4: self.ipv4, Family.IPV6: self.ipv6}
        return {family: name for family, name in both.items() if name is not None}


class NftablesOptions(Value):
    """Either `ports`, for a gate of our own, or `set`, for sets of the user's own ruleset."""

    ports: tuple[Port, ...] = option(
        port_list,
        help="The ports to guard. allowsync then owns the table `inet allowsync_<allowlist>`: a "
        "gate in front of all other rules, for ports published by Docker as well.",
        default=(),
        remembered=True,
    )
    open_interfaces: tuple[str, ...] = option(
        interface_list,
        help="Interfaces that are not guarded, such as `wg0`, `tailscale0` or `docker*`. "
        "Only with `ports`.",
        default=("lo",),
        remembered=True,
    )
    set: SharedSets | None = option(
        lambda: kinds.Object(SharedSets),
        help="Instead of `ports`: sets of your own ruleset to fill. Entries are marked by their "
        "comment; other elements of the sets stay.",
        default=None,
        remembered=True,
    )

    def __post_init__(self) -> None:
        if self.set is None and not self.ports:
            raise ValueError("needs ports (for a gate of its own) or set (to fill your own sets)")
        if self.set is not None and self.ports:
            raise ValueError("takes either ports or set, not both; use two targets")

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the places of the entries."""
        if self.set is None:
            return (Place("nftables table", ("inet", f"allowsync_{allowlist}")),)
        table = tuple(self.set.table.split())
        return tuple(Place("nftables set", (*table, name)) for name in self.set.names.values())


class NftablesDenyOptions(NftablesOptions):
    """A gate of our own that drops the networks in its sets, or `set`, for the user's ruleset."""

    ports: tuple[Port, ...] = option(
        port_list,
        help="The ports that are closed to blocked networks. Without ports, all packets from "
        "them are dropped, except replies to connections of this machine. allowsync owns "
        "the table `inet allowsync_<denylist>`.",
        default=(),
        remembered=True,
    )
    open_interfaces: tuple[str, ...] = option(
        interface_list,
        help="Interfaces at which nothing is dropped, such as `wg0`, `tailscale0` or `docker*`. "
        "Not with `set`.",
        default=("lo",),
        remembered=True,
    )
    set: SharedSets | None = option(
        lambda: kinds.Object(SharedSets),
        help="Instead of a gate: sets of your own ruleset to fill. Entries are marked by their "
        "comment; other elements of the sets stay.",
        default=None,
        remembered=True,
    )

    def __post_init__(self) -> None:
        if self.set is not None and self.ports:
            raise ValueError("takes either ports or set, not both; use two targets")
