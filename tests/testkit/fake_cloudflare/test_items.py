"""Items: what is taken, how it is stored, how it is read, replaced and removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from testkit.fake_cloudflare import AccountPlan, FakeCloudflare

if TYPE_CHECKING:
    from tests.support.cloudflare_asking import FakeRequests

STORED = {
    "203.0.113.7": "203.0.113.7",
    "203.0.113.7/32": "203.0.113.7",
    "203.0.113.7/24": "203.0.113.0/24",
    "203.0.113.7/8": "203.0.0.0/8",
    "2001:DB8:0:0::7": "2001:db8::7",
    "2001:db8::7/128": "2001:db8::7",
    "2001:db8:0:1:2::/64": "2001:db8:0:1::/64",
    "2001:db8::/12": "2000::/12",
}

REFUSED = [
    "",
    "203.0.113.7 ",
    "203.0.113",
    "203.0.113.256",
    "203.0.113.007",
    "203.0.113.7/33",
    "203.0.113.7/7",
    "0.0.0.0/0",
    "203.0.113.7/255.255.255.0",
    "2001:db8::/11",
    "2001:db8::/129",
    "::/0",
    "2001:db8::7%eth0",
    "alice.example.org",
    "203.0.113.7\n",
    7,
    None,
]


@pytest.fixture(autouse=True)
def _friends(fake: FakeCloudflare) -> None:
    fake.add_list("friends")


@pytest.mark.parametrize(("given", "stored"), STORED.items())
def test_an_address_is_stored_in_its_shortest_form(
    fake: FakeCloudflare, ask: FakeRequests, given: str, stored: str
) -> None:
    assert ask.write("POST", "friends", [{"ip": given}])["status"] == "completed"
    assert fake.items("friends") == {stored: None}
    assert [item["ip"] for item in ask("GET", ask.items("friends")).result] == [stored]


@pytest.mark.parametrize("given", REFUSED)
def test_what_is_no_address_spoils_the_request(
    fake: FakeCloudflare, ask: FakeRequests, given: object
) -> None:
    refused = ask("POST", ask.items("friends"), [{"ip": "192.0.2.1"}, {"ip": given}])
    assert refused.error == (400, 10035)
    assert fake.pending == 0


@pytest.mark.parametrize(
    "body",
    [
        None,
        {"ip": "203.0.113.7"},
        ["203.0.113.7"],
        [{"comment": "alice"}],
        [{"ip": "203.0.113.7", "id": "1"}],
        [{"ip": "203.0.113.7", "comment": "x" * 501}],
        [{"ip": "203.0.113.7", "comment": 7}],
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_items_are_an_array_of_addresses_and_comments(
    ask: FakeRequests, method: str, body: Any
) -> None:
    assert ask(method, ask.items("friends"), body).status == 400


def test_no_item_can_replace_all_of_them_but_be_added_to_none(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    fake.plant("friends", "203.0.113.7")
    assert ask("POST", ask.items("friends"), []).error == (400, 10035)
    assert ask.write("PUT", "friends", [])["status"] == "completed"
    assert fake.items("friends") == {}


def test_items_come_in_the_order_of_their_addresses(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    for address in ("2001:db8::7", "203.0.113.10", "198.51.100.0/24", "203.0.113.9"):
        fake.plant("friends", address)
    assert sum(_pages(ask, "per_page=3"), []) == [  # noqa: RUF017 - two pages
        "198.51.100.0/24",
        "203.0.113.9",
        "203.0.113.10",
        "2001:db8::7",
    ]


def test_a_comment_of_500_characters_is_kept(fake: FakeCloudflare, ask: FakeRequests) -> None:
    ask.write("POST", "friends", [{"ip": "203.0.113.7", "comment": "x" * 500}])
    assert fake.items("friends") == {"203.0.113.7": "x" * 500}


@pytest.mark.parametrize("again", ["203.0.113.7", "203.0.113.7/32"])
def test_the_same_address_twice_is_a_duplicate(ask: FakeRequests, again: str) -> None:
    body = [{"ip": "203.0.113.7"}, {"ip": again}]
    assert ask("POST", ask.items("friends"), body).error == (400, 10028)


def test_adding_what_is_there_overwrites_the_comment_and_keeps_the_identifier(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    identifier = fake.plant("friends", "203.0.113.7", "by hand")
    ask.write("POST", "friends", [{"ip": "203.0.113.7/32", "comment": "ours"}])
    item = ask("GET", f"{ask.items('friends')}/{identifier}").result
    assert (item["ip"], item["comment"]) == ("203.0.113.7", "ours")
    ask.write("POST", "friends", [{"ip": "203.0.113.7"}])
    assert fake.items("friends") == {"203.0.113.7": None}


def test_replacing_gives_new_identifiers_and_removes_the_rest(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    before = fake.plant("friends", "203.0.113.7", "by hand")
    fake.plant("friends", "203.0.113.8")
    ask.write("PUT", "friends", [{"ip": "203.0.113.7", "comment": "by hand"}])
    assert fake.items("friends") == {"203.0.113.7": "by hand"}
    assert ask("GET", f"{ask.items('friends')}/{before}").status == 404


def test_items_are_removed_by_their_identifiers(fake: FakeCloudflare, ask: FakeRequests) -> None:
    doomed = fake.plant("friends", "203.0.113.7")
    fake.plant("friends", "203.0.113.8")
    ask.write("DELETE", "friends", {"items": [{"id": doomed}]})
    assert fake.items("friends") == {"203.0.113.8": None}


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {"items": []},
        {"items": [{"ip": "203.0.113.7"}]},
        {"items": [{"id": "0" * 32, "ip": "203.0.113.7"}]},
    ],
)
def test_nothing_is_removed_without_identifiers(
    fake: FakeCloudflare, ask: FakeRequests, body: Any
) -> None:
    fake.plant("friends", "203.0.113.7")
    assert ask("DELETE", ask.items("friends"), body).status == 400
    assert fake.items("friends") == {"203.0.113.7": None}


def test_an_identifier_that_is_gone_spoils_the_removal(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    there = fake.plant("friends", "203.0.113.7")
    body = {"items": [{"id": there}, {"id": "0" * 32}]}
    assert ask("DELETE", ask.items("friends"), body).status == 404
    assert fake.items("friends") == {"203.0.113.7": None}


def test_counts_and_times_follow_what_is_written(fake: FakeCloudflare, ask: FakeRequests) -> None:
    path = f"{ask.lists}/{fake.lists['friends'].id}"
    before = ask("GET", path).result
    ask.write("POST", "friends", [{"ip": "203.0.113.7"}, {"ip": "203.0.113.8"}])
    after = ask("GET", path).result
    assert (before["num_items"], after["num_items"]) == (0, 2)
    assert after["modified_on"] > before["modified_on"] == before["created_on"]


def _pages(ask: FakeRequests, query: str) -> list[list[str]]:
    pages, cursor = [], ""
    while True:
        answered = ask("GET", f"{ask.items('friends')}?{query}{cursor}")
        pages.append([item["ip"] for item in answered.result])
        after = answered.json["result_info"]["cursors"].get("after")
        if after is None:
            return pages
        cursor = f"&cursor={after}"


def test_1203_items_are_read_in_three_pages_of_at_most_500(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    everything = [f"198.18.{n // 256}.{n % 256}" for n in range(1203)]
    for address in everything:
        fake.plant("friends", address)
    pages = _pages(ask, "per_page=500")
    assert [len(page) for page in pages] == [500, 500, 203]
    assert sum(pages, []) == everything  # noqa: RUF017 - three pages
    assert len(_pages(ask, "search=198.18.0.")[0]) == 25


def test_a_full_last_page_leads_nowhere(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.plant("friends", "203.0.113.7")
    fake.plant("friends", "203.0.113.8")
    assert [len(page) for page in _pages(ask, "per_page=1")] == [1, 1]


def test_a_search_goes_on_where_its_cursor_leads(fake: FakeCloudflare, ask: FakeRequests) -> None:
    for address in ("203.0.113.7", "192.0.2.1", "203.0.113.8"):
        fake.plant("friends", address)
    assert _pages(ask, "per_page=1&search=203.") == [["203.0.113.7"], ["203.0.113.8"]]


@pytest.mark.parametrize(
    "query", ["per_page=0", "per_page=501", "per_page=-1", "per_page=x", "page=2"]
)
def test_pages_have_1_to_500_items_and_no_numbers(ask: FakeRequests, query: str) -> None:
    assert ask("GET", f"{ask.items('friends')}?{query}").status == 400


def test_a_cursor_is_good_for_its_own_list_only(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.plant("friends", "203.0.113.7")
    fake.plant("friends", "203.0.113.8")
    fake.add_list("others", ["203.0.113.7", "203.0.113.8"])
    first = ask("GET", f"{ask.items('friends')}?per_page=1").json
    cursor = first["result_info"]["cursors"]["after"]
    assert ask("GET", f"{ask.items('others')}?cursor={cursor}").status == 400
    assert ask("GET", f"{ask.items('friends')}?cursor=invented").status == 400
    assert ask("GET", f"{ask.items('friends')}?cursor={cursor}").status == 200


def test_a_plan_has_room_for_so_many_items(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.add_list(
        "full", [f"198.18.{n // 256}.{n % 256}" for n in range(AccountPlan.FREE.items - 1)]
    )
    assert ask.write("POST", "friends", [{"ip": "203.0.113.7"}])["status"] == "completed"
    assert ask("POST", ask.items("friends"), [{"ip": "203.0.113.8"}]).status == 400
    # What is there already takes no more room.
    assert ask.write("POST", "friends", [{"ip": "203.0.113.7"}])["status"] == "completed"
