"""Options of a UFW target."""

from __future__ import annotations

from allowsync.backend.api import mark
from allowsync.config import kinds
from allowsync.config.schema import option
from allowsync.model.target import Place
from allowsync.model.value import Value
from allowsync_backends.common import port_list
from allowsync_backends.common.ports import Port  # noqa: TC001 - a kept configuration has it


class UfwOptions(Value):
    """The ports that friends may reach; UFW's default policy denies all others."""

    ports: tuple[Port, ...] = option(
        port_list,
        help="The ports to allow. Each network gets a `ufw allow` rule for each of them, marked by "
        "the comment `allowsync:<allowlist>:<hosts>`.",
        remembered=True,
    )
    route: bool = option(
        lambda: kinds.Boolean(),
        help="Whether the rules are for forwarded traffic (`ufw route allow`) instead of for this "
        "machine.",
        default=False,
        remembered=True,
    )
    end_streams: bool = option(
        lambda: kinds.Boolean(),
        help="Whether to end the established connections of removed hosts, which UFW does not.",
        default=True,
        remembered=True,
    )

    def __post_init__(self) -> None:
        if not self.ports:
            raise ValueError("needs ports: at least one")

    def places(self, allowlist: str) -> tuple[Place, ...]:
        """Return the places of the entries."""
        kind = "route rules" if self.route else "rules"
        return (Place(f"UFW {kind}", (mark(allowlist),)),)
