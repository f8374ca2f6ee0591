"""What a configuration says about an ipset target."""

from __future__ import annotations

from enum import Enum

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.value import Value
from allowsync_backends.common import interface_list, port_list
from allowsync_backends.common.ports import Port  # noqa: TC001 - a kept configuration has it


class Variant(Enum):
    """Which of the two programs called iptables: they do not see each other's rules."""

    AUTO = "auto"  # whichever the system means by `iptables`
    NFT = "nft"
    LEGACY = "legacy"


class IpsetOptions(Value):
    """With `ports`, a gate of our own; without, two sets for the user's own rules."""

    ports: tuple[Port, ...] = option(
        port_list,
        help="The ports to guard. allowsync then owns the chains `allowsync-<allowlist>` and "
        "`allowsync_<allowlist>` in the table mangle of iptables and ip6tables, a gate in front "
        "of everything else, ports published by Docker included. Without, only the sets "
        "`allowsync-<allowlist>-4` and `allowsync-<allowlist>-6` are kept, for your own rules.",
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
    iptables: Variant = option(
        lambda: kinds.Choice(Variant),
        help="Which iptables: `nft`, `legacy`, or whichever the system means by that name.",
        default=Variant.AUTO,
        remembered=True,
    )
    end_streams: bool = option(
        lambda: kinds.Boolean(),
        help="Without `ports`: end what still runs of those who were taken out. "
        "A gate always does so.",
        default=True,
        remembered=True,
    )

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """What such a target puts its entries into."""
        name = f"allowsync-{allowlist}"
        sets = (Place("ipset", (f"{name}-4",)), Place("ipset", (f"{name}-6",)))
        chains = (
            Place("iptables chain", (name,)),
            Place("iptables chain", (f"allowsync_{allowlist}",)),
        )
        return (*sets, *chains) if self.ports else sets
