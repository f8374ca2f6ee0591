"""What tests of the Cloudflare client need beside the fake: time that costs none, odd answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from allowsync_backends.cloudflare.client import PATIENCE, connect
from allowsync_backends.cloudflare.time_budget import PollClock

from allowsync.config.secrets import Secret
from testkit.fake_cloudflare import OrderedFault
from testkit.fake_cloudflare.replies import JSON, FakeReply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from allowsync_backends.cloudflare.client import CloudflareClient

    from testkit.fake_cloudflare import FakeCloudflare


@dataclass
class Hours:
    """Time that passes only when somebody sleeps, or, `a_look` seconds, looks at the clock."""

    at: float = 1000.0
    a_look: float = 0.0
    slept: list[float] = field(default_factory=list)

    @property
    def clock(self) -> PollClock:
        return PollClock(self._now, self._sleep)

    def _now(self) -> float:
        self.at += self.a_look
        return self.at

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


@dataclass(frozen=True, slots=True)
class Answer(OrderedFault):
    """Any answer at all, instead of what was asked for. Nothing is applied."""

    body: bytes = b""
    status: int = 200
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    proper = False

    def before(self) -> FakeReply:
        """Give it."""
        return FakeReply(self.status, self.body, self.content_type, dict(self.headers))


def connected(
    fake: FakeCloudflare, hours: Hours, *, token: str | None = None, patience: float = PATIENCE
) -> AbstractContextManager[CloudflareClient]:
    """A client of the fake's account that goes by these hours."""
    secret = Secret(fake.token if token is None else token)
    return connect(fake.url, secret, fake.account, clock=hours.clock, patience=patience)


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error, and all it came from."""
    while True:
        yield error
        following = error.__cause__ or error.__context__
        if following is None:
            return
        error = following
