"""A list at Cloudflare as a target, in tests: made from a fake, and brought to hold something."""

from __future__ import annotations

from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

from allowsync_backends.cloudflare import CloudflareOptions
from allowsync_backends.cloudflare.backend import CloudflareBackend
from allowsync_backends.cloudflare.time_budget import PollClock

from allowsync.config.secrets import KeptSecret, Secret
from allowsync.model.target import Effect
from allowsync.plan.planner import Situation, make_plan

if TYPE_CHECKING:
    from allowsync.model.target import Current
    from testkit.fake_cloudflare import FakeCloudflare


class Rushing:
    """A clock on which only waiting takes time, and nobody has to wait."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def target(
    fake: FakeCloudflare,
    allowlist: str = "jellyfin",
    owner: str | None = None,
    effect: Effect = Effect.ALLOW,
    **options: Any,
) -> CloudflareBackend:
    """A target that keeps the list `friends`, and waits without any time passing."""
    token = KeptSecret("/token", Secret(fake.token))
    given = CloudflareOptions(
        fake.account, "friends", api_token_file=token, api_url=fake.url, owner=owner, **options
    )
    time = _time_of(fake)
    return CloudflareBackend(allowlist, given, PollClock(time.now, time.sleep), effect=effect)


def _time_of(fake: FakeCloudflare) -> Rushing:
    """One clock for a fake and all its targets: what is under way there ends while they wait."""
    time = getattr(fake.cloud.clock, "__self__", None)
    if not isinstance(time, Rushing):
        time = Rushing()
        fake.cloud.clock = time.now
    return time


def keep(backend: CloudflareBackend, *wanted: str, host: str = "alice") -> Current:
    """Look, plan and apply, as a run does; what is there after that."""
    labels = {ip_network(one): (host,) for one in wanted}
    situation = Situation(
        "x", backend.read(), labels, trusted=frozenset({host}), capabilities=backend.capabilities
    )
    plan = make_plan(situation)
    if not plan.idle:
        backend.apply(plan)
    return backend.read()


def held(current: Current) -> set[str]:
    """The networks that are ours, single addresses without their width."""
    return {str(one.network).removesuffix("/32") for one in current.entries}
