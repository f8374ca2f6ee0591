"""Every operation on lists, against the strict fake."""

from __future__ import annotations

import json
from ipaddress import ip_network
from typing import TYPE_CHECKING

import pytest
from allowsync_backends.cloudflare.errors import (
    CloudflareError,
    NotFound,
    NotPermitted,
    OperationFailed,
    OperationUnfinished,
    RequestRefused,
    TokenRefused,
    TooMany,
    UnreadableReply,
)
from allowsync_backends.cloudflare.values import ListKind, NewItem

from testkit.fake_cloudflare import (
    AccountPlan,
    CutConnection,
    FailedCall,
    LateQuota,
    OperationDelay,
    OperationFails,
    Permission,
    Wrong,
)
from testkit.fake_cloudflare.published import IPV4, IPV6
from tests.support.cloudflare_client import Answer, connected

if TYPE_CHECKING:
    from collections.abc import Callable

    from allowsync_backends.cloudflare.client import CloudflareClient

    from testkit.fake_cloudflare import FakeCloudflare
    from tests.support.cloudflare_client import Hours

NOWHERE = "f" * 32


def new(*addresses: str, comment: str = "") -> list[NewItem]:
    return [NewItem(ip_network(one), comment) for one in addresses]


def many(number: int) -> list[NewItem]:
    return [NewItem(ip_network((0x5A000000 + each, 32)), f"n{each}") for each in range(number)]


def held(client: CloudflareClient, list_id: str) -> dict[str, str]:
    return {str(one.network): one.comment for one in client.items(list_id)}


