"""A valid configuration. Made by `allowsync.config.load`, read by all other packages."""

from __future__ import annotations

from datetime import timedelta

from allowsync.backend.api import BackendError
from allowsync.backend.driver import Driver, needs_of, places_of
from allowsync.model.nameserver import ResolverSettings
from allowsync.model.outcome import ExitCode, Notice
from allowsync.model.target import Effect, Placement
from allowsync.model.types import Host, Limits, Policy
from allowsync.model.value import Value, field, replace
from allowsync.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from allowsync.backend.api import AnyBackendType, Needs
    from allowsync.config.channels import Heartbeat, NotifyChannel
    from allowsync.config.fleet import Fleet
    from allowsync.config.hosts_from import HostsFile, HostsFrom
    from allowsync.config.sources import SourceOptions
    from allowsync.model.list_source import ListSource
    from allowsync.model.target import Front, Guard, Place, TrustedProxies
    from allowsync.model.types import Network


class Target(Value):
    """One place an allowlist is enforced.

    Attributes:
        name: `<allowlist>/<backend>`, or `<allowlist>/<name>` if the target has a name.
        allowlist: The allowlist enforced there.
        backend: The type of its backend.
        options: An instance of `backend.options`.
        written: The options as plain JSON values. Never holds a secret.
        remembered: The options that the state keeps, for use after the target is no longer
            configured. Never holds a command.
        broken: The reason why the target cannot be served, though the configuration is valid: its
            backend cannot be loaded, or its secret not be read. Only this target fails then. Its
            `options` may be None, and `backend` makes nothing.
        installation: The identifier that tells this configuration from others on the machine: a
            digest of its path, which outlives a lost state.
        effect: The effect on packets from the networks it holds.
    """

    name: str
    allowlist: str
    backend: AnyBackendType
    options: Any
    written: Mapping[str, Any] = field(default_factory=dict)
    remembered: Mapping[str, Any] = field(default_factory=dict)
    broken: str = ""
    installation: str = ""
    effect: Effect = Effect.ALLOW

    def driver(self) -> Driver:
        """The driver of the target.

        Raises:
            BackendError: It cannot be made.
        """
        if self.broken:
            raise BackendError(self.broken)
        place = Placement(self.allowlist, self.name, self.installation, self.effect)
        return Driver(self.backend, place, self.options)

    @property
    def places(self) -> tuple[Place, ...]:
        """The places that hold the target's entries, if its options have a method `places`.

        Raises:
            BackendError: Its backend fails to report them.
        """
        return places_of(self.backend, self.options, self.allowlist)

    @property
    def needs(self) -> Needs:
        """The target's requirements of its service.

        Raises:
            BackendError: Its backend fails to report them.
        """
        if self.broken and self.options is None:
            raise BackendError(self.broken)
        return needs_of(self.backend, self.options)

    @property
    def guard(self) -> Guard | None:
        """The ports that the target guards in this machine's packet filter; None for others.

        Raises:
            BackendError: Its backend fails to report them.
        """
        from allowsync.backend.declared import guard_of

        if self.options is None or self.effect is Effect.DENY:
            return None
        return guard_of(self.backend, self.options)

    @property
    def front(self) -> Front | None:
        """The network in front of machines that enforces the target; None for other targets.

        Raises:
            BackendError: Its backend fails to report it.
        """
        from allowsync.backend.declared import front_of

        if self.options is None or self.effect is Effect.DENY:
            return None
        return front_of(self.backend, self.options)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of networks that its options name; empty if unknown."""
        if not hasattr(type(self.options), "sources"):
            return ()  # nearly always: no import is needed
        from allowsync.backend.declared import sources_of

        try:
            return sources_of(self.backend, self.options)
        except BackendError:
            return ()

    def with_networks(self, published: Mapping[str, tuple[Network, ...]]) -> Target:
        """The target with the sources in its options replaced by their networks.

        With a source of unknown networks it cannot be served: its entries stay as they are.
        """
        from allowsync.backend.declared import with_networks_of

        unknown = [name for name in self.sources if not published.get(name)]
        if unknown:
            what = f"the networks of {', '.join(unknown)} are not known yet"
            return replace(self, broken=self.broken or what)
        try:
            options = with_networks_of(self.backend, self.options, published)
        except BackendError as error:
            return replace(self, broken=str(error))
        return replace(self, options=options)

    @property
    def trusted_proxies(self) -> TrustedProxies | None:
        """The proxies that the server asking the allowlist trusts; None if unknown.

        Raises:
            BackendError: They could not be found out.
        """
        from allowsync.backend.declared import proxies_of

        return proxies_of(self.driver())

    @property
    def elsewhere(self) -> bool:
        """Whether the target is reached over the network only; False if unknown."""
        try:
            return self.needs.online
        except BackendError:
            return False


class Allowlist(Value):
    """A named set of hosts and its targets, in configured order.

    Attributes:
        name: Its name.
        hosts: The hosts on it.
        targets: The targets that enforce it.
        named: Whether the configuration names its hosts; otherwise it has every host.
        publish: Whether its decisions are published to the fleet.
        follow: Whether it follows the decisions of the fleet.
        retired: Whether it is published as retired.
    """

    name: str
    hosts: tuple[str, ...]
    targets: tuple[Target, ...]
    named: bool = True
    publish: bool = False
    follow: bool = False
    retired: bool = False


class Denylist(Value):
    """A named set of blocked networks, and its targets.

    Attributes:
        name: Its name; no allowlist has the same.
        networks: The networks that the configuration itself names.
        lists: The names of the lists with further networks.
        spared: Networks, and hosts by name, that are never blocked by it (`except`).
        targets: The targets that enforce it.
    """

    name: str
    targets: tuple[Target, ...]
    networks: tuple[Network, ...] = ()
    lists: tuple[str, ...] = ()
    spared: tuple[str | Network, ...] = ()


class Config(Value):
    """A whole valid configuration."""

    path: Path
    hosts: Mapping[str, Host]
    allowlists: Mapping[str, Allowlist]
    state: Path
    resolver: ResolverSettings = field(default_factory=ResolverSettings)
    policy: Policy = field(default_factory=Policy)
    limits: Limits = field(default_factory=Limits)
    notify: tuple[NotifyChannel, ...] = ()
    heartbeat: Heartbeat | None = None
    metrics: Path | None = None
    history: timedelta = timedelta(days=400)
    report: Path | None = None
    sources: Mapping[str, SourceOptions] = field(default_factory=dict)
    lists: Mapping[str, ListSource] = field(default_factory=dict)
    denylists: Mapping[str, Denylist] = field(default_factory=dict)
    fleet: Fleet | None = None
    hosts_from: HostsFrom | None = None
    hosts_file: HostsFile | None = None

    def is_broken(self, target: str) -> bool:
        """Whether the target of that name cannot be served."""
        return any(one.broken for one in self.targets if one.name == target)

    @property
    def channels(self) -> Iterator[tuple[str, NotifyChannel | Heartbeat]]:
        """Every notification channel and the heartbeat, each with its name in messages."""
        for number, channel in enumerate(self.notify, start=1):
            yield f"notify, item {number}", channel
        if self.heartbeat is not None:
            yield "heartbeat", self.heartbeat

    @property
    def broken_channels(self) -> Iterator[Notice]:
        """A notice for each channel whose URL cannot be read: nothing is sent there."""
        for where, channel in self.channels:
            if why := channel.kept.unreadable:
                yield Notice(where, f"nothing is sent there: {why}", ExitCode.FAILED)

    @property
    def hosts_trouble(self) -> tuple[Notice, ...]:
        """The present problems of the `hosts_from` file; empty if it is in use or not named."""
        return () if self.hosts_file is None else self.hosts_file.trouble

    @property
    def sources_in_use(self) -> tuple[str, ...]:
        """Every source of networks that a host or target names, in configured order."""
        by_hosts = [name for host in self.hosts.values() for name in host.publishers]
        by_targets = [name for target in self.targets for name in target.sources]
        return tuple(dict.fromkeys((*by_hosts, *by_targets)))

    @property
    def lists_in_use(self) -> tuple[str, ...]:
        """Every list that a host or denylist names, in configured order."""
        if not self.lists:
            return ()
        by_hosts = [name for host in self.hosts.values() for name in host.lists]
        by_denylists = [name for one in self.denylists.values() for name in one.lists]
        return tuple(dict.fromkeys((*by_hosts, *by_denylists)))

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every target of every allowlist, then of every denylist, in configured order."""
        allowing = (target for one in self.allowlists.values() for target in one.targets)
        denying = (target for one in self.denylists.values() for target in one.targets)
        return (*allowing, *denying)
