"""Lists: what they may be called, how many there may be, and when they cannot go."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testkit.fake_cloudflare import AccountPlan, FakeCloudflare, OperationDelay, OperationLate

if TYPE_CHECKING:
    from tests.support.cloudflare_asking import FakeRequests


def test_a_new_list_is_empty_and_can_be_asked_for(ask: FakeRequests) -> None:
    made = ask("POST", ask.lists, {"name": "friends", "kind": "ip", "description": "of ours"})
    assert (made.result["num_items"], made.result["num_referencing_filters"]) == (0, 0)
    assert ask("GET", ask.lists).result == [made.result]
    assert ask("GET", f"{ask.lists}/{made.result['id']}").result == made.result


@pytest.mark.parametrize("name", ["a", "friends_2", "9", "_", "x" * 50])
def test_names_of_the_right_form_are_taken(ask: FakeRequests, name: str) -> None:
    assert ask("POST", ask.lists, {"name": name, "kind": "ip"}).result["name"] == name


@pytest.mark.parametrize(
    "name", ["", "Friends", "my-friends", "my friends", "x" * 51, "ä", "a\n", 7]
)
def test_names_of_another_form_are_not(ask: FakeRequests, name: object) -> None:
    assert ask("POST", ask.lists, {"name": name, "kind": "ip"}).error == (400, 10027)
    assert ask("GET", ask.lists).result == []


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        "friends",
        {"name": "friends"},
        {"kind": "ip"},
        {"name": "friends", "kind": "ipv4"},
        {"name": "friends", "kind": None},
        {"name": "friends", "kind": "ip", "items": []},
        {"name": "friends", "kind": "ip", "description": "x" * 501},
    ],
)
def test_a_list_is_made_of_a_name_a_kind_and_a_description(ask: FakeRequests, body: Any) -> None:
    assert ask("POST", ask.lists, body).status == 400


def test_a_name_is_used_once(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.cloud.accounts[fake.account].plan = AccountPlan.PRO
    fake.add_list("friends")
    assert ask("POST", ask.lists, {"name": "friends", "kind": "asn"}).status == 400


def test_a_plan_has_room_for_so_many_lists(fake: FakeCloudflare, ask: FakeRequests) -> None:
    assert ask("POST", ask.lists, {"name": "first", "kind": "ip"}).status == 200
    assert ask("POST", ask.lists, {"name": "second", "kind": "ip"}).status == 400
    assert list(fake.lists) == ["first"]


def test_only_the_description_can_be_changed(fake: FakeCloudflare, ask: FakeRequests) -> None:
    path = f"{ask.lists}/{fake.add_list('friends', description='old')}"
    assert ask("PUT", path, {"description": "new"}).result["description"] == "new"
    assert ask("PUT", path, {"name": "foes"}).status == 400
    assert list(fake.lists) == ["friends"]


def test_a_list_that_a_rule_refers_to_stays(fake: FakeCloudflare, ask: FakeRequests) -> None:
    path = f"{ask.lists}/{fake.add_list('friends')}"
    fake.refer_to("friends")
    assert ask("GET", path).result["num_referencing_filters"] == 1
    assert ask("DELETE", path).error == (400, 10031)
    assert list(fake.lists) == ["friends"]


def test_a_list_that_nobody_refers_to_goes(fake: FakeCloudflare, ask: FakeRequests) -> None:
    found = fake.add_list("friends", ["203.0.113.7"])
    assert ask("DELETE", f"{ask.lists}/{found}").result == {"id": found}
    assert ask("GET", f"{ask.lists}/{found}").status == 404


def test_no_list_changes_while_an_operation_is_pending(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    path = f"{ask.lists}/{fake.add_list('friends')}"
    fake.faults.add(OperationLate(OperationDelay(None, None)), on="items.create")
    ask("POST", f"{path}/items", [{"ip": "203.0.113.7"}])
    assert ask("DELETE", path).status == 429
    assert ask("PUT", path, {"description": "new"}).status == 429
    assert ask("POST", ask.lists, {"name": "other", "kind": "ip"}).status == 429
    assert ask("GET", path).status == 200


def test_lists_of_other_kinds_hold_other_things(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.add_list("networks", kind="asn")
    assert ask("POST", ask.items("networks"), [{"ip": "203.0.113.7"}]).status == 400
    assert ask("POST", ask.items("networks"), [{"asn": "64500"}]).status == 400
    ask.write("POST", "networks", [{"asn": 64500}])
    assert list(fake.items("networks")) == ["64500"]


def test_accounts_do_not_see_each_other(fake: FakeCloudflare, ask: FakeRequests) -> None:
    other = fake.add_account()
    fake.add_list("theirs", account=other)
    assert ask("GET", ask.lists).result == []
    assert [each["name"] for each in ask("GET", f"/accounts/{other}/rules/lists").result] == [
        "theirs"
    ]


def test_rules_of_another_account_refer_to_its_own_list(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    other = fake.add_account()
    ours = fake.add_list("friends")
    fake.add_list("friends", account=other)
    fake.refer_to("friends", fake.add_zone("theirs.example", account=other))
    assert ask("GET", f"{ask.lists}/{ours}").result["num_referencing_filters"] == 0
    (theirs,) = ask("GET", f"/accounts/{other}/rules/lists").result
    assert theirs["num_referencing_filters"] == 1
