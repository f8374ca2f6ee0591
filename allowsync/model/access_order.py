"""What was ordered by command: access for a while, and access taken away, as values."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

from allowsync.model.value import Value

if TYPE_CHECKING:
    from datetime import datetime

    from allowsync.model.types import Network


class TemporaryGrant(Value):
    """A network that has access for a while, under a label of its own.

    Attributes:
        name: The label.
        network: The network.
        allowlists: Where it is allowed.
        at: When it was granted.
        ends: When it ends.
        boot: The boot it was granted in; empty if unknown.
        uptime: The uptime then.
    """

    name: str
    network: Network
    allowlists: tuple[str, ...]
    at: datetime
    ends: datetime
    boot: str = ""
    uptime: timedelta = timedelta(0)


class Revocation(Value):
    """A host or a network that has no access, whatever the DNS says, until it is approved.

    Attributes:
        subject: The label of the host, or the network in CIDR form.
        at: When it was revoked.
        network: The network, where it is one.
        hostnames: The names the host had then: they tell who it is once its label is gone.
    """

    subject: str
    at: datetime
    network: Network | None = None
    hostnames: tuple[str, ...] = ()


class LiftedOrder(Value):
    """The end of an order: a grant that is revoked, or a revocation that is approved.

    Attributes:
        subject: The label or the network that it was about.
        at: When it ended.
        action: The command that ended it: `revoke` or `approve`.
    """

    subject: str
    at: datetime
    action: str


Order: TypeAlias = TemporaryGrant | Revocation | LiftedOrder


class StandingOrders(Value):
    """The orders that are not over.

    Attributes:
        grants: Who has access for a while.
        revocations: Who has none.
        lacking: Why there may be revocations beside these; empty where these are all.
        remembered: Whether the state, too, knows of a revocation.
    """

    grants: tuple[TemporaryGrant, ...] = ()
    revocations: tuple[Revocation, ...] = ()
    lacking: str = ""
    remembered: bool = False
