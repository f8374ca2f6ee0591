"""Access orders given by command, as values: temporary grants and revocations."""

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
        allowlists: The allowlists it is on.
        at: The time of the grant.
        ends: The end of the grant.
        boot: The boot it was granted in; empty if unknown.
        uptime: The uptime at that time.
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
        at: The time of the revocation.
        network: The network; None for a host.
        hostnames: The host's names at that time: they identify it once its label is gone.
    """

    subject: str
    at: datetime
    network: Network | None = None
    hostnames: tuple[str, ...] = ()


class LiftedOrder(Value):
    """The end of an order: a revoked grant, or an approved revocation.

    Attributes:
        subject: The label or the network of the order.
        at: The time of the end.
        action: The command that ended it: `revoke` or `approve`.
    """

    subject: str
    at: datetime
    action: str


Order: TypeAlias = TemporaryGrant | Revocation | LiftedOrder


class StandingOrders(Value):
    """The orders in force.

    Attributes:
        grants: The temporary grants.
        revocations: The revocations.
        lacking: The reason why there may be further revocations; empty where these are all.
        remembered: Whether the state records a revocation, too.
    """

    grants: tuple[TemporaryGrant, ...] = ()
    revocations: tuple[Revocation, ...] = ()
    lacking: str = ""
    remembered: bool = False
