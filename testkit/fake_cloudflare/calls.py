"""A request that found its route, on its way to whoever answers it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from testkit.fake_cloudflare.replies import no_route, not_found

if TYPE_CHECKING:
    from testkit.fake_cloudflare.state import (
        Account,
        CloudState,
        ItemList,
        OperationDelay,
        StoredZone,
    )


@dataclass(frozen=True, slots=True)
class Fate:
    """What a fault has in mind for an operation that the request begins.

    Attributes:
        delay: Instead of the usual one.
        error: With what it fails at its end.
        late_quota: A list that grows too long is found out at the end and not at once.
    """

    delay: OperationDelay | None = None
    error: str | None = None
    late_quota: bool = False


@dataclass(frozen=True, slots=True)
class RoutedCall:
    """A request as its route sees it. `path` is without the part before the version's routes."""

    cloud: CloudState
    path: str
    params: dict[str, str]
    query: dict[str, str]
    body: Any
    fate: Fate = field(default_factory=Fate)

    @property
    def account(self) -> Account:
        """The account of the path. That the token may see it is known by now."""
        return self.cloud.accounts[self.params["account"]]

    @property
    def list(self) -> ItemList:
        """The list of the path."""
        found = self.account.lists.get(self.params["list"])
        if found is None:
            raise not_found("could not find the list")
        return found

    @property
    def zone(self) -> StoredZone:
        """The zone of the path."""
        found = self.cloud.zones.get(self.params["zone"])
        if found is None:
            raise no_route(self.path)
        return found
