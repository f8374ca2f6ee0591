"""What a configuration says once it is valid. Made by `allowsync.config.load`, read by all."""

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
        name: `<allowlist>/<backend>`, or `<allowlist>/<name>` when the target has a name.
        allowlist: The allowlist enforced there.
        backend: What drives it.
        options: An instance of `backend.options`.
        written: The options as plain JSON values. Never holds a secret.
        remembered: Those of them that the state keeps: what may be believed of a target that is no
            longer configured. Never holds a command.
        broken: Why the target cannot be served, though the configuration is valid: its backend
            cannot be loaded, or its secret not be read. Such a target fails alone. Its `options`
            may be None, and `backend` makes nothing.
        installation: What tells this configuration from others on the machine: a digest of its
            path, which outlives a lost state.
        effect: What becomes of packets from the networks it holds.
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
        """What carries out work on the target.

        Raises:
            BackendError: It cannot be made.
        """
        if self.broken:
            raise BackendError(self.broken)
        place = Placement(self.allowlist, self.name, self.installation, self.effect)
        return Driver(self.backend, place, self.options)

    @property
    def places(self) -> tuple[Place, ...]:
        """What the target puts its entries into, where its options have a method `places`.

        Raises:
            BackendError: Its backend does not say so.
        """
        return places_of(self.backend, self.options, self.allowlist)

    @property
    def needs(self) -> Needs:
        """What the target needs of the service it runs in.

        Raises:
            BackendError: Its backend does not say so.
        """
        if self.broken and self.options is None:
            raise BackendError(self.broken)
        return needs_of(self.backend, self.options)

    @property
    def guard(self) -> Guard | None:
        """What the target guards in this machine's packet filter; None where it does not.

        Raises:
            BackendError: Its backend does not say so.
        """
        from allowsync.backend.declared import guard_of

        if self.options is None or self.effect is Effect.DENY:
            return None
        return guard_of(self.backend, self.options)

    @property
    def front(self) -> Front | None:
        """The network in front of machines where it is enforced; None where it is at none.

        Raises:
            BackendError: Its backend does not say so.
        """
        from allowsync.backend.declared import front_of

        if self.options is None or self.effect is Effect.DENY:
            return None
        return front_of(self.backend, self.options)

    @property
    def sources(self) -> tuple[str, ...]:
        """The sources of networks that its options name; none where that cannot be told."""
        if not hasattr(type(self.options), "sources"):
            return ()  # nearly always: then nothing is imported for it
        from allowsync.backend.declared import sources_of

        try:
            return sources_of(self.backend, self.options)
        except BackendError:
            return ()

    def with_networks(self, published: Mapping[str, tuple[Network, ...]]) -> Target:
        """The target with networks in the place of the sources that its options name.

        Where those of one are not known it cannot be served: what it holds stays as it is.
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
        """Which proxies the server believes that asks the allowlist; None where not known.

        Raises:
            BackendError: It could not be found out.
        """
        from allowsync.backend.declared import proxies_of

        return proxies_of(self.driver())

    @property
    def elsewhere(self) -> bool:
        """Whether the target is reached over the network only. Not so where that is not known."""
        try:
            return self.needs.online
        except BackendError:
            return False


class Allowlist(Value):
    """A named set of hosts and the targets it is enforced at, in configured order.

    Attributes:
        name: Its name.
        hosts: The hosts on it.
        targets: Where it is enforced.
        named: Whether the configuration names its hosts; without, it has every host.
        publish: Whether what is decided about it is published to the fleet.
        follow: Whether it holds what the fleet decides.
        retired: Whether it is published that it is given up.
    """

    name: str
    hosts: tuple[str, ...]
    targets: tuple[Target, ...]
    named: bool = True
    publish: bool = False
    follow: bool = False
    retired: bool = False


class Denylist(Value):
    """Networks that are blocked, and where.

    Attributes:
        name: Its name; no allowlist has the same.
        networks: Those that the configuration itself names.
        lists: The names of the lists that give the rest.
        spared: Networks, and hosts by name, that are never blocked by it (`except`).
        targets: Where it is enforced.
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
        """Every notification channel and the heartbeat, each with what it is called."""
        for number, channel in enumerate(self.notify, start=1):
            yield f"notify, item {number}", channel
        if self.heartbeat is not None:
            yield "heartbeat", self.heartbeat

    @property
    def broken_channels(self) -> Iterator[Notice]:
        """Those of them whose URL cannot be read: nothing is sent there."""
        for where, channel in self.channels:
            if why := channel.kept.unreadable:
                yield Notice(where, f"nothing is sent there: {why}", ExitCode.FAILED)

    @property
    def hosts_trouble(self) -> tuple[Notice, ...]:
        """Why the file of `hosts_from` is not used now; nothing where it is, or is not named."""
        return () if self.hosts_file is None else self.hosts_file.trouble

    @property
    def sources_in_use(self) -> tuple[str, ...]:
        """Every source of networks that some host or target names, in configured order."""
        by_hosts = [name for host in self.hosts.values() for name in host.publishers]
        by_targets = [name for target in self.targets for name in target.sources]
        return tuple(dict.fromkeys((*by_hosts, *by_targets)))

    @property
    def lists_in_use(self) -> tuple[str, ...]:
        """Every list that some host or denylist names, in configured order."""
        if not self.lists:
            return ()
        by_hosts = [name for host in self.hosts.values() for name in host.lists]
        by_denylists = [name for one in self.denylists.values() for name in one.lists]
        return tuple(dict.fromkeys((*by_hosts, *by_denylists)))

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every target of every allowlist, and then of every denylist, in configured order."""
        allowing = (target for one in self.allowlists.values() for target in one.targets)
        denying = (target for one in self.denylists.values() for target in one.targets)
        return (*allowing, *denying)
