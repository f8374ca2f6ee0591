"""Options of an ipset target."""

from __future__ import annotations

from enum import Enum
from typing import Any

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.value import Value
from allowsync_backends.common import interface_list, port_list
from allowsync_backends.common.ports import Port  # noqa: TC001 - a kept configuration has it


class Variant(Enum):
    """The variant of iptables: the two do not see each other's rules."""

    AUTO = "auto"  # the system's `iptables`
    NFT = "nft"
    LEGACY = "legacy"


def _which_iptables() -> Any:
    return option(
        lambda: kinds.Choice(Variant),
        help="The variant of iptables: `nft`, `legacy`, or `auto` for the system's default.",
        default=Variant.AUTO,
        remembered=True,
    )


class IpsetOptions(Value):
    """With `ports`, a gate of our own; without, two sets for the user's own rules."""

    ports: tuple[Port, ...] = option(
        port_list,
        help="The ports to guard. allowsync then owns the chains `allowsync-<allowlist>` and "
        "`allowsync_<allowlist>` in the table mangle of iptables and ip6tables: a gate in "
        "front of all other rules, for ports published by Docker as well. Without ports, "
        "only the sets `allowsync-<allowlist>-4` and `allowsync-<allowlist>-6` are "
        "maintained, for your own rules.",
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
    iptables: Variant = _which_iptables()
    end_streams: bool = option(
        lambda: kinds.Boolean(),
        help="Without `ports`: whether to end the established connections of removed hosts. A "
        "gate always does.",
        default=True,
        remembered=True,
    )

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the places of the entries."""
        sets = _sets(allowlist)
        return (*sets, *_chains(allowlist)) if self.ports else sets


class IpsetDenyOptions(Value):
    """A gate of our own that drops the networks in its sets, or the sets alone."""

    ports: tuple[Port, ...] = option(
        port_list,
        help="The ports that are closed to blocked networks. Without ports, all packets from "
        "them are dropped, except replies to connections of this machine. allowsync owns "
        "the chains `allowsync-<denylist>` and `allowsync_<denylist>` in the table mangle.",
        default=(),
        remembered=True,
    )
    open_interfaces: tuple[str, ...] = option(
        interface_list,
        help="Interfaces at which nothing is dropped, such as `wg0`, `tailscale0` or `docker*`.",
        default=("lo",),
        remembered=True,
    )
    iptables: Variant = _which_iptables()
    sets_only: bool = option(
        lambda: kinds.Boolean(),
        help="Keep only the sets `allowsync-<denylist>-4` and `allowsync-<denylist>-6`, for your "
        "own rules.",
        default=False,
        remembered=True,
    )

    def __post_init__(self) -> None:
        if self.sets_only and self.ports:
            raise ValueError("takes either ports or sets_only, not both; use two targets")

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the places of the entries."""
        sets = _sets(allowlist)
        return sets if self.sets_only else (*sets, *_chains(allowlist))


def _sets(allowlist: str) -> tuple[Place, ...]:
    return tuple(Place("ipset", (f"allowsync-{allowlist}-{one}",)) for one in (4, 6))


def _chains(allowlist: str) -> tuple[Place, ...]:
    names = (f"allowsync-{allowlist}", f"allowsync_{allowlist}")
    return tuple(Place("iptables chain", (name,)) for name in names)
