"""Cloudflare's own networks as a source: what it gives, and what is said when it gives nothing."""

from __future__ import annotations

import time
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare.ranges import PATIENCE, SOURCE, ask
from allowsync_backends.cloudflare.time_budget import PollClock

from allowsync.backend.registry import NETWORKS, load_entry_point
from allowsync.model.special_purpose import CLOUDFLARE
from allowsync.policy.published import SourceError, implausible
from testkit.fake_cloudflare import (
    CutConnection,
    FailedCall,
    FakeCloudflare,
    OrderedFault,
    RateLimited,
    Slow,
    TruncatedReply,
    Unsuccessful,
    Wrong,
)

if TYPE_CHECKING:
    from testkit.fake_cloudflare.replies import FakeReply


@dataclass
class Hurried:
    """A clock on which sleeping takes no time, and is counted all the same."""

    slept: float = 0.0

    def clock(self) -> PollClock:
        return PollClock(lambda: time.monotonic() + self.slept, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds


def test_it_gives_what_cloudflare_publishes(fake: FakeCloudflare) -> None:
    found = ask(fake.url)
    assert set(found) == set(map(ip_network, CLOUDFLARE))
    assert implausible(found, ()) == ""


def test_it_is_found_by_its_name() -> None:
    assert load_entry_point(NETWORKS, "cloudflare") is SOURCE
    assert SOURCE.url.startswith("https://")


@dataclass(frozen=True, slots=True)
class Page(OrderedFault):
    """A page of HTML with the status of success, as a captive portal gives it."""

    proper = False

    def before(self) -> FakeReply:
        from testkit.fake_cloudflare.replies import FakeReply

        return FakeReply(200, b"<!DOCTYPE html><title>Log in</title>", "text/html")


FAULTS: dict[str, tuple[OrderedFault, str]] = {
    "a page of HTML": (Page(), "HTTP 200 with"),
    "a page of HTML about an error": (FailedCall(502, html=True), "HTTP 502 with"),
    "an error of the server": (FailedCall(500), "internal error"),
    "no success": (Unsuccessful(), "something went wrong"),
    "half a document": (TruncatedReply(), "HTTP 200 with"),
    "an end without an answer": (CutConnection(), "the connection broke"),
    "too many requests": (RateLimited(), "throttling"),
    "too slow an answer": (Slow(pause=PATIENCE * 2, parts=1), "it was not received in time"),
    "a list": (Wrong({"success": True, "errors": [], "result": []}), "HTTP 200 with"),
}


@pytest.mark.parametrize(("fault", "said"), FAULTS.values(), ids=FAULTS)
def test_whatever_goes_wrong_is_no_answer_and_soon_over(
    fake: FakeCloudflare, fault: OrderedFault, said: str
) -> None:
    fake.faults.add(fault, on="ips", times=None)
    hurried = Hurried()
    with pytest.raises(SourceError, match=said):
        ask(fake.url, hurried.clock())
    assert hurried.slept <= PATIENCE


def test_a_fault_that_passes_is_not_noticed(fake: FakeCloudflare) -> None:
    fake.faults.add(FailedCall(503), on="ips", times=1)
    assert len(ask(fake.url, Hurried().clock())) == len(CLOUDFLARE)
    assert fake.asked == ["ips", "ips"]


def test_where_nobody_listens_is_no_answer() -> None:
    with pytest.raises(SourceError):
        ask("http://127.0.0.1:9/client/v4", Hurried().clock())
