"""How much may be asked, with a clock that the test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from testkit.fake_cloudflare import FakeCloudflare, OperationDelay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from testkit.fake_cloudflare.limits import Window
    from tests.support.cloudflare_asking import FakeRequests

HALF_A_DAY = 12 * 3600.0


class Clock:
    """Stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def fake(clock: Clock) -> Iterator[FakeCloudflare]:
    with FakeCloudflare(delay=OperationDelay(0, 0.0), clock=clock) as serving:
        serving.add_list("friends")
        yield serving


def test_who_asks_too_much_is_not_heard_for_five_minutes(
    fake: FakeCloudflare, ask: FakeRequests, clock: Clock
) -> None:
    ask("GET", ask.lists)
    fake.cloud.requests[fake.token].window.take(1_198, 0.0)
    assert ask("GET", ask.lists).status == 200
    clock.now = 100.0
    refused = ask("GET", ask.lists)
    assert (refused.error, refused.headers["Retry-After"]) == ((429, 971), "301")
    # What was asked at the beginning is forgotten by now, the refusal is not.
    clock.now = 399.0
    assert ask("GET", ask.lists).status == 429
    clock.now = 400.0
    assert ask("GET", ask.lists).status == 200


def test_every_user_has_requests_of_their_own(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.tokens["other"] = fake.tokens[fake.token]
    ask("GET", ask.lists)
    fake.cloud.requests[fake.token].window.take(1_199, 0.0)
    assert ask("GET", ask.lists).status == 429
    assert ask("GET", ask.lists, Authorization="Bearer other").status == 200
    assert ask("GET", "/ips", Authorization="").status == 200


@pytest.mark.parametrize("window", ["writes", "changes"])
def test_an_account_changes_so_much_in_twelve_hours(
    fake: FakeCloudflare, ask: FakeRequests, clock: Clock, window: str
) -> None:
    spent: Window = getattr(fake.cloud.accounts[fake.account].modifications, window)
    spent.take(spent.most - 1, 0.0)
    body = [{"ip": "203.0.113.7"}]
    assert ask("POST", ask.items("friends"), body).status == 200
    assert ask("POST", ask.items("friends"), body).status == 429
    clock.now = HALF_A_DAY - 1
    assert ask("POST", ask.items("friends"), body).status == 429
    clock.now = HALF_A_DAY
    assert ask("POST", ask.items("friends"), body).status == 200


def test_every_item_that_is_written_or_removed_counts(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    spent = fake.cloud.accounts[fake.account].modifications.changes
    two = [{"ip": "203.0.113.7"}, {"ip": "203.0.113.8"}]
    ask.write("POST", "friends", two)
    assert spent.total == 2
    ask.write("PUT", "friends", two[:1])
    assert spent.total == 5
    (left,) = fake.lists["friends"].items.values()
    ask.write("DELETE", "friends", {"items": [{"id": left.id}]})
    assert spent.total == 6
