"""A setting of a Jellyfin server as a target, in tests: made from a fake, and brought to hold what
a test says.
"""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from allowsync_backends.jellyfin import JellyfinOptions, JellyfinSetting
from allowsync_backends.jellyfin.backend import JellyfinBackend
from allowsync_backends.jellyfin.pauses import Pauses

from allowsync.config.secrets import KeptSecret, Secret
from allowsync.plan.planner import Situation, make_plan

if TYPE_CHECKING:
    from allowsync.model.target import Current
    from testkit.fake_jellyfin import FakeJellyfin

FIELDS = {
    JellyfinSetting.KNOWN_PROXIES: "KnownProxies",
    JellyfinSetting.LAN_NETWORKS: "LocalNetworkSubnets",
    JellyfinSetting.REMOTE_FILTER: "RemoteIPFilter",
}
PROXIES, LAN, FILTER = FIELDS


class Skipping:
    """A clock on which waiting takes no time."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def options(
    fake: FakeJellyfin, setting: JellyfinSetting = FILTER, *, key: str = "", **more: Any
) -> JellyfinOptions:
    secret = KeptSecret("/key", Secret(key or fake.key))
    return JellyfinOptions(fake.url, setting, api_key_file=secret, **more)


def target(
    fake: FakeJellyfin,
    setting: JellyfinSetting = FILTER,
    allowlist: str = "jellyfin",
    **more: Any,
) -> JellyfinBackend:
    """A target that waits without any time passing."""
    clock = Skipping()
    return JellyfinBackend(
        allowlist, options(fake, setting, **more), Pauses(clock.now, clock.sleep)
    )


def keep(backend: JellyfinBackend, *wanted: str) -> Current:
    """Look, plan and apply, as a run does; what is there after that."""
    labels = {ip_network(one): ("alice",) for one in wanted}
    situation = Situation(
        "x",
        backend.read(),
        labels,
        trusted=frozenset({"alice"}),
        capabilities=backend.capabilities,
    )
    plan = make_plan(situation)
    if not plan.idle:
        backend.apply(plan)
    return backend.read()


def held(current: Current) -> set[str]:
    """The networks that are ours."""
    return {str(one.network) for one in current.entries}
