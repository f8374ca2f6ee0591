"""The vendor's own SDK gets along with the fake, and tells its errors apart as those of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import cloudflare
import pytest
from cloudflare import Cloudflare

from testkit.fake_cloudflare import (
    CutConnection,
    FailedCall,
    FakeCloudflare,
    OperationFails,
    OrderedFault,
    RateLimited,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

PHASE = "http_request_firewall_custom"


@pytest.fixture
def sdk(fake: FakeCloudflare, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloudflare]:
    # It takes credentials from the environment too.
    for name in ("CLOUDFLARE_API_KEY", "CLOUDFLARE_EMAIL", "CLOUDFLARE_API_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with Cloudflare(api_token=fake.token, base_url=fake.url, max_retries=0) as client:
        yield client


def _finish(sdk: Cloudflare, fake: FakeCloudflare, operation: str) -> str:
    for _ in range(10):
        state = sdk.rules.lists.bulk_operations.get(operation, account_id=fake.account)
        if state.status in ("completed", "failed"):
            break
    return state.status


def test_lists_are_made_shown_described_and_deleted(fake: FakeCloudflare, sdk: Cloudflare) -> None:
    lists, account = sdk.rules.lists, fake.account
    made = lists.create(account_id=account, kind="ip", name="friends", description="old")
    assert made is not None
    changed = lists.update(made.id, account_id=account, description="new")
    assert changed is not None
    shown = lists.get(made.id, account_id=account)
    assert shown is not None
    assert shown.to_dict() == changed.to_dict()
    assert [(each.name, each.description) for each in lists.list(account_id=account)] == [
        ("friends", "new")
    ]
    gone = lists.delete(made.id, account_id=account)
    assert gone is not None
    assert gone.id == made.id
    assert list(lists.list(account_id=account)) == []


def test_1203_items_are_written_read_over_pages_and_deleted(
    fake: FakeCloudflare, sdk: Cloudflare
) -> None:
    found, items, account = fake.add_list("friends"), sdk.rules.lists.items, fake.account
    everything = [f"198.18.{n // 256}.{n % 256}" for n in range(1203)]
    begun = items.create(found, account_id=account, body=[{"ip": each} for each in everything])
    assert begun is not None
    assert _finish(sdk, fake, begun.operation_id) == "completed"
    fake.forget()
    read = list(items.list(found, account_id=account, per_page=500))
    assert [each.ip for each in read] == everything  # type: ignore[union-attr]
    assert fake.asked == ["items.list"] * 3
    doomed = items.delete(found, account_id=account, items=[{"id": each.id} for each in read])
    assert doomed is not None
    assert _finish(sdk, fake, doomed.operation_id) == "completed"
    assert fake.items("friends") == {}


def test_items_are_replaced_and_looked_up(fake: FakeCloudflare, sdk: Cloudflare) -> None:
    found, items = fake.add_list("friends", ["192.0.2.1"]), sdk.rules.lists.items
    body = [{"ip": "2001:DB8::/64", "comment": "alice"}]
    begun = items.update(found, account_id=fake.account, body=body)  # type: ignore[arg-type]
    assert begun is not None
    _finish(sdk, fake, begun.operation_id)
    (item,) = items.list(found, account_id=fake.account)
    again = items.get(item.id, account_id=fake.account, list_id=found)
    assert again is not None
    assert (again.id, again.ip, again.comment) == (item.id, "2001:db8::/64", "alice")  # type: ignore[union-attr]


def test_a_failed_operation_is_told(fake: FakeCloudflare, sdk: Cloudflare) -> None:
    found = fake.add_list("friends")
    fake.faults.add(OperationFails("no room"), on="items.create")
    begun = sdk.rules.lists.items.create(
        found, account_id=fake.account, body=[{"ip": "203.0.113.7"}]
    )
    assert begun is not None
    assert _finish(sdk, fake, begun.operation_id) == "failed"


def _plain(answered: Any) -> dict[str, Any]:
    """An answer of the ruleset engine: some versions of the SDK leave it as it came."""
    told: dict[str, Any] = answered if isinstance(answered, dict) else answered.to_dict()
    return told


def test_a_rule_is_added_changed_and_deleted(fake: FakeCloudflare, sdk: Cloudflare) -> None:
    fake.add_list("friends")
    zone = fake.add_zone("media.example")
    engine: Any = sdk.rulesets
    assert [each.id for each in sdk.zones.list(name="media.example")] == [zone]
    with pytest.raises(cloudflare.NotFoundError):
        engine.phases.get(PHASE, zone_id=zone)
    made = _plain(engine.create(zone_id=zone, kind="zone", name="ours", phase=PHASE, rules=[]))
    assert [_plain(each)["id"] for each in engine.list(zone_id=zone)] == [made["id"]]
    body = {"action": "block", "expression": "not ip.src in $friends"}
    (rule,) = _plain(engine.rules.create(made["id"], zone_id=zone, **body))["rules"]
    where = {"ruleset_id": made["id"], "zone_id": zone}
    changed = _plain(engine.rules.edit(rule["id"], **where, **body | {"action": "log"}))
    assert [(each["id"], each["action"]) for each in changed["rules"]] == [(rule["id"], "log")]
    engine.rules.delete(rule["id"], **where)
    assert _plain(engine.phases.get(PHASE, zone_id=zone))["rules"] == []


def test_an_entry_point_is_written_as_a_whole(fake: FakeCloudflare, sdk: Cloudflare) -> None:
    zone = fake.add_zone("media.example")
    engine: Any = sdk.rulesets
    rule = {"action": "block", "expression": 'http.host eq "a"'}
    engine.phases.update(PHASE, zone_id=zone, rules=[rule])
    assert [each["expression"] for each in fake.rules(zone)] == ['http.host eq "a"']


def test_the_ranges_of_cloudflare_are_told(sdk: Cloudflare) -> None:
    ranges = sdk.ips.list()
    assert ranges is not None
    assert "104.16.0.0/13" in (ranges.ipv4_cidrs or [])


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (RateLimited("1"), cloudflare.RateLimitError),
        (FailedCall(500), cloudflare.InternalServerError),
        (FailedCall(520, html=True), cloudflare.InternalServerError),
        (CutConnection(), cloudflare.APIConnectionError),
        (CutConnection(applied=True), cloudflare.APIConnectionError),
    ],
)
def test_a_fault_is_the_error_that_the_sdk_has_for_it(
    fake: FakeCloudflare, sdk: Cloudflare, fault: OrderedFault, error: type[Exception]
) -> None:
    fake.faults.add(fault)
    with pytest.raises(error):
        sdk.rules.lists.list(account_id=fake.account)


def test_refusals_are_the_errors_that_the_sdk_has_for_them(
    fake: FakeCloudflare, sdk: Cloudflare
) -> None:
    lists = sdk.rules.lists
    fake.tokens["nothing"] = frozenset()
    with pytest.raises(cloudflare.BadRequestError):
        lists.create(account_id=fake.account, kind="ip", name="No Such Name")
    with pytest.raises(cloudflare.NotFoundError):
        lists.get("0" * 32, account_id=fake.account)
    with pytest.raises(cloudflare.AuthenticationError):
        sdk.with_options(api_token="unknown").rules.lists.list(account_id=fake.account)
    with pytest.raises(cloudflare.PermissionDeniedError):
        sdk.with_options(api_token="nothing").rules.lists.list(account_id=fake.account)


def test_a_write_while_one_is_pending_is_too_many(fake: FakeCloudflare, sdk: Cloudflare) -> None:
    found, items = fake.add_list("friends"), sdk.rules.lists.items
    items.create(found, account_id=fake.account, body=[{"ip": "203.0.113.7"}])
    with pytest.raises(cloudflare.RateLimitError):
        items.create(found, account_id=fake.account, body=[{"ip": "203.0.113.8"}])


def test_the_sdk_tries_again_when_it_is_told_to(fake: FakeCloudflare, sdk: Cloudflare) -> None:
    fake.add_list("friends")
    fake.faults.add(RateLimited("0.01"))
    patient = sdk.with_options(max_retries=1)
    assert [each.name for each in patient.rules.lists.list(account_id=fake.account)] == ["friends"]
    assert [each.status for each in fake.requests] == [429, 200]
