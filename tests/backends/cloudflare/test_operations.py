"""Waiting for an operation: until it has ended, or nobody knows whether it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare.errors import (
    ApiCall,
    CloudflareError,
    NoReply,
    NotFound,
    NotPermitted,
    OperationFailed,
    OperationUnfinished,
    ServerTrouble,
    TokenRefused,
    TooMany,
    UnreadableReply,
    Unsent,
)
from allowsync_backends.cloudflare.operations import finished
from allowsync_backends.cloudflare.time_budget import Budget
from allowsync_backends.cloudflare.values import BulkOperation, OperationStatus

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.support.cloudflare_client import Hours

CALL = ApiCall("POST", "/accounts/0/rules/lists/0/items")
LOOK = ApiCall("GET", "/accounts/0/rules/lists/bulk_operations/0")


def seen(*states: BulkOperation | CloudflareError) -> Callable[[], BulkOperation]:
    """Looks that find these, one after the other, and the last again and again."""
    left = list(states)

    def look() -> BulkOperation:
        state = left.pop(0) if len(left) > 1 else left[0]
        if isinstance(state, CloudflareError):
            raise state
        return state

    return look


def at(status: OperationStatus, error: str = "") -> BulkOperation:
    return BulkOperation("0", status, error)


def test_it_is_waited_for_from_pending_over_running_to_completed(hours: Hours) -> None:
    look = seen(
        at(OperationStatus.PENDING), at(OperationStatus.RUNNING), at(OperationStatus.COMPLETED)
    )
    assert finished(look, CALL, Budget.of(hours.clock, 60)) == at(OperationStatus.COMPLETED)
    assert hours.slept == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("said", "why"),
    [("no room", "no room"), ("", "no reason given"), ("a\x1b[2J\nb", "a?[2J?b")],
)
def test_one_that_failed_says_why(hours: Hours, said: str, why: str) -> None:
    with pytest.raises(OperationFailed) as caught:
        finished(seen(at(OperationStatus.FAILED, said)), CALL, Budget.of(hours.clock, 60))
    assert (caught.value.why, caught.value.call) == (why, CALL)


@pytest.mark.parametrize(("seconds", "most"), [(1000, 120), (10, 10), (0.4, 0)])
def test_the_wait_has_an_end(hours: Hours, seconds: float, most: float) -> None:
    with pytest.raises(OperationUnfinished):
        finished(seen(at(OperationStatus.RUNNING)), CALL, Budget.of(hours.clock, seconds))
    assert sum(hours.slept) <= most
    assert sum(hours.slept) > most - 16


@pytest.mark.parametrize(
    "error",
    [
        NoReply(LOOK, "x"),
        Unsent(LOOK, "x"),
        UnreadableReply(LOOK, 200, "x"),
        ServerTrouble(LOOK, 500),
        TooMany(LOOK, 429),
        NotFound(LOOK, 404),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_end_that_cannot_be_seen_is_open(hours: Hours, error: CloudflareError) -> None:
    with pytest.raises(OperationUnfinished) as caught:
        finished(seen(at(OperationStatus.PENDING), error), CALL, Budget.of(hours.clock, 60))
    assert caught.value.waited == 1.5
    assert str(error) in str(caught.value)


@pytest.mark.parametrize("error", [TokenRefused(LOOK, 401), NotPermitted(LOOK, 403)], ids=repr)
def test_a_token_that_may_not_look_is_said_to_be_so(hours: Hours, error: CloudflareError) -> None:
    with pytest.raises(type(error)):
        finished(seen(error), CALL, Budget.of(hours.clock, 60))
