"""Documents become values, or a `ParseError` and nothing else, whatever they hold."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_network
from typing import TYPE_CHECKING, Any

import pytest
from allowsync_backends.cloudflare import api_parser
from allowsync_backends.cloudflare.api_parser import ParseError
from allowsync_backends.cloudflare.errors import ApiCall, CloudflareError
from allowsync_backends.cloudflare.replies import seconds, understood
from allowsync_backends.cloudflare.values import (
    AccountList,
    BulkOperation,
    ListItem,
    ListKind,
    NewItem,
    NewRule,
    OperationStatus,
    Zone,
)
from hypothesis import given
from hypothesis import strategies as st

from allowsync.system.http_client import Response

if TYPE_CHECKING:
    from collections.abc import Callable

ID = "0123456789abcdef0123456789abcdef"
LIST = {"id": ID, "name": "friends", "kind": "ip", "num_items": 3, "num_referencing_filters": 1}
ITEM = {"id": ID, "ip": "203.0.113.7"}
RANGES = {"ipv4_cidrs": ["203.0.113.0/24"], "ipv6_cidrs": ["2001:db8::/32"], "etag": "x"}
RULES = {"id": ID, "name": "default", "phase": "p", "rules": []}
ZONE = {"id": ID, "name": "example.org", "account": {"id": ID}}
WHOLE: dict[str, tuple[Callable[[Any], object], dict[str, Any]]] = {
    "list": (api_parser.account_list, LIST),
    "item": (api_parser.item, ITEM),
    "operation": (api_parser.operation, {"id": ID, "status": "pending"}),
    "zone": (api_parser.zone, ZONE),
    "ruleset": (api_parser.ruleset, RULES),
    "published": (api_parser.published, RANGES),
}


def test_a_list_is_read_with_all_it_has() -> None:
    document = LIST | {"description": "x", "modified_on": "2026-11-20T15:00:00.5Z"}
    when = datetime(2026, 11, 20, 15, 0, 0, 500_000, tzinfo=UTC)
    expected = AccountList(ID, "friends", ListKind.IP, "x", 3, 1, when)
    assert api_parser.account_list(document) == expected


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("203.0.113.7", "203.0.113.7/32"),
        ("198.51.100.0/24", "198.51.100.0/24"),
        ("2001:DB8:0::/64", "2001:db8::/64"),
        ("2001:db8::7", "2001:db8::7/128"),
    ],
)
def test_an_item_is_a_network(text: str, network: str) -> None:
    read = api_parser.item(ITEM | {"ip": text, "comment": None, "modified_on": "long ago"})
    assert read == ListItem(ID, ip_network(network), "", None)


@pytest.mark.parametrize("text", ["", "alice", "203.0.113.300", "fe80::1%eth0", "1.2.3.4/33"])
def test_what_is_no_network_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="an address that is none"):
        api_parser.item(ITEM | {"ip": text})


@pytest.mark.parametrize("number", [3, 3.0])
def test_a_count_may_come_as_a_float(number: float) -> None:
    read = api_parser.account_list(LIST | {"num_items": number}).num_items
    assert (read, type(read)) == (3, int)


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity", "1e999", "3.5", "true", '"3"'])
def test_a_count_that_is_no_number_is_an_error(text: str) -> None:
    with pytest.raises(ParseError, match="as num_items"):
        api_parser.account_list(LIST | {"num_items": json.loads(text)})


def test_an_operation_of_a_status_nobody_knows_is_an_error() -> None:
    assert api_parser.operation({"id": ID, "status": "failed", "error": "x"}) == BulkOperation(
        ID, OperationStatus.FAILED, "x"
    )
    with pytest.raises(ParseError, match="unknown status"):
        api_parser.operation({"id": ID, "status": "paused"})


@pytest.mark.parametrize("text", ["", "-", "a/b", "../x", "é", "a b", "a" * 65, "%2e", "a?b", "a#"])
def test_an_id_that_would_change_a_path_is_none(text: str) -> None:
    with pytest.raises(ParseError, match="an id that is none"):
        api_parser.identifier({"id": text})


def test_a_zone_names_its_account() -> None:
    assert api_parser.zone(ZONE) == Zone(ID, "example.org", ID)


@pytest.mark.parametrize("rules", [None, []], ids=repr)
def test_a_ruleset_may_have_no_rules(rules: object) -> None:
    assert api_parser.ruleset(RULES | {"rules": rules}).rules == ()


@pytest.mark.parametrize("rules", [{}, "", 0, False, [None]], ids=repr)
def test_rules_that_are_none_are_not_taken_for_no_rules(rules: object) -> None:
    with pytest.raises(ParseError):
        api_parser.ruleset(RULES | {"rules": rules})


def test_a_rule_is_kept_with_all_it_has() -> None:
    rule = {"id": ID, "action": "block", "expression": "true", "ref": "x", "enabled": False}
    (read,) = api_parser.ruleset(RULES | {"rules": [rule]}).rules
    assert (read.enabled, read.description, read.raw) == (False, "", rule)


@pytest.mark.parametrize("key", ["ipv4_cidrs", "ipv6_cidrs"])
@pytest.mark.parametrize("value", [None, {}, "203.0.113.0/24", [3], ["x"]], ids=repr)
def test_ranges_that_are_missing_are_not_taken_for_none(key: str, value: object) -> None:
    # A server that takes connections from these alone would shut out everyone.
    with pytest.raises(ParseError):
        api_parser.published(RANGES | {key: value})


@pytest.mark.parametrize("name", WHOLE)
def test_a_document_is_an_object(name: str) -> None:
    parse, whole = WHOLE[name]
    parse(whole)
    others: tuple[object, ...] = (None, [], "x", 3, True)
    for other in others:
        with pytest.raises(ParseError, match="where an object was expected"):
            parse(other)


NESTED = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(ID),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)


@given(st.sampled_from(sorted(WHOLE)), st.data())
def test_whatever_stands_in_a_field_is_read_or_a_parse_error(
    name: str, data: st.DataObject
) -> None:
    parse, whole = WHOLE[name]
    key = data.draw(st.sampled_from(sorted(whole)))
    with suppress(ParseError):
        parse(whole | {key: data.draw(NESTED)})


@given(
    st.integers(100, 599),
    st.text(max_size=10),
    st.binary(max_size=20) | NESTED.map(lambda one: json.dumps(one).encode()),
)
def test_whatever_comes_back_is_a_reply_or_an_error_of_ours(
    status: int, retry_after: str, body: bytes
) -> None:
    with suppress(CloudflareError):
        understood(ApiCall("GET", "/x"), Response(status, {"Retry-After": retry_after}, body))


@given(NESTED, NESTED)
def test_whatever_the_errors_and_pages_hold_is_borne(errors: object, info: object) -> None:
    for success in (True, False):
        document = {"success": success, "errors": errors, "result_info": info}
        body = json.dumps(document).encode()
        with suppress(CloudflareError):
            understood(ApiCall("GET", "/x"), Response(200, {}, body))


@given(st.text(max_size=40))
def test_a_wait_is_never_negative_nor_more_than_an_hour(text: str) -> None:
    wait = seconds(text)
    assert wait is None or 0 <= wait <= 3600


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("", None),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("86400", 3600.0),
        ("-1", None),
        ("7.5", None),
        ("\u0667", None),
        ("soon", None),
        ("Fri, 01 Jan 1999 00:00:00 GMT", 0.0),
        ("Fri, 01 Jan 2999 00:00:00 GMT", 3600.0),
        ("Fri, 01 Jan 2999 00:00:00 -0000", None),
    ],
)
def test_how_long_to_wait_is_read_from_seconds_or_a_date(text: str, wait: float | None) -> None:
    assert seconds(text) == wait


def test_single_addresses_are_written_without_a_width() -> None:
    assert [
        api_parser.as_item(NewItem(ip_network(one))) for one in ("203.0.113.7", "2001:db8::7")
    ] == [
        {"ip": "203.0.113.7"},
        {"ip": "2001:db8::7"},
    ]
    assert api_parser.as_item(NewItem(ip_network("2001:db8::/64"), "x")) == {
        "ip": "2001:db8::/64",
        "comment": "x",
    }


def test_a_rule_is_written_with_what_it_is() -> None:
    assert api_parser.as_rule(NewRule("true", "block", "ours", enabled=False)) == {
        "expression": "true",
        "action": "block",
        "description": "ours",
        "enabled": False,
    }
