"""Who is let in, which paths there are, and what a body has to be."""

from __future__ import annotations

import pytest

from testkit.fake_cloudflare import FakeCloudflare, Permission
from tests.support.cloudflare_asking import FakeRequests


def test_without_credentials_nothing_is_told(ask: FakeRequests) -> None:
    assert ask("GET", ask.lists, Authorization="").error == (400, 9106)


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearer", "Bearer ", "Bearer a b", "token"])
def test_a_header_that_can_be_none_is_refused(ask: FakeRequests, value: str) -> None:
    refused = ask("GET", ask.lists, Authorization=value)
    assert refused.error == (400, 6003)
    (error,) = refused.json["errors"]
    assert [one["code"] for one in error["error_chain"]] == [6111]


def test_an_unknown_token_is_refused(ask: FakeRequests) -> None:
    assert ask("GET", ask.lists, Authorization="Bearer somebody-elses").error == (401, 10000)


def test_the_routes_of_zones_call_an_unknown_token_invalid(ask: FakeRequests) -> None:
    assert ask("GET", "/zones", Authorization="Bearer somebody-elses").error == (403, 9109)


def test_a_token_is_refused_from_an_address_it_is_not_for(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    fake.cloud.filtered[fake.token] = "81.2.69.160"
    refused = ask("GET", ask.lists)
    assert refused.error == (403, 9109)
    assert refused.json["errors"][0]["message"].endswith("from location: 81.2.69.160")


def test_a_token_that_may_only_read_may_not_write(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.tokens["reader"] = frozenset({Permission.LISTS_READ})
    fake.add_list("friends")
    reader = FakeRequests(fake, {"Authorization": "Bearer reader"})
    assert reader("GET", reader.lists).status == 200
    assert reader("POST", reader.items("friends"), [{"ip": "203.0.113.7"}]).error == (403, 10000)
    assert reader("GET", "/zones").error == (403, 10000)
    assert fake.pending == 0


def test_an_account_the_token_does_not_know_is_refused(ask: FakeRequests) -> None:
    assert ask("GET", f"/accounts/{'9' * 32}/rules/lists").error == (403, 10000)


@pytest.mark.parametrize(
    "path",
    ["/", "/accounts", "/accounts/me/rules/lists", "/user/tokens/verify", "/zones/x/rulesets"],
)
def test_a_path_that_leads_nowhere_has_no_route(ask: FakeRequests, path: str) -> None:
    assert ask("GET", path).error == (404, 7003)


def test_an_identifier_of_the_wrong_shape_has_no_route(ask: FakeRequests) -> None:
    assert ask("GET", f"{ask.lists}/friends").error == (404, 7003)


def test_a_list_that_is_not_there_is_not_found(ask: FakeRequests) -> None:
    assert ask("GET", f"{ask.lists}/{'0' * 32}").status == 404
    assert ask("POST", f"{ask.lists}/{'0' * 32}/items", [{"ip": "203.0.113.7"}]).status == 404


@pytest.mark.parametrize("method", ["PATCH", "PUT", "DELETE"])
def test_a_method_that_a_path_does_not_know_is_told_which_it_does(
    ask: FakeRequests, method: str
) -> None:
    refused = ask(method, ask.lists, {})
    assert refused.status == 405
    assert refused.headers["Allow"] == "GET, POST"


def test_lists_and_items_know_no_patch(fake: FakeCloudflare, ask: FakeRequests) -> None:
    fake.add_list("friends")
    assert ask("PATCH", ask.items("friends"), [{"ip": "203.0.113.7"}]).status == 405


@pytest.mark.parametrize("body", [b"{", b"\xff", b"[1,]", b"name=friends"])
def test_a_body_that_is_no_json_is_refused(ask: FakeRequests, body: bytes) -> None:
    assert ask("POST", ask.lists, body).error == (400, 10026)


def test_a_body_has_to_be_called_json(ask: FakeRequests) -> None:
    body = {"name": "friends", "kind": "ip"}
    assert ask("POST", ask.lists, body, Content_Type="text/plain").status == 415
    assert (
        ask("POST", ask.lists, body, Content_Type="application/json; charset=utf-8").status == 200
    )


def test_a_parameter_nobody_knows_is_refused(ask: FakeRequests) -> None:
    assert ask("GET", f"{ask.lists}?per_page=5").status == 400


def test_the_log_tells_what_was_asked_and_never_the_token(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    ask("POST", ask.lists, {"name": "friends", "kind": "ip"})
    ask("GET", ask.lists)
    assert fake.asked == ["lists.create", "lists.list"]
    assert [str(each) for each in fake.writes] == [f"POST {ask.lists} -> 200"]
    assert fake.writes[0].json == {"name": "friends", "kind": "ip"}
    assert all(each.ended is not None and each.begun <= each.ended for each in fake.requests)
    assert fake.token not in repr(fake.requests)
    fake.forget()
    assert fake.requests == []


def test_the_ranges_of_cloudflare_are_told_to_anybody(
    fake: FakeCloudflare, ask: FakeRequests
) -> None:
    told = ask("GET", "/ips", Authorization="").result
    assert "104.16.0.0/13" in told["ipv4_cidrs"]
    assert "2606:4700::/32" in told["ipv6_cidrs"]
    fake.cloud.ranges = (("104.16.0.0/13",), ())
    changed = ask("GET", "/ips", Authorization="").result
    assert changed["ipv4_cidrs"] == ["104.16.0.0/13"]
    assert changed["etag"] != told["etag"]
