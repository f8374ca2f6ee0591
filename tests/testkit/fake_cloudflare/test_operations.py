"""Operations: one at a time, carried out later, and sometimes never."""

from __future__ import annotations

import pytest

from testkit.fake_cloudflare import (
    AccountPlan,
    FakeCloudflare,
    LateQuota,
    OperationDelay,
    OperationFails,
    OperationLate,
)
from tests.support.cloudflare_asking import FakeRequests

ALICE = [{"ip": "203.0.113.7", "comment": "alice"}]


@pytest.fixture(autouse=True)
def _friends(fake: FakeCloudflare) -> None:
    fake.cloud.delay = OperationDelay(polls=2, seconds=None)
    fake.add_list("friends")


def _begun(ask: FakeRequests) -> str:
    return str(ask("POST", ask.items("friends"), ALICE).result["operation_id"])


def test_what_is_accepted_is_not_there_until_the_operation_is_over(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    operation = _begun(ask)
    assert ask("GET", ask.items("friends")).result == []
    assert [ask.state(operation)["status"] for _ in range(2)] == ["pending", "running"]
    assert fake.items("friends") == {}
    over = ask.state(operation)
    assert (over["status"], "completed" in over, "error" in over) == ("completed", True, False)
    assert fake.items("friends") == {"203.0.113.7": "alice"}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_an_account_has_one_operation_at_a_time(
    fake: FakeCloudflare, ask: FakeRequests, method: str
) -> None:
    fake.add_list("others", ["203.0.113.9"])
    held = [{"id": item.id} for item in fake.lists["others"].items.values()]
    operation = _begun(ask)
    body = {"items": held} if method == "DELETE" else ALICE
    refused = ask(method, ask.items("others"), body)
    assert refused.status == 429
    assert "Retry-After" not in refused.headers
    for _ in range(3):
        ask.state(operation)
    assert ask(method, ask.items("others"), body).status == 200


def test_other_accounts_are_not_kept_waiting(fake: FakeCloudflare, ask: FakeRequests) -> None:
    _begun(ask)
    account = fake.add_account()
    path = f"/accounts/{account}/rules/lists/{fake.add_list('theirs', account=account)}/items"
    assert ask("POST", path, ALICE).status == 200


def test_an_operation_may_be_over_by_time(ask: FakeRequests) -> None:
    now = [0.0]
    with FakeCloudflare(delay=OperationDelay(None, 10.0), clock=lambda: now[0]) as fake:
        asking = FakeRequests(fake)
        fake.add_list("friends")
        operation = _begun(asking)
        for now[0] in (1.0, 5.0, 9.9):
            assert asking.state(operation)["status"] in ("pending", "running")
        now[0] = 10.0
        assert fake.items("friends") == {"203.0.113.7": "alice"}
        assert asking.state(operation)["status"] == "completed"


def test_an_operation_may_fail_and_changes_nothing_then(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    fake.faults.add(OperationFails("no such luck"), on="items.*")
    over = ask.write("POST", "friends", ALICE)
    assert (over["status"], over["error"]) == ("failed", "no such luck")
    assert fake.items("friends") == {}
    assert ask.write("POST", "friends", ALICE)["status"] == "completed"


def test_an_operation_may_take_for_ever(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.faults.add(OperationLate(), on="items.create")
    operation = _begun(ask)
    assert {ask.state(operation)["status"] for _ in range(20)} == {"pending", "running"}
    assert ask("POST", ask.items("friends"), ALICE).status == 429
    fake.finish()
    assert fake.items("friends") == {"203.0.113.7": "alice"}


def test_an_operation_may_take_longer_than_others(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.faults.add(OperationLate(OperationDelay(polls=5, seconds=None)), on="items.create")
    operation = _begun(ask)
    statuses = [ask.state(operation)["status"] for _ in range(6)]
    assert statuses == ["pending", *["running"] * 4, "completed"]


def test_a_quota_may_be_found_out_late(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.add_list("full", [f"198.18.{n // 256}.{n % 256}" for n in range(AccountPlan.FREE.items)])
    fake.faults.add(LateQuota(), on="items.create")
    over = ask.write("POST", "friends", ALICE)
    assert over["status"] == "failed"
    assert over["error"]
    assert fake.items("friends") == {}


def test_an_operation_belongs_to_its_account(fake: FakeCloudflare, ask: FakeRequests) -> None:
    operation = _begun(ask)
    other = f"/accounts/{fake.add_account()}/rules/lists/bulk_operations/{operation}"
    assert ask("GET", other).status == 404
    assert ask("GET", f"{ask.lists}/bulk_operations/{'0' * 32}").status == 404


def test_what_is_removed_in_between_does_no_harm(fake: FakeCloudflare, ask: FakeRequests) -> None:
    held = fake.plant("friends", "203.0.113.9")
    operation = ask("DELETE", ask.items("friends"), {"items": [{"id": held}]}).result
    fake.pull("friends", "203.0.113.9")
    fake.finish()
    assert ask.state(operation["operation_id"])["status"] == "completed"
