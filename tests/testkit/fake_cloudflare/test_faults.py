"""Faults: each befalls the requests it is meant for, and does what it says."""

from __future__ import annotations

import time
from http.client import IncompleteRead, RemoteDisconnected

import pytest

from testkit.fake_cloudflare import (
    CutConnection,
    FailedCall,
    FakeCloudflare,
    Meanwhile,
    OrderedFault,
    RateLimited,
    Slow,
    TruncatedReply,
    Unsuccessful,
    Wrong,
    WrongType,
)
from tests.support.cloudflare_asking import FakeRequests

ALICE = [{"ip": "203.0.113.7"}]


@pytest.fixture(autouse=True)
def _friends(fake: FakeCloudflare) -> None:
    fake.add_list("friends", ["203.0.113.9"])


def test_too_many_requests_with_and_without_a_word_on_when_to_come_back(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    fake.faults.add(RateLimited("7"))
    fake.faults.add(RateLimited())
    first, second, third = (ask("GET", ask.lists) for _ in range(3))
    assert (first.status, first.headers["Retry-After"]) == (429, "7")
    assert (second.status, "Retry-After" in second.headers) == (429, False)
    assert third.status == 200


def test_a_failure_in_the_envelope_and_one_as_a_page(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    fake.faults.add(FailedCall(503))
    fake.faults.add(FailedCall(522, html=True))
    assert ask("GET", ask.lists).status == 503
    page = ask("GET", ask.lists)
    assert (page.status, page.headers["Content-Type"]) == (522, "text/html; charset=UTF-8")
    assert page.body.startswith(b"<!DOCTYPE html>")


def test_a_success_by_its_status_can_be_none(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.faults.add(Unsuccessful(10000, "no"), on="items.create")
    answered = ask("POST", ask.items("friends"), ALICE)
    assert (answered.error, answered.json["success"]) == ((200, 10000), False)
    assert fake.pending == 0


@pytest.mark.parametrize("applied", [False, True])
def test_a_connection_is_cut_before_or_after_the_write(
    fake: FakeCloudflare, ask: FakeRequests, applied: bool
) -> None:
    fake.faults.add(CutConnection(applied=applied), on="items.create")
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        ask("POST", ask.items("friends"), ALICE)
    assert fake.pending == applied
    fake.finish()
    assert ("203.0.113.7" in fake.items("friends")) == applied
    assert [each.status for each in fake.requests] == [None]


@pytest.mark.parametrize(
    "fault", [RateLimited(), FailedCall(), FailedCall(502, html=True), CutConnection()]
)
def test_what_fails_at_once_changes_nothing(
    fake: FakeCloudflare, ask: FakeRequests, fault: OrderedFault
) -> None:
    fake.faults.add(fault, on="lists.delete")
    path = f"{ask.lists}/{fake.lists['friends'].id}"
    try:
        ask("DELETE", path)
    except (RemoteDisconnected, ConnectionResetError):
        assert isinstance(fault, CutConnection)
    assert list(fake.lists) == ["friends"]


def test_a_body_can_be_slow_and_is_whole(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.faults.add(Slow(pause=0.05, parts=4))
    begun = time.monotonic()
    assert ask("GET", ask.lists).result[0]["name"] == "friends"
    assert time.monotonic() - begun >= 0.2


def test_a_body_can_end_in_the_middle(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.faults.add(TruncatedReply())
    fake.faults.add(TruncatedReply(cut=True))
    with pytest.raises(ValueError, match=r"Expecting|Unterminated"):
        _ = ask("GET", ask.lists).json
    with pytest.raises(IncompleteRead):
        ask("GET", ask.lists)


def test_a_body_can_be_called_or_be_something_else(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.faults.add(WrongType("text/plain"))
    fake.faults.add(Wrong([1, {"success": "yes"}]))
    called = ask("GET", ask.lists)
    assert (called.headers["Content-Type"], called.result[0]["name"]) == ("text/plain", "friends")
    assert ask("GET", ask.lists).json == [1, {"success": "yes"}]


@pytest.mark.parametrize("after", [False, True])
def test_somebody_else_can_come_in_between(
    fake: FakeCloudflare, ask: FakeRequests, after: bool
) -> None:
    def interfere() -> None:
        fake.plant("friends", "192.0.2.1", "theirs")
        fake.pull("friends", "203.0.113.9")

    fake.faults.add(Meanwhile(interfere, after=after), on="items.list")
    read = [item["ip"] for item in ask("GET", ask.items("friends")).result]
    assert read == (["203.0.113.9"] if after else ["192.0.2.1"])
    assert fake.items("friends") == {"192.0.2.1": "theirs"}


def test_a_fault_waits_for_the_requests_it_is_meant_for(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    fake.faults.add(FailedCall(), on="items.*", times=2, skip=2)
    statuses = [ask("GET", ask.items("friends")).status for _ in range(5)]
    assert statuses == [200, 200, 500, 500, 200]
    assert fake.faults.waiting == 0
    fake.faults.add(FailedCall(), on="rules.*")
    assert ask("GET", ask.lists).status == 200
    assert fake.faults.waiting == 1


def test_a_standing_fault_ends_when_it_is_taken_back(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    fake.faults.add(FailedCall(), times=None)
    assert {ask("GET", ask.lists).status for _ in range(5)} == {500}
    fake.faults.clear()
    assert ask("GET", ask.lists).status == 200


def test_the_log_tells_what_befell_a_request(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.faults.add(FailedCall(503))
    ask("GET", ask.lists)
    ask("GET", ask.lists)
    assert [each.fault for each in fake.requests] == [FailedCall(503), None]


def test_what_goes_wrong_inside_the_fake_is_raised_by_it() -> None:
    def broken() -> None:
        raise ZeroDivisionError

    fake = FakeCloudflare()
    fake.faults.add(Meanwhile(broken))
    fake.__enter__()
    with pytest.raises((RemoteDisconnected, ConnectionResetError)):
        FakeRequests(fake)("GET", "/ips")
    with pytest.raises(ZeroDivisionError):
        fake.__exit__(None, None, None)
