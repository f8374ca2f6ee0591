"""What a configuration says once it is valid. Made by `allowsync.config.load`, read by all."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from allowsync.model.nameserver import ResolverSettings
from allowsync.model.target import Place
from allowsync.model.types import Host, Limits, Policy
from allowsync.model.value import Value, field

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from allowsync.backend.api import AnyBackendType
    from allowsync.config.channels import Heartbeat, NotifyChannel
    from allowsync.config.sources import SourceOptions


class Target(Value):
    """One place an allowlist is enforced.

    Attributes:
        name: `<allowlist>/<backend>`, or `<allowlist>/<name>` when the target has a name.
        allowlist: The allowlist enforced there.
        backend: What drives it.
        options: An instance of `backend.options`.
        written: The options as plain JSON values, enough to build `options` again later, when the
            target is no longer configured. Never holds a secret.
    """

    name: str
    allowlist: str
    backend: AnyBackendType
    options: Any
    written: Mapping[str, Any] = field(default_factory=dict)

    @property
    def places(self) -> tuple[Place, ...]:
        """What the target puts its entries into, where its options have a method `places`.

        Raises:
            TypeError: They are no places.
            Exception: Whatever a third party's code raises.
        """
        places = getattr(self.options, "places", None)
        named = () if places is None else tuple(places(self.allowlist))
        for one in named:
            if not isinstance(one, Place):
                raise TypeError(f"places() gives {one!r}, not an allowsync.backend.Place")
        return named

    @property
    def elsewhere(self) -> bool:
        """Whether the target is reached over the network only. Not so where that is not known."""
        try:
            return self.backend.needs(self.options).online
        except Exception:  # noqa: BLE001 - a defect of one backend must not stop the others
            return False


class Allowlist(Value):
    """A named set of hosts and the targets it is enforced at, in configured order."""

    name: str
    hosts: tuple[str, ...]
    targets: tuple[Target, ...]


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

    @property
    def targets(self) -> tuple[Target, ...]:
        """Every target of every allowlist, in configured order."""
        return tuple(target for one in self.allowlists.values() for target in one.targets)
