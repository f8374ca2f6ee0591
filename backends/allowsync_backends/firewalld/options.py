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
        help="The ports to open. Rich rules of the zone accept at them what comes from the sets "
        "`allowsync-<allowlist>-4` and `allowsync-<allowlist>-6`; the zone keeps all others out. "
        "Without, only the sets are kept, for your own rules.",
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
        help="Whether a new set is loaded by a reload of firewalld, which removes what others set "
        "without `--permanent`. Otherwise `apply` asks for `firewall-cmd --reload`, once.",
        default=False,
    )
    end_streams: bool = option(
        lambda: kinds.Boolean(),
        help="End what still runs of those who were taken out. firewalld lets it go on otherwise.",
        default=True,
        remembered=True,
    )

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the sets as places of the entries. Its rules belong to the sets, in any zone."""
        return tuple(Place("ipset", (name,)) for name in names_of(allowlist))


def names_of(allowlist: str) -> dict[str, Family]:
    """Return the names of an allowlist's sets, each with its family."""
    return {f"allowsync-{allowlist}-{one.value[-1]}": one for one in BOTH_FAMILIES}
