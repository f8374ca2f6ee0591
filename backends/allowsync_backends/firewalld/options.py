"""Options of a firewalld target."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.types import BOTH_FAMILIES, Family
from allowsync.model.value import Value
from allowsync_backends.common import port_list
from allowsync_backends.common.ports import Port  # noqa: TC001 - a kept configuration has it

FILES: Final = Path("/etc/firewalld")


class FirewalldOptions(Value):
    """Two sets; with `ports`, rules of a zone as well that open them to the sets."""

    ports: tuple[Port, ...] = option(
        port_list,
        help="The ports to open. Rich rules of the zone accept packets to them from the sets "
        "`allowsync-<allowlist>-4` and `allowsync-<allowlist>-6`; the zone rejects all "
        "others. Without ports, only the sets are maintained, for your own rules.",
        default=(),
        remembered=True,
    )
    zone: str = option(
        lambda: kinds.Pattern("[A-Za-z0-9_-]{1,17}", "a zone such as public", longest=17),
        help="The zone that packets to the ports arrive in. Only with `ports`.",
        default="public",
        remembered=True,
    )
    reload: bool = option(
        lambda: kinds.Boolean(),
        help="Whether to reload firewalld to load a new set, which removes changes that were "
        "made without `--permanent`. Otherwise `apply` asks you once to run `firewall-cmd "
        "--reload`.",
        default=False,
    )
    end_streams: bool = option(
        lambda: kinds.Boolean(),
        help="Whether to end the established connections of removed hosts, which firewalld does "
        "not.",
        default=True,
        remembered=True,
    )

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the sets as places of the entries. Its rules belong to the sets, in any zone."""
        return tuple(Place("ipset", (name,)) for name in names_of(allowlist))


def names_of(allowlist: str) -> dict[str, Family]:
    """Return the names of an allowlist's sets, each with its family."""
    return {f"allowsync-{allowlist}-{one.value[-1]}": one for one in BOTH_FAMILIES}