def test_a_list_is_made_found_described_and_deleted(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    assert client.lists() == ()
    made = client.create("friends", "of the server")
    assert (made.name, made.kind, made.description) == ("friends", ListKind.IP, "of the server")
    assert (made.num_items, made.num_referencing_filters) == (0, 0)
    assert made.modified is not None
    assert client.find("friends") == client.get(made.id) == made
    assert client.describe(made.id, "anew").description == "anew"
    client.delete(made.id)
    assert client.find("friends") is None
    assert fake.lists == {}


def test_lists_come_sorted_by_name_with_what_they_hold(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    fake.add_list("zebra", ["203.0.113.9"])
    fake.add_list("ant", kind="hostname")
    fake.refer_to("zebra")
    assert [
        (one.name, one.kind, one.num_items, one.num_referencing_filters) for one in client.lists()
    ] == [("ant", ListKind.HOSTNAME, 0, 0), ("zebra", ListKind.IP, 1, 1)]


def test_a_list_is_found_by_its_whole_name(fake: FakeCloudflare, client: CloudflareClient) -> None:
    fake.add_list("friends_2")
    assert client.find("friends") is None


def test_a_list_of_a_kind_nobody_knew_does_not_hide_the_others(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    fake.add_list("friends")
    shown = {"id": NOWHERE, "name": "later", "kind": "passport", "num_items": 3}
    mine = {"id": fake.lists["friends"].id, "name": "friends", "kind": "ip"}
    body = {"success": True, "errors": [], "messages": [], "result": [shown, mine]}
    fake.faults.add(Wrong(body), on="lists.list")
    assert [(one.name, one.kind) for one in client.lists()] == [
        ("friends", ListKind.IP),
        ("later", ListKind.OTHER),
    ]


def test_items_are_added_commented_and_removed(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = client.create("friends").id
    client.add(friends, new("203.0.113.7", "2001:db8:7::/64", comment="alice"))
    client.add(friends, new("198.51.100.0/24"))
    assert fake.items("friends") == {
        "203.0.113.7": "alice",
        "2001:db8:7::/64": "alice",
        "198.51.100.0/24": None,
    }
    found = client.items(friends)
    assert [str(one.network) for one in found] == [
        "198.51.100.0/24",
        "203.0.113.7/32",
        "2001:db8:7::/64",
    ]
    assert client.item(friends, found[0].id) == found[0]
    assert found[0].modified is not None
    client.remove(friends, [found[0].id, found[1].id])
    assert list(fake.items("friends")) == ["2001:db8:7::/64"]


def test_an_item_that_is_there_gets_the_new_comment(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends", {"203.0.113.7": "old"})
    client.add(friends, new("203.0.113.7", comment="new"))
    client.add(friends, new("203.0.113.8"))
    assert fake.items("friends") == {"203.0.113.7": "new", "203.0.113.8": None}


def test_replacing_leaves_exactly_what_is_given(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends", {"203.0.113.7": "old"})
    client.replace(friends, new("203.0.113.8", comment="x"))
    assert fake.items("friends") == {"203.0.113.8": "x"}
    assert [one.name for one in fake.writes] == ["items.replace"]


def test_a_search_asks_for_those_that_match(fake: FakeCloudflare, client: CloudflareClient) -> None:
    friends = fake.add_list("friends", ["203.0.113.7", "198.51.100.1"])
    assert [str(one.network) for one in client.items(friends, "203.")] == ["203.0.113.7/32"]


def test_nothing_to_change_asks_nothing(fake: FakeCloudflare, client: CloudflareClient) -> None:
    client.add(NOWHERE, [])
    client.remove(NOWHERE, [])
    assert fake.requests == []


def test_1203_items_take_three_pages_each_once(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends", [str(one.network) for one in many(1203)])
    found = client.items(friends)
    assert len({one.network for one in found}) == len(found) == 1203
    assert fake.asked == ["items.list"] * 3
    assert [one.query.get("per_page") for one in fake.requests] == ["500"] * 3
    assert "cursor" not in fake.requests[0].query


def test_a_search_goes_on_over_its_pages(fake: FakeCloudflare, client: CloudflareClient) -> None:
    friends = fake.add_list("friends", [str(one.network) for one in many(601)])
    fake.plant("friends", "203.0.113.9")
    assert len(client.items(friends, "90.")) == 601
    assert [one.query["search"] for one in fake.requests] == ["90."] * 2


def test_an_empty_page_as_null_is_an_empty_list(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends")
    body = {"success": True, "errors": [], "messages": [], "result": None}
    fake.faults.add(Wrong(body), on="items.list")
    assert client.items(friends) == ()


@pytest.mark.parametrize("result", [False, 0, "", {}, {"items": []}, "none"], ids=repr)
@pytest.mark.parametrize("route", ["items.list", "lists.list"])
def test_what_is_no_array_is_never_taken_for_an_empty_one(
    fake: FakeCloudflare, client: CloudflareClient, route: str, result: object
) -> None:
    friends = fake.add_list("friends", ["203.0.113.9"])
    fake.faults.add(Wrong({"success": True, "result": result}), on=route)
    with pytest.raises(UnreadableReply, match="where a list was expected"):
        client.items(friends) if route == "items.list" else client.lists()


def page(cursor: str) -> Answer:
    info = {"cursors": {"after": cursor}}
    return Answer(json.dumps({"success": True, "result": [], "result_info": info}).encode())


def test_pages_that_lead_in_a_circle_end_in_an_error(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends")
    fake.faults.add(page("again"), on="items.list", times=None)
    with pytest.raises(UnreadableReply, match="pages without an end"):
        client.items(friends)
    assert len(fake.requests) == 2


def test_a_cursor_that_cannot_be_sent_is_an_error_of_ours(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends")
    fake.faults.add(page("\ud800"), on="items.list", times=None)
    with pytest.raises(CloudflareError):
        client.items(friends)


def test_a_page_that_is_missing_makes_no_shorter_list(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends", [str(one.network) for one in many(1203)])
    fake.faults.add(FailedCall(500), on="items.list", skip=1, times=None)
    with pytest.raises(RequestRefused):
        client.items(friends)


def test_2001_items_are_changed_a_thousand_at_a_time_one_after_the_other(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = client.create("friends").id
    client.add(friends, many(2001))
    assert len(fake.items("friends")) == 2001
    client.remove(friends, [one.id for one in client.items(friends)])
    assert fake.items("friends") == {}
    sizes = [
        len(one.json if one.method == "POST" else one.json["items"]) for one in fake.writes[1:]
    ]
    assert sizes == [1000, 1000, 1] * 2
    # None was sent while another was under way: the fake would have refused it.
    assert all(one.status == 200 for one in fake.requests)


def test_a_thousand_is_one_request(fake: FakeCloudflare, client: CloudflareClient) -> None:
    friends = client.create("friends").id
    fake.forget()
    client.add(friends, many(1000))
    assert len(fake.writes) == 1


def test_what_fails_in_the_middle_keeps_the_rest_from_being_sent(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = client.create("friends").id
    fake.faults.add(OperationFails("full"), on="items.create", skip=1)
    with pytest.raises(OperationFailed, match="the operation failed: full"):
        client.add(friends, many(2500))
    assert len(fake.items("friends")) == 1000
    assert len(fake.writes) == 3


def test_replacing_is_one_request_however_many_they_are(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = client.create("friends").id
    fake.forget()
    client.replace(friends, many(1203))
    assert (len(fake.writes), len(fake.items("friends"))) == (1, 1203)


def test_a_change_is_over_when_the_call_returns(
    fake: FakeCloudflare, client: CloudflareClient, hours: Hours
) -> None:
    fake.cloud.delay = OperationDelay(polls=4, seconds=None)
    friends = client.create("friends").id
    client.add(friends, many(1))
    assert fake.pending == 0
    assert fake.asked.count("operations.get") == 5
    assert hours.slept == [0.5, 1.0, 2.0, 4.0, 8.0]


def test_a_change_that_does_not_end_is_given_up_after_two_minutes(
    fake: FakeCloudflare, client: CloudflareClient, hours: Hours
) -> None:
    fake.cloud.delay = OperationDelay(None, None)
    friends = client.create("friends").id
    with pytest.raises(OperationUnfinished) as caught:
        client.add(friends, many(1))
    assert 100 < caught.value.waited <= 120
    assert sum(hours.slept) <= 120


def test_all_parts_of_one_work_share_its_patience(fake: FakeCloudflare, hours: Hours) -> None:
    fake.cloud.delay = OperationDelay(
        polls=5, seconds=None
    )  # 0.5 + 1 + 2 + 4 + 8 + 15 seconds each
    friends = fake.add_list("friends")
    with connected(fake, hours, patience=50) as client, pytest.raises(OperationUnfinished):
        client.add(friends, many(2500))
    assert len(fake.items("friends")) == 1000
    assert sum(hours.slept) <= 50


def test_the_pending_change_of_somebody_else_is_waited_out(
    fake: FakeCloudflare, client: CloudflareClient, hours: Hours
) -> None:
    friends = fake.add_list("friends")
    fake.cloud.delay = OperationDelay(None, None)
    with connected(fake, hours, patience=1) as other, pytest.raises(OperationUnfinished):
        other.add(friends, many(1))
    fake.cloud.delay = OperationDelay()
    with pytest.raises(TooMany):
        client.describe(friends, "x")
    assert hours.slept[-5:] == [10.0, 20.0, 40.0, 60.0, 60.0]
    fake.finish()
    client.add(friends, many(2))
    assert len(fake.items("friends")) == 2


def test_an_operation_is_asked_for(fake: FakeCloudflare, client: CloudflareClient) -> None:
    friends = fake.add_list("friends")
    client.add(friends, many(1))
    (operation,) = fake.cloud.accounts[fake.account].operations
    seen = client.operation(operation)
    assert (seen.id, seen.status.value, seen.error) == (operation, "completed", "")


def test_the_published_ranges_need_no_token(fake: FakeCloudflare, hours: Hours) -> None:
    fake.tokens.clear()
    with connected(fake, hours) as client:
        ranges = client.published_ranges()
    assert set(map(str, ranges.networks)) == {*IPV4, *IPV6}
    assert len(ranges.etag) == 32
    fake.cloud.ranges = (IPV4[1:], IPV6)
    with connected(fake, hours) as client:
        changed = client.published_ranges()
    assert changed.etag != ranges.etag
    assert len(changed.networks) == len(ranges.networks) - 1


ASKING: dict[str, Callable[[CloudflareClient], object]] = {
    "get": lambda client: client.get(NOWHERE),
    "describe": lambda client: client.describe(NOWHERE, "x"),
    "delete": lambda client: client.delete(NOWHERE),
    "items": lambda client: client.items(NOWHERE),
    "item": lambda client: client.item(NOWHERE, NOWHERE),
    "add": lambda client: client.add(NOWHERE, many(1)),
    "replace": lambda client: client.replace(NOWHERE, many(1)),
    "remove": lambda client: client.remove(NOWHERE, [NOWHERE]),
    "operation": lambda client: client.operation(NOWHERE),
}
EVERYTHING = ASKING | {
    "lists": lambda client: client.lists(),
    "create": lambda client: client.create("friends"),
}
WRITES = ["create", "describe", "delete", "add", "replace", "remove"]


@pytest.mark.parametrize("name", ASKING)
def test_what_is_not_there_is_not_found(client: CloudflareClient, name: str) -> None:
    with pytest.raises(NotFound) as caught:
        ASKING[name](client)
    assert caught.value.status == 404


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_token_that_is_unknown_is_refused(
    fake: FakeCloudflare, client: CloudflareClient, name: str
) -> None:
    fake.tokens.clear()
    with pytest.raises(TokenRefused):
        EVERYTHING[name](client)
    assert len(fake.requests) == 1


@pytest.mark.parametrize("name", EVERYTHING)
def test_a_token_without_the_permission_is_not_permitted(
    fake: FakeCloudflare, client: CloudflareClient, name: str
) -> None:
    reading = frozenset({Permission.LISTS_READ}) if name in WRITES else frozenset[Permission]()
    fake.tokens[fake.token] = reading
    with pytest.raises(NotPermitted):
        EVERYTHING[name](client)
    assert len(fake.requests) == 1


def test_the_account_of_somebody_else_is_not_permitted(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    client.account = "0" * 32
    client._base = f"/accounts/{client.account}/rules/lists"
    with pytest.raises(NotPermitted):
        client.lists()


def test_what_the_api_refuses_is_said_with_its_code(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends")
    fake.refer_to("friends")
    with pytest.raises(RequestRefused) as caught:
        client.delete(friends)
    assert caught.value.codes == {10031}
    with pytest.raises(RequestRefused, match="there is a list of the name friends already"):
        client.create("friends")
    with pytest.raises(RequestRefused):
        client.add(friends, new("203.0.113.7", "203.0.113.7"))
    assert fake.items("friends") == {}


@pytest.mark.parametrize("late", [True, False])
def test_no_room_is_refused_at_once_or_in_the_end(
    fake: FakeCloudflare, client: CloudflareClient, late: bool
) -> None:
    friends = fake.add_list("friends", [str(one.network) for one in many(10_000)])
    if late:
        fake.faults.add(LateQuota(), on="items.create")
    with pytest.raises(OperationFailed if late else RequestRefused, match="no more items"):
        client.add(friends, new("203.0.113.7"))
    assert len(fake.items("friends")) == 10_000


def test_a_second_list_needs_another_plan(fake: FakeCloudflare, client: CloudflareClient) -> None:
    client.create("friends")
    with pytest.raises(RequestRefused, match="no more lists"):
        client.create("family")
    fake.cloud.accounts[fake.account].plan = AccountPlan.PRO
    client.create("family")
    assert sorted(fake.lists) == ["family", "friends"]


def test_an_answer_without_the_operation_leaves_open_what_was_done(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends")
    fake.faults.add(Wrong({"success": True, "result": {}}), on="items.create")
    with pytest.raises(UnreadableReply, match="nothing as operation_id") as caught:
        client.add(friends, many(1))
    assert str(caught.value.call) == f"POST /accounts/{fake.account}/rules/lists/{friends}/items"
    fake.finish()
    assert len(fake.items("friends")) == 1


def test_an_operation_id_that_would_lead_elsewhere_is_none(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    friends = fake.add_list("friends")
    result = {"operation_id": "../../../../user/tokens"}
    fake.faults.add(Wrong({"success": True, "result": result}), on="items.create")
    with pytest.raises(UnreadableReply, match="an operation_id that is none"):
        client.add(friends, many(1))
    assert fake.asked == ["items.create"]


def test_a_connection_is_kept_and_a_lost_one_made_anew(
    fake: FakeCloudflare, client: CloudflareClient
) -> None:
    fake.add_list("friends")
    client.lists()
    fake.faults.add(CutConnection(), on="lists.list")
    assert len(client.lists()) == 1
    assert len(fake.requests) == 3
