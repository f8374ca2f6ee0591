"""The request of a run, as a value."""

from __future__ import annotations

from allowsync.model.value import Value
from allowsync.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from allowsync.config.settings import Config, Target
    from allowsync.model.access_order import Order
    from allowsync.model.types import Host, Query


class Request(Value):
    """The request of a run.

    Attributes:
        only: The allowlists to look at, or single targets by their full name; all when empty.
        force: Apply what limits refuse.
        offline: Send no DNS queries; restore the last known entries.
        dry_run: Plan only, and write nothing at all.
        confirming: The user is asked afterwards whether to keep it. The caller holds the lock.
        ordered: Enforces an order by command: offline, too, at targets outside this machine.
        rehearsed: Part of a rehearsal: sources are not asked, no firewall is searched.
        assumed: Orders that are not given yet; for a dry run alone.
    """

    only: tuple[str, ...] = ()
    force: bool = False
    offline: bool = False
    dry_run: bool = False
    confirming: bool = False
    ordered: bool = False
    rehearsed: bool = False
    assumed: tuple[Order, ...] = ()

    def covers(self, allowlist: str, target: str = "") -> bool:
        """Whether a target is in the run; without one, whether any part of an allowlist is."""
        if not self.only or allowlist in self.only:
            return True
        # No allowlist has a slash in its name, and every target begins with that of its own.
        return any(
            one == target if target else one.startswith(f"{allowlist}/") for one in self.only
        )

    def takes(self, target: Target) -> bool:
        """Whether a target is in the run: one outside this machine is not restored offline."""
        local = self.offline and not self.ordered
        return self._covers(target) and not (local and target.elsewhere)

    def _covers(self, target: Target) -> bool:
        return self.covers(target.allowlist, target.name)

    def hosts(self, config: Config) -> list[Host]:
        """The hosts of the allowlists in the run, in configured order.

        With a denylist in it they are those of all allowlists, which are never blocked.
        """
        denied = [one for one in config.denylists.values() if self.covers(one.name)]
        every = config.allowlists.values()
        lists = (one for one in every if denied or self.covers(one.name))
        names = {name for allowlist in lists for name in allowlist.hosts}
        names |= {name for one in denied for name in one.spared if isinstance(name, str)}
        return [host for name, host in config.hosts.items() if name in names]

    def foreseen(self, config: Config) -> list[Query]:
        """The queries of the run about its hosts; none where they are not certain yet.

        All or none, since later queries have only the remaining time. They are uncertain where
        access has an end, which depends on memory and clock, and where networks are to be fetched
        first, which may take longer than the DNS has; and in a fleet, before the deciding machine
        is known.
        """
        if config.fleet is not None:
            return []
        hosts = [] if self.offline else self.hosts(config)
        unsure = any(host.publishers or host.until for host in hosts)
        if unsure or any(one.sources for one in config.targets if self._covers(one)):
            return []
        return [query for host in hosts for query in host.queries]

    @property
    def watched(self) -> bool:
        """Whether the run stands for the installation: complete, with DNS queries, and written.

        A run by hand for one allowlist, or the one at boot without DNS, must not silence an alarm.
        """
        return not (self.only or self.offline or self.dry_run)

    @property
    def insists(self) -> bool:
        """Whether unconfirmed changes are applied all the same."""
        return self.force or self.confirming
